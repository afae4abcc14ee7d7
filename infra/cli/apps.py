"""`apps`: what is registered, and what becomes of it."""

from __future__ import annotations

from collections import Counter
from dataclasses import fields
from typing import Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from functions.core.apps.app import App
from functions.core.incidents.incident import Status
from functions.core.notify.counts import counted
from functions.core.workflow.errors import AppInvalid
from infra import apps as managing
from infra.cli import options
from infra.cli.connect import connect
from infra.cli.console import confirm, hint, out, plain, print_document, status_text
from infra.cli.stages import StagedCommands
from infra.registration import not_encrypted, put_entry
from infra.target import Target

app = StagedCommands(
    no_args_is_help=True, help="List, show, pause, resume, rename, encrypt and remove registered apps."
)


@app.command("list")
def list_(local: options.Local = False, as_json: options.AsJson = False) -> None:
    """List the registered apps: their mode, what they watch, and how their incidents stand."""
    target = connect(local)
    entries = target.registry.entries()
    counts = _counts(target)
    rows = [_row(name, found, counts.get(name, Counter())) for name, found in entries.items()]
    if as_json:
        print_document("apps/1", {"apps": rows})
        return
    if not rows:
        hint(f"No app is registered. Register one: selfheal configure NAME{target.flag}", "dim")
        return
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for column in ("app", "mode", "open", "all", "repository", "log groups"):
        table.add_column(column, no_wrap=column in ("app", "mode"), overflow="fold")
    for row in rows:
        mode = plain("paused", "yellow") if row["paused"] else plain(row["mode"])
        mode += plain(", discovered", "dim") if row["family"] else plain("")
        if row["broken"]:
            table.add_row(plain(row["app"]), plain("broken", "bold red"), "", "", plain(row["broken"]))
        else:
            numbers = (str(row["open"]), str(row["incidents"]))
            groups = plain(", ".join(row["log_groups"]) or "those of functions that are tagged")
            table.add_row(plain(row["app"]), mode, *numbers, plain(row["repository"]), groups)
    out.print(table, soft_wrap=True)


def _counts(target: Target) -> dict[str, Counter[Status]]:
    counts: dict[str, Counter[Status]] = {}
    for incident in target.incidents.every():
        counts.setdefault(incident.app, Counter())[incident.status] += 1
    return counts


def _row(name: str, found: App | AppInvalid, counts: Counter[Status]) -> dict[str, Any]:
    known = found if isinstance(found, App) else None
    return {
        "app": name,
        "family": known.entry if known and known.entry != name else "",
        "broken": "" if known else str(found),
        "mode": known.mode if known else "",
        "paused": known.paused if known else False,
        "repository": known.repository if known else "",
        "log_groups": list(known.log_groups) if known else [],
        "open": sum(count for status, count in counts.items() if status.is_open),
        "incidents": counts.total(),
    }


@app.command()
def show(name: options.AppName, local: options.Local = False, as_json: options.AsJson = False) -> None:
    """Show an app's entry, and how its incidents stand."""
    target = connect(local)
    found = managing.find(target, name)
    counts = Counter(incident.status for incident in target.incidents.every(name))
    if as_json:
        by_status = {status: counts[status] for status in Status if counts[status]}
        print_document("app/1", {"app": name, "entry": found.to_json(), "by_status": by_status})
        return
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="dim")
    grid.add_column(overflow="fold")
    unset = {field.name: field.default for field in fields(App) if field.default in _UNSET}
    for field, value in found.to_json().items():
        if value not in ("", [], {}, None) and (isinstance(value, bool) or value != unset.get(field)):
            grid.add_row(field, plain(_words(value)))
    out.print(plain(name, "bold") + plain("  paused" if found.paused else "", "yellow"))
    out.print(grid)
    line = Text("\n")
    for status in (status for status in Status if counts[status]):
        line += plain(f"{counts[status]:,} ") + status_text(status) + plain("  ")
    out.print(line if counts else plain("\nNo incidents yet.", "dim"))
    if counts[Status.PROPOSED]:
        patches = counted(counts[Status.PROPOSED], "patch is", "patches are")
        out.print(plain(f"{patches} proven, about which nobody was asked."))
    hint(f"Change a field: selfheal configure {name} --set FIELD=VALUE{target.flag}", "dim")


