"""`selfheal local`: one's own service on the embedded run."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from infra.cli.console import command, out, plain
from infra.cli.options import complete_own
from infra.errors import Exit, UserError
from infra.log_text import text_of

if TYPE_CHECKING:
    from infra.local.run import EmbeddedRun

app = typer.Typer(help="Try it with a service of your own, on the embedded run.", no_args_is_help=True)

Name = Annotated[
    str,
    typer.Argument(metavar="APP", help="Name of an app that was added.", autocompletion=complete_own),
]


@app.command()
def add(
    path: Annotated[Path, typer.Argument(metavar="PATH", help="Folder of your repository.")],
    name: Annotated[str, typer.Option(help="Name of the app; the folder's by default.")] = "",
    handler: Annotated[
        str, typer.Option(metavar="MODULE.FUNCTION", help="Deploy this Lambda handler, to be invoked.")
    ] = "",
    root: Annotated[str, typer.Option(help="Folder that is deployed, such as src.")] = "",
    force: Annotated[
        bool, typer.Option("--force", help="Drop what main of the forge has and yours has not.")
    ] = False,
) -> None:
    """Push your repository to the embedded forge and register it; do it again after a commit.

    The work tree is not touched, and what is not committed is left out. With `--handler` its function is
    deployed as well; requirements.txt beside it is installed.
    """
    from infra.local.own import add as add_own

    added = add_own(_running(), path, name, handler, root, force)
    if added.uncommitted:
        out.print(plain("What is not committed is left out.", "yellow"))
    out.print(plain(f"{added.app.name} is registered, at {added.app.revision[:10]}.", "green"))
    out.print(plain(f"  forge  {added.page}"), soft_wrap=True)
    name = added.app.name
    if added.function:
        _next("Next, crash it with an event of yours:", f"selfheal local invoke {name} '{{}}'")
    else:
        _next("Next, give it a log with a traceback:", f"selfheal local log {name} error.log")


@app.command()
def deploy(name: Name) -> None:
    """Deploy what main of the embedded forge is: after a fix was merged there."""
    from infra.local.own import deploy as deploy_own

    sha = deploy_own(_running(), name)
    out.print(plain(f"{name} runs {sha[:10]} now.", "green"))
    _next("What was merged shows there:", f"selfheal incidents --app {name} --status merged --local")


@app.command()
def invoke(
    name: Name,
    event: Annotated[str, typer.Argument(metavar="EVENT", help="JSON, or @FILE.")] = "{}",
) -> None:
    """Invoke the function of an app that was added with a handler."""
    from infra.local.crash import request
    from infra.local.own import function_of

    text = event
    try:
        text = Path(event[1:]).read_text() if event.startswith("@") else event
        parsed: Any = json.loads(text)
    except (OSError, ValueError) as error:
        why = (
            f"{event[1:]}: {error.strerror}"
            if isinstance(error, OSError)
            else f"the event is no JSON: {error}"
        )
        raise UserError(why, "such as '{\"key\": 1}', or @FILE", exit_code=Exit.USAGE) from error
    run = _running()
    function, target = function_of(run, name), run.target()
    lambda_ = target.session.client("lambda")
    try:
        answer = request(target, parsed, function)
    except lambda_.exceptions.ResourceNotFoundException:
        raise UserError(
            f"{name} has no function here",
            f"selfheal local add PATH --name {name} --handler MODULE.FUNCTION",
            exit_code=Exit.USAGE,
        ) from None
    if not answer.error:
        out.print(plain(json.dumps(answer.payload)), soft_wrap=True)
        return
    out.print(plain(f"{answer.error}: {answer.payload.get('errorMessage')}", "red"), soft_wrap=True)
    _watch(name)


@app.command()
def log(
    name: Name,
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="A log with a traceback; - for standard input.")
    ],
) -> None:
    """Write a log to an app's log group, as its service would."""
    from functions.detect_errors.read import reader
    from infra.local.own import log as write
    from infra.trial.log import read_whole

    try:
        data = sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
    except OSError as error:
        raise UserError(
            f"{file}: {error.strerror}", "name a file that you may read", exit_code=Exit.USAGE
        ) from error
    text = text_of(data, str(file), lambda said: out.print(plain(said, "yellow")))
    write(_running(), name, text)
    if read_whole(reader(()), text):
        _watch(name)
    else:
        out.print(plain("It is written; no error is recognised in it.", "yellow"))
        _next("See what is:", f"selfheal explain {file}")


def _watch(name: str) -> None:
    _next("Watch it:", f"selfheal incidents --app {name} --watch --local")


def _next(why: str, what: str) -> None:
    out.print(plain(f"{why} ") + plain(command(what), "cyan"), soft_wrap=True)


def _running() -> EmbeddedRun:
    from infra.cli import connect

    connect.connect(local=True)  # which says so where the stack is gone
    return connect.embedded()
