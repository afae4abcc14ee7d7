"""`explain`: what detection makes of a log text: errors, frames, classes, fingerprints, and why."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, BinaryIO

import typer
from rich.table import Table

from functions.core.incidents.incident import Frame
from functions.core.notify.counts import counted
from functions.detect_errors.model import ParsedError, PrintedException
from functions.detect_errors.read import Reader, reader
from infra.cli.console import err, out, plain, print_document
from infra.cli.options import AsJson
from infra.errors import Exit, UserError
from infra.log_text import text_of
from infra.trial.log import read_whole

# A stack of a runaway recursion has thousands of frames; people need its ends.
_SHOWN_FRAMES = 40

_RELATIONS = {
    "cause": "was the direct cause",
    "context": "was being handled",
    "quoted": "is quoted in the message",
}


def explain(
    file: Annotated[str, typer.Argument(metavar="[FILE|-]", help="Log text; - reads standard input.")] = "-",
    as_json: AsJson = False,
    as_jsonl: Annotated[
        bool, typer.Option("--jsonl", help='Read lines of {"id", "text"}; print one JSON document per line.')
    ] = False,
    package: Annotated[
        list[str] | None,
        typer.Option(help="A top-level package of the app's own; repeat for more. Without it, paths decide."),
    ] = None,
) -> None:
    """Show what detection makes of a log text, and why."""
    judge = reader(tuple(package or ()))
    with _open(file) as source:
        if as_jsonl:
            for document in _documents(source, judge):
                print(json.dumps(document))
            return
        name, notes = "standard input" if file == "-" else file, list[str]()
        text = text_of(source.read(), name, notes.append)
    errors = read_whole(judge, text)
    for note in notes:
        if not errors:
            raise UserError(
                f"{note}; no error was found in that", "give the whole file", exit_code=Exit.USAGE
            )
        err.print(plain(note, "yellow"))
    if as_json:
        print_document("explain/1", to_json(errors))
    elif not errors:
        out.print(plain("No error found in this text.", "green"))
    else:
        for number, error in enumerate(errors, start=1):
            _show(number, len(errors), error, judge)


def to_json(errors: list[ParsedError]) -> dict[str, Any]:
    """The document that `--json` prints. Errors stand in the order of the text, the last record's last."""
    return {"errors": [_error(error) for error in errors]}


def _error(error: ParsedError) -> dict[str, Any]:
    return {
        "class": str(error.error_class),
        "reason": error.reason,
        "type": error.type,
        "message": error.message,
        "frames": [asdict(frame) for frame in error.frames],
        "chain": [_cause(cause) for cause in error.chain],
        "fingerprint": error.fingerprint,
    }


def _cause(cause: PrintedException) -> dict[str, Any]:
    return {
        "type": cause.type,
        "message": cause.message,
        "relation": cause.relation,
        "frames": [asdict(frame) for frame in cause.frames],
    }


def _open(file: str) -> AbstractContextManager[BinaryIO]:
    if file == "-":
        return nullcontext(sys.stdin.buffer)
    try:
        return Path(file).open("rb")
    except OSError as error:
        raise UserError(
            f"{file}: {error.strerror}", "give the path of a log file, or - for standard input", exit_code=2
        ) from error


def _documents(source: BinaryIO, judge: Reader) -> Iterator[dict[str, Any]]:
    for number, line in enumerate(source, start=1):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
        except (ValueError, RecursionError):
            record = None
        if not isinstance(record, dict) or "id" not in record or not isinstance(record.get("text"), str):
            raise UserError(
                f'line {number}: not an object with "id" and "text"',
                'each line must look like {"id": "a1", "text": "Traceback ..."}',
                exit_code=2,
            )
        yield {"id": record["id"], **to_json(judge.read(record["text"]))}


def _show(number: int, total: int, error: ParsedError, judge: Reader) -> None:
    out.rule(plain(f"error {number} of {total}"), align="left", style="dim")
    out.print(plain(error.title, "bold red"))
    if error.message and "\n" in error.message:
        out.print(plain(error.message.partition("\n")[2], "dim"))
    out.print(plain(f"{error.error_class}: {error.reason}"))
    out.print(plain(f"next: {error.next_action}", "dim"))
    if error.needs_more:
        out.print(plain("The text ends before the error does; the rest is in other log events.", "yellow"))
    for cause in error.chain:
        first_line = cause.message.partition("\n")[0]
        _frames(f"{cause.type}: {first_line} ({_RELATIONS[cause.relation]})", cause.frames)
    _frames("frames, innermost last", error.frames)
    for member in error.members:
        _frames(f"sub-exception {member.type}: {member.message.partition(chr(10))[0]}", member.frames)
    table = Table(title="fingerprint", title_justify="left", box=None, pad_edge=False)
    for heading in ("component", "value", "why it counts"):
        table.add_column(heading, overflow="fold")
    for component in judge.components(error):
        table.add_row(plain(component.name), plain(component.value), plain(component.why, "dim"))
    out.print(table)
    out.print(plain(error.fingerprint, "bold"))


def _frames(title: str, frames: tuple[Frame, ...]) -> None:
    out.print(plain(title, "bold"))
    half = _SHOWN_FRAMES // 2
    for index, frame in enumerate(frames):
        if half <= index < len(frames) - half:
            if index == half:
                out.print(plain(f"   ... {counted(len(frames) - 2 * half, 'frame')} ...", "dim"))
            continue
        where = f"{frame.file}:{frame.line}" + (f" in {frame.function}" if frame.function else "")
        mark, style = ("app", "cyan") if frame.in_app else ("   ", "dim")
        out.print(plain(f"   {mark} {where}  [{frame.why}]", style))
        if frame.code:
            out.print(plain(f"           {frame.code}", "" if frame.in_app else "dim"))
