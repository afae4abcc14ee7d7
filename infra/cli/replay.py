"""`replay`: what would have come of past logs: what is healed, at what cost, and whether as people did it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table
from rich.text import Text

from functions.core.notify.counts import counted
from functions.core.workflow.errors import AppInvalid
from infra.cli import try_
from infra.cli.console import err, out, plain, print_document
from infra.cli.options import AsJson
from infra.cli.report import diff
from infra.errors import UserError
from infra.log_text import text_of

if TYPE_CHECKING:
    from infra.trial.replay import FixComparison, Replayed

_STYLES = {True: "bold green", False: "bold yellow"}


def replay(
    logs: Annotated[
        Path,
        typer.Argument(metavar="LOGS", help="A log file, or a directory of them; gzip is read, too."),
    ],
    path: Annotated[
        Path, typer.Argument(metavar="REPO", help="A local git repository, or a directory of one.")
    ],
    rev: Annotated[
        str | None,
        typer.Option(help="The commit, tag or branch that ran when these were logged. Without it, HEAD."),
    ] = None,
    until: Annotated[
        str, typer.Option(help="Where to look for people's fixes to: the history from --rev to here.")
    ] = "HEAD",
    model: try_.Model = "embedded",
    entry: try_.Entry = None,
    limit: Annotated[int, typer.Option(min=1, help="So many errors, what was seen most often first.")] = 20,
    unprotected: try_.IsUnprotected = False,
    as_json: AsJson = False,
) -> None:
    """Say what would have come of the errors in past logs: each is a trial, as with `try`.

    Where the history after --rev has a fix that people made, it is put to the same gates, and both are
    compared by what calls come to. Nothing is written anywhere. Exit code: 0 all replayed, 2 bad usage, 3 one
    or more failed.
    """
    from infra.trial.model import connect
    from infra.trial.replay import errors_of
    from infra.trial.replay import replay as replayed
    from infra.trial.source import read_source
    from infra.trial.trial import app_for

    runner = try_.walled(unprotected)
    text = "\n".join(_texts(logs))
    fields = try_.entry_of(entry) if entry else None
    asked = connect(model)
    source = read_source(path, rev)
    _progress(f"source: {source.described}")
    try:
        app = app_for(source, fields)
    except AppInvalid as error:
        raise UserError(
            f"--app: {error}", "see the table of fields in .github/CONFIGURING.md", exit_code=2
        ) from None
    errors = errors_of(text, source, app)
    if not errors:
        said = "give logs that hold tracebacks; see: selfheal explain FILE"
        raise UserError("no error found in these logs", said, exit_code=2)
    free = model == "embedded"
    rows = []
    for row in replayed(errors[:limit], source, until, app, runner, asked, _progress):
        rows.append(row)
        if not as_json:
            _show(row, free)
    left = len(errors) - len(rows)
    if as_json:
        print_document("replay/1", {"errors": [row.to_json() for row in rows], "left_out": left})
    else:
        _sum_up(rows, left, free)
    raise typer.Exit(3 if any(row.trial.outcome == "failed" for row in rows) else 0)


def _progress(text: str) -> None:
    err.print(plain(text, "dim"))


def _texts(logs: Path) -> Iterator[str]:
    files = sorted(file for file in logs.rglob("*") if file.is_file()) if logs.is_dir() else [logs]
    if not files:
        raise UserError(f"{logs} holds no files", "give a log file, or a directory of them", exit_code=2)
    for file in files:
        yield text_of(try_.read(str(file), "LOGS"), str(file), _progress)


def _show(row: Replayed, free: bool) -> None:
    incident, trial = row.incident, row.trial
    seen = f"  seen {counted(incident.occurrences, 'time')}, {row.place or 'in no file of the repository'}"
    out.print(Text("\n") + plain(incident.title, "bold") + plain(seen, "dim"))
    said = "would be asked about" if row.healed else trial.outcome
    cost = "" if free else f", ${trial.cost_usd:.4f}"
    out.print(plain(f"  {said}", _STYLES[row.healed]) + plain(f"{cost}: {trial.reason}"))
    if row.fixed_by:
        out.print(plain(f"  people: {row.fixed_by.sha[:12]} {row.fixed_by.said}"))
    if row.comparison:
        _compare(row.comparison)
    elif row.fixed_by:
        out.print(diff(row.fixed_by.text))


def _compare(found: FixComparison) -> None:
    calls = counted(found.calls, "call")
    said = f"ours does as theirs in {found.alike} of {calls}" if found.calls else "no call was seen with both"
    out.print(plain(f"  {said}"))
    if found.differing:
        table = Table(box=None, padding=(0, 2), pad_edge=False)
        for column in ("  call", "ours", "theirs"):
            table.add_column(column, overflow="fold", header_style="dim")
        for call, ours, theirs in found.differing:
            table.add_row(plain(f"  {call}"), plain(ours), plain(theirs))
        out.print(table)


def _sum_up(rows: list[Replayed], left: int, free: bool) -> None:
    healed, fixed = (sum(found) for found in ((r.healed for r in rows), (bool(r.fixed_by) for r in rows)))
    compared = [row.comparison for row in rows if row.comparison]
    alike = sum(0 < found.calls == found.alike for found in compared)
    seen = counted(sum(row.incident.occurrences for row in rows), "time")
    cost = "nothing: the built-in rules answer" if free else f"${sum(row.trial.cost_usd for row in rows):.4f}"
    out.print(Text())
    out.print(plain(f"would be asked about: {healed} of {counted(len(rows), 'error')}, seen {seen}"))
    out.print(plain(f"cost: {cost}"))
    out.print(plain(f"fixed by people since: {fixed}; ours does the same in {alike} of {len(compared)}"))
    if left:
        more = f"more with --limit {len(rows) + left}"
        out.print(plain(f"left out: {counted(left, 'error')}, seen less often; {more}"))
