"""`stats`: what came of the heals, out of how many, how long it took, and what it cost."""

from __future__ import annotations

from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from functions.core.incidents.incident import Incident
from functions.core.notify.times import duration
from infra.cli import options
from infra.cli.connect import connect
from infra.cli.console import out, plain, print_document
from infra.cli.selection import filter_of, read
from infra.stats import OUT_OF, Record, to_json
from infra.target import Target

_WIDE = 120
"""Columns from which a share has its percentage beside it."""
_POINTS = {
    "question": "the question",
    "decision": "the decision",
    "merge": "the merge",
    "gone": "the error being gone",
}


def stats(
    app: options.Apps = None,
    local: options.Local = False,
    as_json: options.AsJson = False,
) -> None:
    """Count what came of the heals: of each incident the latest one, of all apps or of some."""
    target = connect(local)
    found = to_json([record(target, incident) for incident in read(target, filter_of(app))])
    if as_json:
        print_document("stats/1", found)
    else:
        out.print(rendered(found, out.width))


def record(target: Target, listed: Incident) -> Record:
    """An incident with the questions that were put for its latest heal."""
    incident = target.incidents.get(listed.incident_id)
    history = target.approvals.history(incident.approval_id) if incident.approval_id else ()
    latest = [one for one in history if one.execution_arn == history[0].execution_arn]
    confidence = None
    if latest:
        proposal = target.artifacts.find_json(latest[0].proposal_key) or {}
        confidence = float(proposal.get("confidence", 0.0))
    return Record(incident, latest, confidence)


def rendered(found: dict[str, Any], width: int = _WIDE) -> RenderableType:
    """The figures as tables; a share says of how many it is one. width: columns of the terminal."""
    wide = width >= _WIDE
    parts: list[RenderableType] = [_counts("all", {"": found["counts"]}, wide)]
    for name in ("by_app", "by_class", "by_confidence"):
        if len(found[name]) > 1:
            parts += [Text(), _counts(name.removeprefix("by_"), found[name], wide)]
    hours = ((name, value) for name, value in found["median_hours"].items() if value is not None)
    times = ", ".join(f"to {_POINTS[name]} {duration(3600 * value)}" for name, value in hours)
    per_fix = found["usd_per_merged_fix"]
    spent = f"spent ${found['usd']:.2f}" + ("" if per_fix is None else f", ${per_fix:.2f} per merged fix")
    abstained = ", ".join(f"{reason} {count}" for reason, count in found["abstained"].items())
    for name, value in (
        ("median time from the first line:", times or "nobody was asked so far"),
        ("cost, at list prices or the app's own:", spent),
        ("no patch proposed, by reason:", abstained or "none"),
    ):
        parts += [Text(), plain(f"{name} {value}")]
    return Group(*parts)


def _counts(title: str, rows: dict[str, dict[str, int]], wide: bool) -> Table:
    names = list(next(iter(rows.values()), {}))
    table = Table(box=None, padding=(0, 2 if wide else 1), pad_edge=False)
    table.add_column(title, style="dim", overflow="fold")
    for name in names:
        table.add_column(name, justify="right", no_wrap=True)
    for value, row in rows.items():
        table.add_row(plain(value), *(plain(_cell(name, row, wide)) for name in names))
    return table


def _cell(name: str, row: dict[str, int], wide: bool) -> str:
    whole = row.get(OUT_OF.get(name, ""), 0)
    if not whole:
        return str(row[name])
    return f"{row[name]} ({row[name] / whole:.0%} of {whole})" if wide else f"{row[name]} of {whole}"
