"""Printers with a layout of their own, whose blocks are rewritten whole: IPython, Rich, pytest, Django's
report, Trio's MultiError, asyncio's word of what nobody asked for. Their lines' patterns
are data, in formats.toml.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from functions.detect_errors.formats import FORMATS
from functions.detect_errors.grammar import BARE_HEADER, HEADER, exception_line
from functions.detect_errors.groups import GROUP_HEADER
from functions.detect_errors.transport import Line


class Printer(NamedTuple):
    """A printer of its own layout, as patterns of its lines (see formats.toml)."""

    start: re.Pattern[str]
    frame: re.Pattern[str]
    code: re.Pattern[str]
    error: re.Pattern[str]
    end: re.Pattern[str]


PRINTERS = {
    name: Printer(*(re.compile(row.get(part, "(?!)")) for part in Printer._fields))
    for name, row in FORMATS["printer"].items()
}
_WORD = re.compile(r"\w|^$")


def printed(lines: list[Line]) -> list[Line]:
    """Rewrite the blocks of the printers that have a layout of their own."""
    out: list[Line] = []
    index = 0
    while index < len(lines):
        number, line = lines[index]
        for printer in PRINTERS.values() if "raceback" in line or line[:5] == "_____" else ():
            if (start := printer.start.match(line)) is not None:
                block, following = _block(printer, lines, index, start[1])
                if block:
                    out += block
                    index = following
                    break
        else:
            out.append((number, line))
            index += 1
    return out


def _block(printer: Printer, lines: list[Line], index: int, name: str) -> tuple[list[Line], int]:
    """One block in the interpreter's words, and the index behind it; no lines if it is none of that
    printer's."""
    number = lines[index][0]
    frames: list[Line] = []
    pending: tuple[str, str | None] | None = None
    said: list[str] = []
    function, code, at = "", "", index
    for at in range(index + 1, len(lines) + 1):
        line = lines[at][1].rstrip() if at < len(lines) else ""
        if at == len(lines) or BARE_HEADER in line or printer.end.match(line) or printer.start.match(line):
            at += at < len(lines) and not _WORD.search(line)  # a box's last line
            break
        if name and line.startswith(name) and exception_line(line):
            break
        if error := printer.error.match(line):
            said += [] if name else [error[1]]
        elif frame := printer.frame.match(line):
            groups = frame.groupdict()
            named, where = groups.get("function") or function or None, groups.get("line")
            pending = None if where else (groups["file"], named)
            if where:
                source = [f"    {code}"] if code and not groups.get("function") else []
                frames += [
                    (lines[at][0], text) for text in (frame_line(groups["file"], where, named), *source)
                ]
            code = function = ""
        elif match := printer.code.match(line):
            if pending is not None:
                frames.append((lines[at][0], frame_line(pending[0], match["line"], pending[1])))
                pending = None
            if printer is not PRINTERS["pytest"] or _after_frame(frames, lines, at):
                frames.append((lines[at][0], f"    {match['code'].strip()}"))
            else:
                function, code = _pytest_source(line, match["code"].strip(), function, code)
    if not frames:
        return [], index
    return [(number, HEADER), *frames, *((lines[at - 1][0], text) for text in _error(said))], at


def _pytest_source(line: str, text: str, function: str, code: str) -> tuple[str, str]:
    """The function that is being shown, and its failing line, behind one more line of pytest's long style."""
    if defined := re.match(r"(?:async )?def (\w+)", text):
        return defined[1], code
    return function, text if line.startswith(">") else code


def _after_frame(frames: list[Line], lines: list[Line], at: int) -> bool:
    """Whether the source line belongs to the frame line right above it (pytest's short style)."""
    return bool(frames) and frames[-1][0] == lines[at - 1][0] and frames[-1][1].startswith("  File")


def _error(said: list[str]) -> list[str]:
    if said and said[0].startswith("assert "):
        return [f"AssertionError: {said[0]}"]
    return said[:1]


def frame_line(file: str, line: str, function: str | None = None) -> str:
    return f'  File "{file}", line {line}' + (
        f", in {function.partition('(')[0].strip()}" if function else ""
    )


_DASHES = "-" * 16
_EMBEDDED = re.compile(r"Details of embedded exception (\d{1,4}):$")


def embedded(lines: list[Line]) -> list[Line]:
    """Trio's MultiError, before groups: drawn as the group that it is."""
    out: list[Line] = []
    header = index = 0
    while index < len(lines):
        number, line = lines[index]
        match = _EMBEDDED.match(line)
        if match is None:
            header = len(out) if line.startswith(HEADER) else header
            out.append((number, line))
            index += 1
            continue
        if match[1] == "1" and header < len(out) and out[header][1].startswith(HEADER):
            own = [(n, f"  | {text}") for n, text in out[header + 1 :] if text.strip()]
            out[header:] = [(out[header][0], GROUP_HEADER), *own]
        out.append((number, f"{'  +-+' if match[1] == '1' else '    +'}{_DASHES} {match[1]} {_DASHES}"))
        index += 1
        while index < len(lines) and (lines[index][1].startswith("  ") or not lines[index][1].strip()):
            out.append((lines[index][0], f"    | {lines[index][1][2:]}"))
            index += 1
        if index == len(lines) or not _EMBEDDED.match(lines[index][1]):
            out.append((number, f"    +{_DASHES * 2}----"))
        header = len(out)
    return out


_UNRETRIEVED = re.compile(r".{0,200}?exception was never retrieved$")
_RAISED = re.compile(r"future: <(?:.{0,2000}?) exception=([A-Za-z_][\w.]*+)\((.*)\)>")


def unretrieved(lines: list[Line]) -> list[Line]:
    """asyncio's word of an exception that nobody asked for, where its traceback does not follow."""
    out: list[Line] = []
    for index, (number, line) in enumerate(lines):
        match = _RAISED.match(line) if index and _UNRETRIEVED.match(lines[index - 1][1]) else None
        if match is None or any(HEADER in later for _, later in lines[index + 1 : index + 4]):
            out.append((number, line))
            continue
        code, comma, said = match[2].partition(", ")
        message = f"[Errno {code}] {said}" if comma and code.isdigit() else match[2]
        if match[1] != "KeyError" and not comma:
            message = message.strip("'\"")
        out += [(number, HEADER), (number, f"{match[1]}: {message}")]
    return out
