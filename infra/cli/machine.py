"""Commands for the embedded run on this machine: `demo`, `up`, `down`, `crash`."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from typing import Annotated

import typer
from rich.rule import Rule

from functions.core.notify.counts import counted
from infra.cli.console import command, hint, out, plain, print_document
from infra.cli.options import AsJson
from infra.nearest import unknown


def demo(
    crash: Annotated[str, typer.Option(help="Which bug: quote, report, label, receipt or async.")] = "quote",
    keep: Annotated[bool, typer.Option(help="Leave everything running afterwards.")] = False,
) -> None:
    """Crash a sample service and watch it being healed, up to the pull request. Nothing is simulated."""
    from infra.cli import demo as demonstration
    from infra.local.crash import HEALED

    if crash not in HEALED:
        raise unknown("bug that is healed", crash, HEALED, f"choose one of: {', '.join(HEALED)}")
    demonstration.demo(keep=keep, crash=crash)


def up() -> None:
    """Start the embedded run and leave it running: AWS, forge, model, and the sample service.

    What of it runs already is left alone, what has died is started again, and what it held is there again.
    """
    from infra.cli.connect import connect
    from infra.local import run
    from infra.local.home import own

    before = run.EmbeddedRun.load(own())
    found = run.start(progress=lambda text: out.print(plain(text, "dim")), keep=True)
    again = before is not None and before.id == found.id
    target = connect(local=True)
    out.print(plain("It runs already." if again and before and not before.dead else "It runs.", "green"))
    if again and (kept := len(target.incidents.ids())):
        out.print(plain(f"  {counted(kept, 'incident')} from before", "dim"))
    rows = (
        ("forge", f"{found.forge_url}/{run.SAMPLE_SLUG}"),
        ("its password", f"in {found.home}/forge-token, with any name: to clone and to push"),
        ("AWS endpoint", found.endpoint),
        ("model", found.model_url),
        ("logs", f"{found.home}/*.log, {found.home}/aws/emulator.log"),
    )
    for name, value in rows:
        out.print(plain(f"  {name:14}{value}"), soft_wrap=True)
    out.print(plain(f"\nNext: {command('selfheal crash quote')}", "cyan"), soft_wrap=True)
    out.print(plain(f"then: {command('selfheal inbox')}", "cyan"), soft_wrap=True)


def down(
    quiet: Annotated[bool, typer.Option(help="Say nothing.")] = False,
    forget: Annotated[bool, typer.Option("--forget", help="Keep nothing: incidents, repositories.")] = False,
) -> None:
    """End all that `up` ever started, and nothing else; `up` then has its incidents again."""
    from infra.local import run
    from infra.local.home import forget as remove
    from infra.local.home import where

    home = where()
    found = run.EmbeddedRun.load(home)
    ran = bool(found and found.alive)
    if found:
        found.stop()
    if forget:
        remove(home)
    if not quiet:
        kept = bool(found and found.keep and found.ready and not forget)
        said = "Ended." if ran else "Nothing runs here."
        more = " What it held is kept, for: selfheal up. To remove it: selfheal down --forget"
        out.print(plain(said + (command(more) if kept else "")), soft_wrap=True)


def inbox(as_json: AsJson = False) -> None:
    """Show what the team of the embedded run was sent: questions with their link, outcomes, failures."""
    from functions.core.notify.outbox import waiting as unsent
    from infra.cli.connect import connect
    from infra.local.inbox import Inbox, held

    target = connect(local=True)
    mails, waiting = Inbox(target).read(), list(held(target))
    if as_json:
        print_document("inbox/1", {"mails": list(map(asdict, mails)), "held": list(map(asdict, waiting))})
        return
    if not mails and not waiting:
        hint(f"Nothing was sent yet. What is under way: selfheal incidents --watch{target.flag}", "dim")
    for mail in mails:
        out.print(Rule(plain(mail.subject, "bold"), align="left"))
        out.print(plain(f"{mail.sent}\n\n{mail.text}"), soft_wrap=True)
    for one in waiting:
        out.print(plain(f"Held until quiet hours end, at {one.until[:16]} UTC: {one.title}", "yellow"))
        hint(f"To decide now: selfheal show {one.incident_id}{target.flag}", "cyan")
    for app in target.registry.apps():
        if together := unsent(target.table("incidents_table"), app)[1]:
            said = f"{app.name}: {counted(together, 'message')} held back, to come as one"
            out.print(plain(f"{said}, at the next half hour or when quiet hours end.", "yellow"))
            hint(f"To look now: selfheal incidents --app {app.name}{target.flag}", "cyan")


def _complete_crash(incomplete: str) -> list[str]:
    from infra.local.crash import CRASHES

    return [name for name in CRASHES if name.startswith(incomplete)]


def crash(
    name: Annotated[
        str,
        typer.Argument(
            metavar="KIND",
            help="quote, report, label, receipt, async: end with a question; chained, refused: with a"
            " diagnosis; configuration: is only recorded.",
            autocompletion=_complete_crash,
        ),
    ],
    times: Annotated[int, typer.Option(min=1, max=1000, help="How often.")] = 1,
) -> None:
    """Send the sample service of the embedded run a request that crashes it."""
    from infra.cli.connect import connect
    from infra.local.crash import CRASHES, ENDS, request

    if name not in CRASHES:
        raise unknown("kind of crash", name, CRASHES, f"choose one of: {', '.join(CRASHES)}")
    target = connect(local=True)
    for _ in range(times):
        answer = request(target, CRASHES[name].crashes)
    kind = CRASHES[name]
    if not answer.error:
        out.print(plain(f"It was {kind.says}, and did not crash: {json.dumps(answer.payload)}", "green"))
        hint("Its fix runs. Another kind: selfheal crash --help", "cyan")
        return
    out.print(plain(f"{answer.error}: {answer.payload.get('errorMessage')}", "red"))
    out.print(
        plain(
            f"It was {kind.says}. The built-in rules end the first of these with {ENDS[kind.ends]}; what is"
            " known already is counted."
        ),
        soft_wrap=True,
    )
    hint("Watch it: selfheal incidents --watch --local", "cyan")
    sys.stdout.flush()
