"""Each call of commit, push, create and update fails, times out, or is done and its answer is lost; then the
step is retried. What is left is one branch, one pull request, and the approved bytes."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

import pytest

from functions.commit_patch.commit import Approved, commit
from functions.core.apps.app import App
from functions.core.forge import github, gitlab
from functions.core.forge.connect import connect
from functions.core.forge.git_remote import Remote
from functions.core.forge.port import PullRequest
from functions.core.workflow.errors import ForgeUnavailable
from functions.core.workflow.state import CommitState
from functions.create_pull_request.pull_request import ApprovedCommit, open_pull_request
from functions.create_pull_request.reviewers import reviewers
from tests.fakes.forge import Interruption, Trouble

if TYPE_CHECKING:
    from tests.unit.conftest import Hosted

BRANCH = "self-heal/orders-v1-abc"
Result = TypeVar("Result")
NEVER = 10_000
PATIENCE = 2
"""Seconds until an answer is given up; on a busy machine that may happen once more than is asked for."""
RETRIES = 4
"""As the workflow has."""
OLD, NEW = "return RATES[country]", "return RATES.get(country)"
CALLS = {"GitHub": 22, "GitLab": 26}
"""Requests that one run of both steps makes."""
CASES = [
    pytest.param(api, number, trouble, id=f"{api}-{number}-{trouble}")
    for api, calls in CALLS.items()
    for number in range(calls)
    for trouble in Trouble
]


def patch_of(hosted: Hosted) -> bytes:
    """The diff with the whole ids of contents, as the heal writes it."""
    was = hosted.git("show", f"{hosted.base_sha}:rates.py") + "\n"
    commit_sha = hosted.branch("scratch", "rates.py", content=was.replace(OLD, NEW).encode())
    hosted.git("update-ref", "-d", "refs/heads/scratch")
    return (hosted.git("diff", "--full-index", hosted.base_sha, commit_sha) + "\n").encode()


class Steps:
    """CommitPatch and CreatePullRequest, each retried as the workflow does."""

    def __init__(self, hosted: Hosted, api: str) -> None:
        apis = {"GitHub": hosted.forge.api_url, "GitLab": hosted.forge.gitlab_api_url}
        self.app: App = replace(hosted.app, forge_api=apis[api])
        self.hosted, self.patch, self.failures = hosted, patch_of(hosted), 0
        digest = hashlib.sha256(self.patch).hexdigest()
        self.approved = Approved(digest, hosted.base_sha, "2026-11-20T12:00:00+00:00")

    def run(self) -> PullRequest:
        made = self._retried(self._commit)
        return self._retried(lambda: self._open(made))

    def _commit(self) -> CommitState:
        remote = replace(Remote.of(self.app, self.hosted.token), seconds=PATIENCE)
        made = commit(self.app, remote, self.patch, self.approved, BRANCH, "Fix it\n")
        assert isinstance(made, CommitState)
        return made

    def _open(self, made: CommitState) -> PullRequest:
        forge = connect(self.app, self.hosted.token)
        approved = ApprovedCommit(BRANCH, made.sha, made.base_sha)
        asked = reviewers(forge, self.app, self.patch, made.base_sha, print)
        return open_pull_request(forge, self.app, approved, title="Fix", body="why", asked=asked, warn=print)

    def _retried(self, step: Callable[[], Result]) -> Result:
        for _ in range(RETRIES):
            try:
                return step()
            except ForgeUnavailable:
                self.failures += 1
        return step()


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    for adapter in (github, gitlab):
        monkeypatch.setattr(adapter, "_TIMEOUT_SECONDS", PATIENCE)


@pytest.mark.parametrize(("api", "number", "trouble"), CASES)
def test_one_branch_one_pull_request_and_the_approved_bytes(
    hosted: Hosted, api: str, number: int, trouble: Trouble
) -> None:
    steps = Steps(hosted, api)
    hosted.forge.interruption = interruption = Interruption(number, trouble)
    pull = steps.run()
    interruption.over.set()
    assert len(interruption.seen) > number, "nothing was interrupted"
    assert steps.failures
    assert hosted.git("for-each-ref", "--format=%(refname)", "refs/heads").split() == [
        "refs/heads/main",
        f"refs/heads/{BRANCH}",
    ]
    (only,) = hosted.pulls()
    assert (only.number, only.head.sha) == (pull.number, pull.head_sha)
    assert [user.login for user in only.requested_reviewers] == ["reviewer"]
    shown = hosted.git("diff", "--full-index", f"main...{pull.head_sha}") + "\n"
    assert shown.encode() == steps.patch


@pytest.mark.parametrize("api", CALLS)
def test_the_table_covers_every_call(hosted: Hosted, api: str) -> None:
    hosted.forge.interruption = interruption = Interruption(NEVER, Trouble.FAILS)
    Steps(hosted, api).run()
    assert len(interruption.seen) == CALLS[api], interruption.seen
