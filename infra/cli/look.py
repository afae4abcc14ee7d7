"""Commands that look: `incidents`, `show`, `history`."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from functions.core.incident import Incident, Status
from infra.cli.connect import connect
from infra.cli.console import ago, duration, out, plain, print_json, status_text
from infra.cli.history import Visit, visits
from infra.cli.options import AsJson, IncidentId, Local
from infra.cli.report import gather, render
from infra.errors import UserError
from infra.target import Target

_COLUMNS = ("incident", "status", "seen", "last")
_SHORTEST_ERROR = 24


def incidents(
    app: Annotated[str | None, typer.Option(help="Only this app's incidents.")] = None,
    status: Annotated[list[Status] | None, typer.Option(help="Only with this status; repeatable.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many, most recently seen first.")] = 50,
    local: Local = False,
    as_json: AsJson = False,
) -> None:
    """List incidents, the most recently seen first."""
    rows = connect(local).incidents.recent(app, limit=limit if not status else 10_000)
    rows = [row for row in rows if not status or row.status in status][:limit]
    if as_json:
        print_json([row.to_json() for row in rows])
        return
    if not rows:
        out.print("No incidents. Errors of registered log groups appear here within seconds.", style="dim")
        return
    cells = [(i.incident_id, str(i.status), f"{i.occurrences} ×", ago(i.last_seen)) for i in rows]
    widths = [max(map(len, column)) for column in zip(_COLUMNS, *cells, strict=True)]
    # Only the error is cut to fit the terminal: ids are copied, and statuses are read.
    room = max(_SHORTEST_ERROR, out.width - sum(widths) - 2 * len(widths))
    whole = sum(widths) + 2 * len(widths) + room
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), width=whole)
    for name, width in zip(_COLUMNS, widths, strict=True):
        table.add_column(name, no_wrap=True, width=width)
    table.add_column("error", no_wrap=True, width=room)
    for row, (incident_id, _, seen, last) in zip(rows, cells, strict=True):
        title = plain(row.title)
        title.truncate(room, overflow="ellipsis")
        table.add_row(incident_id, status_text(row.status), seen, last, title)
    out.print(table, width=whole, soft_wrap=True)


def show(incident_id: IncidentId, local: Local = False, as_json: AsJson = False) -> None:
    """Show one incident: what broke, the patch, the evidence, and what to do next."""
    target = connect(local)
    report = gather(target, target.incident(incident_id))
    if as_json:
        print_json(report.to_json())
    else:
        out.print(render(report))


def history(incident_id: IncidentId, local: Local = False, as_json: AsJson = False) -> None:
    """Show the execution of an incident's heal: states, durations, retries, redrives, failures."""
    target = connect(local)
    incident = target.incident(incident_id)
    execution, rows = read_history(target, incident)
    if as_json:
        print_json({**execution, "states": [row.to_json() for row in rows]})
        return
    now = datetime.now(UTC)
    redrives = f", redriven {execution['redrive_count']} ×" if execution["redrive_count"] else ""
    out.print(plain(incident.execution_arn, "dim"), soft_wrap=True)
    out.print(f"[bold]{execution['status']}[/bold]{redrives}\n")
    out.print(history_table(rows, now))
    if execution["status"] in ("FAILED", "TIMED_OUT", "ABORTED"):
        out.print(f"\n{_go_on(incident, target, now)}", style="yellow")


def _go_on(incident: Incident, target: Target, now: datetime) -> str:
    """What to do about a failed heal, and for how long that can be done."""
    command = f"selfheal redrive {incident.incident_id}{target.flag}"
    if incident.is_over_for_good(now.isoformat()):
        return f"It can no longer be redriven. Its next occurrence starts another heal, or: {command} --anew"
    until = f" (until {incident.redrivable_until[:16]})" if incident.redrivable_until else ""
    return f"Mend the cause, then: {command}{until}"


def read_history(target: Target, incident: Incident) -> tuple[dict[str, Any], list[Visit]]:
    """The execution's status and its visits. Raises UserError when the incident has no execution."""
    if not incident.execution_arn:
        raise UserError(f"{incident.incident_id} has no execution yet", "it starts within seconds")
    client = target.session.client("stepfunctions")
    execution = client.describe_execution(executionArn=incident.execution_arn)
    pages = client.get_paginator("get_execution_history").paginate(
        executionArn=incident.execution_arn, includeExecutionData=True
    )
    events = [event for page in pages for event in page["events"]]
    return {
        "execution_arn": incident.execution_arn,
        "status": execution["status"],
        "redrive_count": execution.get("redriveCount", 0),
        "started": execution["startDate"].isoformat(),
        "stopped": execution["stopDate"].isoformat() if execution.get("stopDate") else None,
    }, visits(events)


def history_table(rows: list[Visit], now: datetime) -> Table:
    """A row per visit; a bar shows at a glance where the time went. Choices are left out."""
    shown = [row for row in rows if row.kind != "Choice"]
    longest = max((row.seconds(now) for row in shown), default=0) or 1
    table = Table(box=None, pad_edge=False, padding=(0, 2))
    for column in ("", "state", "time", "", "notes"):
        table.add_column(column, justify="right" if column == "time" else "left")
    marks = {
        "done": Text("✔", "green"),
        "failed": Text("✘", "bold red"),
        "running": Text("…", "bold yellow"),
    }
    for row in shown:
        bar = "▇" * max(1, round(12 * row.seconds(now) / longest))
        table.add_row(
            marks[row.outcome],
            plain(row.state, "bold" if row.outcome != "done" else ""),
            duration(row.seconds(now)),
            Text(bar, "blue"),
            _notes(row),
        )
    return table


def _notes(row: Visit) -> Text:
    notes = Text()
    if row.redrive:
        notes.append(f"redrive {row.redrive}  ", "cyan")
    if row.tries > 1:
        notes.append(f"{row.tries - 1} retries  ", "yellow")
    if row.error:
        notes.append(plain(f"{row.error}: {row.cause}", "red" if row.outcome == "failed" else "dim"))
    if row.log_url:
        notes.append(plain(f"log: {row.log_url}", "dim"))
    return notes
