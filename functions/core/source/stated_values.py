"""The values that documentation states for a case in which something is missing: `0 for no orders`."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping

_CASE = re.compile(
    r"\b(?:without|missing|absent|none|nothing|nobody|no|not|empty|unless|otherwise|else|left out"
    r"|where|for)\b",
    re.IGNORECASE,
)
_RAISES = re.compile(r"\b(?:raises?|errors?|e\.g|such as)\b", re.IGNORECASE)
_VALUE = re.compile(
    r"(?P<none>\b(?:None|null)\b)|(?P<zero>\bzero\b)|(?P<empty>\bempty\b)|(?P<pair>\(-?\d+, -?\d+\))"
    r"|(?P<number>(?<![\w.(])-?\d+(?:\.\d+)?(?= (?:for|if|when|where|in)\b))"
    r"|(?P<text>\"[^\"]*\"|(?<!\w)'[^']*')(?= (?:for|if|when|where|in)\b)|(?P<name>\b[A-Z][A-Z0-9_]+\b)"
)
_WRITTEN = {"none": ("None",), "zero": ("0",), "empty": ("''", "[]", "{}", "()")}


def stated_values(text: str, constants: Mapping[str, ast.expr]) -> tuple[tuple[ast.expr, ...], str]:
    """The expressions that the first sentence about such a case gives for it, and that sentence; (), "" where
    none does. constants: those of the module, by name."""
    for sentence in re.split(r"(?<=[.;!?])\s+|\n\s*\n", text):
        sentence = " ".join(sentence.split())
        if _CASE.search(sentence) and not _RAISES.search(sentence):
            found = [v for match in _VALUE.finditer(sentence) for v in _values(match, constants)]
            if found:
                return tuple(found), sentence
    return (), ""


def _values(match: re.Match[str], constants: Mapping[str, ast.expr]) -> list[ast.expr]:
    kind, text = str(match.lastgroup), match[0]
    if kind == "name":
        return [constants[text]] if text in constants else []
    if kind == "number":
        return [ast.Constant(float(text) if "." in text else int(text))]
    try:
        return [ast.parse(written, mode="eval").body for written in _WRITTEN.get(kind, (text,))]
    except (SyntaxError, ValueError):
        return []  # in quotes, and no text of Python
