"""Errors in JSON log records, in the shapes of Lambda, Powertools, structlog, python-json-logger and others.

A record that is one line of a longer traceback (Docker's json-file, journald's JSON export) yields its text,
so that the lines can be joined again.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from functions.detect_errors.grammar import HEADER, FrameReader, exception_line, telling_type
from functions.detect_errors.model import Found, Raised
from functions.detect_errors.platform_lines import read_platform
from functions.detect_errors.prefixes import canonical
from functions.detect_errors.traceback_parser import scan

# Where a record's text stands when the record is only an envelope, most specific first.
_TEXT_KEYS = ("@message", "log", "MESSAGE", "message", "msg", "textPayload", "event", "line", "text")
# Fields that hold a formatted exception and nothing else; they are read before free text.
_EXCEPTION_KEYS = (
    "exception",
    "exc_info",
    "exc_text",
    "stack_trace",
    "stacktrace",
    "traceback",
    "exception.stacktrace",
    "error.stack_trace",
    "error.stack",
    "stack",
    "error",
    "err",
)
_LEVEL_KEYS = ("level", "levelname", "severity", "log.level", "log_level", "lvl")
_LEVELS = {"WARN": "WARNING", "FATAL": "CRITICAL", "ERR": "ERROR"}
_FRAME_FILE = ("filename", "file", "path", "abs_path")
_FRAME_LINE = ("lineno", "line", "line_number")
_FRAME_FUNCTION = ("name", "function", "method", "funcName")
_FRAME_CODE = ("statement", "source", "code", "context_line")

_MAX_DEPTH = 8
_MAX_NODES = 5_000


def level_of(record: dict[str, Any]) -> str:
    """The record's level in upper case, in the logging module's words; "" when it has none."""
    for key in _LEVEL_KEYS:
        value = record.get(key)
        if isinstance(value, dict):
            value = value.get("name")
        if isinstance(value, str) and value:
            level = value.strip().upper()
            return _LEVELS.get(level, level)
    return ""


def text_of(record: dict[str, Any]) -> str:
    """The log text that the record wraps; "" when it wraps none."""
    for key in _TEXT_KEYS:
        value = record.get(key)
        if isinstance(value, str):
            return value
    return ""


def errors_of(record: Any, frames: FrameReader) -> list[Found]:
    """The errors that a decoded record holds, each once, however often the record repeats it."""
    found: list[Found] = []
    seen = set()
    level = level_of(record) if isinstance(record, dict) else ""
    for raised, whole in _Walk(frames).walk(record, 0, alone=False):
        places = tuple((frame.file, frame.line, frame.function) for frame in raised.frames)
        identity = ((raised.type or "").rpartition(".")[2], places)
        if identity not in seen:
            seen.add(identity)
            found.append(Found(raised, 0, level, whole))
    payload = record.get("responsePayload") if isinstance(record, dict) else None
    if isinstance(record, dict) and (line := _platform(payload if isinstance(payload, dict) else record)):
        found.append(Found(Raised(None, ""), 0, "ERROR", True, line))
    return found


def _platform(record: dict[str, Any]) -> str:
    """Lambda's JSON platform events, of which one closes every call, and a timed out call's payload."""
    message = record.get("errorMessage")
    if isinstance(message, str) and record.get("errorType", "Sandbox.Timedout") == "Sandbox.Timedout":
        found = read_platform(message)
        return found[0].platform if found else ""
    details = record.get("record")
    if record.get("type") not in ("platform.report", "platform.initReport") or not isinstance(details, dict):
        return ""
    status = details.get("status")
    if status == "timeout":
        duration = details.get("metrics")
        seconds = duration.get("durationMs") if isinstance(duration, dict) else None
        spent = f" after {seconds / 1000:.2f} seconds" if isinstance(seconds, int | float) else ""
        return f"Task timed out{spent}"
    error = details.get("errorType")
    # Errors raised by the handler are logged on their own; only what the platform alone knows is read here.
    if status in ("error", "failure") and error in ("Runtime.ExitError", "Runtime.OutOfMemory"):
        return f"Runtime exited with error: {error}"
    return ""


class _Walk:
    """Walks a decoded record within bounds: strangers decide its shape."""

    def __init__(self, frames: FrameReader) -> None:
        self.frames = frames
        self.nodes = 0

    def walk(self, value: Any, depth: int, *, alone: bool) -> Iterator[tuple[Raised, bool]]:
        self.nodes += 1
        if depth > _MAX_DEPTH or self.nodes > _MAX_NODES:
            return
        if isinstance(value, str):
            yield from self._string(value, depth, alone)
        elif isinstance(value, dict):
            yield from self._dict(value, depth)
        elif isinstance(value, list):
            if (
                value
                and all(isinstance(part, str) for part in value)
                and any(HEADER in part for part in value)
            ):
                yield from self._string("\n".join(part.rstrip("\n") for part in value), depth, alone)
            elif value and all(isinstance(part, dict) and "exc_type" in part for part in value):
                yield self._structlog(value), True
            else:
                for part in value:
                    yield from self.walk(part, depth + 1, alone=alone)

    def _string(self, value: str, depth: int, alone: bool) -> Iterator[tuple[Raised, bool]]:
        if value[:1] in ("{", "[") and ("Trace" in value or "error" in value or "exc" in value):
            try:
                inner = json.loads(value)
            except (ValueError, RecursionError):
                inner = None
            if isinstance(inner, dict | list):
                yield from self.walk(inner, depth + 1, alone=False)
                return
        if HEADER in value or (alone and '  File "' in value):
            for stream in canonical(value):
                for found in scan(stream.text, self.frames, alone=alone):
                    yield found.raised, found.whole
        elif alone and (named := exception_line(value.partition("\n")[0])) and telling_type(named[0]):
            _, _, rest = value.partition("\n")
            yield Raised(named[0], f"{named[1]}\n{rest}".rstrip("\n") if rest else named[1]), True

    def _dict(self, record: dict[str, Any], depth: int) -> Iterator[tuple[Raised, bool]]:
        lambda_error = self._lambda(record)
        if lambda_error is not None:
            yield lambda_error, True
        for key in _EXCEPTION_KEYS:
            if record.get(key):
                yield from self.walk(record[key], depth + 1, alone=True)
        framed = self._framed(record)
        if framed is not None:
            yield framed, True
        for key, value in record.items():
            if key not in _EXCEPTION_KEYS and isinstance(value, str | dict | list):
                yield from self.walk(value, depth + 1, alone=False)

    def _lambda(self, record: dict[str, Any]) -> Raised | None:
        """`errorType`, `errorMessage`, `stackTrace`: the runtime's JSON mode, and a failed call's payload."""
        name, message, stack = record.get("errorType"), record.get("errorMessage"), record.get("stackTrace")
        if not isinstance(name, str) or not (isinstance(message, str) or isinstance(stack, list)):
            return None
        if name == "Sandbox.Timedout":
            return None
        lines = []
        for entry in stack if isinstance(stack, list) else []:
            if isinstance(entry, str):
                lines.append(entry.rstrip("\n"))
            elif isinstance(entry, list) and len(entry) >= 3:  # runtimes up to Python 3.6
                lines.append(_frame(entry[0], entry[1], entry[2], entry[3] if len(entry) > 3 else ""))
        return Raised(name, message if isinstance(message, str) else "", self._stack(lines).frames)

    def _stack(self, lines: list[str]) -> Raised:
        text = "\n".join([HEADER, *lines])
        found = scan(canonical(text)[0].text, self.frames)
        return found[0].raised if found else Raised(None, "")

    def _framed(self, record: dict[str, Any]) -> Raised | None:
        """`{type, value, frames: [...]}`: Powertools' `stack_trace` object and its like."""
        inner = record.get("stacktrace")
        entries = inner.get("frames") if isinstance(inner, dict) else record.get("frames")
        name = record.get("type") or record.get("exc_type")
        if not isinstance(entries, list) or not isinstance(name, str) or "exc_type" in record:
            return None
        message = record.get("value", record.get("message", ""))
        return Raised(name, str(message), self._stack(_frames(entries)).frames)

    def _structlog(self, entries: list[dict[str, Any]]) -> Raised:
        """structlog's dict tracebacks: the exception that propagated first, then what led to it."""
        chain: list[Raised] = []
        relation = "cause" if entries[0].get("is_cause") else "context"
        for entry in entries:
            members = tuple(
                self._structlog(group)
                for group in _list(entry.get("exceptions"))
                if isinstance(group, list) and group and all(isinstance(part, dict) for part in group)
            )
            stack = self._stack(_frames(_list(entry.get("frames")))).frames
            relation = "" if not chain else "cause" if entry.get("is_cause") else "context"
            chain.append(
                Raised(
                    str(entry.get("exc_type")), str(entry.get("exc_value", "")), stack, relation, (), members
                )
            )
        last = chain[0]
        return Raised(last.type, last.message, last.frames, "", tuple(reversed(chain[1:])), last.members)


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _frames(entries: list[Any]) -> list[str]:
    lines = []
    for entry in entries:
        if isinstance(entry, dict):
            file, line = _first(entry, _FRAME_FILE), _first(entry, _FRAME_LINE)
            lines.append(_frame(file, line, _first(entry, _FRAME_FUNCTION), _first(entry, _FRAME_CODE)))
    return lines


def _first(entry: dict[str, Any], keys: tuple[str, ...]) -> Any:
    return next((entry[key] for key in keys if entry.get(key) is not None), "")


def _frame(file: Any, line: Any, function: Any, code: Any) -> str:
    """One frame in the interpreter's words; values are flattened to one line each."""
    text = f'  File "{_flat(file)}", line {_flat(line)}' + (f", in {_flat(function)}" if function else "")
    source = _flat(code)
    return f"{text}\n    {source}" if source and not source.isdigit() else text


def _flat(value: Any) -> str:
    return " ".join(str(value).split("\n")).strip()
