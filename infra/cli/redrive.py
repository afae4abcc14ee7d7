"""`redrive`: resume failed heals, each at the state that failed."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import typer
from botocore.exceptions import ClientError

from functions.core.incidents.incident import Incident, Status
from functions.core.notify.counts import counted
from functions.core.workflow.lifetimes import REDRIVE_DAYS
from functions.report_failure.failure import FAILURES, failed_step
from infra.cli import options
from infra.cli.connect import connect
from infra.cli.console import confirm, hint, out, plain, print_document
from infra.cli.selection import Filter, filter_of, read, select
from infra.errors import Exit, UserError
from infra.target import Target

UNDER_WAY = (Status.HEALING, Status.AWAITING_APPROVAL)
"""Of these the execution may have failed all the same: Step Functions' events come "on a best effort basis".
https://docs.aws.amazon.com/step-functions/latest/dg/eventbridge-integration.html"""

# Events of an execution's end that are looked at for the state that failed.
_EVENTS = 100


@dataclass(frozen=True, slots=True)
class Redrivable:
    """A failed heal, where it failed, and why it cannot be redriven ("" where it can)."""

    incident: Incident
    state: str = ""
    error: str = ""
    why_not: str = ""

    def to_json(self, redriven: bool) -> dict[str, Any]:
        return {
            "incident_id": self.incident.incident_id,
            "execution_arn": self.incident.execution_arn,
            "state": self.state,
            "error": self.error,
            "redriven": redriven,
            "why_not": self.why_not,
        }


def redrive(
    incident_id: Annotated[
        str | None,
        typer.Argument(
            metavar="INCIDENT",
            help="Incident id, or its first characters; or --failed.",
            autocompletion=options.complete_incident,
        ),
    ] = None,
    failed: Annotated[
        bool, typer.Option("--failed", help="All heals that failed, or those of filters.")
    ] = False,
    app: options.Apps = None,
    since: options.Since = None,
    state: Annotated[
        str | None, typer.Option(metavar="STATE", help="Only those that failed there, such as CommitPatch.")
    ] = None,
    per_minute: Annotated[
        int, typer.Option(min=1, max=600, help="At most so many, so that what was mended is not overrun.")
    ] = 60,
    dry_run: options.DryRun = False,
    yes: options.Yes = False,
    anew: Annotated[bool, typer.Option("--anew", hidden=True)] = False,
    local: options.Local = False,
    as_json: options.AsJson = False,
) -> None:
    """Resume a failed heal at the state that failed, or all of them. What succeeded before is not run again.

    Mend the cause first. What cannot be redriven is named with why, and with what to do instead.
    """
    filters = filter_of(app, ["failed"], None, since)
    given = bool(app or since or state)
    if bool(incident_id) == failed or (incident_id and given):
        raise UserError(
            "redrive what?",
            "name one incident, or all that failed: selfheal redrive --failed --dry-run",
            exit_code=Exit.USAGE,
        )
    target = connect(local)
    if incident_id and anew:  # As messages said before there was `retry`.
        from infra.cli.retry import retry

        return retry([incident_id], local=local, as_json=as_json)
    if not dry_run and (why := target.switch.stopped()):
        raise UserError(f"nothing would go on: {why}", f"let it go on: selfheal start{target.flag}")
    one = target.incident(incident_id) if incident_id else None
    rows = [one] if one else _failed(target, filters)
    if len(rows) > 1 and not (yes or dry_run or as_json):
        confirm(f"Redrive {counted(len(rows), 'heal')}, so far as they can be?")
    done = []
    for candidate, redriven in redrive_all(target, rows, state or "", per_minute, dry_run=dry_run):
        done.append((candidate, redriven))
        if not as_json:
            _tell(candidate, redriven, dry_run)
    if as_json:
        rows_json = [candidate.to_json(redriven) for candidate, redriven in done]
        print_document("redrive/1", {"dry_run": dry_run, "heals": rows_json})
    _conclude(target, done, dry_run, as_json)
    return None


def _failed(target: Target, wanted: Filter) -> Sequence[Incident]:
    return select(read(target, wanted), wanted).shown


