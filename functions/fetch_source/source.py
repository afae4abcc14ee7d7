"""Fetches exactly one commit of an app's repository and packs its tree."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from functions.core.apps.app import App
from functions.core.apps.deployed import RevisionClaims
from functions.core.forge.git_remote import Remote
from functions.core.forge.port import Forge
from functions.core.incidents.incident import Frame
from functions.core.source.archive import DEFAULT_LIMITS, ArchiveLimits, pack
from functions.core.source.commit_tree import tree_of_commit
from functions.core.source.head import Head, head_of, tip_of
from functions.core.source.python import Python
from functions.core.source.submodules import with_submodules
from functions.core.workflow.origin import Origin
from functions.fetch_source.interpreter import Word, python_of
from functions.fetch_source.origin import origin_of
from functions.fetch_source.qualified import Named, named
from functions.fetch_source.revision import fetch_commit
from functions.harness.interpreters import VERSIONS


@dataclass(frozen=True, slots=True)
class Source:
    """The tree of the deployed commit, or of the one that is taken for it.

    sha: that commit; head: of the app's branch, which a patch is committed on;
    revision_from: "deployed" or "branch"; reason: who named that one, and who did not; files and bytes: what
    the archive holds, uncompressed; submodules: their paths; left_out: of these, whose files are not there;
    python: what the app runs on; committed: when the commit was made, ISO 8601; named: how the source names
    the function that failed; origin: where it failed, None where that is in no file of it.
    """

    archive: bytes
    sha: str
    head: Head
    revision_from: str
    reason: str
    files: int
    bytes: int
    submodules: tuple[str, ...]
    left_out: tuple[str, ...]
    python: Python
    committed: str
    named: Named = field(default_factory=Named)
    origin: Origin | None = None


def fetch_source(
    app: App,
    remote: Remote,
    forge: Forge,
    limits: ArchiveLimits = DEFAULT_LIMITS,
    logged: str = "",
    function: Callable[[], RevisionClaims] = RevisionClaims,
    runtime: Callable[[], Word] = Word,
    pythons: Sequence[str] = VERSIONS,
    frames: Sequence[Frame] = (),
) -> Source:
    """The deployed commit's tree if it can be had, else that of the branch head.

    logged: what the log names as running; function: what the function that failed says of itself.
    `fetch_commit` tells who is believed first. runtime: what that function runs on; pythons: what the runner
    has, oldest first: see `python_of`. frames: of the error, innermost last.
    Raises RepositoryNotFound, ForgeAccessDenied, ForgeUnavailable, SourceTooLarge.
    """
    with remote.repository() as repo:
        commit = fetch_commit(app, remote, forge, repo, logged, function)
        committed = str(repo.git.execute(["git", "show", "--no-patch", "--format=%cI", commit.sha]))
        tree = own = tree_of_commit(repo.git, commit.sha, limits)
        if app.submodules:
            tree = with_submodules(own, commit.sha, remote, repo, limits)

        def read(path: str) -> bytes | None:
            return own.read(repo.git, path)

        paths = [entry.path for entry in own.entries]
        return Source(
            archive=pack(tree.members(repo.git), limits),
            sha=commit.sha,
            head=head_of(app, remote, repo, tip_of(app, remote, repo), commit.sha, limits),
            revision_from=commit.revision_from,
            reason=commit.reason,
            files=len(tree.entries),
            bytes=sum(entry.bytes for entry in tree.entries),
            submodules=tuple(module.path for module in own.submodules),
            left_out=tuple(module.path for module in tree.submodules),
            python=python_of(app, runtime, read, pythons, committed),
            committed=committed,
            named=named(frames, paths, read, app.source_roots),
            origin=origin_of(app, remote, commit.sha, frames, paths, read),
        )
