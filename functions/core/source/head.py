"""The head of an app's branch: what a patch is proven on again, approved for, and committed on.

What is deployed lies behind it as a rule. What happened in between is kept too, so that where the error is
gone on the head, the commit that did it can be found by trying.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from functions.core.source.archive import DEFAULT_LIMITS, ArchiveLimits, pack
from functions.core.source.commit_tree import tree_of_commit
from functions.core.source.history import Step
from functions.core.source.submodules import with_submodules
from functions.core.untrusted.redaction import redact
from functions.core.workflow.errors import RepositoryNotFound, SourceTooLarge

if TYPE_CHECKING:
    from git import Git, Repo

    from functions.core.apps.app import App
    from functions.core.forge.git_remote import Remote
    from functions.core.workflow.artifacts import Artifacts
    from functions.core.workflow.heal import Heal

COMMITS = 200
"""Commits of the branch, from its head, among which the deployed one is looked for."""
_LARGEST_FILE, _LARGEST_HISTORY = 256 * 1024, 4 * 1024 * 1024
"""Bytes; what is larger is no source."""


@dataclass(frozen=True, slots=True)
class Head:
    """The branch's newest commit with its tree, and how it came there from another one, oldest first.

    archive: b"" where it is that other commit; history: None where the way is not known, and why it is not
    in `unknown`.
    """

    sha: str
    archive: bytes = b""
    history: tuple[Step, ...] | None = ()
    unknown: str = ""

    def keep(self, artifacts: Artifacts, heal: Heal) -> dict[str, str]:
        """Write it among the heal's artifacts; what the state's `source` says of it."""
        if not self.archive:
            return {"base_sha": self.sha, "head_key": "", "history_key": ""}
        steps = None if self.history is None else [asdict(step) for step in self.history]
        return {
            "base_sha": self.sha,
            "head_key": artifacts.put(heal.key(f"head-{self.sha}.tar.gz"), self.archive, "application/gzip"),
            "history_key": artifacts.put_json(
                heal.key(f"head-{self.sha}.json"), {"steps": steps, "unknown": self.unknown}
            ),
        }


def tip_of(app: App, remote: Remote, repo: Repo) -> str:
    """Fetch the newest commit of the app's branch: its id. Raises RepositoryNotFound, and what `remote`
    raises."""
    if sha := remote.fetch(repo, f"refs/heads/{app.branch}"):
        return sha
    raise RepositoryNotFound(
        f"{remote.url}: no branch {app.branch!r}; set the app's 'branch' to one that exists, then redrive"
    )


def head_of(
    app: App, remote: Remote, repo: Repo, tip: str, since: str, limits: ArchiveLimits = DEFAULT_LIMITS
) -> Head:
    """The head, which `tip_of` has fetched into `repo`, as seen from a commit. Raises SourceTooLarge."""
    if tip == since:
        return Head(tip)
    tree = tree_of_commit(repo.git, tip, limits)
    if app.submodules:
        tree = with_submodules(tree, tip, remote, repo, limits)
    archive = pack(tree.members(repo.git), limits)
    try:
        return Head(tip, archive, _between(remote, app.branch, since, tip))
    except (_Unknown, SourceTooLarge) as error:
        return Head(tip, archive, None, str(error))


class _Unknown(Exception):
    """Why the way from one commit to the other is not known."""


def _between(remote: Remote, branch: str, since: str, tip: str) -> tuple[Step, ...]:
    # In a repository of its own: what is too large here must not stand in the way of the head itself.
    with remote.repository() as repo:
        remote.fetch(repo, f"refs/heads/{branch}", depth=COMMITS + 1)
        listed = ["git", "rev-list", "--first-parent", "--reverse", f"{tip}"]
        known = str(repo.git.execute(listed, with_exceptions=False)).split()
        if since not in known:
            raise _Unknown(f"{since} is not among the last {COMMITS} commits of {branch}")
        commits = known[known.index(since) + 1 :]
        steps, size = [], 0
        for sha in commits:
            was = dict(_changed(repo.git, sha))
            size += sum(len(text) for text in was.values() if text)
            if size > _LARGEST_HISTORY:
                raise _Unknown(f"the commits since {since} change more than can be tried")
            shown = str(repo.git.execute(["git", "show", "--no-patch", "--format=%an%x00%cI%x00%s", sha]))
            author, date, subject = (redact(text)[:200] for text in shown.split("\0"))
            steps.append(Step(sha, author, date, subject, was))
        return tuple(steps)


def _changed(git: Git, sha: str) -> Iterator[tuple[str, str | None]]:
    """The files that a commit changed against its first parent, as they were: those that are text."""
    listing = git.execute(["git", "diff-tree", "-r", "-z", "--no-renames", f"{sha}^1", sha])
    rows = str(listing).split("\0")
    for meta, path in zip(rows[::2], rows[1::2], strict=False):
        mode, _, blob, *_ = meta.removeprefix(":").split()
        if mode == "000000":
            yield path, None
        elif mode in ("100644", "100755"):
            data = bytes(git.execute(["git", "cat-file", "blob", blob], stdout_as_string=False))
            if len(data) <= _LARGEST_FILE and b"\0" not in data:
                yield path, data.decode(errors="replace")
