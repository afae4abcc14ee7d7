"""Commands for the embedded run on this machine: `demo`, `up`, `down`, `crash`."""

from __future__ import annotations

import sys
from dataclasses import asdict
from typing import Annotated

import typer
from rich.rule import Rule

from infra.cli.console import out, plain, print_document
from infra.cli.options import AsJson
from infra.errors import UserError


def demo(
    crash: Annotated[str, typer.Option(help="Which bug: quote, report, label or receipt.")] = "quote",
    keep: Annotated[bool, typer.Option(help="Leave everything running afterwards.")] = False,
) -> None:
    """Crash a sample service and watch it being healed, up to the pull request. Nothing is simulated."""
    from infra.cli import demo as demonstration
    from infra.local.crash import CRASHES

    if crash not in CRASHES:
        raise UserError(f"no crash {crash!r}", f"choose one of: {', '.join(CRASHES)}", exit_code=2)
    demonstration.demo(keep=keep, crash=crash)


def up() -> None:
    """Start the embedded run and leave it running: AWS, forge, model, and the sample service."""
    from infra.local import run

    found = run.find()
    if found is None:
        found = run.start(progress=lambda text: out.print(plain(text, "dim")))
        out.print(plain("It runs.", "green"))
    else:
        out.print(plain("It runs already.", "green"))
    rows = (
        ("forge", f"{found.forge_url}/{run.SAMPLE_SLUG}"),
        ("AWS endpoint", found.endpoint),
        ("model", found.model_url),
        ("logs", f"{found.home}/*.log, {found.home}/aws/emulator.log"),
    )
    for name, value in rows:
        out.print(plain(f"  {name:14}{value}"))
    out.print(plain("\nNext: selfheal crash quote, then selfheal inbox", "cyan"))


def down(quiet: Annotated[bool, typer.Option(help="Say nothing.")] = False) -> None:
    """End exactly what `up` started."""
    from infra.local import run

    found = run.EmbeddedRun.load(run.HOME)
    if found:
        found.stop()
    if not quiet:
        out.print(plain("Ended." if found else "Nothing runs here."))


def inbox(as_json: AsJson = False) -> None:
    """Show what the team of the embedded run was sent: questions with their link, outcomes, failures."""
    from infra.cli.connect import connect
    from infra.local.inbox import Inbox

    mails = Inbox(connect(local=True)).read()
    if as_json:
        print_document("inbox/1", {"mails": [asdict(mail) for mail in mails]})
        return
    if not mails:
        out.print("Nothing was sent yet.", style="dim")
    for mail in mails:
        out.print(Rule(plain(mail.subject, "bold"), align="left"))
        out.print(plain(f"{mail.sent}\n\n{mail.text}"), soft_wrap=True)


def crash(
    name: Annotated[str, typer.Argument(help="quote, report, label or receipt.")],
    times: Annotated[int, typer.Option(min=1, max=1000, help="How often.")] = 1,
) -> None:
    """Send the sample service of the embedded run a request that crashes it."""
    from infra.cli.connect import connect
    from infra.local.crash import CRASHES, request

    if name not in CRASHES:
        raise UserError(f"no crash {name!r}", f"choose one of: {', '.join(CRASHES)}", exit_code=2)
    target = connect(local=True)
    for _ in range(times):
        answer = request(target, CRASHES[name].crashes)
    out.print(plain(f"{answer.error}: {answer.payload.get('errorMessage')}", "red"))
    out.print(plain("Watch it: ") + plain("selfheal incidents --local", "cyan"))
    sys.stdout.flush()
