"""The rules a patch is held to: the app's registry entry, narrowed by what the repository says of itself."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Self

from functions.core.apps.app import App
from functions.core.apps.repository_settings import RepositorySettings
from functions.validate_patch.tree import Tree


@dataclass(frozen=True, slots=True)
class Rules:
    """What may be touched, how the tests run, and which honesty rules this app accepts, and why."""

    allowed_paths: tuple[tuple[str, ...], ...]
    """Lists of globs; a path must match one of each list."""
    test_command: tuple[str, ...] = ()
    accepted: Mapping[str, str] = field(default_factory=dict)
    """Rule name → the reason recorded for accepting its findings."""
    problem: str = ""
    """Why the repository's own settings could not be read; they are then ignored, and it is said."""

    @classmethod
    def of(cls, app: App, tree: Tree) -> Self:
        """The app's rules, narrowed by the repository's."""
        settings = RepositorySettings.of(lambda path: tree[path].data if path in tree else None)
        narrower = () if settings.allowed_paths is None else (settings.allowed_paths,)
        return cls(
            allowed_paths=(app.allowed_paths, *narrower),
            test_command=app.test_command or settings.test_command,
            accepted=settings.accept,
            problem=settings.problem,
        )

    def allows(self, path: str) -> bool:
        """Whether a path is among those that a patch may touch."""
        return all(any(_glob(pattern).fullmatch(path) for pattern in globs) for globs in self.allowed_paths)


@cache
def _glob(pattern: str) -> re.Pattern[str]:
    """`**/` is any number of directories, `*` and `?` stay within one name."""
    regex, rest = "", pattern
    while rest:
        if rest.startswith("**/"):
            regex, rest = regex + "(?:[^/]+/)*", rest[3:]
        elif rest.startswith("**"):
            regex, rest = regex + ".*", rest[2:]
        else:
            char, rest = rest[0], rest[1:]
            regex += {"*": "[^/]*", "?": "[^/]"}.get(char, re.escape(char))
    return re.compile(regex)
