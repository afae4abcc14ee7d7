"""A repository tree in memory: repository path (forward slashes) → file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha1
from typing import TypeAlias

REGULAR, EXECUTABLE, SYMLINK = 0o100644, 0o100755, 0o120000
"""The file modes that git records."""


@dataclass(frozen=True, slots=True)
class File:
    """Content and git mode; a symlink's content is its target."""

    data: bytes
    mode: int = REGULAR

    @property
    def blob_id(self) -> str:
        """The id that git gives this content."""
        return sha1(b"blob %d\0" % len(self.data) + self.data, usedforsecurity=False).hexdigest()

    @property
    def binary(self) -> bool:
        """Judged as git does: a NUL within the first 8,000 bytes."""
        return b"\0" in self.data[:8000]


Tree: TypeAlias = Mapping[str, File]


@dataclass(frozen=True, slots=True)
class Change:
    """One file that differs between two trees; None where it does not exist."""

    path: str
    before: File | None
    after: File | None


def changes_between(before: Tree, after: Tree) -> tuple[Change, ...]:
    """The differing files, by path."""
    return tuple(
        Change(path, before.get(path), after.get(path))
        for path in sorted(before.keys() | after.keys())
        if before.get(path) != after.get(path)
    )
