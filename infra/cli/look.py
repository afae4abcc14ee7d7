"""Commands that look at one incident: `show` and `history`."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from functions.core.notify.counts import counted
from functions.core.notify.times import duration
from functions.core.workflow.history import Visit
from infra.cli.connect import connect
from infra.cli.console import out, plain, print_document
from infra.cli.follow import following
from infra.cli.history import as_it_runs, read_history
from infra.cli.options import AsJson, IncidentId, Local
from infra.cli.report import gather, render, what_next
from infra.errors import Exit, UserError


def show(incident_id: IncidentId, local: Local = False, as_json: AsJson = False) -> None:
    """Show one incident: what broke, the patch, the evidence, and what to do next."""
    target = connect(local)
    report = gather(target, target.incident(incident_id))
    if as_json:
        print_document("show/1", report.to_json())
    else:
        out.print(render(report))


def history(
    incident_id: IncidentId,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on until the heal ends, or Ctrl-C.")
    ] = False,
    local: Local = False,
    as_json: AsJson = False,
) -> None:
    """Show the execution of an incident's heal: states, durations, retries, redrives, failures."""
    if follow and as_json:
        raise UserError("--follow and --json exclude each other", "leave one out", exit_code=Exit.USAGE)
    target = connect(local)
    incident = as_it_runs(target, target.incident(incident_id))
    if follow:
        incident = following(target, incident, until=lambda now: not now.status.goes_on)
    execution, rows = read_history(target, incident)
    if as_json:
        print_document("history/1", {**execution, "states": [row.to_json() for row in rows]})
        return
    redrives = f", redriven {execution['redrive_count']} ×" if execution["redrive_count"] else ""
    out.print(plain(incident.execution_arn, "dim"), soft_wrap=True)
    out.print(plain(execution["status"], "bold") + plain(f"{redrives}\n"))
    out.print(history_table(rows, datetime.now(UTC)))
    out.print(Text())
    if incident.reason:
        out.print(plain(f"{incident.reason}\n"))
    out.print(what_next(incident, target.flag, f"selfheal history {incident.incident_id}"))


def history_table(rows: list[Visit], now: datetime) -> Table:
    """A row per visit; a bar shows at a glance where the time went. Choices are left out."""
    shown = [row for row in rows if row.kind != "Choice"]
    longest = max((row.seconds(now) for row in shown), default=0) or 1
    table = Table(box=None, pad_edge=False, padding=(0, 2))
    for column in ("", "state", "time", "", "notes"):
        table.add_column(column, justify="right" if column == "time" else "left", overflow="fold")
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
        notes.append(f"{counted(row.tries - 1, 'retry', 'retries')}  ", "yellow")
    if row.error:
        notes.append(plain(f"{row.error}: {row.cause}", "red" if row.outcome == "failed" else "dim"))
    if row.log_url:
        notes.append(plain(f"log: {row.log_url}", "dim"))
    return notes
