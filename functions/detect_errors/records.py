"""The record layer: errors in JSON records, rewritten as the interpreter would have printed them.

A record is walked for what loggers, tracers and reporters call an exception: a text that holds a traceback,
or an object that has a type, a message and a stack under any of their names. A record that is one line of a
longer traceback (Docker's json-file, journald's JSON export) yields its text, so that the lines can be
joined again.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from functions.core.notify.counts import counted
from functions.detect_errors.formats import FORMATS
from functions.detect_errors.grammar import BARE_HEADER, CAUSE, CONTEXT, HEADER, exception_line, telling_type
from functions.detect_errors.groups import GROUP, GROUP_HEADER
from functions.detect_errors.platform_lines import LEFT_OUT
from functions.detect_errors.transport import Line

_NAMES = {part: tuple(names.split()) for part, names in FORMATS["record"].items()}
_TEXT, _LEVEL, _STACK, _TYPE, _MESSAGE = (_NAMES[n] for n in ("text", "level", "stack", "type", "message"))
_FRAME = tuple(_NAMES[name] for name in ("file", "line", "function", "code"))
_BATCH = _NAMES["batch"]
_MARKS = frozenset(_NAMES["marks"])
_LEVELS = {"WARN": "WARNING", "FATAL": "CRITICAL", "ERR": "ERROR"}
_MAX_DEPTH = 12
_MAX_NODES = 5_000
_SANDBOX, _RUNTIME = "Sandbox.Timedout", ("Runtime.ExitError", "Runtime.OutOfMemory")
_DECODER = json.JSONDecoder()
_BLANK = re.compile(r"\s*+")


def level_of(record: dict[str, Any]) -> str:
    """The record's level in upper case, in the logging module's words; "" when it has none."""
    for key in _LEVEL:
        value = record.get(key)
        if isinstance(value, dict):
            value = value.get("name")
        if isinstance(value, str) and value:
            level = value.strip().upper()
            return _LEVELS.get(level, level)
    return ""


def text_of(record: dict[str, Any]) -> str:
    """The log text that the record wraps; "" when it wraps none."""
    return next((record[key] for key in _TEXT if isinstance(record.get(key), str)), "")


def is_partial(record: dict[str, Any]) -> bool:
    """Whether Docker cut the line that this record wraps (at 16 KiB): the next record has the rest."""
    if record.get("partial_message") == "true":
        return record.get("partial_last") != "true"
    return "stream" in record and "time" in record and not text_of(record).endswith("\n")


def documents(lines: list[Line]) -> Iterator[tuple[int, Any, str]]:
    """Line by line, (number, decoded object or list, ""), or (number, None, line) for what is not JSON.

    A document may take one line, behind other text or not, or many, from `{` or `[` to its closing in column
    0.
    """
    opened: list[Line] = []
    for number, line in lines:
        if opened:
            opened.append((number, line))
            if line[:1] in ("}", "]"):
                value = decoded("\n".join(text for _, text in opened))
                if value is not None:
                    yield from ((opened[0][0], part, "") for part in entries(value))
                else:
                    yield from ((n, None, text) for n, text in opened)
                opened = []
            continue
        if line.rstrip() in ("{", "["):
            opened = [(number, line)]
            continue
        start = 0 if line[:1] in ("{", "[") else line.find('{"')
        named = exception_line(line[:start]) if start > 0 else None
        if line.startswith("    ") or (named is not None and telling_type(named[0])):  # source, or a message
            start = -1
        value = decoded(line[start:]) if start >= 0 and line.rstrip()[-1:] in ("}", "]") else None
        if isinstance(value, list) and not (value and all(isinstance(part, dict) for part in value)):
            value = None
        if value is not None and (start == 0 or not _MARKS.isdisjoint(value)):
            yield from ((number, part, "") for part in entries(value))
        else:
            yield number, None, line
    yield from ((n, None, text) for n, text in opened)


def entries(value: Any) -> list[Any]:
    """The records of a batch, each on its own, since each may hold the same error; or the one record."""
    if isinstance(value, dict):
        value = next((value[key] for key in _BATCH if isinstance(value.get(key), list)), [value])
    return value if all(isinstance(part, dict) for part in value) else [value]


def decoded(text: str) -> Any:
    """The object or list that a text is the JSON of, or a list of objects that stand one behind the other, as
    Firehose delivers them; None for any other text."""
    values: list[Any] = []
    end = 0
    try:
        while end < len(text):
            value, end = _DECODER.raw_decode(text, end)
            values.append(value)
            end = _BLANK.match(text, end).end()  # type: ignore[union-attr]  # it matches anywhere
    except (ValueError, RecursionError):
        return None
    if len(values) == 1:
        return values[0] if isinstance(values[0], dict | list) else None
    return values if values and all(isinstance(value, dict) for value in values) else None


def texts_of(record: Any) -> Iterator[tuple[str, bool]]:
    """The record's texts that may hold an error; True for one that is a formatted exception and nothing
    else."""
    # What has a stack first: the same error may be named without one.
    walk = _Walk()
    yield from sorted(walk.walk(record, 0, alone=False), key=lambda one: "File" not in one[0])
    if walk.left_out:
        yield f"{LEFT_OUT}{counted(walk.left_out, 'field')} of a record", True


class _Walk:
    """Walks a decoded record within bounds: strangers decide its shape."""

    def __init__(self) -> None:
        self.nodes = self.left_out = 0

    def walk(self, value: Any, depth: int, *, alone: bool) -> Iterator[tuple[str, bool]]:
        self.nodes += 1
        if depth > _MAX_DEPTH or self.nodes > _MAX_NODES:
            self.left_out += 1
            return
        if isinstance(value, str):
            yield from self._string(value, depth, alone)
        elif isinstance(value, dict):
            yield from self._dict(undotted(value), depth)
        elif isinstance(value, list) and value:
            if all(isinstance(part, str) for part in value):
                lines = "\n".join(part.removesuffix("\n") for part in value)
                yield from self._string(lines, depth, alone) if BARE_HEADER in lines else ()
            elif all(isinstance(part, dict) and "exc_type" in part for part in value):
                yield "\n".join(_structlog(value)), True
            elif (pairs := _pairs(value)) is not None:
                yield from self.walk(pairs, depth + 1, alone=False)
            else:
                for part in value:
                    yield from self.walk(part, depth + 1, alone=alone)

    def _string(self, value: str, depth: int, alone: bool) -> Iterator[tuple[str, bool]]:
        looks = value[:1] in ("{", "[") and any(map(value.__contains__, ("Trace", "rror", "exc")))
        if looks and (inner := decoded(value)) is not None:
            yield from self.walk(inner, depth + 1, alone=False)
            return
        if BARE_HEADER in value or (alone and 'File "' in value):
            yield value, alone
        elif alone and (named := exception_line(value.partition("\n")[0])) and telling_type(named[0]):
            yield f"{HEADER}\n{value}", True

    def _dict(self, record: dict[str, Any], depth: int) -> Iterator[tuple[str, bool]]:
        if rendered := _exception(record, 0):
            yield "\n".join(rendered), True
        for key in () if rendered else _STACK:
            if record.get(key):
                yield from self.walk(record[key], depth + 1, alone=True)
        for key, value in record.items():
            if key not in _STACK and isinstance(value, str | dict | list):
                yield from self.walk(value, depth + 1, alone=False)


def undotted(record: dict[str, Any]) -> dict[str, Any]:
    """`{"error.type": t}` as `{"error": {"type": t}}`, for what belongs together under one name."""
    if not any("." in key for key in record):
        return record
    out: dict[str, Any] = {}
    for key, value in record.items():
        parent, dot, name = key.rpartition(".")
        inner = out.setdefault(parent, {}) if dot else None
        if isinstance(inner, dict):
            inner[name] = value
        else:
            out[key] = value
    return out


def _pairs(entries: list[Any]) -> dict[str, Any] | None:
    """OTLP's list of attributes and Logs Insights' of fields, as one object."""
    found = {}
    for entry in entries:
        name = entry.get("key", entry.get("field")) if isinstance(entry, dict) else None
        if not isinstance(name, str) or "value" not in entry:
            return None
        value = entry["value"]
        found[name] = next(iter(value.values()), "") if isinstance(value, dict) else value
    return found


def _exception(record: dict[str, Any], depth: int) -> list[str]:
    """The lines of an exception whose parts are fields; none if the record is no exception."""
    nested = record.get("exception")
    if isinstance(nested, dict) and not _first(record, _TYPE):
        record = {**nested, **{key: value for key, value in record.items() if key != "exception"}}
    name, message = _first(record, _TYPE), _first(record, _MESSAGE)
    if not isinstance(name, str) or not name or (depth > _MAX_DEPTH):
        return []
    stack: list[str] = []
    for key in _STACK:
        value = record.get(key)
        if isinstance(value, dict) and isinstance(value.get("frames"), list):
            value = value["frames"]
        parts = value if isinstance(value, list) else [value]
        if any(isinstance(part, str) and BARE_HEADER in part for part in parts):
            return []  # it is printed whole there
        stack = stack or _stack(value)
    lone = telling_type(name) and isinstance(message, str) and message and not {*_LEVEL} & record.keys()
    named = lone or ("errorType" in record and "errorMessage" in record)
    if name == _SANDBOX or not (stack or named):
        return []
    said = exception_line(str(message).partition("\n")[0])
    if said is not None and said[0].rpartition(".")[2] == name.rpartition(".")[2]:
        name, message = said[0], str(message).partition(": ")[2]
    lines: list[str] = []
    for relation, sentence in (("cause", CAUSE), ("context", CONTEXT)):
        led = record.get(relation)
        if isinstance(led, dict) and (before := _exception(led, depth + 1)):
            lines = [*before, "", sentence, ""]
            break
    if any(line.startswith("    at ") for line in stack):  # JavaScript's own
        return [f"{name}: {message}", *(line for line in stack if line.startswith("    at "))]
    last = f"{name}: {message}".rstrip("\n") if message != "" else name
    return [*lines, HEADER, *stack, *last.split("\n")]


def _stack(value: Any) -> list[str]:
    """The lines of a stack: a text, or a list of lines, of `[file, line, function, code]`, or of objects."""
    if isinstance(value, str):
        return value.rstrip("\n").split("\n") if 'File "' in value else []
    lines: list[str] = []
    entries = value if isinstance(value, list) else []
    for entry in entries:
        if isinstance(entry, str):
            lines += entry.rstrip("\n").split("\n")
        elif isinstance(entry, list) and len(entry) >= 3:  # Lambda, up to Python 3.6
            lines += _frame(entry[0], entry[1], entry[2], entry[3] if len(entry) > 3 else "")
        elif isinstance(entry, dict) and _first(entry, _FRAME[0]):
            lines += _frame(*(_first(entry, keys) for keys in _FRAME))
    if not any('File "' in line or line.startswith("    at ") for line in lines):
        return []
    if isinstance(entries[0], dict) and not {*_NAMES["innermost_first"]}.isdisjoint(entries[0]):
        frames = [i for i, line in enumerate(lines) if line.startswith('  File "')] + [len(lines)]
        lines = [line for i in reversed(range(len(frames) - 1)) for line in lines[frames[i] : frames[i + 1]]]
    return lines


def _frame(file: Any, line: Any, function: Any, code: Any) -> list[str]:
    """One frame in the interpreter's words; values are flattened to one line each."""
    text = f'  File "{_flat(file)}", line {_flat(line)}' + (f", in {_flat(function)}" if function else "")
    source = _flat(code)
    return [text, f"    {source}"] if source and not source.isdigit() else [text]


