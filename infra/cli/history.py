"""The execution of an incident's heal, read for the terminal."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from functions.core.incidents.incident import Incident, Status
from functions.core.workflow.history import Visit, read_visits
from infra.errors import UserError
from infra.target import Target


def as_it_runs(target: Target, incident: Incident) -> Incident:
    """The incident; one that failed and was redriven is healing again, which its steps write down only at
    their end."""
    if incident.status is not Status.FAILED or not incident.execution_arn:
        return incident
    execution = target.session.client("stepfunctions").describe_execution(executionArn=incident.execution_arn)
    if execution["status"] != "RUNNING":
        return incident
    return replace(incident, status=Status.HEALING, reason="", next_action="")


def read_history(target: Target, incident: Incident) -> tuple[dict[str, Any], list[Visit]]:
    """The execution's status and its visits. Raises UserError when the incident has no execution."""
    if not incident.execution_arn:
        waits = ": its heal begins within seconds, or waits for its turn" * (incident.status is Status.NEW)
        raise UserError(
            f"{incident.incident_id} is {incident.status} and has no execution{waits}",
            f"see what comes next: selfheal show {incident.incident_id}{target.flag}",
        )
    client = target.session.client("stepfunctions")
    execution = client.describe_execution(executionArn=incident.execution_arn)
    return {
        "execution_arn": incident.execution_arn,
        "status": execution["status"],
        "redrive_count": execution.get("redriveCount", 0),
        "started": execution["startDate"].isoformat(),
        "stopped": execution["stopDate"].isoformat() if execution.get("stopDate") else None,
    }, read_visits(client, incident.execution_arn)
