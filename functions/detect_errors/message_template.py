"""A message in which everything that changes between occurrences is replaced by what kind of thing it is."""

from __future__ import annotations

import re

from functions.detect_errors.formats import FORMATS, pattern

# Longer messages differ in their tails only by payload.
_MAX_LENGTH = 400

_HINT = pattern("hint")
_VARIABLE = re.compile("|".join(f"(?P<{kind}>{text})" for kind, text in FORMATS["variable"].items()))


def template(message: str) -> str:
    """The first line of a message with variable parts replaced by `<kind>` and suggestions removed.

    Quoted words without digits stay: in `No module named 'redis_pool'` they are what tells errors apart.
    """
    first = message.lstrip("\n").partition("\n")[0][:_MAX_LENGTH]
    return " ".join(_VARIABLE.sub(lambda match: f"<{match.lastgroup}>", without_hint(first)).split())


def without_hint(line: str) -> str:
    """The line without the interpreter's suggestions, which newer versions add and older ones lack."""
    return _HINT.sub("", line) if " you " in line else line
