"""The entry point: log text in, errors out."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from functions.core.incidents.incident import Frame
from functions.core.notify.counts import counted
from functions.detect_errors.classify import classify, next_action
from functions.detect_errors.fingerprint import Fingerprinter
from functions.detect_errors.grammar import (
    HEADER,
    MAX_REMEMBERED_LENGTH,
    MAX_REMEMBERED_STACKS,
    FrameReader,
    exception_line,
)
from functions.detect_errors.in_app import AppRules
from functions.detect_errors.layers import ASCII_SIGNS, FIRST_FRAME, is_marked, outside_stacks, sections
from functions.detect_errors.model import Component, Found, ParsedError, PrintedException
from functions.detect_errors.platform_lines import (
    HINTS,
    LEFT_OUT,
    read_heads,
    read_lines,
    read_node,
    read_platform,
    saying,
)
from functions.detect_errors.traceback_parser import lambda_head, level_before, scan

# CloudWatch Logs accepts events of up to 1 MiB; anything longer is not one log event.
MAX_LENGTH = 1_048_576
_MAX_AROUND = 2_000
# What the long way would look at more closely; of two, the shorter says it. Most of it holds characters that
# are rare in a record's line, which are looked for first.
_CLOSER = {*HINTS, *ASCII_SIGNS, "Traceback", "File ", "above exception", "{"} - {"[ERROR] "}
_NOT_SHORT = tuple(sign for sign in _CLOSER if not any(other in sign for other in _CLOSER - {sign}))
_RARE = tuple('"&<^#')
_PLAIN = tuple(sign for sign in _NOT_SHORT if sign[0] != "\n" and not any(map(sign.__contains__, _RARE)))


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
        self._canonical = lru_cache(MAX_REMEMBERED_STACKS)(self._whole)
        self._fingerprinter = Fingerprinter(rules)

    def read(self, text: str) -> list[ParsedError]:
        """See `read_errors`."""
        if (plain := self._plain(text)) is not None:
            return [self._judge(plain, text.count("\n", 0, plain.at))]
        errors = with_chains([self._judge(found, line) for line, found in self._find(text[:MAX_LENGTH])])
        if len(text) > MAX_LENGTH:
            errors.append(self.left_out(f"{counted(len(text) - MAX_LENGTH, 'character')} of a text"))
        return errors

    def left_out(self, what: str) -> ParsedError:
        """The error that stands for what was not read."""
        return self._judge(saying(0, LEFT_OUT + what), 0)

    def components(self, error: ParsedError) -> tuple[Component, ...]:
        """What the error's fingerprint is made of, to show."""
        parts = error.type, error.message or "", error.frames, "", error.chain, error.members
        raised = PrintedException(*parts)
        return self._fingerprinter.components(raised, error.title if error.message is None else "")

    def _judge(self, found: Found, line: int) -> ParsedError:
        raised = found.raised
        judged = classify(raised, self._rules, level=found.level, platform=found.platform)
        first = raised.message.partition("\n")[0]
        named = f"{raised.type or 'Traceback'}: {first}" if first else raised.type
        return ParsedError(
            type=raised.type,
            message=None if found.platform else raised.message,
            frames=raised.frames,
            chain=raised.chain,
            members=raised.members,
            error_class=judged.error_class,
            reason=judged.reason,
            next_action=next_action(judged.error_class),
            fingerprint=self._fingerprinter.fingerprint(raised, found.platform),
            title=found.platform or named or "Traceback without its end",
            level=found.level,
            needs_more=not found.whole,
            line=line,
        )

    def _plain(self, text: str) -> Found | None:
        """The short way: one canonical traceback with a one-line message, and little around it.

        Gives exactly what the long way gives, or None where it cannot be sure.
        """
        start = text.find(FIRST_FRAME)
        if start < 0 or (start and text[start - 1] != "\n"):
            return None
        end = text.find("\n", text.rfind("\n  ") + 1) + 1 or len(text)
        stack = text[start + len(HEADER) + 1 : end]
        if len(stack) > MAX_REMEMBERED_LENGTH or not (frames := self._canonical(stack)):
            return None
        before, behind = text[:start], text[end:]
        around = before + behind
        if len(around) > _MAX_AROUND or not around.isascii():
            return None
        odd = before.count("\n") > 1 or any(map(around.__contains__, _RARE))
        if any(map(around.__contains__, _NOT_SHORT if odd else _PLAIN)):
            return None
        line, _, rest = behind.partition("\n")
        if rest and not rest.isspace():
            return None
        if "[ERROR] " in before:
            head = None if behind.strip() or before.count("[ERROR] ") > 1 else lambda_head(before)
            return head and head._replace(raised=head.raised._replace(frames=frames))
        named = exception_line(line)
        return Found(PrintedException(*named, frames), start, level_before(before)) if named else None

    def _whole(self, stack: str) -> tuple[Frame, ...]:
        """The frames of one stack that has nothing else in it; none of any other text."""
        alone = stack.count("\n") - stack.endswith("\n") == stack.count("\n  ")
        return self._frames(stack) if alone and stack.isascii() and not is_marked(stack) else ()

    def _find(self, text: str) -> list[_Placed]:
        outside = outside_stacks(text)
        if outside is not None:
            found = scan(text, self._frames)
            if any(map(outside.__contains__, HINTS)):
                found = _with_platform(text, found)
            if len(found) == 1:
                return [(text.count("\n", 0, found[0].at), found[0])]
            placed = list(zip(_lines_of(text, found), found, strict=True))
        else:
            placed = self._sections(text)
        if not placed:
            named = read_lines(text)
            placed = list(zip(_lines_of(text, named), named, strict=True))
        return placed

    def _sections(self, text: str) -> list[_Placed]:
        placed: list[_Placed] = []
        seen: set[tuple[Any, ...]] = set()
        for section in sections(text):
            part = section.text
            found = scan(part, self._frames, alone=section.alone)
            if not section.alone or not found:
                found = _with_platform(part, found)
            for one, line in zip(found, _lines_of(part, found), strict=True):
                if section.record >= 0:
                    # A record repeats its error in several fields.
                    name = (one.raised.type or one.platform).rpartition(".")[2]
                    key = section.record, name, _places(one.raised)
                    if key in seen:
                        continue
                    seen.update((key, (section.record, name, ())))
                    one = one._replace(level=section.level or one.level)
                placed.append((section.line(line), one))
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
        places = _places(error)
        key = ((error.type or "").rpartition(".")[2], error.message, places)
        if error.chain:
            chained[key] = error
        elif places and (same := chained.get(key)) is not None:
            error = error._replace(chain=same.chain, fingerprint=same.fingerprint)
        unified.append(error)
    return unified


_Placed = tuple[int, Found]
"""An error and the number of the line that it starts in."""


def _with_platform(text: str, found: list[Found]) -> list[Found]:
    """The errors, and what the platform says between them; what they say themselves may look the same."""
    said = [*read_platform(text), *read_heads(text), *read_node(text)]
    if not said:
        return found
    end = 0
    outer = []
    for one in sorted([*found, *said], key=lambda one: (one.at, -one.end)):
        if one.at >= end or (one.end and one in found):
            outer.append(one)
        end = max(end, one.end)
    return outer


def _places(raised: PrintedException | ParsedError) -> tuple[Any, ...]:
    return tuple((frame.file, frame.line, frame.function) for frame in raised.frames)


def _lines_of(text: str, found: list[Found]) -> list[int]:
    """The line of each error; ascending offsets take one pass over the text."""
    lines = []
    line = last = 0
    for one in found:
        if one.at < last:
            line = last = 0
        line, last = line + text.count("\n", last, one.at), one.at
        lines.append(line)
    return lines
