"""What parses: by the app's own Python; what did not parse before, or is too new for what runs this, is no
finding."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from functions.core.source.engine import ENGINE
from functions.core.source.python import Python
from functions.core.workflow.evidence import Evidence, Result
from functions.core.workflow.proposal import Proposal
from functions.core.workflow.validation_context import ValidationContext
from functions.harness.interpreters import VERSIONS
from functions.validate_patch.tree import File
from functions.validate_patch.validate import examine

Examine = Callable[..., Evidence]
OLD = 'def total(lines):\n    """The sum."""\n    return sum(line["price"] for line in lines)\n'
EDIT = ('line["price"]', 'line.get("price", 0)')
CHANGE = ("def total(lines):", "def total(lines: list):")

# Lines that are a syntax error on every Python before the one that they are from.
SYNTAX = {
    "3.10": "def kind(x):\n    match x:\n        case 1:\n            return 1\n",
    "3.11": "def g():\n    try:\n        pass\n    except* ValueError:\n        raise\n",
    "3.12": "type Lines = list\n\n\ndef first[T](xs: list[T]) -> T:\n    return xs[0]\n\n\nX = f'{'a'}'\n",
    "3.13": "class Box[T = int]:\n    pass\n",
    "3.14": "name = 'x'\nT = t'{name}'\n",
}


def number(version: str) -> tuple[int, ...]:
    return tuple(map(int, version.split(".")))


READABLE = [v for v in SYNTAX if number(v) <= number(ENGINE)]
TOO_NEW = [v for v in SYNTAX if number(v) > number(ENGINE)]


@pytest.fixture
def examined(facts_of: Callable[..., ValidationContext], propose: Callable[..., Proposal]) -> Examine:
    """The evidence of the gates that read, for edits of `shop.py` with this content, on this Python."""

    def run(content: str, *edits: tuple[str, str], python: str = ENGINE, path: str = "shop.py") -> Evidence:
        context = replace(facts_of("KeyError"), python=Python(python, "Pipfile names it"))
        tree = {path: File(content.encode())} if content else {}
        proposal = propose(*((path, *edit) for edit in edits))
        return Evidence(examine(tree, proposal, context).gates)

    return run


def results(evidence: Evidence) -> dict[str, Result]:
    return {gate.gate: gate.result for gate in evidence.gates}


def detail(evidence: Evidence, name: str) -> str:
    return next(gate.detail for gate in evidence.gates if gate.gate == name)


@pytest.mark.parametrize("syntax", READABLE)
def test_a_file_in_the_apps_own_dialect_passes(examined: Examine, syntax: str) -> None:
    for python in VERSIONS[VERSIONS.index(syntax) :]:
        if number(python) <= number(ENGINE):
            assert set(results(examined(f"{SYNTAX[syntax]}\n\n{OLD}", CHANGE, python=python)).values()) == {
                Result.PASS
            }


@pytest.mark.parametrize("syntax", SYNTAX)
def test_syntax_that_the_apps_python_does_not_have_is_a_finding(examined: Examine, syntax: str) -> None:
    older = VERSIONS[VERSIONS.index(syntax) - 1]
    evidence = examined(OLD, ("def total", f"{SYNTAX[syntax]}\n\ndef total"), python=older)
    assert results(evidence)["parses"] is Result.FAIL
    assert f"on Python {older}" in detail(evidence, "parses")
    assert results(evidence)["capabilities"] is Result.NOT_RUN


@pytest.mark.parametrize("syntax", READABLE)
def test_syntax_that_was_there_before_is_not_held_against_a_patch(examined: Examine, syntax: str) -> None:
    older = VERSIONS[VERSIONS.index(syntax) - 1]
    evidence = examined(f"{SYNTAX[syntax]}\n\n{OLD}", CHANGE, python=older)
    assert evidence.accepted
    assert results(evidence)["capabilities"] is Result.PASS, "it can be read here, so it is"


@pytest.mark.parametrize(
    "broken", ["print 'hello'\n", "def f(:\n    pass\n", "x = '\n", "if x:\n\ty()\n        z()\n"]
)
def test_what_did_not_parse_before_is_no_finding_and_no_pass_either(examined: Examine, broken: str) -> None:
    evidence = examined(f"{broken}{OLD}", CHANGE)
    assert evidence.accepted
    for gate in ("parses", "capabilities"):
        assert results(evidence)[gate] is Result.NOT_RUN
        assert "does not parse, without the patch as with it: make it parse first" in detail(evidence, gate)


def test_a_patch_that_makes_a_file_parse_is_judged(examined: Examine) -> None:
    evidence = examined("def f(:\n    return 1\n", ("(:", "():"))
    assert results(evidence)["parses"] is Result.PASS


def test_a_patch_that_breaks_a_file_is_refused_even_beside_one_that_was_broken(
    facts_of: Callable[..., ValidationContext], propose: Callable[..., Proposal]
) -> None:
    tree = {"a.py": File(b"print 'x'\ny = 1\n"), "b.py": File(b"y = 1\n")}
    context = replace(facts_of("KeyError"), python=Python(ENGINE, ""))
    examined = examine(tree, propose(("a.py", "y = 1", "y = 2"), ("b.py", "y = 1", "y = = 1")), context)
    assert [gate.findings for gate in examined.gates if gate.gate == "parses"] == [
        ("b.py:1: does not parse: Expected an expression",)
    ]


@pytest.mark.parametrize("syntax", TOO_NEW)
@pytest.mark.parametrize("where", ["before", "by the patch", "in a new file"])
def test_syntax_that_is_too_new_for_this_system_is_said_and_never_held_against_the_patch(
    examined: Examine, syntax: str, where: str
) -> None:
    new = SYNTAX[syntax]
    evidence = {
        "before": lambda: examined(f"{new}\n\n{OLD}", CHANGE, python=syntax),
        "by the patch": lambda: examined(OLD, ("def total", f"{new}\n\ndef total"), python=syntax),
        "in a new file": lambda: examined("", ("", new), python=syntax),
    }[where]()
    assert evidence.accepted
    for gate in ("parses", "capabilities"):
        assert results(evidence)[gate] is Result.NOT_RUN
        said = detail(evidence, gate)
        assert f"for Python {ENGINE}, which runs this system; the app's Python {syntax}" in said
        assert f"Run this system on Python {syntax} or newer, then start the heal again." in said


def test_an_undefined_name_is_a_finding_in_any_dialect(examined: Examine) -> None:
    evidence = examined(OLD, ("return sum", "return summe"))
    assert "F821 Undefined name `summe`" in detail(evidence, "parses")


@pytest.mark.parametrize(
    "deep",
    [
        "x = " + "(" * 5000 + ")" * 5000,
        "x = " + "-" * 5000 + "1",
        "x = 1" + " + 1" * 3000,
        "x = " + "lambda: " * 150 + "1",
        "x = a" + ".b" * 150,
    ],
    ids=["brackets", "signs", "a sum", "lambdas", "attributes"],
)
def test_what_is_nested_too_deeply_does_not_parse(examined: Examine, deep: str) -> None:
    evidence = examined(OLD, ("def total", f"{deep}\n\n\ndef total"))
    assert results(evidence)["parses"] is Result.FAIL
    assert "nested" in detail(evidence, "parses")
    assert not examined(f"{deep}\n{OLD}", EDIT).findings
