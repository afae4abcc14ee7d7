"""`redrive`: resume a failed heal at the state that failed."""

from __future__ import annotations

import time

from botocore.exceptions import ClientError

from infra.cli.connect import connect
from infra.cli.console import out, plain, print_json
from infra.cli.look import read_history
from infra.cli.options import AsJson, IncidentId, Local
from infra.errors import UserError


def redrive(incident_id: IncidentId, local: Local = False, as_json: AsJson = False) -> None:
    """Resume a failed heal at the state that failed. What succeeded before is not run again."""
    target = connect(local)
    incident = target.incident(incident_id)
    if not incident.execution_arn:
        raise UserError(f"{incident.incident_id} has no execution to redrive", "it has not been claimed yet")
    client = target.session.client("stepfunctions")
    try:
        client.redrive_execution(executionArn=incident.execution_arn, clientToken=f"cli-{time.time_ns()}")
    except ClientError as error:
        if error.response["Error"]["Code"] != "ExecutionNotRedrivable":
            raise
        raise UserError(
            f"{incident.incident_id} cannot be redriven: {error.response['Error']['Message']}",
            "only failed, timed out or stopped executions of the last 14 days can be",
        ) from error
    execution, rows = read_history(target, incident)
    if as_json:
        print_json(execution)
        return
    resumed = rows[-1].state if rows else "its first state"
    out.print(plain(f"Redriven: resumes at {resumed}.", "green"))
    out.print(plain(f"Follow it with: selfheal history {incident.incident_id}{target.flag}"))
