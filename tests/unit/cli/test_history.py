"""An execution's history, read as a person reads it."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from functions.core.workflow.history import visits

START = datetime(2026, 11, 20, 12, tzinfo=UTC)


def history(*rows: tuple[str, dict[str, Any]]) -> list[dict[str, Any]]:
    """Events one second apart, from (type, details) rows."""
    return [
        {"type": kind, "timestamp": START + timedelta(seconds=n), **d} for n, (kind, d) in enumerate(rows)
    ]


def entered(name: str, kind: str = "Task") -> tuple[str, dict[str, Any]]:
    return f"{kind}StateEntered", {"stateEnteredEventDetails": {"name": name}}


def exited(name: str, kind: str = "Task") -> tuple[str, dict[str, Any]]:
    return f"{kind}StateExited", {"stateExitedEventDetails": {"name": name}}


def failed(error: str, cause: str = "") -> tuple[str, dict[str, Any]]:
    return "TaskFailed", {"taskFailedEventDetails": {"error": error, "cause": cause}}


SCHEDULED: tuple[str, dict[str, Any]] = ("TaskScheduled", {})
STARTED: tuple[str, dict[str, Any]] = ("ExecutionStarted", {})
DOWN = json.dumps({"errorType": "ForgeUnavailable", "errorMessage": "not reachable", "trace": []})
ENDED = ("ExecutionFailed", {"executionFailedEventDetails": {"error": "ForgeUnavailable", "cause": DOWN}})


def test_a_finished_state_has_its_duration() -> None:
    (visit,) = visits(history(STARTED, entered("FetchSource"), SCHEDULED, exited("FetchSource")))
    assert (visit.state, visit.outcome, visit.seconds(START), visit.tries) == ("FetchSource", "done", 2, 1)


def test_retries_are_counted_with_the_last_error() -> None:
    (visit,) = visits(
        history(
            STARTED,
            entered("CommitPatch"),
            SCHEDULED,
            failed("ForgeUnavailable", DOWN),
            SCHEDULED,
            exited("CommitPatch"),
        )
    )
    assert (visit.tries, visit.failed_tries, visit.outcome) == (2, 1, "done")
    assert (visit.error, visit.cause) == ("ForgeUnavailable", "not reachable")


def test_a_failed_state_is_where_the_execution_ended() -> None:
    rows = visits(
        history(
            STARTED,
            entered("A"),
            exited("A"),
            entered("B"),
            SCHEDULED,
            failed("ForgeUnavailable", DOWN),
            ENDED,
        )
    )
    assert [(row.state, row.outcome) for row in rows] == [("A", "done"), ("B", "failed")]


def test_a_redrive_resumes_the_failed_state_and_no_other() -> None:
    rows = visits(
        history(
            STARTED,
            entered("A"),
            exited("A"),
            entered("B"),
            SCHEDULED,
            failed("ForgeUnavailable", DOWN),
            ENDED,
            ("ExecutionRedriven", {"executionRedrivenEventDetails": {"redriveCount": 1}}),
            entered("B"),
            SCHEDULED,
            exited("B"),
        )
    )
    assert [(row.state, row.outcome, row.redrive) for row in rows] == [("A", "done", 0), ("B", "done", 1)]
    assert rows[1].to_json()["retries"] == 1


def test_an_execution_that_is_stopped_says_so() -> None:
    rows = visits(history(STARTED, entered("AwaitApproval"), SCHEDULED, ("ExecutionAborted", {})))
    assert (rows[0].outcome, rows[0].error) == ("failed", "Aborted")


def test_what_runs_is_running() -> None:
    (visit,) = visits(history(STARTED, entered("AwaitApproval"), SCHEDULED))
    assert visit.outcome == "running"
    assert visit.seconds(START + timedelta(seconds=61)) == 60


def test_a_build_is_told_with_its_log_whether_it_ended_well_or_not() -> None:
    build = {
        "BuildStatus": "FAILED",
        "Logs": {"DeepLink": "https://console/log"},
        "Phases": [{"PhaseType": "BUILD", "PhaseStatus": "FAILED", "Contexts": [{"Message": "no room"}]}],
    }
    output = json.dumps({"Build": {**build, "BuildStatus": "SUCCEEDED"}})
    done: tuple[str, dict[str, Any]] = (
        "TaskSucceeded",
        {"taskSucceededEventDetails": {"resourceType": "codebuild", "output": output}},
    )
    other: tuple[str, dict[str, Any]] = (
        "TaskSucceeded",
        {"taskSucceededEventDetails": {"resourceType": "lambda", "output": "{}"}},
    )
    first, second, third = visits(
        history(
            STARTED,
            entered("ValidatePatch"), other, exited("ValidatePatch"),
            entered("RunBuild"), SCHEDULED, done, exited("RunBuild"),
            entered("RunBuild"), SCHEDULED, failed("States.TaskFailed", json.dumps({"Build": build})), ENDED,
        )
    )  # fmt: skip
    assert (first.log_url, second.log_url) == ("", "https://console/log")
    assert third.cause == "the build ended with FAILED in BUILD: no room. Log: https://console/log"
