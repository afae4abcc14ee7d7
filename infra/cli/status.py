"""`selfheal status`: what commands act on, whether it heals, and what runs on this machine."""

from __future__ import annotations

from collections import Counter
from typing import Any

from rich.table import Table

from functions.core.apps.app import App
from functions.core.incidents.incident import Status
from infra.cli.connect import connect, place
from infra.cli.console import command, out, plain, print_document
from infra.cli.options import AsJson, Local
from infra.errors import UserError
from infra.target import Target


def status(local: Local = False, as_json: AsJson = False) -> None:
    """Say what commands act on, what waits there, and what of the embedded run is alive."""
    embedded = _embedded()
    try:
        target: dict[str, Any] | None = _deployed(connect(local))
        problem = ""
    except UserError as error:
        if embedded is None or (local and not as_json and len(set(embedded["parts"].values())) < 2):
            raise  # nothing runs, or all does but for the stack: the error says what to do
        target, problem = None, error.what
    if as_json:
        print_document("status/1", {"target": target, "problem": problem, "embedded": embedded})
        return
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="dim")
    grid.add_column(overflow="fold")
    for name, value in _rows(local, target, problem, embedded):
        grid.add_row(name, plain(value))
    out.print(grid)
    for step in _next(local, target, embedded):
        out.print(plain(command(step), "cyan"), soft_wrap=True)


def _deployed(target: Target) -> dict[str, Any]:
    counts = Counter(incident.status for incident in target.incidents.every())
    entries = target.registry.entries()
    caller = target.session.client("sts").get_caller_identity()
    return {
        "kind": "embedded" if target.local else "aws",
        "account": str(caller["Account"]),
        "region": target.session.region_name or "",
        "stack": target.names.stack,
        "you": str(caller["Arn"]),
        "stopped": target.switch.stopped(),
        "apps": sorted(entries),
        "paused": sorted(name for name, app in entries.items() if isinstance(app, App) and app.paused),
        "by_status": {str(one): counts[one] for one in Status if counts[one]},
    }


def _embedded() -> dict[str, Any] | None:
    from infra.local.home import where
    from infra.local.run import PARTS, EmbeddedRun

    run = EmbeddedRun.load(where())
    if run is None:
        return None
    return {
        "home": run.home,
        "forge": run.forge_url,
        "model": run.model_url,
        "endpoint": run.endpoint,
        "parts": {part: part not in run.dead for part in PARTS if part in run.parts},
    }


def _rows(
    local: bool, target: dict[str, Any] | None, problem: str, embedded: dict[str, Any] | None
) -> list[tuple[str, str]]:
    rows: list[tuple[str, str]] = []
    if target is None:
        rows = [("the stack" if local else "AWS", f"not reached: {problem}")]
        rows += [] if local else [("asked for", _asked())]
    if target:
        what = "the embedded run" if target["kind"] == "embedded" else f"account {target['account']}"
        incidents = ", ".join(f"{count} {name}" for name, count in target["by_status"].items())
        rows += [
            ("acts on", f"{what}, {target['region']}, stack {target['stack']}"),
            ("as", target["you"]),
            ("healing", target["stopped"].removeprefix("healing was ") or "on"),
            ("apps", ", ".join(_app(name, target["paused"]) for name in target["apps"]) or "none"),
            ("incidents", incidents or "none"),
        ]
    if embedded:
        parts = ", ".join(
            f"{name} {'runs' if runs else 'is down'}" for name, runs in embedded["parts"].items()
        )
        rows += [("embedded", f"{parts}; {embedded['home']}"), ("forge", embedded["forge"])]
    return rows


def _asked() -> str:
    """By what it would have been reached, and where."""
    here = place(local=False).session
    where = f"region {here.region_name}" if here.region_name else "no region"
    return f"profile {here.profile_name}, {where}"


def _app(name: str, paused: list[str]) -> str:
    return f"{name} (paused)" if name in paused else name


def _next(local: bool, target: dict[str, Any] | None, embedded: dict[str, Any] | None) -> list[str]:
    runs = embedded is not None and all(embedded["parts"].values())
    steps = [] if embedded is None or runs else ["selfheal up"]
    if target:
        flag = " --local" if local else ""
        begin = [f"selfheal start{flag}"] if target["stopped"] else []
        return [*steps, *begin, f"selfheal incidents{flag}"]
    return [*steps, "selfheal status --local"] if runs else steps
