"""Reports a failure once: the incident becomes FAILED, the team gets the command that goes on from there."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from functions.core.aws.console import Console
from functions.core.aws.deployment import Deployment
from functions.core.incidents.incident import Incident
from functions.core.notify.notifications import About
from functions.core.notify.webhooks import Post
from functions.core.untrusted.inert import inert, inert_line
from functions.core.untrusted.redaction import redact
from functions.core.workflow.errors import IncidentNotFound
from functions.core.workflow.lifetimes import redrivable_until
from functions.report_failure.failure import STOPPED, Failure, explain, failed_step, latest

_CURE = "Mend the cause, then go on from"
# Newest first: the state that failed was entered a retry or two before the end.
_HISTORY_EVENTS = 100


def run(event: dict[str, Any], deployment: Deployment) -> dict[str, Any]:
    """A "Step Functions Execution Status Change" event → {"incident_id", "status"}: null if not reported."""
    incident = report(event, deployment)
    return {
        "incident_id": incident.incident_id if incident else None,
        "status": str(incident.status) if incident else None,
    }


def report(event: dict[str, Any], deployment: Deployment) -> Incident | None:
    """Handle one event. The incident afterwards; None when there was nothing (more) to report.

    Raises IncidentNotFound when the incident is gone, and what AWS raises: EventBridge then delivers again.
    """
    states = deployment.step_functions
    announced = Failure.from_event(event)
    if announced is None:
        return None
    description = dict(states.describe_execution(executionArn=announced.execution_arn))
    failure = latest(announced, Failure.from_description(description))
    if failure is None:
        return None
    if not failure.input:
        failure = replace(failure, input=str(description.get("input") or ""))
    if not failure.incident_id:
        raise IncidentNotFound(f"the input of {failure.execution_arn} names no incident")
    history = states.get_execution_history(
        executionArn=failure.execution_arn,
        reverseOrder=True,
        maxResults=_HISTORY_EVENTS,
        includeExecutionData=False,
    )
    step = failed_step(dict(entry) for entry in history["events"])
    goes_on = "selfheal start" if failure.error == STOPPED else f"selfheal redrive {failure.incident_id}"
    incident = deployment.incidents.fail(
        failure.incident_id,
        failure.execution_arn,
        failure.event_id,
        redact(explain(failure, step)),
        goes_on,
        redrivable_until(_stopped(description)),
    )
    if incident is not None:
        about = About.incident(incident, "failure")
        deployment.notifications.send(*_tell(incident, failure, step, deployment.console), about=about)
        deployment.webhooks.post(incident.app, _announce(incident, failure, step, deployment.console))
    return incident


def _tell(incident: Incident, failure: Failure, step: str, console: Console) -> tuple[str, str]:
    cure = "Let healing go on, which resumes this heal at" if failure.error == STOPPED else _CURE
    wrong = f"What is wrong, and the command that mends it:\n  selfheal doctor {incident.app}\n\n"
    text = (
        f"The heal of this incident stopped; nothing is lost.\n\n"
        f"{incident.app}: {inert_line(incident.title)}\n"
        f"{inert(incident.reason)}\n\n"
        f"{'' if failure.error == STOPPED else wrong}"
        f"{cure} {step or 'the failed step'}:\n"
        f"  {incident.next_action}\n\n"
        f"That is possible {_until(incident)}. Then its next occurrence starts another heal, or you do:\n"
        f"  selfheal retry {incident.incident_id}\n\n"
        f"Execution: {console.execution(failure.execution_arn)}\n"
        f"Incident {incident.incident_id}\n"
    )
    return f"[{incident.app}] Heal failed at {step or 'an unknown step'}: {incident.title}", text


def _stopped(description: dict[str, Any]) -> datetime:
    stopped = description.get("stopDate")
    return stopped if isinstance(stopped, datetime) else datetime.now(UTC)


def _until(incident: Incident) -> str:
    return f"until {incident.redrivable_until[:16].replace('T', ' ')} UTC"


def _announce(incident: Incident, failure: Failure, step: str, console: Console) -> Post:
    return Post(
        headline=f"{incident.app}: heal failed at {step or 'an unknown step'}: {incident.title}",
        facts=(
            ("Why", incident.reason),
            ("Go on, once the cause is mended", f"{incident.next_action} ({_until(incident)})"),
            ("Nothing is lost", f"the heal goes on from {step or 'the failed step'}"),
        ),
        link=console.execution(failure.execution_arn),
        link_text="Look at the execution",
    )
