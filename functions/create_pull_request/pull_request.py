"""Opening the pull request. Look first, so that a second run finds what the first one made."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from functions.core.app import App
from functions.core.errors import BranchConflict
from functions.core.forge import forge_errors

if TYPE_CHECKING:
    from collections.abc import Callable

    from github.PullRequest import PullRequest as ForgePullRequest
    from github.Repository import Repository


@dataclass(frozen=True, slots=True)
class PullRequest:
    """An open pull request on the forge."""

    number: int
    url: str

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def open_pull_request(
    repository: Repository,
    app: App,
    *,
    branch: str,
    commit_sha: str,
    title: str,
    body: str,
    warn: Callable[[str], None],
) -> PullRequest:
    """Open the pull request for `branch`, or return the one that exists.

    The head must be the commit that CommitPatch made: otherwise somebody pushed to the branch, what would be
    proposed is not what was approved, and BranchConflict is raised. Raises what `forge_errors` raises.
    Reviewers that the forge does not accept are reported through `warn`: a typo must not lose the fix.
    """
    with forge_errors(app):
        found = _find(repository, app, branch) or _create(repository, app, branch, title, body)
        if found.head.sha != commit_sha and not found.merged:
            raise BranchConflict(
                f"{found.html_url}: its head is {found.head.sha}, not the approved commit {commit_sha};"
                f" delete branch {branch!r} on the forge if its content is not wanted, then redrive"
            )
        _request_reviews(found, app, warn)
        return PullRequest(number=found.number, url=found.html_url)


def _find(repository: Repository, app: App, branch: str) -> ForgePullRequest | None:
    owner = app.slug.split("/", 1)[0]
    # Closed ones too: the first run may have died after opening it, and a reviewer may have been quick.
    for pull in repository.get_pulls(state="all", head=f"{owner}:{branch}", base=app.branch):
        if pull.head.ref == branch:
            return pull
    return None


def _create(repository: Repository, app: App, branch: str, title: str, body: str) -> ForgePullRequest:
    from github import GithubException

    try:
        return repository.create_pull(base=app.branch, head=branch, title=title, body=body)
    except GithubException as error:
        # 422 is GitHub's answer when a concurrent run opened it between our look and our request.
        if error.status == 422 and (found := _find(repository, app, branch)):
            return found
        raise


def _request_reviews(pull: ForgePullRequest, app: App, warn: Callable[[str], None]) -> None:
    from github import GithubException

    if not app.reviewers or pull.merged or pull.state != "open":
        return
    try:
        pull.create_review_request(reviewers=list(app.reviewers))
    except GithubException as error:
        if error.status != 422:
            raise
        warn(f"{pull.html_url}: the forge does not accept the reviewers {', '.join(app.reviewers)}")
