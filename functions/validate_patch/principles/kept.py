"""Tests are the repository's: those as fetched ran on the patched code, and none is to require less."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator

from functions.core.source.syntax_tree import dotted, functions_of, nodes_of
from functions.harness.names import is_test
from functions.harness.proof import Proof
from functions.validate_patch.candidate import Candidate, parsed
from functions.validate_patch.principles.finding import Example, Finding, Principle, Severity

_SKIPPING = frozenset(
    {
        "skip",
        "skipif",
        "skipIf",
        "skipUnless",
        "skipTest",
        "xfail",
        "expectedFailure",
        "importorskip",
        "SkipTest",
    }
    | {"__test__", "collect_ignore", "collect_ignore_glob", "__unittest_skip__", "pytest_plugins"}
)


def judge(candidate: Candidate, proof: Proof) -> Iterator[Finding]:
    """What tests no longer require, and tests that are kept from running."""
    for change in candidate.changes:
        if not is_test(change.path):
            continue
        old, new = parsed(candidate.before, change.path), parsed(candidate.after, change.path)
        if change.after is None or (old is not None and new is None):
            yield Finding(Severity.REFUSE, "the patch takes away tests of the repository", change.path)
        elif new is not None:
            yield from _skipped(old, new, change.path)
            yield from _less(old, new, change.path) if old is not None else ()


def _skipped(old: ast.Module | None, new: ast.Module, path: str) -> Iterator[Finding]:
    had = Counter(name for name, _ in _skips(old)) if old is not None else Counter[str]()
    for name, line in _skips(new):
        if had[name] > 0:
            had[name] -= 1
        else:
            yield Finding(Severity.REFUSE, f"`{name}` keeps a test from running", f"{path}:{line}")


def _skips(module: ast.Module) -> Iterator[tuple[str, int]]:
    for node in nodes_of(module):
        name = node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""
        if name in _SKIPPING:
            yield name, getattr(node, "lineno", 0)


def _less(old: ast.Module, new: ast.Module, path: str) -> Iterator[Finding]:
    """Tests and assertions that are gone. A test that got a further case has all of its assertions still."""
    names = {name.rpartition(".")[2] for name in functions_of(new)}
    for name, function in functions_of(old).items():
        if name.rpartition(".")[2].startswith("test") and name.rpartition(".")[2] not in names:
            yield Finding(Severity.REFUSE, f"the test {name} is gone", f"{path}:{function.lineno}")
    kept = Counter(text for text, _ in _checks(new))
    for text, line in _checks(old):
        if kept[text] > 0:
            kept[text] -= 1
        else:
            said = f"the test no longer requires `{text[:120]}`; as fetched, it ran on the patched code"
            yield Finding(Severity.QUESTION, said, f"{path}:{line}")


def _checks(module: ast.Module) -> Iterator[tuple[str, int]]:
    """Assertions, unittest's included, and errors that are expected."""
    for node in nodes_of(module):
        if isinstance(node, ast.Assert):
            yield ast.unparse(node.test), node.lineno
        elif isinstance(node, ast.Call):
            name = dotted(node.func).rpartition(".")[2]
            if name.startswith("assert") or name == "raises":
                yield ast.unparse(node), node.lineno


_TEST = "def test_total():\n    assert total([1]) == 1\n"
_EXAMPLES = (
    Example(_TEST, f"{_TEST}    assert total([]) == 0\n", "TypeError: no", path="test_app.py"),
    Example(
        _TEST, _TEST.replace(" == 1", ""), "TypeError: no", objects=Severity.QUESTION, path="test_app.py"
    ),
    Example(
        _TEST, _TEST.replace("test_", "check_"), "TypeError: no", objects=Severity.REFUSE, path="test_app.py"
    ),
)

TESTS_ARE_THE_REPOSITORYS = Principle(
    "tests_kept",
    "The tests as fetched pass on the patched code, and none requires less than before.",
    judge,
    _EXAMPLES,
)
