"""One commit that anybody can compute again: same patch, base and decision give the same commit id.

That is what makes the step safe to repeat: a push of a commit that is there already changes nothing.
"""

from __future__ import annotations

import hashlib
import re
import tempfile
from dataclasses import dataclass
from typing import TYPE_CHECKING

from functions.core.source.head import Head, head_of, tip_of
from functions.core.workflow.errors import ApprovalMismatch, BranchConflict, RepositoryNotFound
from functions.core.workflow.state import CommitState

if TYPE_CHECKING:
    from git import Repo

    from functions.core.apps.app import App
    from functions.core.forge.git_remote import Remote
    from functions.core.forge.signing import SigningKey

AUTHOR = "Self-Healing Code <self-heal@noreply.invalid>"
"""Of commits for apps that name no account."""

_REJECTED = re.compile(r"\[(?:remote )?rejected\]|non-fast-forward|fetch first|stale info", re.I)


@dataclass(frozen=True, slots=True)
class Approved:
    """What was approved, when (ISO 8601), and by whom."""

    patch_sha256: str
    base_sha: str
    decided_at: str
    by: str = ""
    carried_from: str | None = None
    """Reference to the evidence that people saw, where the approval was carried over to a later proof."""


def check(patch: bytes, validated_sha256: str, base_sha: str, approved: Approved) -> None:
    """Raises ApprovalMismatch unless patch and base are the approved ones, byte for byte."""
    actual = hashlib.sha256(patch).hexdigest()
    if not actual == validated_sha256 == approved.patch_sha256:
        raise ApprovalMismatch(
            f"the patch is {actual}, validated was {validated_sha256}, approved {approved.patch_sha256};"
            " nothing was committed"
        )
    if base_sha != approved.base_sha:
        raise ApprovalMismatch(
            f"the base is {base_sha}, approved was {approved.base_sha}; nothing was committed"
        )


def commit(
    app: App,
    remote: Remote,
    patch: bytes,
    approved: Approved,
    branch: str,
    message: str,
    *,
    replaces: str = "",
    deployed_sha: str = "",
    may_move: bool = True,
    hold: bool = False,
    key: SigningKey | None = None,
) -> CommitState | Head | None:
    """Commit `patch` on the head of the app's branch and push it; the same again if it is there already.

    The head that was approved may have moved. Where the files that the patch touches are as they were, the
    same patch goes on the new one. Else that is what is returned, for a new proof: nothing was committed.
    replaces: a commit of ours that the branch may hold, which is then replaced; deployed_sha: see
    `functions.core.source.head.head_of`; may_move: whether somebody is there to prove it again, else it goes
    on the head that was approved; hold: whether more has to be proven before; then it is None, unless an
    earlier run of this step has pushed it; key: signs it.

    Raises ApprovalMismatch when the patch does not apply, BranchConflict when the branch holds something
    else, RepositoryNotFound when the base is gone, and what `Remote` raises.
    """
    with remote.repository() as repo:
        base = remote.fetch(repo, approved.base_sha)
        if base is None and may_move:
            return head_of(app, remote, repo, tip_of(app, remote, repo), deployed_sha)
        if base is None:
            raise RepositoryNotFound(
                f"{remote.url}: the approved base {approved.base_sha} is no longer there;"
                " reject this heal, so that a new one starts from what there is now"
            )
        made = _Made(repo, patch, approved, message, app.commit_author or AUTHOR, key)
        tree = made.tree(base)
        found = _committed(remote, repo, made, branch, replaces)
        if isinstance(found, CommitState):
            return found
        tip = tip_of(app, remote, repo) if may_move else base
        if tip != base and made.change(tip, made.tree_if(tip)) != made.change(base, tree):
            return head_of(app, remote, repo, tip, deployed_sha or base)
        if hold:
            return None
        sha = made.commit(tip)
        _push(remote, repo, sha, branch, found)
        return CommitState(branch, sha, tip)


