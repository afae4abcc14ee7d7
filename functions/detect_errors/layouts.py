"""The text layer: other printers' layouts, rewritten as the interpreter would have printed them.

Twisted, Loguru and log viewers that add empty lines or drop indents hold the same facts in another layout.
"""

from __future__ import annotations

import re
from itertools import islice

from functions.detect_errors.grammar import (
    CAUSE,
    CONTEXT,
    HEADER,
    RECORD_SEPARATOR,
    RECORD_START,
    exception_line,
    telling_type,
)
from functions.detect_errors.groups import GROUP, GROUP_HEADER
from functions.detect_errors.printers import BARE_HEADER, frame_line
from functions.detect_errors.transport import Line

_BOX = "\u2502\u2514\u251c\u252c\u2524\u2510\u2518\u2570\u256d\u250c"
_BOX_OR_FRAME = ("", "F", *_BOX)
_ODD_INDENT = re.compile(r'((?:|\t+| | {3,}|> ))File "')
_UNQUOTED = re.compile(
    r" {0,2}(?:File ([^\s\",][^\",:]*+(?::[^\",:]*+)?), line (\d{1,9})(?:, in (.*))?"
    r"|File (?!\")([^\n:]*+(?::\\[^\n:]*+)?):(\d{1,9})(?:,? in (.*))?"
    r"|(Cell In ?\[\d+\]), line (\d{1,9})(?:, in (.*))?)$"
)
_LOOK_AHEAD = 24
_MAX_INDENTS = 8


def straighten(lines: list[Line], depth: int = 0) -> list[Line]:
    """Rewrite every traceback of the lines to the interpreter's layout; leave all other lines alone.

    depth: how many indents were taken off already, within bounds.
    """
    out: list[Line] = []
    index = 0
    while index < len(lines):
        number, line = lines[index]
        position = line.find(HEADER)
        group = line.find(GROUP)
        if position < 0:
            if _headless(lines, index):
                index = _stack(lines, index, out, [])
                continue
            out.append((number, line))
            index += 1
        elif group >= 0 and not line.startswith(GROUP_HEADER):
            index = _group(lines, index, out)
        else:
            index = _header(lines, index, position, out, depth)
    return out


def _headless(lines: list[Line], index: int) -> bool:
    """Whether a stack that lost its header and its indents starts here."""
    line = lines[index][1]
    if line.startswith("  ") or not _ODD_INDENT.match(line):
        return False
    return index == 0 or not lines[index - 1][1].startswith("  File ")


def _group(lines: list[Line], index: int, out: list[Line]) -> int:
    """A group whose header stands elsewhere than in column 2: its lines are moved, or the text before it
    is."""
    number, line = lines[index]
    start = line.find(GROUP)
    before = line[:start]
    if before.strip(" \t|+"):
        if not _starts_stack(lines, index + 1):
            out.append((number, line))
            return index + 1
        cut = before.rstrip(" ").removesuffix("+")
        out += [(number, cut), (number, GROUP_HEADER)]
        return index + 1
    if "|" in before:
        out.append((number, line))
        return index + 1
    shift = len(before) - 4 if before.endswith("+ ") else 0
    out.append((number, GROUP_HEADER))
    index += 1
    while (
        shift > 0
        and index < len(lines)
        and (lines[index][1][:shift].isspace() or not lines[index][1].strip())
    ):
        out.append((lines[index][0], lines[index][1][shift:]))
        index += 1
    return index


def _header(lines: list[Line], index: int, position: int, out: list[Line], depth: int) -> int:
    number, line = lines[index]
    before, behind = line[:position], line[position + len(HEADER) :]
    gutter = "|" in before and not before.strip(" |")
    if behind.strip() or gutter or line.startswith(GROUP_HEADER):
        out.append((number, line))
        return index + 1
    if before and not before.strip() and depth < _MAX_INDENTS:
        return _dedent(lines, index, before, out, depth + 1)
    if before:
        # The end of a message that quotes another traceback stays what it is.
        quotes = before.startswith(": ") or (
            out and out[-1][1].startswith("  ") and exception_line(line) is not None
        )
        if quotes or not _starts_stack(lines, index + 1):
            out.append((number, line))
            return index + 1
        out.append((number, before))
    out.append((number, HEADER))
    others: list[Line] = []
    index = _stack(lines, index + 1, out, others)
    if index < len(lines) and exception_line(lines[index][1]) is not None:
        # Its message may quote a header, which must stay where it is.
        out.append(lines[index])
        index += 1
    out += others
    return index


