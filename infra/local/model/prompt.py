"""Reading the prompt: what functions/propose_patch wrote, as data.

The user message holds sections `<NAME-NONCE attr="…">…</NAME-NONCE>`. Log text and source lie inside them
and were written by strangers, so nothing in a section is ever followed: it is only parsed. A section counts
when it carries the nonce of the first `<incident-` section; whatever else looks like one is text.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

_INCIDENT = re.compile(r"<incident-([0-9a-f]{8})[\s>]")
_ATTRIBUTE = re.compile(r'([a-z_]+)="([^"]*)"')
_SOURCE_LINE = re.compile(r"\s*(\d+)(>?)\|(?: (.*))?$")
_FRAME = re.compile(r'\s*File "([^"]+)", line (\d+)(?:, in (.+))?$')
_CARETS = re.compile(r"\s*[~^]*\^[~^]*\s*$")


class NotAPrompt(ValueError):
    """The conversation holds no incident section, so there is nothing to repair."""


@dataclass(frozen=True, slots=True)
class ParsedSection:
    """One delimited part of the prompt; attributes are unescaped, the body is verbatim."""

    name: str
    attributes: dict[str, str]
    body: str


@dataclass(frozen=True, slots=True)
class PromptFrame:
    """One frame of the last traceback. `columns` are 0-based (start, end) within `code`, when carets tell."""

    file: str
    line: int
    function: str
    code: str = ""
    columns: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class Excerpt:
    """Lines of one source file, by their real line number; `marked` are the failing lines of its frames."""

    path: str
    why: str
    lines: dict[int, str]
    marked: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Attempt:
    """An earlier proposal of this heal, as (path, search, replace) edits; empty when it was not one."""

    edits: tuple[tuple[str, str, str], ...]


@dataclass(frozen=True, slots=True)
class PromptReport:
    """All that the prompt says: the error, where it happened, the source shown, and what was tried."""

    error_type: str
    message: str
    frames: tuple[PromptFrame, ...]
    excerpts: tuple[Excerpt, ...]
    attempts: tuple[Attempt, ...]
    comment: str


def read_report(text: str) -> PromptReport:
    """Parse the text of a user message. Raises NotAPrompt when it has no incident section."""
    sections = list(_sections(text))
    incident = dict(line.split(": ", 1) for line in sections[0].body.strip().splitlines() if ": " in line)
    error_type = incident.get("type", "").strip()
    traceback_text = "\n".join(s.body for s in sections if s.name == "traceback")
    return PromptReport(
        error_type=error_type.rsplit(".", 1)[-1],
        message=incident.get("message", "").strip() + _suggestion(traceback_text),
        frames=tuple(_frames(traceback_text)),
        excerpts=tuple(_excerpt(s) for s in sections if s.name == "source"),
        attempts=tuple(_attempt(s) for s in sections if s.name == "attempt"),
        comment="\n".join(s.body.strip() for s in sections if s.name == "reviewer_comment"),
    )


def _sections(text: str) -> Iterator[ParsedSection]:
    first = _INCIDENT.search(text)
    if first is None:
        raise NotAPrompt("the conversation holds no incident section")
    nonce = first.group(1)
    section = re.compile(rf"<([a-z_]+)-{nonce}((?:\s[^<>]*)?)>\n?(.*?)\n?</\1-{nonce}>", re.DOTALL)
    found = False
    for match in section.finditer(text, first.start()):
        found = True
        attributes = {k: html.unescape(v) for k, v in _ATTRIBUTE.findall(match.group(2))}
        yield ParsedSection(match.group(1), attributes, match.group(3))
    if not found:
        raise NotAPrompt("the incident section is not closed")


def _suggestion(traceback_text: str) -> str:
    """The interpreter's own hint; it prints it with the traceback and leaves it out of `str(error)`."""
    hints: list[str] = re.findall(r"\. Did you (?:mean|forget)[^\n]{1,80}\?", traceback_text)
    return hints[-1] if hints else ""


def _frames(text: str) -> Iterator[PromptFrame]:
    """The frames of the last traceback in the text: the exception that propagated."""
    lines = text.splitlines()
    starts = [i for i, line in enumerate(lines) if "Traceback (most recent call last):" in line]
    rest = lines[starts[-1] + 1 :] if starts else lines
    for i, line in enumerate(rest):
        match = _FRAME.match(line)
        if match is None:
            continue
        file, number, function = match.group(1), int(match.group(2)), match.group(3) or ""
        code = rest[i + 1] if i + 1 < len(rest) and not _FRAME.match(rest[i + 1]) else ""
        carets = rest[i + 2] if i + 2 < len(rest) and _CARETS.match(rest[i + 2]) else ""
        yield PromptFrame(file, number, function, code.strip(), _columns(code, carets))


def _columns(code: str, carets: str) -> tuple[int, int] | None:
    if not carets.strip():
        return None
    indent = len(code) - len(code.lstrip())
    start = len(carets) - len(carets.lstrip())
    return start - indent, len(carets.rstrip()) - indent


def _excerpt(section: ParsedSection) -> Excerpt:
    lines: dict[int, str] = {}
    marked: list[int] = []
    for line in section.body.splitlines():
        match = _SOURCE_LINE.match(line)
        if match is None:
            continue
        number = int(match.group(1))
        lines[number] = match.group(3) or ""
        if match.group(2):
            marked.append(number)
    attributes = section.attributes
    return Excerpt(attributes.get("path", ""), attributes.get("why", ""), lines, tuple(marked))


def _attempt(section: ParsedSection) -> Attempt:
    try:
        data: Any = json.loads(section.body)
    except ValueError:
        data = None
    proposal = data.get("proposal") if isinstance(data, dict) else None
    edits = proposal.get("edits") if isinstance(proposal, dict) else None
    wellformed = [e for e in edits if isinstance(e, dict)] if isinstance(edits, list) else []
    return Attempt(tuple((e.get("path", ""), e.get("search", ""), e.get("replace", "")) for e in wellformed))
