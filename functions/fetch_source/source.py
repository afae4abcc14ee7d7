"""Fetches exactly one commit of an app's repository and packs its tree."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from functions.core.app import App
from functions.core.archive import DEFAULT_LIMITS, Kind, Limits, Member, pack
from functions.core.remote import Remote
from functions.fetch_source.revision import Told, fetch_commit

if TYPE_CHECKING:
    from git import Git

_KINDS = {"100644": Kind.FILE, "100664": Kind.FILE, "100755": Kind.EXECUTABLE, "120000": Kind.SYMLINK}


@dataclass(frozen=True, slots=True)
class Source:
    """The tree of one commit.

    revision_from: "deployed" or "branch"; reason: who named that one, and who did not; files and bytes: what
    the archive holds, uncompressed; submodules: paths that were left out.
    """

    archive: bytes
    base_sha: str
    revision_from: str
    reason: str
    files: int
    bytes: int
    submodules: tuple[str, ...]


def fetch_source(
    app: App,
    remote: Remote,
    limits: Limits = DEFAULT_LIMITS,
    logged: str = "",
    function: Callable[[], Told] = Told,
) -> Source:
    """The deployed commit's tree if it can be had, else that of the branch head.

    logged: what the log names as running; function: what the function that failed says of itself.
    `fetch_commit` tells who is believed first.
    Raises RepositoryNotFound, ForgeAccessDenied, ForgeUnavailable, SourceTooLarge.
    """
    with remote.repository() as repo:
        commit = fetch_commit(app, remote, repo, logged, function)
        tree = tree_of_commit(repo.git, commit.sha, limits)
        return Source(
            archive=pack(tree.members(repo.git), limits),
            base_sha=commit.sha,
            revision_from=commit.revision_from,
            reason=commit.reason,
            files=len(tree.entries),
            bytes=sum(entry.bytes for entry in tree.entries),
            submodules=tree.submodules,
        )


@dataclass(frozen=True, slots=True)
class Entry:
    """One file of a commit: its path, the id of its content, and its size in bytes."""

    path: str
    blob: str
    kind: Kind
    bytes: int


@dataclass(frozen=True, slots=True)
class CommitTree:
    """The files of a commit, and the paths of its submodules."""

    entries: tuple[Entry, ...]
    submodules: tuple[str, ...]

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


def tree_of_commit(git: Git, treeish: str, limits: Limits = DEFAULT_LIMITS) -> CommitTree:
    """List a commit, or a directory of one (`COMMIT:DIRECTORY`). Raises SourceTooLarge."""
    entries: list[Entry] = []
    submodules: list[str] = []
    total = 0
    listing = git.execute(["git", "ls-tree", "-r", "-z", "-l", "--full-tree", treeish])
    for mode, blob, size, path in _rows(str(listing)):
        if mode == "160000":
            submodules.append(path)
            continue
        total += int(size)
        limits.check(len(entries) + 1, total)
        entries.append(Entry(path, blob, _KINDS[mode], int(size)))
    return CommitTree(tuple(entries), tuple(submodules))


def _rows(listing: str) -> Iterator[tuple[str, str, str, str]]:
    for row in filter(None, listing.split("\0")):
        meta, _, path = row.partition("\t")
        mode, _, blob, size = meta.split()
        yield mode, blob, size, path
