"""Tracebacks that something squeezed into one line: escaped newlines, syslog's #012, separators, blanks."""

from __future__ import annotations

import re

from functions.detect_errors.grammar import CAUSE, CONTEXT, HEADER, exception_line
from functions.detect_errors.groups import GROUP_HEADER

_ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|x([0-9a-fA-F]{2})|(.))", re.DOTALL)
_SIMPLE = {"n": "\n", "t": "\t", "r": "", "b": "", "f": ""}
_CHUNK = re.compile(r'"(.*?)", line (\d{1,9})(?:, in (\S+))?(.*)', re.DOTALL)
_EXCEPTION = re.compile(
    r"(?:^|\s)((?:[\w-]{1,80}\.){0,20}[A-Z]\w{0,100}(?:Error|Exception|Exit|Interrupt|Group)"
    r"|[a-z_]\w{0,60}\.[A-Z]\w{0,100})(?=: |$)"
)
# A record squeezed more often than this is not text any more.
_MAX_NESTING = 3


def expand(lines: list[tuple[int, str]]) -> list[tuple[int, str]]:
    """Break numbered lines into the lines they were made of; any other line comes back as it is.

    Lines of a stack or a group and its exception line stay whole: source and messages may quote a traceback.
    """
    out: list[tuple[int, str]] = []
    in_stack = in_group = False
    for index, line in enumerate(lines):
        text = line[1]
        in_group = text.startswith(GROUP_HEADER) or (in_group and text.lstrip(" ")[:1] in ("|", "+"))
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


def _expand(line: tuple[int, str]) -> list[tuple[int, str]]:
    number, text = line
    start = text.find(HEADER)
    if start < 0:
        return [line]
    rest = text[start + len(HEADER) :]
    if 'File "' not in rest and "File \\" not in rest:
        return [line]
    before, body = text[:start], text[start:]
    if (escape := re.match(r"\\+(?:r\\+)?n", rest)) is not None:
        lines = _unescape(_until_quote(before, body), escape[0]).split("\n")
    else:
        lines = _split(body, rest)
    if len(lines) == 1:
        return [line]
    return [(number, part) for part in ([before] if before.strip() else []) + lines]


def _until_quote(before: str, body: str) -> str:
    """The body up to the quote that closes the string it stands in, if it stands in one."""
    quote = before[-1:]
    if quote not in ('"', "'"):
        return body
    match = re.match(rf"(?:[^\\{quote}]|\\.)*", body, re.DOTALL)
    return match[0] if match else body


def _unescape(body: str, newline: str) -> str:
    for _ in range(min(newline.count("\\") if "r" not in newline else 1, _MAX_NESTING)):
        body = _ESCAPE.sub(_replacement, body)
        if "\n" in body:
            break
    return body


def _replacement(match: re.Match[str]) -> str:
    code = match[1] or match[2]
    return chr(int(code, 16)) if code else _SIMPLE.get(match[3], match[3])


def _split(body: str, rest: str) -> list[str]:
    index = rest.find('File "')
    if index < 0:
        return [body]
    gap = rest[:index]
    if len(gap) > 40:
        return [body]
    if gap.strip():
        # The separator, then the two blanks of the frame's own indent.
        separator = gap[:-2] if gap.endswith("  ") and len(gap) > 2 else gap
        return body.replace(separator, "\n").split("\n")
    for sentence in (CAUSE, CONTEXT):
        body = body.replace(sentence, f"\n{sentence}\n")
    body = body.replace(HEADER, f"\n{HEADER}\n")
    return [line for part in body.split("\n") for line in _blanks(part.strip())]


def _blanks(part: str) -> list[str]:
    """Frames joined by blanks only: the function's name is one word, what follows it is source."""
    if 'File "' not in part:
        return [part]
    chunks = part.split('File "')
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
