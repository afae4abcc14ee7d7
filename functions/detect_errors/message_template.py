"""A message in which everything that changes between occurrences is replaced by what kind of thing it is."""

from __future__ import annotations

import re

# Longer messages differ in their tails only by payload.
_MAX_LENGTH = 400

_HINT = re.compile(
    r"[.:;]? (?:Did you mean|Did you forget|Perhaps you forgot|Maybe you meant)\b.*$|\. Or did you .*$"
)
# The first alternative that matches at a place wins, so the order is from specific to general. Every
# repetition is bounded or over one character class, so the time is linear in the message.
_VARIABLE = re.compile(
    r"(?P<time>\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:[.,]\d{1,9})?)?(?:Z|[+-]\d\d:?\d\d)?)?"
    r"|\b\d\d:\d\d:\d\d\b)"
    r"|(?P<id>\b[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}\b|\barn:aws[\w-]*:[^\s'\"]+)"
    r"|(?P<address>\b0x[0-9a-fA-F]+\b)"
    r"|(?P<url>\b[a-z][a-z0-9+]{1,15}://[^\s'\"<>)]+)"
    r"|(?P<email>[\w.+-]{1,64}@[\w-]{1,64}\.[\w.]{1,64})"
    r"|(?P<path>(?<![\w.])(?:[A-Za-z]:)?[/\\][\w.~-]+(?:[/\\][^\s'\":,)\]]*)?)"
    r"|(?P<values>\{[^{}]{0,300}\}|\[[^\[\]]{0,300},[^\[\]]{0,300}\])"
    r"|(?P<hex>\b(?=[a-f]*\d)(?=\d*[a-f])[0-9a-f]{6,64}\b)"
    r"|(?P<word>'[^' \d]*+\d[^' ]*+'"
    r"|\"[^\" \d]*+\d[^\" ]*+\""
    r"|\b[A-Za-z]++[_-](?=[A-Za-z]*+\d)[A-Za-z0-9]{4,}+\b)"
    r"|(?P<object>\b[a-z]\d{1,9}(?=\.[a-z]))"
    r"|(?P<n>(?<![A-Za-z_])[-+]?\d[\d.,]*)"
)


def template(message: str) -> str:
    """The first line of a message with variable parts replaced by `<kind>` and suggestions removed.

    Quoted words without digits stay: in `No module named 'redis_pool'` they are what tells errors apart.
    """
    first = message.lstrip("\n").partition("\n")[0][:_MAX_LENGTH]
    return " ".join(_VARIABLE.sub(lambda match: f"<{match.lastgroup}>", without_hint(first)).split())


def without_hint(line: str) -> str:
    """The line without the interpreter's suggestions, which newer versions add and older ones lack."""
    return _HINT.sub("", line) if " you " in line else line
