"""Reports that are forged, cut, huge, late, there twice or not at all: in no lane do they prove anything."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from functions.core.workflow.evidence import Result
from functions.core.workflow.proposal import Proposal
from functions.core.workflow.validation_context import ValidationContext
from functions.harness.outcome import REPORT_LIMIT
from functions.validate_patch import lanes as lanes_module
from functions.validate_patch import step as step_module
from functions.validate_patch import told
from functions.validate_patch import validate as validate_module
from functions.validate_patch.order import TIMES
from functions.validate_patch.tree import Tree
from functions.validate_patch.validate import Examined, examine
from tests.fakes.emulated import LambdaContext, emulated
from tests.unit.validate_patch.lanes_at_work import LANES, REGRESSION, RIGHT, Lanes, gate, proven, stocked

Change = Callable[[dict[str, Any]], Any]


def put(*path: Any, value: Any) -> Change:
    """Replaces one value of a report."""

    def change(report: dict[str, Any]) -> None:
        at: Any = report
        for key in path[:-1]:
            at = at[key]
        at[path[-1]] = value

    return change


def drop(*path: Any) -> Change:
    """Takes one value of a report away."""

    def change(report: dict[str, Any]) -> None:
        at: Any = report
        for key in path[:-1]:
            at = at[key]
        del at[path[-1]]

    return change


def all_green(report: dict[str, Any]) -> None:
    """Every run as if it had succeeded: then the test does not fail before the patch."""
    for row in report["outcomes"]:
        row.update(exit_code=0, stopped="")


def worker_ends(report: dict[str, Any]) -> None:
    """The patched tree's runs end by themselves, early and with success."""
    for row in report["outcomes"]:
        row.update(exit_code=0, report="")


def swapped(report: dict[str, Any]) -> None:
    """What came before is told as what came after."""
    rows = report["outcomes"]
    rows[0], rows[TIMES] = rows[TIMES], rows[0]


def second_worker_story(report: dict[str, Any]) -> None:
    """The run's own report told twice over."""
    report["outcomes"][1]["report"] *= 2


FORGED: dict[str, Change] = {
    "another nonce": put("nonce", value="0" * 32),
    "no nonce": put("nonce", value=""),
    "a nonce that is a list": put("nonce", value=[]),
    "another version": put("version", value=2),
    "a version that is true": put("version", value=True),
    "a version that is 1.0": put("version", value=1.0),
    "one field more": put("verdict", value="accepted"),
    "a verdict for gates": put("gates", value=[{"gate": "reproduces", "result": "pass"}]),
    "one field less": drop("ended"),
    "no outcomes": put("outcomes", value=[]),
    "outcomes that are none": put("outcomes", value=None),
    "outcomes by name": put("outcomes", value={"0": {}}),
    "the first run left out": drop("outcomes", 0),
    "the last run left out": drop("outcomes", -1),
    "a run too many": lambda r: r["outcomes"].append(copy.deepcopy(r["outcomes"][-1])),
    "a run told twice": lambda r: r["outcomes"].insert(0, copy.deepcopy(r["outcomes"][0])),
    "too many runs by far": lambda r: r.update(outcomes=r["outcomes"] * 200),
    "before and after changed places": swapped,
    "every run succeeds": all_green,
    "every worker ended early with success": worker_ends,
    "a run that tells its story twice": second_worker_story,
    "an outcome with one field more": put("outcomes", 0, "passed", value=True),
    "an outcome with one field less": drop("outcomes", 0, "output"),
    "an outcome that is a list": put("outcomes", 0, value=[]),
    "an outcome that is text": put("outcomes", 0, value="exit_code stopped seconds output report"),
    "an outcome that is null": put("outcomes", 0, value=None),
    "no exit code and not stopped": put("outcomes", 0, "exit_code", value=None),
    "an exit code as text": put("outcomes", 0, "exit_code", value="1"),
    "an exit code that is true": put("outcomes", 0, "exit_code", value=True),
    "a negative exit code": put("outcomes", 0, "exit_code", value=-9),
    "an exit code no system gives": put("outcomes", 0, "exit_code", value=256),
    "stopped with an exit code": put("outcomes", 0, "stopped", value="time"),
    "stopped for another reason": lambda r: r["outcomes"][0].update(stopped="bored", exit_code=None),
    "stopped by a list": put("outcomes", 0, "stopped", value=[]),
    "a duration that is text": put("outcomes", 0, "seconds", value="1"),
    "a negative duration": put("outcomes", 0, "seconds", value=-1),
    "an endless duration": put("outcomes", 0, "seconds", value=float("inf")),
    "no number for a duration": put("outcomes", 0, "seconds", value=float("nan")),
    "output that is a list": put("outcomes", 0, "output", value=["x"]),
    "a worker's report that is null": put("outcomes", 1, "report", value=None),
    "a worker's report that is empty": put("outcomes", 1, "report", value=""),
    "a worker's report that is garbage": put("outcomes", 1, "report", value="}{\n" * 10),
    "a worker's report nested deep": put("outcomes", 1, "report", value="[" * 100_000),
    "a worker's report that is huge": put("outcomes", 1, "report", value="x" * (REPORT_LIMIT + 1)),
    "a problem after code was run": put("problem", value="no python3 here"),
    "started that is a number": put("started", value=1),
}

