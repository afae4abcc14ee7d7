"""What is said without a Python traceback: time-outs, kills, exits, Node.js errors, and plain ERROR lines."""

from __future__ import annotations

import re

from functions.core.incidents.incident import Frame
from functions.core.notify.counts import counted
from functions.detect_errors.formats import FORMATS
from functions.detect_errors.grammar import (
    HEADER,
    MAX_MESSAGE_LINES,
    RECORD_START,
    exception_line,
    line_end,
    telling_type,
)
from functions.detect_errors.model import Found, PrintedException

NODE = "Node.js"
"""`why` of a frame that is JavaScript's."""

LEFT_OUT = "left out by detection: "
"""How an error starts that stands for what was not read."""

_MAX_ERROR_LINES = 50
_LONGEST_NAME = 400
_ID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"

_RULES = [
    (rule["needle"], re.compile(rule["pattern"].replace("<ID>", _ID), re.MULTILINE), rule.get("says"))
    for rule in (*FORMATS["platform"], {"needle": LEFT_OUT, "pattern": f"^({LEFT_OUT}[^\\n]{{1,200}})"})
]
# What `outside_stacks` must hold for anything here to be found.
HINTS = (*(needle for needle, _, _ in _RULES), "[ERROR] ", "\n    at ")
_HEAD = "[ERROR] "
_ERROR_LINE = re.compile(
    r"^.{0,120}?(?:\b(?:ERROR|CRITICAL|FATAL)\b|\[(?:error|critical) *+\]"
    r"|\blevel=(?:error|critical|fatal)\b)",
    re.MULTILINE,
)
# Names that say what they are, themselves or by their module; loggers have names of several parts, too.
_NAMES = re.compile(r"(?:Error|Exception|Timeout|Refused|Exit): |(?:errors?|exceptions?|err|exc)\.[A-Z]")
_NAMED = re.compile(r"(?<![\w.])((?:[A-Za-z_]\w{0,60}+\.){0,8}[A-Z]\w{1,80}+): (.{0,2000})")
_JAVASCRIPT = re.compile(r"^[^\n]{0,200}?\b([A-Z]\w{0,60}+): ([^\n]{0,2000})\n(?=    at )", re.MULTILINE)
_NODE_FRAME = re.compile(
    r"    at (?:(?:async )?([^\n(]{1,200}?) \()?((?:file://)?[^\n()]{1,1000}?):(\d{1,9}):\d{1,9}\)?$"
)


def read_platform(text: str) -> list[Found]:
    """The platform's lines in a canonical text, in order."""
    found = [
        (saying(match.start(1), (says or "{}").format(match[1].strip())), says)
        for needle, pattern, says in _RULES
        if needle in text
        for match in pattern.finditer(text)
    ]
    own = [one for one, says in found if not says]
    return sorted(own or [one for one, _ in found], key=lambda one: one.at)


def saying(at: int, line: str) -> Found:
    """What a line says that names no exception."""
    return Found(PrintedException(None, ""), at, "ERROR", True, line)


def read_heads(text: str) -> list[Found]:
    """`[ERROR] Type: message` of Lambda's runtime without a header behind it: the rest is in other events."""
    found = []
    header = text.find(HEADER)
    end = 0
    # Line by line, and at most one of each: a line may be a million of these.
    while (index := text.find(_HEAD, end)) >= 0:
        start = text.rfind("\n", end, index) + 1
        end = line_end(text, index)
        if 0 <= header < end:
            header = text.find(HEADER, end)
        named = _named(text, start, index, end)
        if named is None:
            continue
        kind, said, alone = named
        message, position = [said], end
        while alone and position < len(text) and len(message) <= MAX_MESSAGE_LINES:
            stop = line_end(text, position + 1)
            line = text[position + 1 : stop]
            if RECORD_START.match(line):
                break
            message.append(line)
            position = stop
        if position + 1 != header:  # else the traceback itself is there, and read as such
            found.append(Found(PrintedException(kind, "\n".join(message).rstrip()), start, "ERROR", False))
    return found


def _named(text: str, start: int, index: int, end: int) -> tuple[str, str, bool] | None:
    """The first head of a line that names an exception: its type and message, and whether the line begins
    with it.

    index: of the line's first head. A name is looked for as far as names go, however long the line is.
    """
    while 0 <= index < end:
        begin = index + len(_HEAD)
        near = text[begin : min(end, begin + _LONGEST_NAME)]
        named = exception_line(near.rstrip()) if ": " in near or begin + len(near) == end else None
        if named is not None and (index == start or telling_type(named[0])):
            rest = text[begin + len(named[0]) : end].removeprefix(": ")
            return named[0], rest.rstrip() if named[1] else named[1], index == start
        index = text.find(_HEAD, index + 1, end)
    return None


def read_node(text: str) -> list[Found]:
    """JavaScript's errors: recorded for what they are, because nothing here can mend them."""
    if "\n    at " not in text:
        return []
    found = []
    for match in _JAVASCRIPT.finditer(text):
        frames, end = [], match.end()
        while (frame := _NODE_FRAME.match(text, end, stop := line_end(text, end))) is not None:
            frames.append(Frame(frame[2], int(frame[3]), frame[1], "", False, NODE))
            end = min(stop + 1, len(text))
        if frames:
            raised = PrintedException(match[1], match[2], tuple(reversed(frames)))
            found.append(Found(raised, match.start(), "ERROR", True, "", end))
    return found


def read_lines(text: str) -> list[Found]:
    """Exceptions that a line names without a traceback, and lines at level ERROR or above.

    The caller asks only when the text holds nothing better.
    """
    found, at = [], -1
    for line in text.split("\n"):
        start, at = at + 1, at + 1 + len(line)
        named = exception_line(line)
        if named is not None and telling_type(named[0]) and not RECORD_START.match(line):
            found.append(Found(PrintedException(*named), start, "ERROR"))
        elif _ERROR_LINE.match(line):
            within = _NAMED.search(line, 0, 2000) if _NAMES.search(line) else None
            if within is not None and telling_type(within[1]):
                found.append(Found(PrintedException(within[1], within[2].rstrip()), start, "ERROR"))
            else:
                found.append(saying(start, line.strip()[:1000]))
    left_out = len(found) - _MAX_ERROR_LINES
    if left_out > 0:
        found[_MAX_ERROR_LINES:] = [
            saying(start, f"{LEFT_OUT}{counted(left_out, 'more line')} at level ERROR")
        ]
    return found
