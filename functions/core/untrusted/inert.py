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
# Mail programs link bare names, too, and take other full stops for dots (IDNA2003, RFC 3490, 3.1); listed
# are the ends that no attribute is called: `log.info` is no address.
_ENDS = (
    "com|net|org|edu|gov|biz|xyz|top|click|icu|vip|club|live|shop|site|store|online|ru|cn|de|fr|uk|eu|br|jp"
)
ACTIVE = re.compile(
    r"[@\uff20\ufe6b](?=\w)|[#\uff03\ufe5f](?=\w)|(?<=\bGH)-(?=\d)|:(?=//)|(?<=\bwww)\.|(?<=\bmailto):"
    r"|(?<=\w)\.(?=[A-Za-z]{2,24}(?::\d{1,5})?/)"
    rf"|(?<=\w)[.\u3002\uff0e\uff61](?=(?:{_ENDS})(?![\w(]))",
    re.I,
)
"""The one character that must not stand where it stands."""
# GitLab: merge requests `!7`, milestones `%7`, epics `&5`, snippets `$5`, labels `~bug`, each with a project
# before it or not, and quoted names. Code is full of these, so that they are defused where no code stands.
# https://docs.gitlab.com/user/markdown/#gitlab-specific-references
_REFERENCES = re.compile(r'[!%&$\uff01\uff05\uff06\uff04](?=\d)|[%\uff05](?=")|[~\uff5e](?=[\w"])')
# https://docs.github.com/en/actions/how-tos/manage-workflow-runs/skip-workflow-runs; GitLab, Azure Pipelines,
# Travis, Netlify and others have the like, in brackets or between asterisks.
_SWITCH = re.compile(r"\[(?=[^\[\]\n]{0,40}(?<![A-Za-z])(?:ci|skip|no)(?![A-Za-z]))([^\[\]\n]{1,40})\]", re.I)
# With an issue tracker behind it, GitLab closes what a keyword and a key name, and what follows by commas.
# https://docs.gitlab.com/user/project/issues/managing_issues/#default-closing-pattern
_CLOSES = re.compile(
    r"\b(?:clos(?:e[sd]?|ing)|fix(?:e[sd]|ing)?|resolv(?:e[sd]?|ing)|implement(?:s|ed|ing)?)\b", re.I
)
_KEY = re.compile(r"\b(?!CP-|CVE|ISO|PEP|RFC|SHA|UTF)([A-Z][A-Z0-9_]{1,9})-(?=\d)")
_STARS = re.compile(r"\*{3,}")
_TRAILER = re.compile(r"\b(skip-checks)(?=\s*:)", re.I)


def inert(text: str) -> str:
    """`text` with whatever a forge or a mail program would act on in brackets; several lines stay so."""
    clean = unswitched(without(text, " "))
    keyless = _KEY.sub(r"\1[-]", clean) if _CLOSES.search(clean) else clean
    plain = _REFERENCES.sub(r"[\g<0>]", keyless)
    return ACTIVE.sub(lambda match: f"[{match[0]}]", plain)


def inert_line(text: str) -> str:
    """The same on one line."""
    return " ".join(inert(text).split())


def unswitched(text: str) -> str:
    """`text` without orders to skip checks: `[skip ci]` becomes `(skip ci)`."""
    return _TRAILER.sub(r"\1 ", _STARS.sub("**", _SWITCH.sub(r"(\1)", text)))
