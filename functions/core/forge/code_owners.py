"""Who owns files, as a repository's CODEOWNERS says: GitHub's reading of it, and GitLab's.

https://docs.github.com/en/repositories/managing-your-repositorys-settings-and-features/customizing-your-repository/about-code-owners
https://docs.gitlab.com/user/project/codeowners/reference/
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Sequence
from dataclasses import dataclass

GITHUB_PLACES = (".github/CODEOWNERS", "CODEOWNERS", "docs/CODEOWNERS")
GITLAB_PLACES = ("CODEOWNERS", "docs/CODEOWNERS", ".gitlab/CODEOWNERS")
"""The first that is there counts."""

_MOST_RULES = 10_000
# A blank that a backslash precedes belongs to the pattern.
_WORD = re.compile(r"(?:\\.|[^\s\\])+")
_SECTION = re.compile(r"\^?\[([^\]\[]+)\](?:\[\d+\])?(.*)")
_ROLE = "@@"
_BELOW = ("**", "*")
"""What lies in a folder is at least one name."""


@dataclass(frozen=True, slots=True)
class _Rule:
    """parts: of the pattern, between its slashes; owners: none says that nobody owns what matches."""

    parts: tuple[str, ...]
    owners: tuple[str, ...]
    excludes: bool = False


Rules = tuple[tuple[_Rule, ...], ...]
"""In sections, in each of which the last rule that matches counts."""


def owners(rules: Rules, paths: Sequence[str]) -> tuple[str, ...]:
    """Users, teams and mail addresses, each once, in the order of the paths and of the sections."""
    found = (owner for path in paths for section in rules for owner in _of(section, path))
    return tuple(dict.fromkeys(found))


def _of(section: Sequence[_Rule], path: str) -> tuple[str, ...]:
    segments = tuple(path.split("/"))
    matching = [rule for rule in section if _matches(rule.parts, segments)]
    return matching[-1].owners if matching and not any(rule.excludes for rule in matching) else ()


def github_rules(text: str) -> Rules:
    """A line that cannot be read is passed over, as GitHub does."""
    lines = (line.partition("#")[0] for line in text.splitlines()[:_MOST_RULES])
    split = [_WORD.findall(line) for line in lines]
    return (tuple(_Rule(_github_parts(words[0]), _named(words[1:])) for words in split if words),)


def _github_parts(pattern: str) -> tuple[str, ...]:
    """As in .gitignore, without its `!` and `[…]`; and `docs/*` is what lies in `docs` itself."""
    name = pattern.replace("\\", "").replace("[", "[[]")
    parts = name.strip("/").split("/")
    anchored = "/" in name.rstrip("/")
    within = () if parts[-1] == "*" and anchored else ("**",)
    return (*(() if anchored else ("**",)), *parts, *(_BELOW if name.endswith(("/", "/**")) else within))


def gitlab_rules(text: str) -> Rules:
    """Sections of one name are one; a rule without owners has its section's."""
    sections: dict[str, list[_Rule]] = {"": []}
    name, default = "", tuple[str, ...]()
    for line in text.splitlines()[:_MOST_RULES]:
        words = _WORD.findall(re.sub(r"(?:^|\s)#.*", "", line))
        if not words:
            continue
        if section := _SECTION.fullmatch(line.strip()):
            name, default = section[1].strip().casefold(), _named(section[2].partition(" #")[0].split())
            sections.setdefault(name, [])
            continue
        excludes = words[0].startswith("!")
        rule = _Rule(_gitlab_parts(words[0].removeprefix("!")), _named(words[1:]) or default, excludes)
        sections[name].append(rule)
    return tuple(map(tuple, sections.values()))


def _gitlab_parts(pattern: str) -> tuple[str, ...]:
    """Anywhere, unless it begins with a slash; a folder's is all in it."""
    name = re.sub(r"\\(.)", r"\1", pattern)
    parts = name.strip("/").split("/")
    within = _BELOW if name.endswith(("/", "/**")) else ()
    return (*(() if name.startswith("/") else ("**",)), *parts, *within)


def _named(words: Sequence[str]) -> tuple[str, ...]:
    """Roles of GitLab's (`@@maintainer`) name nobody."""
    return tuple(word.removeprefix("@") for word in words if "@" in word and not word.startswith(_ROLE))


def _matches(parts: tuple[str, ...], segments: tuple[str, ...]) -> bool:
    """`**` stands for any number of folders. One pass for each part: a stranger's pattern costs no more."""
    reached = {0}
    for part in parts:
        if part == "**":
            reached = set(range(min(reached), len(segments) + 1))
        else:
            reached = {n + 1 for n in reached if n < len(segments) and fnmatch.fnmatchcase(segments[n], part)}
        if not reached:
            return False
    return len(segments) in reached
