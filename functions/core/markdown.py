"""Markdown for pull requests, from text that strangers and a model wrote.

Untrusted text must not close its fence, mention people, link issues, load images or hide anything.
"""

from __future__ import annotations

import re

_NAMES = re.compile(r"(?<!`)`([^`]*[^`\s][^`]*)`(?!`)")
_BACKTICKS = re.compile("`+")
# Everything that starts a construct in GitHub-flavoured Markdown, plus `@` and `#`, which notify and link.
_SPECIAL = re.compile(r"([\\`*_{}\[\]()<>#+!|~@&-])")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\u200b-\u200f\u202a-\u202e\u2066-\u2069]")


def prose(text: str) -> str:
    """`text` as one paragraph that shows its characters and does nothing else; `names` stay inline code.

    A word joiner after `@` and `#` keeps GitHub from notifying people or linking issues, which a backslash
    alone does not. `://` is broken likewise, so that bare addresses do not become links.
    """
    clean = " ".join(_CONTROL.sub("", text).split())
    # Odd pieces stand between backticks.
    pieces = _NAMES.split(clean)
    return "".join(code(piece) if n % 2 else _escaped(piece) for n, piece in enumerate(pieces))


def _escaped(text: str) -> str:
    escaped = _SPECIAL.sub(r"\\\1", text)
    return escaped.replace("\\@", "@\u2060").replace("\\#", "#\u2060").replace("://", ":\u2060//")


def fenced(text: str, language: str = "") -> str:
    """`text` as a code block whose fence is longer than any run of backticks within."""
    clean = _CONTROL.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))
    longest = max((len(run) for run in _BACKTICKS.findall(clean)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{language}\n{clean.rstrip()}\n{fence}"


def code(text: str) -> str:
    """`text` as inline code on one line."""
    clean = " ".join(_CONTROL.sub("", text).split())
    longest = max((len(run) for run in _BACKTICKS.findall(clean)), default=0)
    fence = "`" * (longest + 1)
    return f"{fence} {clean} {fence}" if "`" in clean else f"{fence}{clean}{fence}"