RAW: dict[str, Callable[[bytes], bytes]] = {
    "half of it": lambda whole: whole[: len(whole) // 2],
    "all but the last byte": lambda whole: whole[:-1],
    "without its beginning": lambda whole: whole[1:],
    "twice": lambda whole: whole * 2,
    "twice, on two lines": lambda whole: whole + b"\n" + whole,
    "in a list": lambda whole: b"[" + whole + b"]",
    "with text behind it": lambda whole: whole + b"accepted",
    "no UTF-8": lambda whole: b"\xff" + whole,
    "null": lambda whole: b"null",
    "a word": lambda whole: b'"accepted"',
    "an empty object": lambda whole: b"{}",
    "nested too deep": lambda whole: b"[" * 1_000_000,
    "a number without end": lambda whole: b"9" * 5000,
    "only blanks": lambda whole: b" " * 10_000,
    "zeroes": lambda whole: bytes(10_000),
    "nothing": lambda whole: b"",
}


def forged(whole: bytes, change: Change, nonce: str) -> bytes:
    report = json.loads(whole)
    report["nonce"] = nonce
    change(report)
    return json.dumps(report).encode()


def remembering(examine: Callable[..., Examined]) -> Callable[..., Examined]:
    """The same patch is examined alike each time; the reports are what differs here."""
    known: list[tuple[tuple[Any, ...], Examined]] = []

    def examined(*given: Any) -> Examined:
        found = next((result for seen, result in known if seen == given), None)
        if found is None:
            found = examine(*given)
            known.append((given, found))
        return found

    return examined


@pytest.fixture(scope="module", params=LANES)
def lane(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def lanes(
    lane: str,
    shop: Tree,
    shop_archive: bytes,
    incidents: dict[str, ValidationContext],
    propose: Callable[..., Proposal],
) -> Iterator[Lanes]:
    """A right patch with a test, ordered in this lane once for all reports."""
    with pytest.MonkeyPatch.context() as patch, emulated(patch):
        artifacts = stocked(patch, shop_archive, incidents["label"])
        for module in (validate_module, step_module):
            patch.setattr(module, "examine", remembering(examine))
        yield Lanes(artifacts, LambdaContext(), shop, incidents["label"], propose(RIGHT, test=REGRESSION))


def test_what_the_driver_wrote_is_believed(lane: str, lanes: Lanes, whole_report: bytes) -> None:
    evidence = lanes.judged(lane, lambda nonce: forged(whole_report, lambda report: None, nonce))
    assert evidence.accepted, evidence.findings
    assert {g.result for g in evidence.gates} == {Result.PASS}


@pytest.mark.parametrize("name", FORGED)
def test_a_forged_report_is_a_failure(lane: str, name: str, lanes: Lanes, whole_report: bytes) -> None:
    evidence = lanes.judged(lane, lambda nonce: forged(whole_report, FORGED[name], nonce))
    assert not evidence.accepted
    assert gate(evidence, "reproduces").result is Result.FAIL or (
        gate(evidence, "regression_tests").result is Result.FAIL
    )


@pytest.mark.parametrize("name", RAW)
def test_a_report_that_is_cut_or_garbled_is_a_failure(
    lane: str, name: str, lanes: Lanes, whole_report: bytes
) -> None:
    def make(nonce: str) -> bytes:
        return RAW[name](forged(whole_report, lambda report: None, nonce))

    evidence = lanes.judged(lane, make)
    assert not evidence.accepted
    assert gate(evidence, "reproduces").result is Result.FAIL
    assert not proven(evidence)


@pytest.mark.parametrize("lane", ["lambda", "codebuild"], scope="module")
def test_a_report_that_is_too_large_is_not_even_read(
    lane: str, lanes: Lanes, whole_report: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lanes_module, "MOST_BYTES", 1000)
    evidence = lanes.judged(lane, lambda nonce: forged(whole_report, lambda report: None, nonce))
    assert not evidence.accepted
    assert "larger than" in gate(evidence, "reproduces").detail


def test_a_report_of_a_run_whose_time_was_up_proves_no_more_than_it_tells(
    lane: str, lanes: Lanes, whole_report: bytes
) -> None:
    """`ended: time` may be forged, too: it gains nothing but gates that are not run, and said to be so."""

    def cut(report: dict[str, Any]) -> None:
        report.update(ended="time", outcomes=[])

    evidence = lanes.judged(lane, lambda nonce: forged(whole_report, cut, nonce))
    assert not proven(evidence)
    assert {gate(evidence, n).result for n in ("reproduces", "regression_tests", "worked_stays")} == {
        Result.NOT_RUN
    }
    assert "no time left" in gate(evidence, "reproduces").detail


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"pytest": "", "pytest_problem": "ModuleNotFoundError: No module named 'pytest'", "outcomes": []},
         "cannot import pytest there: ModuleNotFoundError: No module named 'pytest'"),
        ({"problem": "Python 3.12 is not here", "started": False, "outcomes": []}, "Python 3.12 is not here"),
    ],
)  # fmt: skip
def test_what_the_lane_lacks_is_said_and_nothing_is_called_proven(
    lane: str, change: dict[str, Any], said: str, lanes: Lanes, whole_report: bytes
) -> None:
    def lacking(report: dict[str, Any]) -> None:
        report.update(change)

    evidence = lanes.judged(lane, lambda nonce: forged(whole_report, lacking, nonce))
    assert not proven(evidence)
    assert gate(evidence, "reproduces").result is Result.NOT_RUN
    assert said in gate(evidence, "reproduces").detail


def test_secrets_in_what_a_report_says_are_not_passed_on(
    lane: str, lanes: Lanes, whole_report: bytes
) -> None:
    secret = "AKIA" + "IOSFODNN7EXAMPLQ"
    change = put("problem", value=f"no {secret}\n\nhere")
    evidence = lanes.judged(lane, lambda nonce: forged(whole_report, change, nonce))
    assert secret not in json.dumps(evidence.to_json())


def test_the_checks_cover_every_field_of_a_report(whole_report: bytes) -> None:
    assert json.loads(whole_report).keys() == told._FIELDS.keys()
