"""The execution of an incident's heal, read for the terminal."""

from __future__ import annotations

from typing import Any

from functions.core.incidents.incident import Incident
from functions.core.workflow.history import Visit, read_visits
from infra.errors import UserError
from infra.target import Target


def read_history(target: Target, incident: Incident) -> tuple[dict[str, Any], list[Visit]]:
    """The execution's status and its visits. Raises UserError when the incident has no execution."""
    if not incident.execution_arn:
        raise UserError(
            f"{incident.incident_id} is {incident.status} and has no execution",
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
