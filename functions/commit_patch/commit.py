"""One commit that anybody can compute again: same patch, base and decision give the same commit id.

That is what makes the step safe to repeat: a push of a commit that is there already changes nothing.
"""

from __future__ import annotations

import hashlib
import re
import tempfile
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from functions.core.workflow.errors import ApprovalMismatch, BranchConflict, RepositoryNotFound

if TYPE_CHECKING:
    from git import Repo

    from functions.core.forge.git_remote import Remote

AUTHOR = "Self-Healing Code"
EMAIL = "self-heal@noreply.invalid"

_REJECTED = re.compile(r"\[(?:remote )?rejected\]|non-fast-forward|fetch first|stale info", re.I)


@dataclass(frozen=True, slots=True)
class Approved:
    """What was approved, when (ISO 8601), and by whom."""

    patch_sha256: str
    base_sha: str
    decided_at: str
    by: str = ""


@dataclass(frozen=True, slots=True)
class Commit:
    """The commit on the forge, as the next steps need it."""

    branch: str
    sha: str

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


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


def commit(remote: Remote, patch: bytes, approved: Approved, branch: str, message: str) -> Commit:
    """Commit `patch` on its base and push the branch; the same again if it is there already.

    Raises ApprovalMismatch when the patch does not apply, BranchConflict when the branch holds something
    else, RepositoryNotFound when the base is gone, and what `Remote` raises.
    """
    with remote.repository() as repo:
        base = remote.fetch(repo, approved.base_sha)
        if base is None:
            raise RepositoryNotFound(
                f"{remote.url}: the approved base {approved.base_sha} is no longer there;"
                " reject this heal, so that a new one starts from what there is now"
            )
        sha = _commit(repo, base, patch, approved, message)
        _push(remote, repo, sha, branch)
        return Commit(branch, sha)


def _commit(repo: Repo, base: str, patch: bytes, approved: Approved, message: str) -> str:
    from git import GitCommandError

    # The tree is made in the index alone: nothing is checked out, so no filter, hook or link is followed.
    repo.git.read_tree(base)
    try:
        _with_input(repo, patch, "apply", "--cached", "--whitespace=nowarn", "-")
    except GitCommandError as error:
        raise ApprovalMismatch(
            f"the approved patch does not apply to {approved.base_sha}; nothing was committed"
        ) from error
    tree = repo.git.write_tree()
    if tree == repo.git.rev_parse(f"{base}^{{tree}}"):
        raise ApprovalMismatch("the approved patch changes nothing; nothing was committed")
    who = {
        f"GIT_{role}_{key}": value
        for role in ("AUTHOR", "COMMITTER")
        for key, value in (("NAME", AUTHOR), ("EMAIL", EMAIL), ("DATE", approved.decided_at))
    }
    with repo.git.custom_environment(**who):
        return _with_input(repo, message.encode(), "commit-tree", tree, "-p", base)


def _with_input(repo: Repo, data: bytes, *arguments: str) -> str:
    with tempfile.TemporaryFile() as stream:
        stream.write(data)
        stream.seek(0)
        return str(repo.git.execute(["git", *arguments], istream=stream))


def _push(remote: Remote, repo: Repo, sha: str, branch: str) -> None:
    failure = remote.run(repo, "push", "--quiet", "--", remote.url, f"{sha}:refs/heads/{branch}")
    if failure and _REJECTED.search(failure):
        raise BranchConflict(
            f"{remote.url}: branch {branch!r} exists and holds something else; delete it there if its content"
            " is not wanted, then redrive"
        )
    if failure:
        raise remote.explain(failure)
