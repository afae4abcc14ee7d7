"""Each principle objects to its bad examples alone; the page has the gates as they are."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from functions.core.workflow.evidence import Result
from functions.core.workflow.proposal import Proposal
from functions.core.workflow.validation_context import ValidationContext
from functions.harness.proof import Calls, Proof
from functions.validate_patch.candidate import Candidate
from functions.validate_patch.gates import GATES, How, table
from functions.validate_patch.judging import judged
from functions.validate_patch.mutants import mutants
from functions.validate_patch.principles import PRINCIPLES, Principle
from functions.validate_patch.principles.aim import AIMS_AT_THE_INCIDENT
from functions.validate_patch.principles.fallbacks import fallbacks
from functions.validate_patch.principles.finding import Example, Severity
from functions.validate_patch.principles.fitting import Fitting
from functions.validate_patch.principles.sources import Sources
from functions.validate_patch.rules import Rules
from functions.validate_patch.tree import File, changes_between

ROOT = Path(__file__).parents[3]
EXAMPLES = [(principle, example) for principle in PRINCIPLES for example in principle.examples]
Made = Callable[[Example], Candidate]


@pytest.fixture
def made(facts_of: Callable[..., ValidationContext], propose: Callable[..., Proposal]) -> Made:
    """The candidate of an example."""

    def make(example: Example, **others: str) -> Candidate:
        kind, _, message = example.error.partition(": ")
        lines = example.before.rstrip().split("\n")
        function = example.before.rpartition("def ")[2].partition("(")[0]
        code = lines[-1].strip()
        context = facts_of(kind, (example.path, len(lines), function, code), message=message)
        before = {
            path: File(text.encode()) for path, text in {**others, example.path: example.before}.items()
        }
        after = {**before, example.path: File(example.after.encode())}
        rules = Rules.of(context.app, before)
        return Candidate(before, after, changes_between(before, after), propose(), context, rules)

    return make


def proof_of(example: Example) -> Proof:
    """What the runs of an example would have shown."""

    def line(call: str, shown: str) -> dict[str, Any]:
        return {"call": call, "imports": [], "value": shown, "shown": shown}

    mended = [
        ({"call": call, "imports": [], "exact": True}, line(call, now))
        for call, now in example.failed.items()
    ]
    worked = [(line(call, now), line(call, was)) for call, (was, now) in example.worked.items()]
    differing = [pair for pair in worked if pair[0]["shown"] != pair[1]["shown"]]
    return Proof(calls=Calls(worked, mended, [], differing, frozenset(), whole=True))


@pytest.mark.parametrize(
    ("principle", "example"), EXAMPLES, ids=[f"{p.name}-{p.examples.index(e)}" for p, e in EXAMPLES]
)
def test_a_principle_objects_to_its_bad_examples_alone(
    principle: Principle, example: Example, made: Made
) -> None:
    found = list(principle.judge(made(example), proof_of(example)))
    assert {finding.kind for finding in found} == ({example.objects} if example.objects else set()), found


@pytest.mark.parametrize("principle", PRINCIPLES, ids=lambda principle: principle.name)
def test_each_principle_has_good_and_bad_examples(principle: Principle) -> None:
    assert {example.objects is None for example in principle.examples} == {True, False}


def test_the_readme_has_the_gates_as_they_are() -> None:
    assert table() in (ROOT / ".github/PROOF.md").read_text()
    assert [gate.name for gate in GATES if gate.how is How.JUDGES] == [p.name for p in PRINCIPLES]


def test_a_gate_needs_only_gates_before_it() -> None:
    names = [gate.name for gate in GATES]
    assert all(names.index(needed) < names.index(gate.name) for gate in GATES for needed in gate.needs)


BODY = 'def total(order):\n    return order["net"] + order["discount"]\n'
LACKING = Example(BODY, BODY.replace('order["discount"]', 'order.get("discount", 0)'), "KeyError: 'discount'")


@pytest.mark.parametrize(
    ("readme", "stated"),
    [
        ("A missing discount means 0.", True),
        ("Discounts are optional.", True),
        ("`enabled_by_default` is optional.", False),
        ("It prints all unless `--pretty=none`.", False),
        ("A missing net means 0.", False),
        ("An order without a discount costs 5 more.", False),
    ],
)
def test_a_sentence_elsewhere_states_a_default_only_of_what_it_names(
    made: Callable[..., Candidate], readme: str, stated: bool
) -> None:
    candidate = made(LACKING, **{"README.md": readme})
    assert bool(Sources(candidate, candidate.places[-1], "'discount'").of(0)) is stated


def test_mutants_take_away_what_the_patch_gives(made: Made) -> None:
    emptied, negated = mutants(made(LACKING))
    assert emptied == {"app.py": "def total(order):\n    return None\n"}
    assert "return not order['net']" in negated["app.py"]


def test_what_was_not_seen_is_asked_and_never_passed(made: Made) -> None:
    found = judged(made(LACKING), Proof())
    results: Mapping[str, Result] = {gate.gate: gate.result for gate in found.gates}
    assert results["result_stated"] is Result.QUESTION
    assert results["worked_stays"] is Result.NOT_RUN


@pytest.mark.parametrize(
    ("changes", "refused"),
    [
        ({}, True),
        ({"deliberate": True}, False),
        ({"type": "LookupError"}, False),
        ({"frames": [["app.py", 9, "somebody_else"]]}, False),
        ({"exact": False}, False),
    ],
    ids=["still-fails", "on-purpose", "another-error", "elsewhere", "only-alike"],
)
def test_where_every_call_still_fails_nothing_is_mended_whatever_a_test_says(
    made: Made, changes: dict[str, Any], refused: bool
) -> None:
    """A test of the patch may tell a story of its own about its run; these calls are made without it."""
    told = {
        "type": "KeyError",
        "frames": [["app.py", 2, "total"]],
        "exact": True,
        "deliberate": False,
        **changes,
    }
    raised = {"type": told["type"], "message": "'discount'", "frames": told["frames"]}
    call = {"call": "total({'net': 1})", "imports": [], "exact": told["exact"]}
    now = {"raised": raised, "deliberate": told["deliberate"]}
    proof = Proof(calls=Calls([], [(call, now)], [], [], frozenset(), whole=True))

    found = list(AIMS_AT_THE_INCIDENT.judge(made(LACKING), proof))

    assert [finding.kind for finding in found] == ([Severity.REFUSE] if refused else [])


@pytest.mark.parametrize(("message", "asked"), [("'discount'", True), ("division by zero", False)])
def test_where_most_calls_still_fail_it_is_asked_if_the_error_says_of_which_input_it_is(
    made: Made, message: str, asked: bool
) -> None:
    candidate = made(LACKING)
    incident = replace(candidate.context.incident, title=f"KeyError: {message}")
    candidate = replace(candidate, context=replace(candidate.context, incident=incident))
    raised = {"type": "KeyError", "message": message, "frames": [["app.py", 2, "total"]]}
    calls = [{"call": f"total({{'net': {n}}})", "imports": [], "exact": True} for n in range(3)]
    answers: list[dict[str, Any]] = [{"raised": raised, "deliberate": False}] * 2
    answers.append({"value": "0", "shown": "0"})
    pairs = list(zip(calls, answers, strict=True))
    proof = Proof(calls=Calls([], pairs, [], [], frozenset(), whole=True))

    found = list(AIMS_AT_THE_INCIDENT.judge(candidate, proof))

    assert [finding.kind for finding in found] == ([Severity.QUESTION] if asked else [])


@pytest.mark.parametrize(
    ("call", "allowed"),
    [
        ("f(1, {'a': ['x']})", True),
        ("f(1, rows={'a': []})", True),
        ("f(True, {})", False),
        ("f('1', {})", False),
        ("f(1, [['a']])", False),
        ("f(1, {'a': 'x'})", False),
        ("f(1, {1: ['x']})", False),
        ("f(1, {}, None)", True),
        ("f(1, {}, 2.5)", False),
        ("list(f('1', {}))", False),
        ("f(made(), {})", True),
        ("g('1')", True),
    ],
)
def test_what_annotations_rule_out_does_not_have_to_stay(made: Made, call: str, allowed: bool) -> None:
    before = (
        "Rows = dict[str, list[str]]\n\n\n"
        "def f(n: int, rows: Rows, unit: 'str | None' = None):\n    return n + len(rows)\n"
    )
    example = Example(before, before.replace("n +", "int(n) +"), "TypeError: no")
    assert Fitting(made(example)).allows(call) is allowed


@pytest.mark.parametrize(
    ("code", "found"),
    [
        ("order.get('tax', 0.19)", [0.19]),
        ("order.get('tax') or 0", [0]),
        ("order['tax'] if 'tax' in order else TAXES['DE']", ["DE"]),
        ("order['tax'] if 'tax' in order else Decimal('0.07')", [0.07]),
        ("order['tax'] if 'tax' in order else tax_of('DE')", ["DE"]),
        # What is empty is like its being missing; what is compared, or names a part, is no result.
        ("order.get('tax') or ''", []),
        ("order.get('tax') or []", []),
        ("order['tax'] if order['country'] != 'DE' else None", []),
        ("(order.get('tax') or order['text'].split(',')[0])", []),
        # The code around falls back to it in the same way.
        ("order.get('tax', 0)", []),
    ],
)
def test_a_constant_that_stands_in_is_found(made: Made, code: str, found: list[object]) -> None:
    before = "def net(order):\n    return order.get('net', 0)\n\n\ndef tax(order):\n    return order['tax']\n"
    example = Example(before, before.replace("order['tax']", code), "KeyError: 'tax'")
    assert [item.value for item in fallbacks(made(example))] == found


def test_calls_that_the_time_did_not_suffice_for_are_not_proven(made: Made) -> None:
    worked = ({"call": "total({})", "shown": "1"}, {"shown": "1"})
    cut = Calls([worked], [], [], [], frozenset(), whole=True, compared=False)
    gates = {gate.gate: gate for gate in judged(made(LACKING), Proof(calls=cut)).gates}
    assert gates["worked_stays"].result is Result.NOT_RUN
    assert "took longer" in gates["worked_stays"].detail