def _starts_stack(lines: list[Line], index: int) -> bool:
    """Whether a stack follows: else the header is only mentioned at the end of some other line."""
    if index >= len(lines):
        return True
    following = lines[index][1]
    return following.lstrip(" \t|").startswith(("File ", "Cell In", "> File")) or HEADER in following


def _dedent(lines: list[Line], index: int, indent: str, out: list[Line], depth: int) -> int:
    """An indented traceback: take its indent off all lines that have it."""
    block: list[Line] = []
    while index < len(lines) and (lines[index][1].startswith(indent) or not lines[index][1].strip()):
        block.append((lines[index][0], lines[index][1][len(indent) :]))
        index += 1
    out += straighten(block, depth)
    if index < len(lines):
        out.append((lines[index][0], RECORD_SEPARATOR))
    return index


def _stack(lines: list[Line], index: int, out: list[Line], others: list[Line]) -> int:
    """Copy a stack's lines; returns the index of the first line behind it.

    others: receives the records of other threads that were written in between.
    """
    airy = index < len(lines) and not lines[index][1].strip()
    while index < len(lines):
        number, line = lines[index]
        start = line[:8]
        if start == '  File "' or (start[:4] == "    " and line.lstrip()[:1] not in _BOX_OR_FRAME):
            out.append((number, line))
            index += 1
        elif not line.strip():
            following = _next_text(lines, index)
            if following is None:
                break
            text = lines[following][1]
            is_frame = _is_frame(text)
            if not is_frame and not (airy and (text.startswith("  ") or _is_exception(text))):
                break
            airy = airy or is_frame
            index = following
        elif (indent := _ODD_INDENT.match(line)) is not None:
            index = _reindent(lines, index, indent[1], out)
        elif frame := _UNQUOTED.match(line):
            out.append((number, frame_line(*[group for group in frame.groups() if group is not None])))
            index += 1
        elif line.startswith("--- <exception caught here>") or line.lstrip()[0] in _BOX:
            index += 1
        elif line.startswith("  "):
            out.append((number, line))
            index += 1
        elif _is_record(line) and _stack_goes_on(lines, index + 1):
            others.append((number, line))
            index += 1
        else:
            break
    return index


def _stack_goes_on(lines: list[Line], index: int) -> bool:
    for _, line in lines[index : index + 3]:
        if line.startswith(('  File "', "    ")):
            return True
        if not _is_record(line):
            return False
    return False


def _is_record(line: str) -> bool:
    """Whether a line starts a log record, not another traceback."""
    return RECORD_START.match(line) is not None and BARE_HEADER not in line and "above exception" not in line


def _reindent(lines: list[Line], index: int, indent: str, out: list[Line]) -> int:
    """A stack with another indent than two blanks (none, a tab, Loguru's `> `)."""
    width = len(indent)
    block = []
    for number, line in islice(lines, index, None):
        if not line.startswith(indent) and (indent != "> " or not line.startswith("  ")):
            break
        block.append((number, line[width:]))
    return index + _flush_left(block, 0, out)


def _flush_left(lines: list[Line], index: int, out: list[Line]) -> int:
    """A stack that lost its indents: a frame, then source until the next frame or the exception line."""
    after_frame = False
    while index < len(lines):
        number, line = lines[index]
        is_frame = line.startswith('File "')
        if is_frame or line.startswith("[Previous line repeated "):
            out.append((number, "  " + line))
        elif line.strip() and (not line.strip("^~ ") or _is_source(lines, index, after_frame)):
            out.append((number, "    " + line.strip()))
        else:
            break
        after_frame = is_frame
        index += 1
    return index


def _is_source(lines: list[Line], index: int, after_frame: bool) -> bool:
    if _ends_stack(lines[index][1]):
        return False
    if after_frame:
        return True
    for _, line in lines[index : index + _LOOK_AHEAD]:
        if line.startswith('File "'):
            return True
        if _ends_stack(line):
            return False
    return False


def _ends_stack(line: str) -> bool:
    return _is_exception(line) or line.startswith((CAUSE, CONTEXT)) or RECORD_START.match(line) is not None


def _is_exception(line: str) -> bool:
    named = exception_line(line)
    return named is not None and telling_type(named[0])


def _is_frame(line: str) -> bool:
    return line.startswith('  File "') or _ODD_INDENT.match(line) is not None


def _next_text(lines: list[Line], index: int) -> int | None:
    for following in range(index, min(index + 4, len(lines))):
        if lines[following][1].strip():
            return following
    return None
