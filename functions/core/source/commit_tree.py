"""The files of a commit, as git holds them."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from functions.core.source.archive import DEFAULT_LIMITS, ArchiveLimits, Member, MemberKind

if TYPE_CHECKING:
    from git import Git

_KINDS = {
    "100644": MemberKind.FILE,
    "100664": MemberKind.FILE,
    "100755": MemberKind.EXECUTABLE,
    "120000": MemberKind.SYMLINK,
}

_LARGEST_READ = 1024 * 1024
"""Bytes of a file that is read by itself: settings are small."""


@dataclass(frozen=True, slots=True)
class TreeEntry:
    """One file of a commit: its path, the id of its content, and its size in bytes."""

    path: str
    blob: str
    kind: MemberKind
    bytes: int


@dataclass(frozen=True, slots=True)
class Submodule:
    """Where a commit holds another repository, and which commit of that."""

    path: str
    sha: str


@dataclass(frozen=True, slots=True)
class CommitTree:
    """The files of a commit, and the submodules whose files are not among them."""

    entries: tuple[TreeEntry, ...]
    submodules: tuple[Submodule, ...]

    def read(self, git: Git, path: str) -> bytes | None:
        """The content of one file; None when there is none, or none that this limit takes for source."""
        entry = next((entry for entry in self.entries if entry.path == path), None)
        if entry is None or entry.kind is MemberKind.SYMLINK or entry.bytes > _LARGEST_READ:
            return None
        return bytes(git.execute(["git", "cat-file", "blob", entry.blob], stdout_as_string=False))

    def members(self, git: Git) -> Iterator[Member]:
        """The files with their content as it is stored: no checkout, so no filters, hooks or links are ever
        followed. One git process reads them all, in one go."""
        with tempfile.TemporaryFile() as wanted:
            wanted.write("".join(f"{entry.blob}\n" for entry in self.entries).encode())
            wanted.seek(0)
            reading = git.execute(["git", "cat-file", "--batch", "--buffer"], istream=wanted, as_process=True)
            try:
                for entry in self.entries:
                    # Each answer is `ID TYPE SIZE`, the content, and a line feed.
                    size = int(reading.stdout.readline().split()[2])
                    data = reading.stdout.read(size)
                    reading.stdout.read(1)
                    yield Member(entry.path, data, entry.kind)
                reading.wait()
            finally:
                reading.stdout.close()


def tree_of_commit(git: Git, treeish: str, limits: ArchiveLimits = DEFAULT_LIMITS) -> CommitTree:
    """List a commit, or a directory of one (`COMMIT:DIRECTORY`). Raises SourceTooLarge."""
    entries: list[TreeEntry] = []
    submodules: list[Submodule] = []
    total = 0
    listing = git.execute(["git", "ls-tree", "-r", "-z", "-l", "--full-tree", treeish])
    for mode, blob, size, path in _rows(str(listing)):
        if mode == "160000":
            submodules.append(Submodule(path, blob))
            continue
        total += int(size)
        limits.check(len(entries) + 1, total)
        entries.append(TreeEntry(path, blob, _KINDS[mode], int(size)))
    return CommitTree(tuple(entries), tuple(submodules))


def _rows(listing: str) -> Iterator[tuple[str, str, str, str]]:
    for row in filter(None, listing.split("\0")):
        meta, _, path = row.partition("\t")
        mode, _, blob, size = meta.split()
        yield mode, blob, size, path
