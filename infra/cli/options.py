"""Options that several commands share, so that they read the same everywhere."""

from __future__ import annotations

import os
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from functions.core.incidents.incident import ErrorClass, Status
from functions.core.model.models import ids
from infra.nearest import unknown

if TYPE_CHECKING:
    from infra.target import Target

Chosen = TypeVar("Chosen", bound=StrEnum)


def _target(context: typer.Context) -> Target:
    from infra.cli import stages
    from infra.cli.connect import connect

    local = bool(context.params.get("local")) or bool(os.environ.get("SELFHEAL_LOCAL"))
    with stages.of(context.params.get("stage") or os.environ.get("SELFHEAL_STAGE", "")):
        return connect(local)


def choice(what: str, kind: type[Chosen]) -> dict[str, Any]:
    """What typer is to know of an argument or option that is one of a few words. what: for the error."""

    def parse(text: str) -> Chosen:
        if text not in list(kind):
            raise unknown(what, text, list(kind), f"choose one of: {', '.join(kind)}")
        return kind(text)

    def complete(incomplete: str) -> list[str]:
        return _starting(list(kind), incomplete)

    return {"parser": parse, "autocompletion": complete, "metavar": "|".join(kind)}


def complete_incident(context: typer.Context, incomplete: str) -> list[str]:
    return _silently(lambda: _starting(_target(context).incidents.ids(), incomplete))


def complete_app(context: typer.Context, incomplete: str) -> list[str]:
    return _silently(lambda: _starting(_target(context).app_names(), incomplete))


def complete_own(incomplete: str) -> list[str]:
    from infra.cli.connect import connect

    return _silently(lambda: _starting(connect(local=True).app_names(), incomplete))


def complete_model(incomplete: str) -> list[str]:
    return _starting(ids(), incomplete)


def _complete_status(incomplete: str) -> list[str]:
    return _starting(["open", "closed", *Status], incomplete)


def _complete_class(incomplete: str) -> list[str]:
    return _starting(list(ErrorClass), incomplete)


def _starting(names: list[str], incomplete: str) -> list[str]:
    return sorted(str(name) for name in names if name.casefold().startswith(incomplete.casefold()))


def _silently(look: Any) -> list[str]:
    """What was found; nothing where it cannot be looked up: a shell waits, and shows no error."""
    try:
        found: list[str] = look()
    except Exception:  # noqa: BLE001 - whatever is wrong is said by the command itself, once it is run
        return []
    return found


IncidentId = Annotated[
    str,
    typer.Argument(
        metavar="INCIDENT", help="Incident id, or its first characters.", autocompletion=complete_incident
    ),
]
SomeIncidents = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="INCIDENT...",
        help="Incident ids, or their first characters.",
        autocompletion=complete_incident,
    ),
]
AppName = Annotated[
    str, typer.Argument(metavar="APP", help="Name of a registered app.", autocompletion=complete_app)
]
Apps = Annotated[
    list[str] | None,
    typer.Option("--app", help="Only this app's; repeatable.", autocompletion=complete_app, metavar="APP"),
]
Statuses = Annotated[
    list[str] | None,
    typer.Option(
        "--status",
        help="Only with this status, or `open` or `closed`; repeatable.",
        autocompletion=_complete_status,
        metavar="STATUS",
    ),
]
Classes = Annotated[
    list[str] | None,
    typer.Option(
        "--class",
        help="Only of this error class, such as `code`; repeatable.",
        autocompletion=_complete_class,
        metavar="CLASS",
    ),
]
Since = Annotated[
    str | None,
    typer.Option(metavar="TIME", help="Only seen since then: an age such as 2h or 7d, or a date."),
]
OlderThan = Annotated[
    str | None,
    typer.Option(metavar="TIME", help="Only not seen since then: an age such as 30d, or a date."),
]
Search = Annotated[
    str | None,
    typer.Option(metavar="TEXT", help="Only with all these words in id, error, place, reason or link."),
]
Local = Annotated[
    bool,
    typer.Option(
        "--local", envvar="SELFHEAL_LOCAL", help="Act on the embedded run instead of the AWS account."
    ),
]
AsJson = Annotated[
    bool, typer.Option("--json", help="Print one JSON document; `selfheal schema` has its shape.")
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask; do it.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")]
