"""`redrive`: resume a failed heal at the state that failed."""

from __future__ import annotations

import time
from typing import Annotated

import typer
from botocore.exceptions import ClientError

from functions.core.incident import Incident
from functions.core.lifetimes import REDRIVE_DAYS
from infra.cli.connect import connect
from infra.cli.console import out, plain, print_json
from infra.cli.history import read_history
from infra.cli.options import AsJson, IncidentId, Local
from infra.errors import UserError
from infra.target import Target


def redrive(
    incident_id: IncidentId,
    anew: Annotated[
        bool,
        typer.Option("--anew", help="Start another heal from the beginning, where this one cannot go on."),
    ] = False,
    local: Local = False,
    as_json: AsJson = False,
) -> None:
    """Resume a failed heal at the state that failed. What succeeded before is not run again."""
    target = connect(local)
    incident = target.incident(incident_id)
    if anew:
        _start_over(target, incident, as_json)
        return
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
            f"only executions that failed in the last {REDRIVE_DAYS} days can be; start another heal with:"
            f" selfheal redrive {incident.incident_id} --anew{target.flag}",
        ) from error
    execution, rows = read_history(target, incident)
    if as_json:
        print_json(execution)
        return
    resumed = rows[-1].state if rows else "its first state"
    out.print(plain(f"Redriven: resumes at {resumed}.", "green"))
    out.print(plain(f"Follow it with: selfheal history {incident.incident_id}{target.flag}"))


def _start_over(target: Target, incident: Incident, as_json: bool) -> None:
    """Another heal of a failed incident, on a branch of its own."""
    if not (started := target.incidents.start_over(incident)):
        raise UserError(
            f"{incident.incident_id} is {incident.status}: only a failed heal is started over",
            f"look at it with: selfheal show {incident.incident_id}{target.flag}",
        )
    if as_json:
        print_json(started.to_json())
        return
    out.print(plain(f"Another heal starts, the {started.generation}. of this incident.", "green"))
    out.print(plain(f"Follow it with: selfheal history {incident.incident_id}{target.flag}"))
