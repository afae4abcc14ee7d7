"""Tracebacks that something squeezed into one line: literals, lists of literals, syslog's #012, separators,
blanks."""

from __future__ import annotations

import re

from functions.detect_errors.grammar import CAUSE, CONTEXT, HEADER, exception_line, telling_type
from functions.detect_errors.groups import GROUP

LITERAL = r'"(?:[^"\\]|\\.)*+"?'
_ITEM = re.compile(rf"[bu]?({LITERAL}|'(?:[^'\\]|\\.)*+'?)(,?\s*+)", re.DOTALL)
_ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|x([0-9a-fA-F]{2})|(.))", re.DOTALL)
_SIMPLE = {"n": "\n", "t": "\t", "r": "", "b": "", "f": ""}
_NEWLINE = re.compile(r"\\++(?:r\\++)?+n")
_FRAME = 'File "'
_CHUNK = re.compile(r'"([^"\n]*+)", line (\d{1,9})(?:, in (\S++))?(.*)', re.DOTALL)
_EXCEPTION = re.compile(
    r"(?:^|\s)((?:[\w-]{1,80}+\.)*+[A-Z]\w{0,100}+"
    r"(?:(?<=Error)|(?<=Exception)|(?<=Exit)|(?<=Interrupt)|(?<=Group))"
    r"|[a-z_]\w{0,60}+\.[A-Z]\w{0,100}+)(?=: |$)"
)
_OPENERS = frozenset(("", "=", ":", " ", "[", "(", ",", "{", "b", "u", ">"))
# How far before its header a literal may start: a message often precedes the traceback in it.
_MAX_BEFORE = 1000
# A record squeezed more often than this is not text any more.
_MAX_NESTING = 3
Line = tuple[int, str]


def unescape(literal: str) -> str:
    """The text of one literal, with or without its quotes."""
    if literal[:1] in "\"'":
        literal = literal[1:].removesuffix(literal[0])
    return _ESCAPE.sub(_replacement, literal)


def _replacement(match: re.Match[str]) -> str:
    code = match[1] or match[2]
    return chr(int(code, 16)) if code else _SIMPLE.get(match[3], match[3])


def expand(lines: list[Line]) -> list[Line]:
    """Break lines into the lines they were made of; any other line comes back as it is.

    Lines of a stack or a group and its exception line stay whole: source and messages may quote a traceback.
    """
    out: list[Line] = []
    in_stack = in_group = False
    for index, line in enumerate(lines):
        text = line[1]
        whole = text.rstrip().endswith(GROUP)
        in_group = whole or (in_group and text.lstrip(" ")[:1] in ("|", "+"))
        if in_group:
            out.append(line)
        elif text.startswith(HEADER):
            in_stack = index + 1 < len(lines) and lines[index + 1][1].startswith('  File "')
            out += [line] if in_stack else _expand(line)
        elif in_stack and text.startswith("  "):
            out.append(line)
        else:
            out += [line] if in_stack and exception_line(text) is not None else _expand(line)
            in_stack = False
    return out


def _expand(line: Line) -> list[Line]:
    number, text = line
    start = text.find(HEADER)
    if start < 0:
        return [line]
    rest = text[start + len(HEADER) :]
    if _FRAME not in rest and "File \\" not in rest:
        return [line]
    if _NEWLINE.match(rest) is not None or rest[:2] in ("',", '",'):
        lines = _of_literal(text, start)
    else:
        if text.startswith(GROUP, start + len(HEADER) - len(GROUP)):
            start = max(text.rfind("  + ", 0, start), 0)
        before = text[:start]
        lines = ([before] if before.strip() else []) + _split(text[start:], rest)
    return [(number, part) for part in lines] if len(lines) > 1 else [line]


def _of_literal(text: str, header: int) -> list[str]:
    """The lines of the literal that the header stands in, and of the items that follow it in a list."""
    start = _literal_start(text, header)
    before, body = text[:start], text[start:]
    pieces: list[str] = []
    position, closed = 0, True
    while body[:1] in ("'", '"') and (match := _ITEM.match(body, position)) is not None:
        # The next key of a dict is no item of a list.
        if pieces and body[match.end() : match.end() + 1] in (":", "="):
            break
        closed = match[1][1:].endswith(match[1][0])
        pieces.append(match[1][1:].removesuffix(match[1][0]))
        position = match.end()
        if not match[2].startswith(","):
            break
    if len(pieces) > 1:
        pieces = [piece if piece.endswith("\\n") else piece + "\\n" for piece in pieces]
    body = "".join(pieces) or body
    for _ in range(_MAX_NESTING):
        if "\n" in body:
            break
        body = _ESCAPE.sub(_replacement, body)
    lines = ([before] if before.strip() else []) + body.split("\n")
    named = None if closed else exception_line(lines[-1])
    # Where the text was cut, a word may be the beginning of a type.
    return lines[:-1] if named and not named[1] and not telling_type(named[0]) else lines


def _literal_start(text: str, header: int) -> int:
    """Where the literal starts that holds the header; else where the group's, or the header itself does."""
    for index in range(header - 1, max(header - _MAX_BEFORE, -1), -1):
        if text[index] in "\"'" and text[index - 1 : index] in _OPENERS:
            match = _ITEM.match(text, index)
            if match is not None and match.end(1) > header:
                return index
    group = header + len(HEADER) - len(GROUP)
    return max(text.rfind("  + ", 0, header), 0) if text.startswith(GROUP, max(group, 0)) else header


def _split(body: str, rest: str) -> list[str]:
    index = rest.find(_FRAME)
    if index < 0:
        return [body]
    gap = rest[:index]
    if len(gap) > 40:
        return [body]
    if gap.strip(" |+"):
        # The separator, then the blanks or the gutter of the frame's own indent.
        indent = "  |   " if body.lstrip(" +").startswith(GROUP) else "  "
        separator = gap.removesuffix(indent)
        return body.replace(separator, "\n").split("\n") if separator else [body]
    if "|" in gap:
        return body.replace(" | " if " | " in gap else "|", "\n").split("\n")
    for sentence in (CAUSE, CONTEXT):
        body = body.replace(sentence, f"\n{sentence}\n")
    body = body.replace(HEADER, f"\n{HEADER}\n")
    return [line for part in body.split("\n") for line in _blanks(part.strip())]


def _blanks(part: str) -> list[str]:
    """Frames joined by blanks only: the function's name is one word, what follows it is source."""
    if _FRAME not in part:
        return [part]
    chunks = part.split(_FRAME)
    lines = [chunks[0].strip()] if chunks[0].strip() else []
    for index, chunk in enumerate(chunks[1:], start=2):
        match = _CHUNK.match('"' + chunk)
        if match is None:
            return [part]
        file, line, function, source = match.groups()
        lines.append(f'  File "{file}", line {line}' + (f", in {function}" if function else ""))
        source, exception = source.strip(), ""
        if index == len(chunks) and (end := _EXCEPTION.search(source)):
            source, exception = source[: end.start()].strip(), source[end.start(1) :]
        if source:
            lines.append(f"    {source}")
        if exception:
            lines.append(exception)
    return lines
