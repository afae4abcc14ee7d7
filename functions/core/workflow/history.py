"""An execution's history as one row per visit of a state: what a person asks of it at a glance."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from functions.core.workflow.builds import build_in, log_of, why

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions import SFNClient

# Event types that end one try of a task without success, and where each keeps its error.
# Source: https://docs.aws.amazon.com/step-functions/latest/apireference/API_HistoryEvent.html
_FAILED_TRY = {
    "TaskFailed": "taskFailedEventDetails",
    "TaskTimedOut": "taskTimedOutEventDetails",
    "TaskStartFailed": "taskStartFailedEventDetails",
    "TaskSubmitFailed": "taskSubmitFailedEventDetails",
    "LambdaFunctionFailed": "lambdaFunctionFailedEventDetails",
    "LambdaFunctionTimedOut": "lambdaFunctionTimedOutEventDetails",
}
_ENDED = {
    "ExecutionFailed": "executionFailedEventDetails",
    "ExecutionTimedOut": "executionTimedOutEventDetails",
    "ExecutionAborted": "executionAbortedEventDetails",
}


@dataclass(frozen=True, slots=True)
class Visit:
    """One visit of a state. `exited` is None while it runs or when it failed; times are of the history.

    tries: how often the task was started during this visit; error and cause: of the last failed try;
    redrive: how many redrives had happened before this visit, or before its last try.
    """

    state: str
    kind: str
    entered: datetime
    exited: datetime | None = None
    tries: int = 0
    failed_tries: int = 0
    error: str = ""
    cause: str = ""
    redrive: int = 0
    ended: datetime | None = None
    """When the execution ended while in this state."""
    log_url: str = ""
    """The log of the build that the state waited for."""

    @property
    def outcome(self) -> str:
        """`done`, `failed` or `running`."""
        if self.exited:
            return "done"
        return "failed" if self.ended else "running"

    def seconds(self, now: datetime) -> float:
        """How long the visit took, or has taken so far."""
        return ((self.exited or self.ended or now) - self.entered).total_seconds()

    def to_json(self) -> dict[str, Any]:
        return {
            "state": self.state,
            "kind": self.kind,
            "outcome": self.outcome,
            "entered": self.entered.isoformat(),
            "exited": self.exited.isoformat() if self.exited else None,
            "tries": self.tries,
            "retries": max(0, self.tries - 1),
            "error": self.error,
            "cause": self.cause,
            "redrive": self.redrive,
            "log_url": self.log_url,
        }


def visits(events: Iterable[Mapping[str, Any]]) -> list[Visit]:
    """The visits in order, from history events in order as `GetExecutionHistory` returns them."""
    rows: list[Visit] = []
    redrives = 0
    for event in events:
        kind, at = event["type"], event["timestamp"]
        if kind == "ExecutionRedriven":
            redrives += 1
            if rows and rows[-1].ended:
                rows[-1] = replace(rows[-1], ended=None, redrive=redrives)
        elif kind.endswith("StateEntered"):
            name = event["stateEnteredEventDetails"]["name"]
            if rows and rows[-1].state == name and rows[-1].redrive == redrives and not rows[-1].exited:
                continue  # a redrive may log the entry of the resumed state once more
            rows.append(Visit(name, kind.removesuffix("StateEntered"), at, redrive=redrives))
        elif not rows:
            continue
        elif kind.endswith("StateExited"):
            rows[-1] = replace(rows[-1], exited=at)
        elif kind == "TaskScheduled":
            rows[-1] = replace(rows[-1], tries=rows[-1].tries + 1)
        elif kind == "TaskSucceeded":
            rows[-1] = replace(rows[-1], log_url=_log_of_build(event))
        elif kind in _FAILED_TRY:
            details = event.get(_FAILED_TRY[kind], {})
            rows[-1] = replace(
                rows[-1],
                failed_tries=rows[-1].failed_tries + 1,
                error=details.get("error", kind),
                cause=plain_cause(details.get("cause", "")),
            )
        elif kind in _ENDED:
            details = event.get(_ENDED[kind], {})
            rows[-1] = replace(
                rows[-1],
                ended=at,
                error=rows[-1].error or details.get("error") or kind.removeprefix("Execution"),
                cause=rows[-1].cause or plain_cause(details.get("cause", "")),
            )
    return rows


def plain_cause(cause: str) -> str:
    """The message within a cause: a Lambda's is JSON with errorMessage, a build's the whole build."""
    try:
        parsed = json.loads(cause)
    except ValueError:
        return cause
    if build := build_in(parsed):
        return why(build)
    return str(parsed.get("errorMessage", cause)) if isinstance(parsed, dict) else cause


def _log_of_build(event: Mapping[str, Any]) -> str:
    """Where the log is of the build that a task waited for; "" for any other task."""
    details = event.get("taskSucceededEventDetails", {})
    if details.get("resourceType") != "codebuild":
        return ""
    build = build_in(json.loads(details.get("output") or "null"))
    return log_of(build) if build else ""


def read_visits(client: SFNClient, execution_arn: str, *, data: bool = True) -> list[Visit]:
    """The visits of an execution. data: with what only the states' results tell, such as a build's log."""
    pages = client.get_paginator("get_execution_history").paginate(
        executionArn=execution_arn, includeExecutionData=data
    )
    return visits(event for page in pages for event in page["events"])