_UNSET = (0, -1)
"""What numbers of an entry are where it says nothing, and something else decides."""


def _words(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value))
    if isinstance(value, dict):
        return ", ".join(f"{key} → {_words(inner) or '(root)'}" for key, inner in value.items())
    return str(value)


@app.command()
def pause(name: options.AppName, local: options.Local = False, as_json: options.AsJson = False) -> None:
    """Record an app's errors, and heal none from now on. Heals that are under way go on."""
    target = connect(local)
    managing.pause(target, managing.find(target, name), paused=True)
    if as_json:
        print_document("paused/1", {"app": name, "paused": True})
        return
    out.print(
        plain(
            f"{name} is paused: within a minute, its errors are recorded only, and none is healed.", "yellow"
        )
    )
    hint(f"Go on with: selfheal apps resume {name}{target.flag}")


@app.command()
def resume(name: options.AppName, local: options.Local = False, as_json: options.AsJson = False) -> None:
    """Heal an app's errors again: those that are seen from now on."""
    target = connect(local)
    managing.pause(target, managing.find(target, name), paused=False)
    held = [i for i in target.incidents.every(name) if i.status is Status.SUPPRESSED and "paused" in i.reason]
    if as_json:
        held_ids = [incident.incident_id for incident in held]
        print_document("paused/1", {"app": name, "paused": False, "held": held_ids})
        return
    out.print(plain(f"{name} goes on: within a minute, what is seen is healed again.", "green"))
    if held:
        again = f"selfheal retry --app {name} --status SUPPRESSED --search paused{target.flag}"
        hint(f"Recorded in the meantime: {len(held)}. To heal now: {again}")


@app.command()
def rename(
    name: options.AppName,
    new_name: Annotated[str, typer.Argument(metavar="NEW", help="Its new name: a-z, 0-9 and '-'.")],
    yes: options.Yes = False,
    local: options.Local = False,
    as_json: options.AsJson = False,
) -> None:
    """Give an app another name. Its incidents move along and keep their ids; heals must not be under way."""
    target = connect(local)
    managing.to_rename(target, name, new_name)  # before anybody is asked about what cannot be
    if not (yes or as_json):
        confirm(f"Rename {name} to {new_name}, with all its incidents?")
    moved = managing.rename(target, name, new_name)
    if as_json:
        print_document("renamed/1", {"app": new_name, "was": name, "incidents": moved})
        return
    out.print(
        plain(f"{name} is {new_name} now; {counted(moved, 'incident')} moved along, with their ids.", "green")
    )
    hint(f"Whoever asks for {name} is told of {new_name}.", "dim")


@app.command()
def remove(
    name: options.AppName,
    yes: options.Yes = False,
    local: options.Local = False,
    as_json: options.AsJson = False,
) -> None:
    """Remove an app: its log subscriptions, its secrets, its entry. Its incidents stay, as the record."""
    target = connect(local)
    if name not in target.registry.entries():
        managing.find(target, name)  # which says what there is
    if not (yes or as_json):
        going_on = len(managing.under_way(target, name))
        heals = counted(going_on, "heal under way ends", "heals under way end")
        heals = f" {heals} at the next step." if going_on else ""
        confirm(f"Remove {name} with its subscriptions and secrets?{heals}")
    done = managing.remove(target, name)
    if as_json:
        print_document("removed/1", {"app": name, "removed": done})
        return
    for what in done:
        out.print(plain(f"removed {what}"), soft_wrap=True)
    out.print(plain(f"{name} is removed.", "green"))


@app.command()
def encrypt(local: options.Local = False, as_json: options.AsJson = False) -> None:
    """Encrypt the entries that an earlier version wrote in plain text. Half a minute each; heals go on."""
    target = connect(local)
    done = []
    for name in not_encrypted(target):
        put_entry(target, name, target.registry.text(name) or "")
        done.append(name)
        if not as_json:
            out.print(plain(f"{name} is encrypted.", "green"))
    if as_json:
        print_document("encrypted/1", {"encrypted": done})
    elif not done:
        out.print(plain("Every entry is encrypted."))
