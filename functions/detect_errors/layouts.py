"""Other printers' layouts, rewritten as the interpreter would have printed them.

Logs of Twisted, Loguru, IPython, Rich and log viewers that add empty lines or drop indents hold the same
facts in another layout. Lines here are (original line number, text).
"""

from __future__ import annotations

import re

from functions.detect_errors.grammar import CAUSE, CONTEXT, HEADER, RECORD_START, exception_line, telling_type
from functions.detect_errors.groups import GROUP_HEADER

BARE_HEADER = HEADER[:-1]
Line = tuple[int, str]

_BOX = "\u2502\u2514\u251c\u252c\u2524\u2510\u2518\u2570\u256d\u250c"
_IPYTHON_HEADER = re.compile(r"(\S{1,300})\s{2,}Traceback \(most recent call last\)$")
_IPYTHON_FRAME = re.compile(r" {0,2}File (?!\")(.{1,1000}?):(\d{1,9})(?:,? in (.*))?$")
_IPYTHON_CELL = re.compile(r" {0,2}(Cell In ?\[\d+\]), line (\d{1,9})(?:, in (.*))?$")
# IPython before 8: the line is told by the arrow below. Old Jupyter: `Input In [2], in f()`.
_IPYTHON_OLD = re.compile(r"(<ipython-input-[\w-]{1,60}>|[~/]\S{0,1000}|Input In \[\d+\]),? in (\S.*)$")
_ODD_INDENT = re.compile(r'((?:|\t+| | {3,}|> ))File "')
_UNQUOTED = re.compile(r" {0,2}File ([^\s\",][^\",]{0,1000}), line (\d{1,9})(?:, in (.*))?$")
_IPYTHON_ARROW = re.compile(r"-+> ?(\d{1,9}) ?(.*)$")
_RICH_FRAME = re.compile(r"[\u2502|] (\S.{0,1000}?):(\d{1,9}) in (\S.*?)\s*[\u2502|]$")
_RICH_ARROW = re.compile(r"[\u2502|] \u2771 ?\d{1,9} (.*?)\s*[\u2502|]$")
_LOOK_AHEAD = 24


def straighten(lines: list[Line]) -> list[Line]:
    """Rewrite every traceback of the lines to the interpreter's layout; leave all other lines alone."""
    out: list[Line] = []
    index = 0
    while index < len(lines):
        number, line = lines[index]
        position = line.find(BARE_HEADER)
        if position < 0:
            out.append((number, line))
            index += 1
        elif (indent := line.find(GROUP_HEADER)) > 0 and line[:indent].isspace():
            index = _dedent(lines, index, line[:indent], out)
        elif line[position + len(BARE_HEADER) : position + len(HEADER)] == ":":
            index = _header(lines, index, position, out)
        elif "\u2500" in line:
            index = _rich(lines, index, out)
        elif match := _IPYTHON_HEADER.match(line):
            index = _ipython(lines, index, match[1], out)
        else:
            out.append((number, line))
            index += 1
    return out


def _header(lines: list[Line], index: int, position: int, out: list[Line]) -> int:
    number, line = lines[index]
    before, behind = line[:position], line[position + len(HEADER) :]
    gutter = "|" in before and not before.strip(" |")
    if behind.strip() or gutter or line.startswith(GROUP_HEADER):
        out.append((number, line))
        return index + 1
    if before and not before.strip():
        return _dedent(lines, index, before, out)
    if before:
        if not _starts_stack(lines, index + 1):
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
    return following.lstrip().startswith(("File ", "Cell In", "> File")) or HEADER in following


def _dedent(lines: list[Line], index: int, indent: str, out: list[Line]) -> int:
    """An indented traceback: take its indent off all lines that have it."""
    block: list[Line] = []
    while index < len(lines) and (lines[index][1].startswith(indent) or not lines[index][1].strip()):
        block.append((lines[index][0], lines[index][1][len(indent) :]))
        index += 1
    out += straighten(block)
    return index


def _stack(lines: list[Line], index: int, out: list[Line], others: list[Line]) -> int:
    """Copy a stack's lines; returns the index of the first line behind it.

    others: receives the records of other threads that were written in between.
    """
    airy = index < len(lines) and not lines[index][1].strip()
    while index < len(lines):
        number, line = lines[index]
        if not line.strip():
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
        elif frame := _IPYTHON_FRAME.match(line) or _IPYTHON_CELL.match(line) or _UNQUOTED.match(line):
            out.append((number, _frame_line(*frame.groups())))
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
    for number, line in lines[index:]:
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


def _frame_line(file: str, line: str, function: str | None) -> str:
    return f'  File "{file}", line {line}' + (
        f", in {function.partition('(')[0].strip()}" if function else ""
    )


def _ipython(lines: list[Line], index: int, name: str, out: list[Line]) -> int:
    """IPython's context mode: `File path:line, in f(args)`, then numbered source with an arrow."""
    out.append((lines[index][0], HEADER))
    old: re.Match[str] | None = None
    for at in range(index + 1, len(lines)):
        number, line = lines[at]
        if BARE_HEADER in line or (line.startswith(name) and exception_line(line) is not None):
            return at
        if frame := _IPYTHON_FRAME.match(line) or _IPYTHON_CELL.match(line):
            out.append((number, _frame_line(*frame.groups())))
        elif match := _IPYTHON_OLD.match(line):
            old = match
        elif arrow := _IPYTHON_ARROW.match(line):
            if old is not None:
                out.append((number, _frame_line(old[1], arrow[1], old[2])))
                old = None
            out.append((number, "    " + arrow[2].strip()))
    return len(lines)


def _rich(lines: list[Line], index: int, out: list[Line]) -> int:
    """Rich's panel: `path:line in f` inside a box, then the exception line below it."""
    out.append((lines[index][0], HEADER))
    for at in range(index + 1, len(lines)):
        number, line = lines[at]
        if BARE_HEADER in line:
            return at
        if line.startswith(("\u2570", "+-")):
            return at + 1
        if frame := _RICH_FRAME.match(line):
            out.append((number, _frame_line(*frame.groups())))
        elif arrow := _RICH_ARROW.match(line):
            out.append((number, "    " + arrow[1].strip()))
    return len(lines)