def redrive_all(
    target: Target,
    incidents: Sequence[Incident],
    state: str = "",
    per_minute: int = 60,
    *,
    error: str = "",
    dry_run: bool = False,
    sleep: Callable[[float], None] = time.sleep,
) -> Iterator[tuple[Redrivable, bool]]:
    """Each failed heal, and whether it was redriven: only those that failed at `state` and with `error`,
    where these are given. It pauses between two redrives."""
    began = False
    for incident in incidents:
        candidate = examine(target, incident)
        if (state and candidate.state.casefold() != state.casefold()) or (error and candidate.error != error):
            continue
        if candidate.why_not or dry_run:
            yield candidate, False
            continue
        if began:
            sleep(60 / per_minute)
        began = True
        yield _redriven(target, candidate)


def examine(target: Target, incident: Incident) -> Redrivable:
    """Where a heal failed, and whether Step Functions would go on with it."""
    again = f"start over: selfheal retry {incident.incident_id}{target.flag}"
    if incident.status not in (Status.FAILED, *UNDER_WAY):
        return Redrivable(incident, why_not=f"it is {incident.status}, not FAILED")
    if not incident.execution_arn:
        return Redrivable(incident, why_not=f"it has no execution; {again}")
    states = target.session.client("stepfunctions")
    try:
        execution = dict(states.describe_execution(executionArn=incident.execution_arn))
    except states.exceptions.ExecutionDoesNotExist:
        return Redrivable(incident, why_not=f"its execution is no longer kept; {again}")
    events = states.get_execution_history(
        executionArn=incident.execution_arn, reverseOrder=True, maxResults=_EVENTS, includeExecutionData=False
    )["events"]
    state = failed_step(dict(event) for event in events)
    error = str(execution.get("error") or "")
    if execution["status"] not in FAILURES:
        return Redrivable(incident, state, error, f"its execution is {execution['status']}")
    if execution.get("redriveStatus") == "NOT_REDRIVABLE":
        reason = str(execution.get("redriveStatusReason") or "Step Functions does not say why").rstrip(".")
        return Redrivable(incident, state, error, f"{reason}; {again}")
    return Redrivable(incident, state, error)


def died_unreported(target: Target, incident: Incident) -> bool:
    """Whether the heal of an incident that is under way has failed, or is no longer kept."""
    if incident.status not in UNDER_WAY or not incident.execution_arn:
        return False
    states = target.session.client("stepfunctions")
    try:
        return states.describe_execution(executionArn=incident.execution_arn)["status"] in FAILURES
    except states.exceptions.ExecutionDoesNotExist:
        return True


def _redriven(target: Target, candidate: Redrivable) -> tuple[Redrivable, bool]:
    incident = candidate.incident
    states = target.session.client("stepfunctions")
    try:
        states.redrive_execution(executionArn=incident.execution_arn, clientToken=f"cli-{time.time_ns()}")
    except ClientError as error:
        if error.response["Error"]["Code"] != "ExecutionNotRedrivable":
            raise
        reason = error.response["Error"]["Message"].rstrip(".")
        why = (
            f"{reason}; only what failed in the last {REDRIVE_DAYS} days can be;"
            f" start over: selfheal retry {incident.incident_id}{target.flag}"
        )
        return Redrivable(incident, candidate.state, candidate.error, why), False
    return candidate, True


def _tell(candidate: Redrivable, redriven: bool, dry_run: bool) -> None:
    name = candidate.incident.incident_id
    failed = f" (failed with {candidate.error})" if candidate.error else ""
    if candidate.why_not:
        out.print(plain(f"✘ {name}  cannot be redriven{failed}: {candidate.why_not}", "red"), soft_wrap=True)
    else:
        does = "resumes" if redriven else "would resume" if dry_run else "did not resume"
        out.print(
            plain(f"✔ {name}  {does} at {candidate.state or 'its first state'}{failed}", "green"),
            soft_wrap=True,
        )


def _conclude(target: Target, done: Sequence[tuple[Redrivable, bool]], dry_run: bool, as_json: bool) -> None:
    refused = [candidate for candidate, _ in done if candidate.why_not]
    redriven = [candidate.incident for candidate, was in done if was]
    if refused:
        first = refused[0]
        name = first.incident.incident_id
        raise UserError(
            f"{len(refused)} of {len(done)} cannot be redriven; {name}: {first.why_not}",
            f"look at it: selfheal show {name}{target.flag}",
        )
    if as_json:
        return
    if not done:
        out.print(plain("No heal failed, as far as was asked.", "dim"))
    elif len(done) > 1:
        out.print(plain(f"{len(done)} {'would be ' if dry_run else ''}redriven.", "green"))
    if redriven:
        hint(f"Watch: selfheal history {redriven[0].incident_id} --follow{target.flag}")
