"""What an execution's failure means: which step, why, and what to do, in words for the incident."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Self

from functions.core.workflow.builds import build_in, why

FAILURES = ("FAILED", "TIMED_OUT", "ABORTED")
STOPPED = "HealingStopped"
"""The error of a heal that ended because all healing is stopped (see functions/core/workflow/errors.py)."""
STOPPED_BEFORE = "Stopped before "
"""How the reason of a heal begins that ended so."""
_REASON_LIMIT = 1_000


@dataclass(frozen=True, slots=True)
class Failure:
    """One end of an execution without an outcome. `redrive_count` tells the ends of a redriven one apart."""

    execution_arn: str
    status: str
    redrive_count: int
    error: str = ""
    cause: str = ""
    input: str = ""
    """The execution's input as JSON text; "" when the event left it out (customer-managed key, size)."""

    @classmethod
    def from_event(cls, event: dict[str, Any]) -> Self | None:
        """From a "Step Functions Execution Status Change" event; None for a status that is no failure.

        Source of the shape:
        https://docs.aws.amazon.com/step-functions/latest/dg/eventbridge-integration.html
        """
        detail = event["detail"]
        if detail["status"] not in FAILURES:
            return None
        return cls._from(detail)

    @classmethod
    def from_description(cls, description: dict[str, Any]) -> Self:
        """From DescribeExecution's answer, whatever its status."""
        return cls._from(description)

    @classmethod
    def _from(cls, data: dict[str, Any]) -> Self:
        return cls(
            execution_arn=data["executionArn"],
            status=data["status"],
            redrive_count=int(data.get("redriveCount") or 0),
            error=data.get("error") or "",
            cause=data.get("cause") or "",
            input=data.get("input") or "",
        )

    @property
    def event_id(self) -> str:
        """The same for every delivery of the same end."""
        return f"{self.status}#{self.redrive_count}#{self.execution_arn}"

    @property
    def incident_id(self) -> str:
        """From the execution's input, `[{"incident_id": …}]`; "" when it is missing or something else."""
        try:
            return str(json.loads(self.input)[0]["incident_id"])
        except (ValueError, LookupError, TypeError):
            return ""


def latest(event: Failure, now: Failure) -> Failure | None:
    """The failure to report, given the event and what DescribeExecution says; None when the event is late.

    Events come late, doubled and out of order, and DescribeExecution is eventually consistent. The redrive
    count orders the two: the higher one is newer; with equal counts the event cannot be outdated, because an
    execution that ended goes on only through a redrive.
    """
    if now.redrive_count <= event.redrive_count:
        return event
    return now if now.status in FAILURES else None


def failed_step(events: Iterable[dict[str, Any]]) -> str:
    """Name of the state that was entered last, given history events newest first; "" when there is none.

    The workflow has no parallel branches, so that is the state that failed.
    """
    for event in events:
        if details := event.get("stateEnteredEventDetails"):
            return str(details["name"])
    return ""


def explain(failure: Failure, step: str) -> str:
    """One sentence for the incident: the step, the error and its message."""
    where = step or "the execution"
    if failure.status == "ABORTED":
        return f"Stopped by hand at {where}" + (f": {failure.cause}" if failure.cause else ".")
    if failure.status == "TIMED_OUT" or failure.error == "States.Timeout":
        if step == "AwaitApproval":
            return "Nobody decided in time: AwaitApproval timed out."
        return f"{where} timed out."
    if failure.error == STOPPED:
        return _cut(f"{STOPPED_BEFORE}{where}: {_message(failure)[1]}.")
    error, message = _message(failure)
    return _cut(f"{where} failed: {error}" + (f": {message}" if message else ""))


def _message(failure: Failure) -> tuple[str, str]:
    # A Lambda task's cause is the function's error as JSON, a build's is the build; others are plain text.
    try:
        cause = json.loads(failure.cause)
        if build := build_in(cause):
            return failure.error or "build failed", why(build)
        return failure.error or str(cause["errorType"]), str(cause["errorMessage"]).strip()
    except (ValueError, LookupError, TypeError):
        return failure.error or "unknown error", failure.cause.strip()


def _cut(text: str) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= _REASON_LIMIT else flat[: _REASON_LIMIT - 1] + "…"
