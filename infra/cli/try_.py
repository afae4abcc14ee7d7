"""`try`: what this system would do with an error of yours, on a local repository, without AWS."""

from __future__ import annotations

import json
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from botocore.exceptions import BotoCoreError, ClientError
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from functions.core.notify.counts import counted
from functions.core.notify.times import duration
from functions.core.workflow.errors import AppInvalid, SelfHealError
from infra.cli.console import err, hint, out, plain, print_document
from infra.cli.options import AsJson
from infra.errors import UserError
from infra.log_text import text_of

if TYPE_CHECKING:
    from functions.harness.runner import Runner
    from infra.trial.trial import Progress, Trial

_LARGEST = 64 * 1024 * 1024
_STYLES = {"accepted": "bold green", "rejected": "bold red", "abstained": "bold yellow", "failed": "bold red"}


Model = Annotated[
    str,
    typer.Option(
        metavar="embedded|bedrock|URL",
        help="The built-in rules, Bedrock (bedrock:MODEL_ID names one), or an OpenAI-compatible server.",
    ),
]
Entry = Annotated[
    str | None,
    typer.Option(
        "--app", metavar="FILE", help="JSON with fields of an app's entry, as it would be registered."
    ),
]
IsUnprotected = Annotated[
    bool,
    typer.Option(
        "--unprotected",
        help="Run the repository's code even where this machine cannot wall it in, with limits only.",
    ),
]


def try_(
    path: Annotated[
        Path, typer.Argument(metavar="PATH", help="A local git repository, or a directory of one.")
    ],
    log: Annotated[str, typer.Option(help="A log with the error; - reads standard input.", metavar="FILE")],
    rev: Annotated[
        str | None, typer.Option(help="The deployed commit, tag or branch. Without it, HEAD.")
    ] = None,
    model: Model = "embedded",
    answer: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="Judge this instead of asking: a unified diff, or JSON as the model's tool takes it.",
        ),
    ] = None,
    entry: Entry = None,
    unprotected: IsUnprotected = False,
    as_json: AsJson = False,
) -> None:
    """Try an error of your own: map its frames, build the prompt, ask a model, put the patch to the gates.

    Exit code: 0 accepted, 1 rejected or abstained, 2 bad usage, 3 failure. The work tree is never touched.
    """
    try:
        runner = walled(unprotected)
        trial = _run(path, log, rev, model, answer, entry, runner, lambda text: err.print(plain(text, "dim")))
    except UserError:
        raise
    except AppInvalid as error:
        raise UserError(
            f"--app: {error}", "see the table of fields in .github/CONFIGURING.md", exit_code=2
        ) from None
    except Exception as error:  # noqa: BLE001 - a defect of ours must not leave with the exit code of a rejected patch
        trial = _failed(error)
    if as_json:
        print_document("try/1", trial.to_json())
    else:
        _show(trial)
        if trial.outcome == "failed" and answer is None and model != "embedded":
            hint(f"next:  {_ANSWERS_NOT.get(model.partition(':')[0], _ANSWERS_NOT[''])}", "cyan")
    raise typer.Exit(trial.exit_code)


_ANSWERS_NOT = {
    "bedrock": "look at AWS_PROFILE, AWS_REGION and whether the account may use the model; the built-in rules"
    " need neither: --model embedded",
    "": "look whether the server runs at that address, and speaks OpenAI's protocol; the built-in rules"
    " need none: --model embedded",
}


def _run(
    path: Path,
    log: str,
    rev: str | None,
    model: str,
    answer: str | None,
    entry: str | None,
    runner: Runner,
    progress: Progress,
) -> Trial:
    from infra.trial.model import connect
    from infra.trial.source import read_source
    from infra.trial.trial import app_for, run_trial

    if log == "-" and answer == "-":
        raise UserError("--log and --answer cannot both be standard input", "give one as a file", exit_code=2)
    text = text_of(read(log, "--log"), str(log), progress)
    given = None if answer is None else read(answer, "--answer")
    asked = None if answer is not None else connect(model)
    fields = entry_of(entry) if entry else None
    source = read_source(path, rev, [file for file in (log, answer) if file not in (None, "-")])
    progress(f"source: {source.described}")
    return run_trial(source, text, app_for(source, fields), runner, progress, model=asked, answer=given)


def walled(unprotected: bool) -> Runner:
    """What runs the repository's code; refused here, before anything is asked, where nothing can hold it."""
    from infra.local.runner import LocalRunner
    from infra.local.wall.program import Unprotected

    runner = LocalRunner(unprotected=unprotected)
    try:
        runner.holds()
    except Unprotected as error:
        raise UserError(
            str(error),
            "use a machine that grants them, or give --unprotected for code that you would run anyway",
        ) from None
    return runner


def read(file: str, option: str) -> bytes:
    try:
        with nullcontext(sys.stdin.buffer) if file == "-" else Path(file).open("rb") as stream:
            data = stream.read(_LARGEST + 1)
    except OSError as error:
        raise UserError(
            f"{option} {file}: {error.strerror}", "give the path of a file", exit_code=2
        ) from None
    if len(data) > _LARGEST:
        raise UserError(
            f"{option} {file}: larger than {_LARGEST >> 20} MiB",
            "give the part that holds the error, such as the end: tail -c 50M FILE",
            exit_code=2,
        )
    return data


def entry_of(file: str) -> dict[str, Any]:
    try:
        data = json.loads(read(file, "--app"))
    except ValueError as error:
        raise UserError(f"--app {file}: not JSON: {error}", "mend the file", exit_code=2) from None
    if not isinstance(data, dict):
        raise UserError(f"--app {file}: not a JSON object", "give fields of an app's entry", exit_code=2)
    return data


def _failed(error: Exception) -> Trial:
    from infra.trial.trial import Trial

    ours = isinstance(error, SelfHealError | BotoCoreError | ClientError | OSError)
    reason = str(error) if ours else f"{type(error).__name__}: {error}; this is a defect, please report it"
    return Trial("failed", reason)


def _show(trial: Trial) -> None:
    from infra.cli.evidence_table import evidence_table
    from infra.cli.report import diff

    if trial.frames:
        out.print(Rule(plain("frames, innermost last"), align="left", style="dim"))
    for frame, path in trial.frames:
        where = f"{frame.file}:{frame.line} in {frame.function}"
        out.print(plain(f"  {where}", "" if path else "dim") + plain(f" → {path}" if path else "", "cyan"))
    if trial.context and trial.prompt:
        out.print(Rule(plain(f"prompt, {counted(trial.prompt.tokens, 'token')}"), align="left", style="dim"))
        table = Table(box=None, pad_edge=False, padding=(0, 2), show_header=False)
        table.add_column(justify="right")
        for part in trial.context.parts:
            name = f"{part.path} {part.function}".strip()
            table.add_row(f"{part.tokens:,}", plain(name, "cyan"), plain(part.why, "dim"))
        out.print(table)
    if trial.patch:
        out.print(Rule(plain("patch"), align="left", style="dim"))
        out.print(diff(trial.patch.decode(errors="replace")), soft_wrap=True)
    if trial.evidence:
        out.print(Rule(plain("evidence"), align="left", style="dim"))
        out.print(evidence_table(trial.evidence))
    out.print(Text())
    out.print(
        plain(trial.outcome, _STYLES[trial.outcome])
        + plain(f" after {duration(trial.seconds)}: {trial.reason}")
    )
