"""The entry point: log text in, errors out."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any

from functions.detect_errors.classify import NEXT_ACTION, classify
from functions.detect_errors.fingerprint import Fingerprinter
from functions.detect_errors.grammar import HEADER, FrameReader, exception_line
from functions.detect_errors.in_app import AppRules
from functions.detect_errors.json_records import errors_of, text_of
from functions.detect_errors.model import Component, Found, ParsedError, Raised
from functions.detect_errors.platform_lines import read_error_lines, read_heads, read_platform
from functions.detect_errors.prefixes import FIRST_FRAME, ODD, Stream, outside_stacks, rewrite
from functions.detect_errors.traceback_parser import lambda_head, level_before, scan

# CloudWatch Logs accepts events of up to 1 MiB; anything longer is not one log event.
MAX_LENGTH = 1_048_576
_PLATFORM_HINTS = (
    "Task timed out",
    "Runtime exited",
    "[ERROR] ",
    "Status: ",
    "illed",
    "WORKER TIME",
    "OutOfMem",
    "Process ex",
    "time limit",
    "HARAKIRI",
    "Fatal Python",
    "emory",
)
_MAX_AROUND = 2_000
# What the long way would look at more closely.
_NOT_SHORT = (
    *(hint for hint in _PLATFORM_HINTS if hint != "[ERROR] "),
    *ODD,
    "\r",
    "\x1b",
    "{",
    "Traceback",
    "File ",
    "above exception",
)
_MAX_JSON_ATTEMPTS = 2_000
# fmt: off
_RECORD_KEYS = frozenset((
    "level", "levelname", "severity", "log.level", "timestamp", "time", "asctime", "@timestamp", "errorType",
    "errorMessage", "exc_info", "exception", "stream", "__REALTIME_TIMESTAMP", "log",
    "MESSAGE", "container_name", "container_id",
))
# fmt: on


def read_errors(text: str, *, packages: Sequence[str] = (), roots: Sequence[str] = ()) -> list[ParsedError]:
    """All errors in a log text, in the order in which they were printed.

    text: any log text: one record or many, plain or JSON, with or without what shippers put around lines.
    packages: the app's own top-level packages (`App.packages`); empty means that paths decide.
    roots: directories that the app is deployed to (`App.source_roots`), besides the conventional ones.
    Never raises for any text.
    """
    return reader(tuple(packages), tuple(roots)).read(text)


@lru_cache(maxsize=64)
def reader(packages: tuple[str, ...] = (), roots: tuple[str, ...] = ()) -> Reader:
    """The reader for one app's packages and roots: it remembers stacks and paths, within bounds."""
    return Reader(AppRules(packages, roots))


class Reader:
    """Reads log texts under one app's rules."""

    def __init__(self, rules: AppRules) -> None:
        self._rules = rules
        self._frames = FrameReader(rules)
        self._fingerprinter = Fingerprinter(rules, self._frames.remembers)

    def read(self, text: str) -> list[ParsedError]:
        """See `read_errors`."""
        if (repeated := self._repeated(text)) is not None:
            return [self._judge(repeated, text.count("\n", 0, repeated.at))]
        return with_chains([self._judge(found, line) for line, found in self._find(text[:MAX_LENGTH])])

    def components(self, error: ParsedError) -> tuple[Component, ...]:
        """What the error's fingerprint is made of, to show."""
        raised = Raised(error.type, error.message or "", error.frames, "", error.chain, error.members)
        return self._fingerprinter.components(raised, error.title if error.message is None else "")

    def _judge(self, found: Found, line: int) -> ParsedError:
        raised = found.raised
        judged = classify(raised, self._rules, level=found.level, platform=found.platform)
        first = raised.message.partition("\n")[0]
        named = (
            f"{raised.type or 'Traceback'}: {first}" if first else raised.type or "Traceback without its end"
        )
        return ParsedError(
            type=raised.type,
            message=None if found.platform else raised.message,
            frames=raised.frames,
            chain=raised.chain,
            members=raised.members,
            error_class=judged.error_class,
            reason=judged.reason,
            next_action=NEXT_ACTION[judged.error_class],
            fingerprint=self._fingerprinter.fingerprint(raised, found.platform),
            title=found.platform or named,
            level=found.level,
            needs_more=not found.whole,
            line=line,
        )

    def _repeated(self, text: str) -> Found | None:
        """The short way in an error storm: one canonical traceback with a known stack and a one-line message.

        Gives exactly what the long way gives, or None where it cannot be sure.
        """
        start = text.find(FIRST_FRAME)
        if start < 0 or (start and text[start - 1] != "\n"):
            return None
        end = text.find("\n", text.rfind("\n  ") + 1) + 1
        frames = self._frames.known(text[start + len(HEADER) + 1 : end or len(text)])
        if frames is None:
            return None
        before, behind = text[:start], text[end:] if end else ""
        around = before + behind
        if len(around) > _MAX_AROUND or not around.isascii():
            return None
        for odd in _NOT_SHORT:
            if odd in around:
                return None
        line, _, rest = behind.partition("\n")
        if rest and not rest.isspace():
            return None
        if "[ERROR] " in before:
            head = None if behind.strip() else lambda_head(before)
            return None if head is None else Found(Raised(head.type, head.message, frames), head.at, "ERROR")
        named = exception_line(line)
        if named is None:
            return None
        return Found(Raised(named[0], named[1], frames), start, level_before(before))

    def _find(self, text: str) -> list[_Placed]:
        if '{"' not in text and text[:1] not in ("{", "["):
            return self._plain(text) or _placed(text, read_error_lines(text))
        found: list[_Placed] = []
        lines: list[str] = []
        numbers: list[int] = []
        for number, (record, line) in enumerate(_records(text)):
            errors = errors_of(record, self._frames) if record is not None else []
            # An envelope around one line of a traceback: the line counts, and is joined with the others.
            envelope = record is None or (text_of(record) and all(not one.whole for one in errors))
            if errors and not envelope:
                found += self._joined(lines, numbers)
                found += [(number, error) for error in errors]
                lines, numbers = [], []
            else:
                parts = (line if record is None else text_of(record).removesuffix("\n")).split("\n")
                lines += parts
                numbers += [number] * len(parts)
        return found + self._joined(lines, numbers) or _placed(text, read_error_lines(text))

    def _joined(self, lines: list[str], numbers: list[int]) -> list[_Placed]:
        return [
            (numbers[min(line, len(numbers) - 1)], found) for line, found in self._plain("\n".join(lines))
        ]

    def _plain(self, text: str) -> list[_Placed]:
        """Tracebacks and platform lines of a text without JSON records, in the order of its lines."""
        outside = outside_stacks(text)
        if outside is not None:
            found = scan(text, self._frames)
            for hint in _PLATFORM_HINTS:
                if hint in outside:
                    return _placed(text, _with_platform(text, found))
            return _placed(text, found)
        placed: list[_Placed] = []
        for stream in rewrite(text):
            found = _with_platform(stream.text, scan(stream.text, self._frames))
            placed += zip(stream.lines_of(one.at for one in found), found, strict=True)
        return sorted(placed, key=lambda pair: pair[0])


