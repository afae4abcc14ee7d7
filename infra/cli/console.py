"""How the command prints: people get rich text, programs get one JSON document."""

from __future__ import annotations

import json
import shlex
import shutil
import sys
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import typer
from rich.console import Console
from rich.text import Text

from functions.core.incidents.incident import Status
from functions.core.notify.commands import Commands
from functions.core.untrusted.hidden import spelled_out
from infra.errors import UserError


class _Terminal(Console):
    """Breaks sentences at its width, but none that holds a command, which is pasted whole; cuts nothing."""

    def print(self, *objects: Any, soft_wrap: bool | None = None, **options: Any) -> None:
        texts = [str(one) for one in objects if isinstance(one, str | Text)]
        holds = len(texts) == len(objects) and any(map(_holds_command, texts))
        options.setdefault("crop", False)
        super().print(*objects, soft_wrap=holds if soft_wrap is None else soft_wrap, **options)


def _holds_command(text: str) -> bool:
    return Commands("").pasted(text) != text or program() in text


out = _Terminal(highlight=False)
err = _Terminal(stderr=True, highlight=False)

_STYLES = {
    Status.NEW: "bold cyan",
    Status.HEALING: "bold blue",
    Status.AWAITING_APPROVAL: "bold yellow",
    Status.PR_OPEN: "bold green",
    Status.MERGED: "green",
    Status.RESOLVED: "green",
    Status.ABSTAINED: "magenta",
    Status.REJECTED: "red",
    Status.FAILED: "bold red",
    Status.SUPPRESSED: "dim",
    Status.DIAGNOSED: "cyan",
    Status.PROPOSED: "green",
    Status.JOINED: "blue",
}


def print_json(value: Any) -> None:
    """One JSON document on standard output, without colours or wrapping."""
    print(json.dumps(value, indent=2, default=str))


def print_document(schema: str, document: dict[str, Any]) -> None:
    """A command's `--json`: it names its shape, one of `infra/cli/schemas/`, such as `incidents/1`."""
    print_json({"schema": schema, **document})


def plain(text: str, style: str = "") -> Text:
    """Untrusted text: no markup, and what a terminal would obey or not show is spelled out."""
    return Text(spelled_out(text), style=style)


def status_text(status: Status) -> Text:
    return Text(str(status), style=_STYLES[status])


def command(text: str, flag: str = "") -> str:
    """Text with commands of ours, as they work when they are pasted: `selfheal` by its path, where its name
    would not start this very one. flag: what commands lack that were written down where the target is not
    known, as in an incident's entry (`Target.flag`)."""
    return Commands(program(), flag).pasted(text)


def hint(text: str, style: str = "") -> None:
    """Say what can be done next: its commands can be pasted, in one piece."""
    out.print(plain(command(text), style), soft_wrap=True)


def confirm(
    question: str, otherwise: str = "to do it without being asked: --yes", default: bool = False
) -> None:
    """Go on only if somebody says so. Raises UserError where nobody can be asked; Abort for a no."""
    try:
        agreed = typer.confirm(question, default=default)
    except typer.Abort:
        raise UserError("nobody answered, and nothing was done", otherwise) from None
    if not agreed:
        raise typer.Abort


@cache
def program() -> str:
    """What starts this very command from any folder."""
    own = Path(sys.argv[0])
    found = shutil.which("selfheal")
    if own.name != "selfheal" or (found and Path(found).resolve() == own.resolve()):
        return "selfheal"
    return shlex.quote(str(own.absolute()))


def ago(timestamp: str, now: datetime | None = None) -> str:
    """How long ago an ISO 8601 time was, in its largest unit: `5 min ago`."""
    try:
        then = datetime.fromisoformat(timestamp)
    except ValueError:
        return timestamp
    if then.tzinfo is None:
        then = then.replace(tzinfo=UTC)
    seconds = max(0, int(((now or datetime.now(UTC)) - then).total_seconds()))
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds // size} {unit} ago"
    return f"{seconds} s ago"
