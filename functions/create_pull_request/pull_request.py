"""Opening the pull request. Look first, so that a second run finds what the first one made.

What a reviewer sees is what was approved: a commit's id stands for its whole content and for its parent, so
the pull request's diff is the approved patch where its head is the approved commit, and where that commit's
parent, the approved base, is the commit at which the target branch and the head part.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from functions.core.apps.app import App
from functions.core.forge.port import Forge, PullRequest, State
from functions.core.notify.counts import counted
from functions.core.workflow.errors import (
    ApprovalMismatch,
    BranchConflict,
    ForgeAccessDenied,
    ForgeRefused,
    ForgeUnavailable,
    RepositoryNotFound,
)
from functions.create_pull_request.reviewers import Reviewer, ask


@dataclass(frozen=True, slots=True)
class ApprovedCommit:
    """The heal's branch, its one commit, and the base on which that was approved."""

    branch: str
    commit_sha: str
    base_sha: str
    proven: bool = True
    """Whether every gate ran and passed."""
    replaced: str = ""
    """The commit that it takes the place of."""


LABEL = "self-heal"
UNPROVEN = "self-heal: not fully proven"


def open_pull_request(
    forge: Forge,
    app: App,
    approved: ApprovedCommit,
    *,
    title: str,
    body: str,
    asked: tuple[Reviewer, ...] = (),
    warn: Callable[[str], None],
) -> PullRequest:
    """Open the pull request for the approved commit, or return the one that exists.

    Raises BranchConflict where the head of an open one is another commit, or gone: somebody touched the
    branch. Raises ApprovalMismatch where the target branch has not got the approved base: the pull request
    would carry commits that nobody approved. Raises what `forge` raises.
    asked: for their review; those that the forge does not accept are reported through `warn`.
    """
    found = forge.find(approved.branch, app.branch)
    if found is None or _is_of_another_heal(forge, found, approved):
        _check_content(forge, app, approved)
        draft = not approved.proven or _checked(forge, approved.base_sha)
        found = _open(forge, app, approved, title, body, draft)
    elif found.head_sha == approved.replaced != approved.commit_sha:
        raise ForgeUnavailable(f"{found.url}: does not show yet what was pushed")
    elif found.state is State.OPEN and found.head_sha == approved.commit_sha:
        # A heal that follows up has brought another patch.
        forge.describe(found.number, title, body)
    if found.state is State.MERGED:
        return found
    if found.head_sha != approved.commit_sha:
        raise BranchConflict(
            f"{found.url}: its head is {found.head_sha}, not the approved commit {approved.commit_sha};"
            f" delete branch {approved.branch!r} on the forge if its content is not wanted, then redrive"
        )
    _check_content(forge, app, approved)
    if found.state is State.OPEN:
        _label(forge, found, approved, warn)
        ask(forge, found, asked, warn)
    return found


def _is_of_another_heal(forge: Forge, found: PullRequest, approved: ApprovedCommit) -> bool:
    """Whether a pull request that is over never had the approved commit: branches are named after incidents,
    and the same one may come again after its app was registered anew."""
    if found.state is State.OPEN or found.head_sha in (approved.commit_sha, approved.replaced):
        return False
    try:
        return forge.compare(found.head_sha, approved.commit_sha).ahead > 0
    except RepositoryNotFound:
        return True


def _open(
    forge: Forge, app: App, approved: ApprovedCommit, title: str, body: str, draft: bool
) -> PullRequest:
    try:
        return forge.open(approved.branch, app.branch, title, body, draft)
    except ForgeRefused as error:
        if forge.survey(approved.branch, approved.commit_sha, ()).has_branch:
            raise
        # Not put back by itself: whoever deleted it may have meant it.
        raise BranchConflict(
            f"{app.repository}: branch {approved.branch!r} was deleted before its pull request was opened;"
            f" to have the fix, point it at the approved commit again, {approved.commit_sha}, then redrive"
        ) from error


def _label(forge: Forge, pull: PullRequest, approved: ApprovedCommit, warn: Callable[[str], None]) -> None:
    try:
        forge.label(pull.number, [LABEL, *([] if approved.proven else [UNPROVEN])])
    except (ForgeAccessDenied, ForgeRefused) as error:
        warn(f"{pull.url}: no label: {error}")


def _checked(forge: Forge, sha: str) -> bool:
    """Whether the repository has checks of its own, which the pull request has yet to pass."""
    try:
        return bool(forge.checks(sha))
    except ForgeAccessDenied:
        return False


def _check_content(forge: Forge, app: App, approved: ApprovedCommit) -> None:
    parted = forge.compare(app.branch, approved.commit_sha)
    if (parted.merge_base, parted.ahead) != (approved.base_sha, 1):
        raise ApprovalMismatch(
            f"a pull request to {app.branch!r} would show {counted(parted.ahead, 'commit')} since"
            f" {parted.merge_base}, and approved was one since {approved.base_sha}: that base is no longer on"
            f" {app.branch!r}."
            " Put it back there and redrive, or start this heal over"
        )