def _committed(remote: Remote, repo: Repo, made: _Made, branch: str, replaces: str) -> CommitState | str:
    """What an earlier run of this step pushed, on whatever was the head then; else the commit that the branch
    holds and that may be replaced, "" where there is no branch. Raises BranchConflict."""
    tip = remote.fetch(repo, f"refs/heads/{branch}")
    if tip is None or tip == replaces:
        return tip or ""
    # The raw commit: of a history that was not fetched git shows no parents.
    lines = str(repo.git.execute(["git", "cat-file", "commit", tip])).splitlines()
    (parent, *others) = [line.split()[1] for line in lines if line.startswith("parent ")] or [""]
    on = remote.fetch(repo, parent) if parent and not others else None
    if on is None or made.tree_if(on) == "" or made.commit(on) != tip:
        raise BranchConflict(
            f"{remote.url}: branch {branch!r} exists and holds something else; delete it there if its content"
            " is not wanted, then redrive"
        )
    return CommitState(branch, tip, on)


@dataclass(frozen=True, slots=True)
class _Made:
    """The approved patch on whatever it goes on. Trees are made in the index alone: nothing is checked out,
    so no filter, hook or link is followed."""

    repo: Repo
    patch: bytes
    approved: Approved
    message: str
    author: str
    key: SigningKey | None

    def tree(self, base: str) -> str:
        """The tree with the patch. Raises ApprovalMismatch."""
        from git import GitCommandError

        self.repo.git.read_tree(base)
        try:
            _with_input(self.repo, self.patch, "apply", "--cached", "--whitespace=nowarn", "-")
        except GitCommandError as error:
            raise ApprovalMismatch(
                f"the approved patch does not apply to {base}; nothing was committed"
            ) from error
        tree = str(self.repo.git.write_tree())
        if tree == self.repo.git.rev_parse(f"{base}^{{tree}}"):
            raise ApprovalMismatch("the approved patch changes nothing; nothing was committed")
        return tree

    def tree_if(self, base: str) -> str:
        """The same; "" where the patch does not apply."""
        try:
            return self.tree(base)
        except ApprovalMismatch:
            return ""

    def change(self, base: str, tree: str) -> str:
        """Paths, modes and contents before and after, "" for no tree: where these are equal, diffs are."""
        if not tree:
            return ""
        return str(self.repo.git.execute(["git", "diff-tree", "-r", "-z", "--no-renames", base, tree]))

    def commit(self, base: str) -> str:
        """The id of the commit: the same patch, base and decision give the same. Raises ApprovalMismatch."""
        name, _, mail = self.author.removesuffix(">").partition(" <")
        who = {
            f"GIT_{role}_{key}": value
            for role in ("AUTHOR", "COMMITTER")
            for key, value in (("NAME", name), ("EMAIL", mail), ("DATE", self.approved.decided_at))
        }
        tree = self.tree(base)
        with self.repo.git.custom_environment(**who):
            made = _with_input(self.repo, self.message.encode(), "commit-tree", tree, "-p", base)
        if self.key is None:
            return made
        shown = ["git", "cat-file", "commit", made]
        raw = self.repo.git.execute(shown, stdout_as_string=False, strip_newline_in_stdout=False)
        signed = self.key.signed(bytes(raw))
        return _with_input(self.repo, signed, "hash-object", "-t", "commit", "-w", "--stdin")


def _with_input(repo: Repo, data: bytes, *arguments: str) -> str:
    with tempfile.TemporaryFile() as stream:
        stream.write(data)
        stream.seek(0)
        return str(repo.git.execute(["git", *arguments], istream=stream))


def _push(remote: Remote, repo: Repo, sha: str, branch: str, over: str) -> None:
    """over: the commit that the branch holds, "" for none; where it has another by now, nothing is pushed."""
    lease = f"--force-with-lease=refs/heads/{branch}:{over}"
    failure = remote.run(repo, "push", "--quiet", lease, "--", remote.url, f"{sha}:refs/heads/{branch}")
    if failure and _REJECTED.search(failure):
        raise BranchConflict(
            f"{remote.url}: branch {branch!r} exists and holds something else; delete it there if its content"
            " is not wanted, then redrive"
        )
    if failure:
        raise remote.explain(failure)
