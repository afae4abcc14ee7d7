"""Strangers' text in places where programs act on it: commit messages, titles, mails.

A forge closes the issues that a message names, tells whom it mentions and skips checks that it says to skip;
a mail program makes a link of every address. Brackets around the character that does it leave the text
readable, as is usual for addresses that nobody should follow: `evil[.]example`.
"""

from __future__ import annotations

import re

from functions.core.untrusted.hidden import without

# GitHub: references `#1`, `GH-1`, `owner/name#1`, mentions `@user`, `@org/team`, and links without scheme.
# https://docs.github.com/en/get-started/writing-on-github/working-with-advanced-formatting/autolinked-references-and-urls
ACTIVE = re.compile(
    r"@(?=\w)|#(?=\w)|(?<=\bGH)-(?=\d)|:(?=//)|(?<=\bwww)\.|(?<=\bmailto):"
    r"|(?<=\w)\.(?=[A-Za-z]{2,24}(?::\d{1,5})?/)",
    re.I,
)
"""The one character that must not stand where it stands."""
# https://docs.github.com/en/actions/how-tos/manage-workflow-runs/skip-workflow-runs; GitLab, Azure Pipelines,
# Travis, Netlify and others have the like, in brackets or between asterisks.
_SWITCH = re.compile(r"\[(?=[^\[\]\n]{0,40}(?<![A-Za-z])(?:ci|skip|no)(?![A-Za-z]))([^\[\]\n]{1,40})\]", re.I)
_STARS = re.compile(r"\*{3,}")
_TRAILER = re.compile(r"\b(skip-checks)(?=\s*:)", re.I)


def inert(text: str) -> str:
    """`text` with whatever a forge or a mail program would act on in brackets; several lines stay so."""
    return ACTIVE.sub(lambda match: f"[{match[0]}]", unswitched(without(text, " ")))


def inert_line(text: str) -> str:
    """The same on one line."""
    return " ".join(inert(text).split())


def unswitched(text: str) -> str:
    """`text` without orders to skip checks: `[skip ci]` becomes `(skip ci)`."""
    return _TRAILER.sub(r"\1 ", _STARS.sub("**", _SWITCH.sub(r"(\1)", text)))
