"""Markdown for pull requests, from text that strangers and a model wrote.

Untrusted text must not close its fence, mention people, link issues, load images, skip checks or hide
anything: not here, and not in the commit message that a forge makes of it when it squashes.
"""

from __future__ import annotations

import re

from functions.core.untrusted import hidden
from functions.core.untrusted.inert import ACTIVE, unswitched

_NAMES = re.compile(r"(?<!`)`([^`]++)`(?!`)")
_BACKTICKS = re.compile("`+")
# Everything that starts a construct in GitHub-flavoured Markdown.
_SPECIAL = re.compile(r"([\\`*_{}\[\]()<>#+!|~@&-])")


def prose(text: str) -> str:
    """`text` as one paragraph that shows its characters and does nothing else; `names` stay inline code.

    A backslash alone does not keep GitHub from notifying people, linking issues or linking bare addresses:
    what does it is followed by a word joiner.
    """
    # Odd pieces stand between backticks.
    pieces = _NAMES.split(" ".join(_harmless(text).split()))
    shown = "".join(
        code(piece) if n % 2 and piece.strip() else _escaped(piece) for n, piece in enumerate(pieces)
    )
    # A line that begins so is an order to GitLab ("quick actions"), or to a bot such as Prow.
    return f"\\{shown}" if shown.startswith("/") else shown


def _harmless(text: str) -> str:
    return unswitched(hidden.spelled_out(text))


def _joined(text: str) -> str:
    return ACTIVE.sub("\\g<0>\u2060", text)


def _escaped(text: str) -> str:
    return _SPECIAL.sub(r"\\\1", _joined(text))


def fenced(text: str, language: str = "") -> str:
    """`text` as a code block whose fence is longer than any run of backticks within."""
    clean = _joined(_harmless(text.replace("\r\n", "\n").replace("\r", "\n")))
    longest = max((len(run) for run in _BACKTICKS.findall(clean)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{language}\n{clean.rstrip()}\n{fence}"


def code(text: str) -> str:
    """`text` as inline code on one line."""
    clean = _joined(" ".join(_harmless(text).split()))
    longest = max((len(run) for run in _BACKTICKS.findall(clean)), default=0)
    fence = "`" * (longest + 1)
    return f"{fence} {clean} {fence}" if "`" in clean else f"{fence}{clean}{fence}"
