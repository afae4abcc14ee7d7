"""Opening pull requests on a forge that is really there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from functions.core.errors import BranchConflict, ForgeAccessDenied, ForgeUnavailable, RepositoryNotFound
from functions.core.forge import connect
from functions.create_pull_request.pull_request import PullRequest, open_pull_request
from infra.local.forge import Outage

if TYPE_CHECKING:
    from tests.unit.conftest import Hosted

BRANCH = "self-heal/orders-v1-abc"

Opener = Callable[..., PullRequest]


@pytest.fixture
def warnings() -> list[str]:
    return []


@pytest.fixture
def opener(hosted: Hosted, warnings: list[str]) -> Opener:
    def call(commit: str, **changes: Any) -> PullRequest:
        app = replace(hosted.app, **changes)
        repository = connect(app, hosted.token)
        return open_pull_request(
            repository, app, branch=BRANCH, commit_sha=commit, title="Fix", body="why", warn=warnings.append
        )

    return call


def pulls(hosted: Hosted) -> int:
    return connect(hosted.app, hosted.token).get_pulls(state="all").totalCount


def test_a_pull_request_is_opened_with_its_reviewers(
    hosted: Hosted, opener: Opener, warnings: list[str]
) -> None:
    opened = opener(hosted.branch(BRANCH))
    pull = connect(hosted.app, hosted.token).get_pull(opened.number)
    assert (pull.title, pull.body, pull.head.ref, pull.base.ref) == ("Fix", "why", BRANCH, "main")
    assert [user.login for user in pull.requested_reviewers] == ["reviewer"]
    assert (opened.url, warnings) == (pull.html_url, [])


def test_twice_is_once(hosted: Hosted, opener: Opener) -> None:
    commit = hosted.branch(BRANCH)
    assert opener(commit) == opener(commit)
    assert pulls(hosted) == 1


def test_one_that_was_merged_meanwhile_is_found(hosted: Hosted, opener: Opener) -> None:
    commit = hosted.branch(BRANCH)
    opened = opener(commit)
    connect(hosted.app, hosted.token).get_pull(opened.number).merge()
    assert opener(commit) == opened
    assert pulls(hosted) == 1


def test_a_branch_that_somebody_moved_is_refused(hosted: Hosted, opener: Opener) -> None:
    hosted.branch(BRANCH)
    with pytest.raises(BranchConflict, match="not the approved commit"):
        opener(hosted.base_sha)


def test_a_reviewer_whom_the_forge_does_not_know_loses_nothing(
    hosted: Hosted, opener: Opener, warnings: list[str]
) -> None:
    assert opener(hosted.branch(BRANCH), reviewers=("nobody",)).number == 1
    assert "nobody" in warnings[0]


def test_wrong_credentials_are_named(hosted: Hosted) -> None:
    with pytest.raises(ForgeAccessDenied, match="/self-heal/credentials/orders"):
        open_pull_request(
            connect(hosted.app, "wrong"),
            hosted.app,
            branch=BRANCH,
            commit_sha=hosted.base_sha,
            title="t",
            body="b",
            warn=print,
        )


def test_a_repository_that_is_not_there_is_named(hosted: Hosted, opener: Opener) -> None:
    with pytest.raises(RepositoryNotFound, match="shop/nothing"):
        opener(hosted.base_sha, repository=f"{hosted.forge.url}/shop/nothing.git")


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_forge_in_trouble_is_worth_a_retry(hosted: Hosted, opener: Opener, status: int) -> None:
    hosted.forge.outage = Outage(status)
    with pytest.raises(ForgeUnavailable):
        opener(hosted.base_sha)


def test_a_forge_that_is_down_is_worth_a_retry_and_then_works(hosted: Hosted, opener: Opener) -> None:
    commit = hosted.branch(BRANCH)
    hosted.forge.stop()
    with pytest.raises(ForgeUnavailable, match="not reachable"):
        opener(commit)
    hosted.forge.start()
    assert opener(commit).number == 1
