"""How the command prints: people get rich text, programs get one JSON document."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from rich.console import Console
from rich.text import Text

from functions.core.incidents.incident import Status
from functions.core.untrusted.hidden import spelled_out

out = Console(highlight=False)
err = Console(stderr=True, highlight=False)

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


def duration(seconds: float) -> str:
    """Seconds for people: `0.4 s`, `12 s`, `3 min 20 s`, `2 h 5 min`."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"