def _flat(value: Any) -> str:
    while isinstance(value, dict):  # Elastic's {"number": 3, "context": ...}
        value = next(iter(value.values()), "")
    return " ".join(str(value).split("\n")).strip()


def _first(entry: dict[str, Any], keys: tuple[str, ...]) -> Any:
    return next((entry[key] for key in keys if entry.get(key) is not None), "")


def _structlog(entries: list[dict[str, Any]], depth: int = 1) -> list[str]:
    """structlog's dict tracebacks: the exception that propagated first, then what led to it."""
    lines: list[str] = []
    for index, entry in reversed(list(enumerate(entries))):
        members = [group for group in entry.get("exceptions") or [] if isinstance(group, list) and group]
        members = [group for group in members if all(isinstance(part, dict) for part in group)]
        margin = "| " if members else ""
        said = f"{entry.get('exc_type')}: {entry.get('exc_value', '')}".removesuffix(": ").split("\n")
        lines.append(HEADER if not members else GROUP_HEADER[2:] if depth == 1 else GROUP)
        lines += [margin + line for line in (*_stack(entry.get("frames")), *said)]
        for number, group in enumerate(members if depth < _MAX_DEPTH else [], start=1):
            lines.append(f"{'+-+' if number == 1 else '  +'}---------------- {number} ----------------")
            inner = _structlog(group, depth + 1)
            lines += [f"  {'' if line.lstrip(' ')[:2] in ('| ', '+-') else '| '}{line}" for line in inner]
        if members:
            lines.append("  +------------------------------------")
            lines = [f"  {line}" for line in lines] if depth == 1 else lines
        if index:
            lines += ["", CAUSE if entry.get("is_cause") else CONTEXT, ""]
    return lines


def platform_of(record: dict[str, Any]) -> str:
    """Lambda's JSON platform events, of which one closes every call, as the text format says it."""
    details = record.get("record")
    if record.get("type") not in ("platform.report", "platform.initReport") or not isinstance(details, dict):
        payload = record.get("responsePayload", record)
        said = payload.get("errorMessage") if isinstance(payload, dict) else None
        return said if isinstance(said, str) and payload.get("errorType", _SANDBOX) == _SANDBOX else ""
    if details.get("status") == "timeout":
        metrics = details.get("metrics")
        spent = metrics.get("durationMs") if isinstance(metrics, dict) else 0
        return f"Task timed out after {spent / 1000 if isinstance(spent, int | float) else 0:.2f} seconds"
    # Errors raised by the handler are logged on their own; only what the platform alone knows is read here.
    known = details.get("status") in ("error", "failure") and details.get("errorType") in _RUNTIME
    return f"Runtime exited with error: {details['errorType']}" if known else ""
