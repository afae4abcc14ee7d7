"""Which words of a changed line changed: what eyes look for in a diff."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from difflib import SequenceMatcher

from markupsafe import Markup

# Lines that have less in common are two lines, and not one that changed.
_ALIKE = 0.4
# Beyond these, comparing takes longer than looking: characters of a line, lines of a hunk.
_LONGEST, _MOST = 400, 400
_WORDS = re.compile(r"\w+|\s+|.")
# Tags, and characters as HTML spells them, of what `highlight` made.
_PIECES = re.compile(r"<[^<>]*>|&[^&;<]{0,40};|.", re.S)

Span = tuple[int, int]


def changed(lines: Sequence[str]) -> Mapping[int, tuple[Span, ...]]:
    """Of a hunk's lines, with their signs: number of a line → what changed in it, as [from, to) without the
    sign; nothing for lines that have no like on the other side."""
    found: dict[int, tuple[Span, ...]] = {}
    if len(lines) > _MOST:
        return found
    gone: list[int] = []
    new: list[int] = []
    for number, line in enumerate([*lines, " "]):
        if line.startswith("-") and not new:
            gone.append(number)
        elif line.startswith("+") and gone:
            new.append(number)
        else:
            for one, other in zip(gone, new, strict=False):
                found |= _compare(one, lines[one][1:], other, lines[other][1:])
            gone, new = ([number] if line.startswith("-") else []), []
    return found


def marked(code: Markup, spans: Sequence[Span]) -> Markup:
    """Coloured code with these spans of its text marked; a mark never reaches over a tag."""
    if not spans:
        return code
    inside = {index for start, end in spans for index in range(start, end)}
    out: list[str] = []
    index, is_open = 0, False
    for piece in _PIECES.findall(code):
        tag = piece.startswith("<") and len(piece) > 1
        wanted = not tag and index in inside
        if wanted != is_open:
            out.append("<mark>" if wanted else "</mark>")
            is_open = wanted
        out.append(piece)
        index += not tag
    return Markup("".join([*out, "</mark>" if is_open else ""]))  # noqa: S704 - made of escaped parts only


def _compare(one: int, before: str, other: int, after: str) -> dict[int, tuple[Span, ...]]:
    if max(len(before), len(after)) > _LONGEST:
        return {}
    old, new = _WORDS.findall(before), _WORDS.findall(after)
    matcher = SequenceMatcher(None, old, new, autojunk=False)
    if matcher.ratio() < _ALIKE:
        return {}
    codes = [code for code in matcher.get_opcodes() if code[0] != "equal"]
    return {
        one: tuple(_span(old, start, end) for _, start, end, _, _ in codes if end > start),
        other: tuple(_span(new, start, end) for _, _, _, start, end in codes if end > start),
    }


def _span(words: Sequence[str], start: int, end: int) -> Span:
    at = sum(map(len, words[:start]))
    return at, at + sum(map(len, words[start:end]))
