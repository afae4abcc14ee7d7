"""CloudWatch Logs filter patterns of terms, phrases and regular expressions, as this project subscribes with.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntax.html
Patterns on fields of JSON (`{ $.level = ... }`) or of columns (`[ip, user, ...]`) are refused.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache

Matcher = Callable[[str], bool]

_TERM = re.compile(r'(?P<sign>[?-]?)(?:"(?P<phrase>(?:\\.|[^"\\])*)"|%(?P<regex>[^%]+)%|(?P<word>[^\s"]+))')


class InvalidPattern(ValueError):
    """The filter pattern is none of these."""


@lru_cache(maxsize=64)
def compile_pattern(pattern: str) -> Matcher:
    """A predicate on log messages. Terms are case-sensitive. An empty pattern matches everything.

    Raises InvalidPattern.
    """
    text = pattern.strip()
    if text.startswith(("{", "[")):
        raise InvalidPattern("patterns on fields and columns are not supported")
    terms: dict[str, list[Matcher]] = {"": [], "-": [], "?": []}
    for match in _TERM.finditer(text):
        terms[match["sign"]].append(_term(match))
    required, excluded, optional = terms.values()

    def matches(message: str) -> bool:
        if any(term(message) for term in excluded) or not all(term(message) for term in required):
            return False
        # Optional terms are ignored when others are required.
        return bool(required) or not optional or any(term(message) for term in optional)

    return matches


def _term(match: re.Match[str]) -> Matcher:
    if match["regex"] is not None:
        expression = re.compile(match["regex"])
        return lambda message: expression.search(message) is not None
    text = match["word"] if match["word"] is not None else re.sub(r"\\(.)", r"\1", match["phrase"])
    return lambda message: text in message
