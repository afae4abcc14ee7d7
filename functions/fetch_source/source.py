"""Fetches exactly one commit of an app's repository and packs its tree."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from functions.core.app import App
from functions.core.archive import DEFAULT_LIMITS, Kind, Limits, Member, pack
from functions.core.errors import RepositoryNotFound
from functions.core.remote import Remote

if TYPE_CHECKING:
    from git import Git, Repo

# A commit id, or a tag or branch name; nothing that git would take for an option or a refspec.
_REVISION = re.compile(r"[0-9A-Za-z][0-9A-Za-z._/+-]{0,199}")
_COMMIT = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
_SHORT_COMMIT = re.compile(r"[0-9a-f]{7,64}")

_KINDS = {"100644": Kind.FILE, "100664": Kind.FILE, "100755": Kind.EXECUTABLE, "120000": Kind.SYMLINK}


@dataclass(frozen=True, slots=True)
class Source:
    """The tree of one commit.

    revision_from: "deployed" or "branch"; reason: one sentence on why that one; files and bytes: what the
    archive holds, uncompressed; submodules: paths that were left out.
    """

    archive: bytes
    base_sha: str
    revision_from: str
    reason: str
    files: int
    bytes: int
    submodules: tuple[str, ...]


def fetch_source(app: App, remote: Remote, limits: Limits = DEFAULT_LIMITS, logged: str = "") -> Source:
    """The deployed commit's tree if it can be had, else that of the branch head.

    logged: what the log names as running; the app's entry goes before it.
    Raises RepositoryNotFound, ForgeAccessDenied, ForgeUnavailable, SourceTooLarge.
    """
    with remote.repository() as repo:
        sha, revision_from, reason = _fetch_commit(app, remote, repo, logged)
        tree = tree_of_commit(repo.git, sha, limits)
        return Source(
            archive=pack(tree.members(repo.git), limits),
            base_sha=sha,
            revision_from=revision_from,
            reason=reason,
            files=len(tree.entries),
            bytes=sum(entry.bytes for entry in tree.entries),
            submodules=tree.submodules,
        )


def _fetch_commit(app: App, remote: Remote, repo: Repo, logged: str) -> tuple[str, str, str]:
    """Commit id, where it is from, and why."""
    why = "neither the app's entry nor the log names a deployed revision"
    if app.revision and not _REVISION.fullmatch(app.revision):
        why = f"the app's revision {app.revision!r} is not a commit id or a tag"
    elif app.revision:
        ref = app.revision
        for candidate in (ref,) if _COMMIT.fullmatch(ref) else (f"refs/tags/{ref}", f"refs/heads/{ref}"):
            if sha := remote.fetch(repo, candidate):
                return sha, "deployed", f"the app's entry names {ref} as deployed"
        why = f"the deployed revision {ref} is not on the forge"
    elif logged:
        named = _named_by(remote.tips(repo), logged)
        if named and (sha := remote.fetch(repo, named)):
            return sha, "deployed", f"the log names {logged}, which is {named}"
        why = f"the log names {logged}, which is no tag and the head of no branch or tag"
    if sha := remote.fetch(repo, f"refs/heads/{app.branch}"):
        return sha, "branch", f"head of {app.branch}: {why}"
    raise RepositoryNotFound(
        f"{remote.url}: no branch {app.branch!r}; set the app's 'branch' to one that exists, then redrive"
    )


def _named_by(tips: Mapping[str, str], logged: str) -> str | None:
    """The branch or tag that a log's commit id or version stands for.

    A commit id alone is not fetched: a log is no authority, and forges also serve by their id the commits
    that strangers have put into forks. A branch or tag is there because somebody who may write put it there.
    """
    for ref in (f"refs/tags/{logged}", f"refs/tags/v{logged}"):
        if ref in tips:
            return ref
    if not _SHORT_COMMIT.fullmatch(logged):
        return None
    return next((ref for ref, sha in sorted(tips.items()) if sha.startswith(logged)), None)


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
