"""The text layer: other layouts of a stack, rewritten as the interpreter would have printed it.

Log viewers add empty lines and drop indents, quotes or gutters; Twisted and Loguru print marks of their own;
other threads write in between; Azure Functions and Dagster print the exception above its frames.
"""

from __future__ import annotations

import re
from itertools import chain

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
from functions.detect_errors.printers import frame_line
from functions.detect_errors.transport import Line

# A frame with what may stand in front of it: an indent of any kind, Loguru's mark, Dagster's comma.
_FRAME = re.compile(r'(\t*| *|> |, *)File "')
_UNQUOTED = re.compile(
    r" {0,2}(?:File ([^\s\",][^\",:]*+(?::[^\",:]*+)?), line (\d{1,9})(?:, in (.*))?"
    r"|File (?!\")([^\n:]*+(?::\\[^\n:]*+)?):(\d{1,9})(?:,? in (.*))?"
    r"|(Cell In ?\[\d+\]), line (\d{1,9})(?:, in (.*))?)$"
)
# Drawn by Loguru and Rich around values, and by Twisted where it caught what was raised.
_DRAWN = re.compile(r"\s*[\u2500-\u257f]|--- <exception caught here>")
# stack_data's and stackprinter's source lines, of which an arrow marks the failing one.
_NUMBERED = re.compile(r"\s*+(?:(-+>)\s*+)?\d++ (?:\| ?| {3,})(.*)")
# The first line of a group whose header was cut off.
_GUTTERED = re.compile(r"\s*\|(?:   File \"| [\w.]*Group: .* \(\d+ sub-exceptions?\)$)")
_LABEL = re.compile(r"(Stack(?: [Tt]race)?:)(.*)$")
# The end of Django's report.
_REPORTED = re.compile(r"\n{0,2}Exception Type: ([\w.]++).*\nException Value: ?(.*)")
_INVERTED = re.compile(r"The above exception (was caused by|occurred during handling of) the following")
_OPENING = re.compile(r"[ \t|]*(?:File |Cell In|> File)")
_LOOK_AHEAD = 24
_MAX_INDENTS = 8


def straighten(lines: list[Line], depth: int = 0) -> list[Line]:
    """Rewrite every traceback of the lines to the interpreter's layout; leave all other lines alone.

    depth: how many indents were taken off already, within bounds.
    """
    out: list[Line] = []
    index = 0
    in_group = False
    while index < len(lines):
        number, line = lines[index]
        in_group = GROUP in line or (in_group and line.lstrip()[:1] in ("|", "+"))
        if HEADER in line:
            index = _header(lines, index, out, depth)
        elif _FRAME.match(line) and not line.startswith("   ") and not _nested(lines, index):
            index = _traceback(lines, index, out, len(out))
        else:
            if not in_group and "|" in line and _GUTTERED.match(line):
                in_group = True
                out.append((number, GROUP_HEADER))
            out.append((number, line))
            index += 1
    return out


def _nested(lines: list[Line], index: int) -> bool:
    """Whether a frame's source is what looks like a frame."""
    return index > 0 and lines[index - 1][1].startswith("  File ")


def _header(lines: list[Line], index: int, out: list[Line], depth: int) -> int:
    """Put a header where the interpreter prints it, with what follows; returns the index behind."""
    number, line = lines[index]
    group = GROUP in line
    before, _, behind = line.partition(GROUP if group else HEADER)
    header, margin = (GROUP_HEADER, "  ") if group else (HEADER, "")
    indent = before.removesuffix("+ ") if group else before
    above = indent.strip()
    if behind.strip() or (above and (not above.strip("|") or _is_quoted(lines, index, before, out))):
        out.append((number, line))
        return index + 1
    if above:
        out.append((number, indent.rstrip() if group else indent))
        # What follows may hang below the header.
        blanks = " " * len(indent.removesuffix(margin))
        hangs = index + 1 < len(lines) and lines[index + 1][1].startswith(
            (f"{blanks}  File ", f"{blanks}  | ")
        )
        indent = blanks + margin if hangs else ""
    if (extra := indent.removesuffix(margin)) and depth < _MAX_INDENTS:
        return _dedent(lines, index, extra, out, depth + 1)
    out.append((number, header))
    return index + 1 if group else _traceback(lines, index + 1, out, len(out) - 1)


def _is_quoted(lines: list[Line], index: int, before: str, out: list[Line]) -> bool:
    """Whether a header behind other text belongs to a message, or is only mentioned: no stack follows."""
    more = any(line.strip() for _, line in lines[index + 1 :])  # else it was cut off there
    following = lines[index + 1][1] if more else HEADER
    grouped = GROUP in lines[index][1] and "|" in following
    if not (grouped or _OPENING.match(following) or HEADER in following):
        return True
    last = [line for _, line in out[-2:]]
    if last and last[-1].startswith("  ") and exception_line(lines[index][1]) is not None:
        return True
    # PyTorch quotes what its worker raised right below the exception line.
    return before.startswith((": ", "Original ")) and len(last) > 1 and last[0].startswith("  ")


def _dedent(lines: list[Line], index: int, indent: str, out: list[Line], depth: int) -> int:
    """A traceback that is indented, or hangs below other text: take its indent off all lines that have it."""
    block = [(lines[index][0], lines[index][1][len(indent) :])]
    index += 1
    while index < len(lines) and (lines[index][1].startswith(indent) or not lines[index][1].strip()):
        block.append((lines[index][0], lines[index][1][len(indent) :]))
        index += 1
    out += straighten(block, depth)
    if index < len(lines):
        out.append((lines[index][0], RECORD_SEPARATOR))
    return index


