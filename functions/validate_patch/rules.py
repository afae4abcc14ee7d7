"""The rules a patch is held to: the app's registry entry, narrowed by what the repository says of itself."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
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
        return all(any(matches(pattern, path) for pattern in globs) for globs in self.allowed_paths)


_PARTS = re.compile(r"\*\*/|\*\*|.", re.DOTALL)


def matches(pattern: str, path: str) -> bool:
    """Whether a glob matches a whole path: `**/` is any number of directories, `*` and `?` stay in one name.

    The places that each part can reach are followed all at once: settings are strangers' text, and a regular
    expression goes back and forth over as many `*` as there are.
    """
    at = {0}
    for part in _PARTS.findall(pattern):
        at = _reached(part, at, path)
    return len(path) in at


def _reached(part: str, at: set[int], path: str) -> set[int]:
    if part == "**":
        return set(range(min(at), len(path) + 1)) if at else at
    if part == "*":
        found = set(at)
        for place in range(len(path)):
            if place in found and path[place] != "/":
                found.add(place + 1)
        return found
    if part == "**/":
        found, name = set(at), False
        for place in range(len(path)):
            if name and path[place] == "/":
                found.add(place + 1)
            name = path[place] != "/" and (name or place in found)
        return found
    fits = "/".__ne__ if part == "?" else part.__eq__
    return {place + 1 for place in at if place < len(path) and fits(path[place])}