def with_chains(errors: list[ParsedError]) -> list[ParsedError]:
    """Give an error the chain, and so the identity, that the same error had a moment before.

    A handler that logs an exception and lets it go on has it printed twice: with its chain by the logger, and
    without by Lambda's runtime. That is one bug, so it must be one incident.
    """
    if len(errors) < 2 or not any(error.chain for error in errors):
        return errors
    chained: dict[tuple[Any, ...], ParsedError] = {}
    unified = []
    for error in errors:
        places = tuple((frame.file, frame.line, frame.function) for frame in error.frames)
        key = ((error.type or "").rpartition(".")[2], error.message, places)
        if error.chain:
            chained[key] = error
        elif places and (same := chained.get(key)) is not None:
            error = replace(error, chain=same.chain, fingerprint=same.fingerprint)
        unified.append(error)
    return unified


_Placed = tuple[int, Found]
"""An error and the number of the line that it starts in."""


def _with_platform(text: str, found: list[Found]) -> list[Found]:
    """The errors, and what the platform says between them; what they say themselves may look the same."""
    merged = sorted([*found, *read_platform(text), *read_heads(text)], key=lambda one: (one.at, -one.end))
    end = 0
    outer = []
    for one in merged:
        if one.end or one.at >= end:
            outer.append(one)
        end = max(end, one.end)
    return outer


def _placed(text: str, found: list[Found]) -> list[_Placed]:
    if len(found) == 1:
        return [(text.count("\n", 0, found[0].at), found[0])]
    return list(zip(Stream(text).lines_of(one.at for one in found), found, strict=True))


def _records(text: str) -> list[tuple[dict[str, Any] | None, str]]:
    """The text as records: decoded objects, or (None, line) for what is not JSON."""
    stripped = text.strip()
    if stripped[:1] in ("{", "["):
        whole = _decode(stripped)
        if isinstance(whole, dict):
            return [(whole, "")]
        if isinstance(whole, list) and whole and all(isinstance(part, dict) for part in whole):
            return [(part, "") for part in whole]
    records: list[tuple[dict[str, Any] | None, str]] = []
    attempts = 0
    for line in text.split("\n"):
        start = line.find('{"') if line[:1] != "{" else 0
        value = None
        if start >= 0 and line.rstrip().endswith("}") and attempts < _MAX_JSON_ATTEMPTS:
            attempts += 1
            value = _decode(line[start:])
        # Behind other text it may be a literal in a source line, so it must look like a record.
        if isinstance(value, dict) and (start == 0 or not _RECORD_KEYS.isdisjoint(value)):
            records.append((value, ""))
        else:
            records.append((None, line))
    return records


def _decode(text: str) -> object:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None