def _traceback(lines: list[Line], index: int, out: list[Line], start: int) -> int:
    """A stack and its exception line, then the other threads' lines that were written in between.

    start: where it starts in `out`, with its header if it has one. The exception may stand above it.
    """
    others: list[Line] = []
    index = _stack(lines, index, out, others)
    if index < len(lines) and exception_line(lines[index][1]) is not None:
        # Its message may quote a header, which must stay where it is.
        out.append(lines[index])
        index += 1
    elif reported := _REPORTED.match("\n".join(line for _, line in lines[index : index + 4])):
        out.append((lines[index][0], f"{reported[1]}: {reported[2]}"))
        index += reported[0].count("\n") + 1
    elif out[start][1] != HEADER and (above := _above(out, start)) is not None:
        raised = [line for line in out[above:start] if line[1].strip() and not _LABEL.match(line[1])]
        out[above:] = [(raised[0][0], HEADER), *out[start:], *raised]
    out += others
    return index


def _above(out: list[Line], start: int) -> int | None:
    """Index of the exception line of the paragraph above a stack, of that above its label if it has one."""
    labelled = False
    for index in range(start - 1, max(start - _LOOK_AHEAD, -1), -1):
        line = out[index][1]
        if _LABEL.match(line):
            labelled = True
        elif _is_exception(line) or (labelled and exception_line(line) is not None):
            # One below another stack is that one's.
            return None if index and out[index - 1][1].startswith("  ") else index
        elif line.startswith("  ") or RECORD_START.match(line) or not (labelled or line.strip()):
            return None
    return None


def _goes_on_behind(text: str, airy: bool, after_frame: bool) -> bool:
    """Whether a stack goes on with this line behind blank ones. airy: it has had blank lines before."""
    if _FRAME.match(text):
        return True
    return airy and (after_frame or text.startswith("  ") or _is_exception(text))


def _stack(lines: list[Line], index: int, out: list[Line], others: list[Line]) -> int:
    """Copy a stack's lines, indented as by the interpreter; returns the index of the first line behind it.

    others: receives the lines of other threads that were written in between.
    """
    airy = index < len(lines) and not lines[index][1].strip()
    indent, after_frame = 2, False
    while index < len(lines):
        number, line = lines[index]
        text = line.lstrip()
        if text.startswith(HEADER) and (indent != 2 or not line.startswith("    ")):
            break
        if not text:
            following = _next_text(lines, index)
            if following is None or not _goes_on_behind(lines[following][1], airy or not indent, after_frame):
                break
            airy = airy or _FRAME.match(lines[following][1]) is not None
            index = following
            continue
        if (frame := _FRAME.match(line)) is not None:
            indent = len(frame[1])
            out.append((number, "  " + line[indent:]))
        elif unquoted := _UNQUOTED.match(line):
            out.append((number, frame_line(*[group for group in unquoted.groups() if group is not None])))
        elif text.startswith("[Previous line repeated "):
            out.append((number, "  " + text))
        elif numbered := _NUMBERED.match(line):
            out += [(number, f"    {numbered[2]}")] if numbered[1] else []
        elif not _DRAWN.match(line):
            if not _is_source(lines, index, indent, after_frame):
                if not (_goes_on(lines, index)):
                    break
                others.append((number, line))
                index += 1
                continue
            out.append((number, line if indent == 2 else "    " + text))
        after_frame = frame is not None
        index += 1
    return index


def _is_source(lines: list[Line], index: int, indent: int, after_frame: bool) -> bool:
    """Whether a line shows the source of the frame above it: it is indented, or its indent was lost."""
    line = lines[index][1]
    text = line.lstrip()
    width = len(line) - len(text)
    if width > indent or width >= 2 == indent:
        return True
    if width < indent or indent == 2:
        return False
    if not text.strip("^~ "):
        return True
    for _, following in lines[index : index + _LOOK_AHEAD]:
        if _ends_stack(following.lstrip()):
            return False
        if after_frame or _FRAME.match(following):
            return True
    return False


def _goes_on(lines: list[Line], index: int) -> bool:
    """Whether a stack goes on behind lines of other threads."""
    for _, line in lines[index : index + 4]:
        if line.startswith(('  File "', "    ")):
            return True
        if (
            HEADER in line
            or "above exception" in line
            or not (exception_line(line) is None or RECORD_START.match(line))
        ):
            return False
    return False


def _ends_stack(line: str) -> bool:
    return _is_exception(line) or line.startswith((CAUSE, CONTEXT)) or RECORD_START.match(line) is not None


def _is_exception(line: str) -> bool:
    named = exception_line(line)
    return named is not None and telling_type(named[0])


def _next_text(lines: list[Line], index: int) -> int | None:
    return next((i for i in range(index, min(index + 4, len(lines))) if lines[i][1].strip()), None)


def inverted(lines: list[Line]) -> list[Line]:
    """Dagster prints what an exception was caused by below it: turned round."""
    out: list[Line] = []
    led: list[list[Line]] = []
    start = index = 0
    while index < len(lines):
        number, line = lines[index]
        sentence = _INVERTED.match(line)
        behind = _next_text(lines, index + 1) if sentence else None
        if sentence is None or behind is None or lines[behind][1] != HEADER:
            if line == HEADER:
                out[start:start] = chain.from_iterable(reversed(led))
                start, led = len(out), []
            out.append(lines[index])
            index += 1
            continue
        index = behind + 1
        while index < len(lines) and lines[index][1].strip() and not _INVERTED.match(lines[index][1]):
            index += 1
        said = CAUSE if sentence[1].startswith("was") else CONTEXT
        led.append([*lines[behind:index], (number, ""), (number, said), (number, "")])
    out[start:start] = chain.from_iterable(reversed(led))
    return out
