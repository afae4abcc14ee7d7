"""Following a heal: each state as it is left, until there is nothing more to wait for."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime

from rich.text import Text

from functions.core.incidents.incident import Incident, Status
from functions.core.notify.times import duration
from functions.core.workflow.history import Visit
from infra.cli.console import hint, out, plain, status_text
from infra.cli.history import as_it_runs, read_history
from infra.target import Target

_POLL_SECONDS = 1.0

Shown = set[tuple[str, datetime, int]]
_MARKS = {"done": Text("✔ ", "green"), "running": Text("… ", "yellow"), "failed": Text("✘ ", "bold red")}


def following(
    target: Target,
    incident: Incident,
    until: Callable[[Incident], bool],
    *,
    quiet: bool = False,
    sleep: Callable[[float], None] = time.sleep,
) -> Incident:
    """Print what happens from now on, until `until` says so of the incident; the incident then.

    What is over already is printed first. quiet: print nothing. Ctrl-C raises KeyboardInterrupt, as ever:
    the heal itself does not notice.
    """
    shown: Shown = set()
    told: Status | None = None
    while True:
        incident = as_it_runs(target, target.incidents.get(incident.incident_id))
        if not quiet:
            if incident.execution_arn:
                _print_new(read_history(target, incident)[1], shown)
            if incident.status is not told:
                out.print(Text("  ") + status_text(incident.status))
                told = incident.status
                if told is Status.AWAITING_APPROVAL:
                    hint(f"  people decide: selfheal show {incident.incident_id}{target.flag}", "dim")
        if until(incident):
            return incident
        sleep(_POLL_SECONDS)


def _print_new(visits: list[Visit], shown: Shown) -> None:
    """States that are over, and of the one that is not, each try that failed."""
    for visit in visits:
        running = visit.outcome == "running"
        key = (visit.state, visit.entered, visit.failed_tries if running else -1)
        if visit.kind == "Choice" or key in shown or (running and not visit.failed_tries):
            continue
        shown.add(key)
        took = duration(visit.seconds(datetime.now(UTC)))
        line = _MARKS[visit.outcome] + plain(f"{visit.entered:%H:%M:%S}  {visit.state}  {took}")
        if visit.error:
            when = {"done": "before that, ", "running": "is tried again after "}.get(visit.outcome, "")
            line += plain(f"  {when}{visit.error}: {visit.cause}", "dim")
        out.print(line, soft_wrap=True)
