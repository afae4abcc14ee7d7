"""`incidents`: what there is, what is open, and where."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Annotated, Any

import typer
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from functions.core.incidents.incident import Incident
from functions.core.incidents.table import LISTED
from functions.core.notify.counts import counted
from infra.cli import options
from infra.cli.connect import connect
from infra.cli.console import ago, command, out, plain, print_document, status_text
from infra.cli.selection import Filter, Selection, Sort, filter_of, read, select
from infra.cli.watch import watch as watching
from infra.errors import Exit, UserError
from infra.target import Target

_COLUMNS = ("incident", "status", "seen", "last", "place")
_SHORTEST_ERROR = 24


def incidents(
    app: options.Apps = None,
    status: options.Statuses = None,
    error_class: options.Classes = None,
    since: options.Since = None,
    older_than: options.OlderThan = None,
    search: options.Search = None,
    sort: Annotated[
        Sort,
        typer.Option(
            help="What comes first; among equals, the most recently seen.", **options.choice("order", Sort)
        ),
    ] = Sort.OPEN,
    limit: Annotated[int, typer.Option(min=1, help="Show at most so many; all that match are counted.")] = 50,
    show_all: Annotated[bool, typer.Option("--all", help="Show all that match.")] = False,
    watch: Annotated[
        bool, typer.Option("--watch", help="Look again every few seconds, until Ctrl-C.")
    ] = False,
    local: options.Local = False,
    as_json: options.AsJson = False,
) -> None:
    """List incidents: what is open first. Filters narrow the list, and all of the table is looked at."""
    if watch and as_json:
        raise UserError("--watch and --json exclude each other", "leave one out", exit_code=Exit.USAGE)
    wanted = filter_of(app, status, error_class, since, older_than, search)
    target = connect(local)

    def look() -> Selection:
        return select(read(target, wanted), wanted, sort, None if show_all else limit)

    if watch:
        watching(lambda: listed(look(), target, wanted))
    elif as_json:
        print_document("incidents/1", to_json(look()))
    else:
        out.print(listed(look(), target, wanted), soft_wrap=True)


def to_json(selection: Selection) -> dict[str, Any]:
    """What `--json` prints: `total` of what was found, of which `shown` are in `incidents`."""
    names = ("incident_id", "app", "last_seen", *LISTED)
    return {
        "total": selection.total,
        "shown": len(selection.shown),
        "by_status": selection.by_status,
        "incidents": [{name: getattr(row, name) for name in names} for row in selection.shown],
    }


def listed(selection: Selection, target: Target, wanted: Filter) -> RenderableType:
    """The list, and below it how many there are and how to see those that are not shown."""
    if not selection.total:
        if wanted == Filter():
            return plain("No incidents. Errors of registered log groups appear here within seconds.", "dim")
        return plain(command(f"No incident matches. Without filters: selfheal incidents{target.flag}"), "dim")
    return Group(table(selection.shown), totals(selection))


def totals(selection: Selection) -> Text:
    """`812 incidents: 3 FAILED, 809 RESOLVED; 50 of them shown, all with --all`."""
    line = plain(f"{counted(selection.total, 'incident')}: ", "dim")
    for number, (status, count) in enumerate(selection.by_status.items()):
        line += plain(", " if number else "", "dim") + plain(f"{count:,} ") + status_text(status)
    if hidden := selection.total - len(selection.shown):
        line += plain(f"; {hidden:,} of them are not shown: --all, or a filter", "bold")
    return line


def table(rows: tuple[Incident, ...]) -> Table:
    """A line per incident. Only the error is cut to fit the terminal: ids are copied, statuses are read."""
    cells = [
        (i.incident_id, str(i.status), f"{max(1, i.occurrences)} ×", ago(i.last_seen), place(i)) for i in rows
    ]
    widths = [max(map(len, column)) for column in zip(_COLUMNS, *cells, strict=True)]
    room = max(_SHORTEST_ERROR, out.width - sum(widths) - 2 * len(widths))
    grid = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), width=sum(widths) + 2 * len(widths) + room)
    for name, width in zip(_COLUMNS, widths, strict=True):
        grid.add_column(name, no_wrap=True, width=width)
    grid.add_column("error", no_wrap=True, width=room)
    for row, (incident_id, _, seen, last, where) in zip(rows, cells, strict=True):
        title = plain(row.title)
        title.truncate(room, overflow="ellipsis")
        grid.add_row(incident_id, status_text(row.status), seen, last, plain(where), title)
    return grid


def place(incident: Incident) -> str:
    """File and function of the app's innermost frame, the file without its directories."""
    file, _, function = incident.place.partition(" ")
    return plain(f"{PurePosixPath(file).name} {function}".strip()).plain
