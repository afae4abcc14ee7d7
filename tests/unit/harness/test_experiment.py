"""What is asked follows from outcomes alone, so a judge that replays them asks the same: else, no belief."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest

from functions.harness.answers import lines_of
from functions.harness.experiment import experiment, names_in, replay
from functions.harness.outcome import RunOutcome
from functions.harness.proof import NotBelieved, Proof
from functions.harness.request import RunRequest
from tests.jobs import INCIDENT, asked, command, pytest_suite

PLACE = {"path": "shop.py", "function": "rate", "line": 2, "code": "return RATES[country]"}
HAPPENED = {**INCIDENT, "places": [PLACE]}
OWN = frozenset({"shop.py"})
TEST = "test_shop.py::test_rate"


def said(*lines: Any, exit_code: int = 0) -> RunOutcome:
    return RunOutcome(exit_code, "", 1.0, "", "".join(json.dumps(line) + "\n" for line in lines))


def told(result: str, raised: str = "KeyError", function: str = "rate") -> RunOutcome:
    """A run of pytest with one test."""
    error = {"type": raised, "message": "'XX'", "frames": [["shop.py", 2, function]]}
    code = int(result == "failed")
    phases = [
        {"test": TEST, "when": when, "outcome": "passed", "exception": None} for when in ("setup", "teardown")
    ]
    call = {"test": TEST, "when": "call", "outcome": result, "exception": error if code else None}
    return said({"collected": [TEST]}, phases[0], call, phases[1], {"finished": code}, exit_code=code)


FAILED, PASSED, ENDED = told("failed"), told("passed"), said()


def steps(given: dict[str, Any], outcomes: Sequence[RunOutcome], pytest: bool = True) -> list[RunRequest]:
    """What is asked for when these are the outcomes, one by one."""
    asking = experiment(given, OWN, pytest=pytest)
    runs = [next(asking, None)]
    for outcome in outcomes:
        try:
            runs.append(asking.send(outcome))
        except StopIteration:
            runs.append(None)
    return [run for run in runs if run is not None]


def judged(given: dict[str, Any], *outcomes: RunOutcome, cut: bool = False, pytest: bool = True) -> Proof:
    return replay(given, OWN, outcomes, pytest=pytest, cut=cut)


REGRESSION = asked(incident=HAPPENED, tests=["test_shop.py"], times=2)
SUITE = asked(suite=command("true"))
SEARCHED = asked(incident=HAPPENED)
CALLS = [ENDED] * 7


def test_a_regression_test_runs_first_without_the_patch_and_has_the_patchs_file_there() -> None:
    runs = steps(REGRESSION, [FAILED, FAILED, PASSED])
    assert [(run.tree, run.taken) for run in runs] == [
        ("before", ("test_shop.py",)), ("before", ("test_shop.py",)), ("after", ()), ("after", ()),
    ]  # fmt: skip


def test_calls_are_made_up_only_once_the_incident_was_reproduced() -> None:
    assert len(steps(REGRESSION, [FAILED, FAILED, PASSED, PASSED])) == 5
    assert len(steps(REGRESSION, [PASSED, PASSED] * 2)) == 4
    assert len(steps(REGRESSION, [FAILED, FAILED] * 2)) == 4


def test_options_that_pytest_does_not_know_are_left_out() -> None:
    suite = pytest_suite("--cov")
    plain = {**suite["task"], "args": []}
    given = asked(suite={**suite, "plain": plain})
    runs = steps(given, [said(exit_code=4), ENDED])
    assert [(run.tree, run.task) for run in runs[1:]] == [("before", plain), ("after", plain)]
    assert [run.task for run in steps(given, [ENDED])] == [suite["task"]] * 2


BROKEN = {"shop.py": "raise ImportError"}
NOTICED = said(exit_code=1)


def test_a_command_that_succeeds_on_both_trees_runs_again_with_the_changed_modules_broken() -> None:
    given = asked(suite=command("true", broken=BROKEN))
    runs = steps(given, [ENDED, ENDED])
    assert [(run.tree, run.added) for run in runs] == [("before", {}), ("after", {}), ("after", BROKEN)]
    assert judged(given, ENDED, ENDED, NOTICED).broken == NOTICED


@pytest.mark.parametrize("outcomes", [[NOTICED, ENDED], [ENDED, NOTICED]])
def test_a_command_that_fails_on_a_tree_does_not_run_again(outcomes: list[RunOutcome]) -> None:
    given = asked(suite=command("true", broken=BROKEN))
    assert judged(given, *outcomes).broken is None
    with pytest.raises(NotBelieved, match="nobody asked for"):
        judged(given, *outcomes, ENDED)


def test_a_report_that_leaves_out_whether_the_command_notices_is_not_believed_unless_time_was_up() -> None:
    given = asked(suite=command("true", broken=BROKEN))
    with pytest.raises(NotBelieved, match="leaves out a run"):
        judged(given, ENDED, ENDED)
    proof = judged(given, ENDED, ENDED, cut=True)
    assert (proof.suite, proof.broken) == ((ENDED, ENDED), None)


def test_without_pytest_a_command_runs_all_the_same() -> None:
    assert [run.task["kind"] for run in steps({**REGRESSION, **SUITE}, [], pytest=False)] == ["command"]
    assert steps({**REGRESSION, "suite": pytest_suite()}, [], pytest=False) == []


def test_where_nothing_is_found_the_caller_is_searched() -> None:
    given = asked(incident={**HAPPENED, "places": [{**PLACE, "function": "total"}, PLACE]})
    assert [run.task["skip"] for run in steps(given, [ENDED])] == [0, 1]


def test_what_was_reproduced_is_concluded_again() -> None:
    proof = judged(REGRESSION, FAILED, FAILED, PASSED, PASSED, *CALLS)
    assert proof.reproduction is not None
    assert proof.reproduction.verdict.names == (TEST,)
    assert proof.calls is not None


@pytest.mark.parametrize(
    ("outcomes", "objection"),
    [
        ([PASSED] * 4, "passes without the patch as well"),
        ([FAILED, FAILED] * 2, "still fails after the patch"),
        ([told("failed", "ValueError")] * 2 + [PASSED] * 2, "it must fail with KeyError"),
        ([told("failed", function="other")] * 2 + [PASSED] * 2, "it must fail with KeyError"),
        ([FAILED, PASSED, PASSED, PASSED], "flaky"),
        ([FAILED, FAILED, PASSED, FAILED], "flaky"),
        ([FAILED, FAILED, ENDED, ENDED], "does not count"),
    ],
)
def test_what_does_not_reproduce_the_incident_is_no_proof(outcomes: list[RunOutcome], objection: str) -> None:
    proof = judged(REGRESSION, *outcomes)
    assert proof.reproduction is not None
    assert proof.reproduction.verdict.names == ()
    assert objection in proof.reproduction.verdict.objection
    assert proof.calls is None


@pytest.mark.parametrize("left", range(4 + len(CALLS)))
def test_a_report_that_leaves_a_run_out_is_not_believed_unless_time_was_up(left: int) -> None:
    outcomes = [FAILED, FAILED, PASSED, PASSED, *CALLS][:left]
    with pytest.raises(NotBelieved, match="leaves out a run"):
        judged(REGRESSION, *outcomes)
    proof = judged(REGRESSION, *outcomes, cut=True)
    assert (proof.reproduction is None) == (left < 4)
    assert proof.calls is None


@pytest.mark.parametrize("cut", [False, True])
def test_a_run_that_nobody_asked_for_is_not_believed(cut: bool) -> None:
    with pytest.raises(NotBelieved, match="nobody asked for"):
        judged(SUITE, ENDED, ENDED, ENDED, cut=cut)
    with pytest.raises(NotBelieved, match="nobody asked for"):
        judged(asked(), ENDED, cut=cut)


GARBAGE: dict[str, list[Any]] = {
    "a call without its imports": [{"call": "rate('XX')", "exact": True}],
    "a call that is a number": [{"call": 5, "exact": True, "imports": []}],
    "a call that runs what it likes": [{"call": "exec('1')", "exact": True, "imports": [["shop", "rate"]]}],
    "imports that are none": [{"call": "rate('XX')", "exact": True, "imports": 5}],
    "an import of its own": [{"call": "system('XX')", "exact": True, "imports": [["os", "system"]]}],
    "no word on whether it is exact": [{"call": "rate('XX')", "imports": [["shop", "rate"]]}],
}


@pytest.mark.parametrize("name", GARBAGE)
def test_garbage_from_the_search_is_not_believed(name: str) -> None:
    with pytest.raises(NotBelieved, match="not what the harness writes"):
        judged(SEARCHED, said(*GARBAGE[name]), said({"value": "1"}), FAILED, PASSED, *CALLS)


@pytest.mark.parametrize("answer", [{"raised": {}}, {"raised": 5}, {"raised": None}, {"raised": []}])
def test_garbage_for_an_answer_is_not_believed(answer: dict[str, Any]) -> None:
    call = {"call": "rate('XX')", "exact": True, "imports": [["shop", "rate"]]}
    with pytest.raises(NotBelieved):
        judged(SEARCHED, said(call), said({"deliberate": True, **answer}), FAILED, PASSED, *CALLS)


def rate(country: str, **answer: Any) -> dict[str, Any]:
    """A call that a survey made up, with its answer."""
    return {"call": f"rate({country!r})", "imports": [["shop", "rate"]], "exact": False, **answer}


REFUSED = {"raised": {"type": "Refused", "message": "", "frames": []}, "deliberate": True}


def test_each_answer_says_which_call_it_is_to() -> None:
    """Of the other functions that change, too, whose calls the survey before the patch did not make."""
    given = {"value": "1", "shown": "1"}
    failing = {"raised": {"type": "KeyError", "message": "", "frames": []}, "deliberate": False}
    outcomes = (
        said(rate("DE", **REFUSED), rate("XX", **failing, likeness=2), {"end": True}),  # before
        said(rate("AT", **given), rate("DE", **given)),  # after
        said(rate("CH", **given)),  # after, of other functions
        said({"n": 0, **REFUSED}, {"n": 1, **given}),  # the unknown ones, before
        *(said({"n": 0, **given}),) * 3,
    )
    changed = {**REGRESSION, "changed": {"places": [PLACE]}}
    calls = judged(changed, FAILED, FAILED, PASSED, PASSED, ENDED, *outcomes).calls
    assert calls is not None
    answers = [one for pairs in (calls.worked, calls.mended, calls.refused) for pair in pairs for one in pair]
    assert len(calls.refused) == 2
    assert [one["call"] for one in answers] == [one.get("call") for one in answers]
    assert {one["call"] for pair in calls.refused for one in pair} == {"rate('CH')", "rate('DE')"}


@pytest.mark.parametrize(
    "line",
    [
        {"executed": ["1"]}, {"n": "0", "value": "1", "shown": "1"}, {"value": "1"}, {"deliberate": True},
        {"value": "-" * 5000 + "1", "shown": ""}, {"value": "[" * 90, "shown": ""}, {"logged": [1]},
        {"raised": {"type": "A", "message": "", "frames": [["a.py", "2", "f"]]}},
        {"value": "1", "shown": 1}, {"n": 9, "value": "1", "shown": "1"}, {"likeness": 2},
    ],
)  # fmt: skip
def test_a_line_in_no_form_that_is_written_is_not_believed(line: dict[str, Any]) -> None:
    with pytest.raises(NotBelieved, match="not what the harness writes"):
        judged(REGRESSION, FAILED, FAILED, PASSED, PASSED, *[said(line)] * 7)


def test_half_a_character_is_replaced_and_deep_nonsense_is_left_out() -> None:
    outcome = RunOutcome(0, "", 1.0, "", '{"shown": "\\udc80"}\n' + "[" * 100_000 + "\n")
    assert lines_of(outcome) == [{"shown": "?"}]


def test_an_error_of_ours_is_not_told_as_a_forged_report(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise KeyError("ours")

    monkeypatch.setattr("functions.harness.experiment._differing", broken)
    with pytest.raises(KeyError, match="ours"):
        judged(REGRESSION, FAILED, FAILED, PASSED, PASSED, *CALLS)


def test_names_are_those_of_code_that_is_no_test() -> None:
    assert names_in(["a.py", "tests/b.py", "test_c.py", "conftest.py", "d.txt"]) == {"a.py"}
