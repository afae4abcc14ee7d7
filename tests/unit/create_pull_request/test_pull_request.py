"""Opening pull requests on a forge that is really there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from functions.core.forge.connect import connect
from functions.core.forge.port import PullRequest, State
from functions.core.workflow.errors import (
    ApprovalMismatch,
    BranchConflict,
    ForgeAccessDenied,
    ForgeUnavailable,
    RepositoryNotFound,
)
from functions.create_pull_request.pull_request import ApprovedCommit, open_pull_request
from functions.create_pull_request.reviewers import Reviewer
from tests.fakes.forge import Outage

if TYPE_CHECKING:
    from tests.unit.conftest import Hosted

BRANCH = "self-heal/orders-v1-abc"

Opener = Callable[..., PullRequest]


@pytest.fixture
def warnings() -> list[str]:
    return []


@pytest.fixture
def opener(hosted: Hosted, warnings: list[str]) -> Opener:
    def call(commit: str, base: str = "", token: str = hosted.token, **changes: Any) -> PullRequest:
        app = replace(hosted.app, **changes)
        approved = ApprovedCommit(BRANCH, commit, base or hosted.base_sha)
        asked = tuple(Reviewer(name, "named") for name in app.reviewers)
        return open_pull_request(
            connect(app, token), app, approved, title="Fix", body="why", asked=asked, warn=warnings.append
        )

    return call


def test_a_pull_request_is_opened_with_its_reviewers(
    hosted: Hosted, opener: Opener, warnings: list[str]
) -> None:
    commit = hosted.branch(BRANCH)
    opened = opener(commit)
    assert (opened.branch, opened.base, opened.head_sha, opened.state) == (BRANCH, "main", commit, State.OPEN)
    (pull,) = hosted.pulls()
    asked = [user.login for user in pull.requested_reviewers]
    assert (pull.title, pull.body, asked, warnings) == ("Fix", "why", ["reviewer"], [])


def test_twice_is_once(hosted: Hosted, opener: Opener) -> None:
    commit = hosted.branch(BRANCH)
    assert opener(commit) == opener(commit)
    assert len(hosted.pulls()) == 1


def test_one_that_was_merged_meanwhile_is_found(hosted: Hosted, opener: Opener) -> None:
    commit = hosted.branch(BRANCH)
    opened = opener(commit)
    hosted.github.get_pull(opened.number).merge()
    again = opener(commit)
    assert (again.number, again.state) == (opened.number, State.MERGED)
    assert len(hosted.pulls()) == 1


@pytest.mark.parametrize("api", ["GitHub", "GitLab"])
def test_one_that_was_merged_with_a_reviewers_commit_on_top_is_found(
    hosted: Hosted, opener: Opener, api: str
) -> None:
    url = hosted.forge.api_url if api == "GitHub" else hosted.forge.gitlab_api_url
    commit = hosted.branch(BRANCH)
    opened = opener(commit, forge_api=url)
    hosted.branch(BRANCH, "theirs.txt", on=commit)
    hosted.github.get_pull(opened.number).merge()
    again = opener(commit, forge_api=url)
    assert (again.number, again.state) == (opened.number, State.MERGED)


@pytest.mark.parametrize("api", ["GitHub", "GitLab"])
@pytest.mark.parametrize("ended", ["merged", "closed"])
def test_one_of_an_earlier_heal_of_the_same_incident_is_none_of_this_one(
    hosted: Hosted, opener: Opener, api: str, ended: str
) -> None:
    """Its app was removed and registered again, so that nothing knows of it but the forge."""
    url = hosted.forge.api_url if api == "GitHub" else hosted.forge.gitlab_api_url
    earlier = opener(hosted.branch(BRANCH), forge_api=url)
    pull = hosted.github.get_pull(earlier.number)
    pull.merge() if ended == "merged" else pull.edit(state="closed")
    hosted.git("update-ref", "-d", f"refs/heads/{BRANCH}")
    hosted.git("update-ref", "refs/heads/main", hosted.base_sha)
    commit = hosted.branch(BRANCH, "anew.txt")

    opened = opener(commit, forge_api=url)

    assert (opened.head_sha, opened.state) == (commit, State.OPEN)
    assert opened.number != earlier.number
    assert opener(commit, forge_api=url) == opened


def test_a_branch_that_somebody_moved_is_refused(hosted: Hosted, opener: Opener) -> None:
    opened = opener(hosted.branch(BRANCH))
    moved = hosted.branch(BRANCH, "another.txt")
    assert moved != opened.head_sha
    with pytest.raises(BranchConflict, match="not the approved commit"):
        opener(opened.head_sha)


@pytest.mark.parametrize("api", ["GitHub", "GitLab"])
def test_a_branch_that_was_deleted_after_its_commit_is_named_and_opens_once_it_is_back(
    hosted: Hosted, opener: Opener, api: str
) -> None:
    url = hosted.forge.api_url if api == "GitHub" else hosted.forge.gitlab_api_url
    commit = hosted.branch(BRANCH)
    hosted.git("update-ref", "-d", f"refs/heads/{BRANCH}")
    with pytest.raises(BranchConflict, match=f"branch '{BRANCH}' was deleted.*{commit}, then redrive"):
        opener(commit, forge_api=url)
    assert not hosted.pulls()
    hosted.git("update-ref", f"refs/heads/{BRANCH}", commit)
    assert opener(commit, forge_api=url).head_sha == commit


def test_a_base_that_is_not_on_the_target_branch_opens_nothing(hosted: Hosted, opener: Opener) -> None:
    """A colleague's unreviewed commit must not come along."""
    colleague = hosted.branch("colleague", "theirs.txt")
    commit = hosted.branch(BRANCH, "ours.txt", on=colleague)
    with pytest.raises(ApprovalMismatch, match=f"2 commits since {hosted.base_sha}.* one since {colleague}"):
        opener(commit, base=colleague)
    assert not hosted.pulls()


def test_a_base_that_the_target_branch_has_left_behind_is_as_good(hosted: Hosted, opener: Opener) -> None:
    commit = hosted.branch(BRANCH, "ours.txt")
    hosted.branch("main", "merged-meanwhile.txt")
    assert opener(commit).state is State.OPEN


def test_a_target_branch_that_was_rewritten_is_seen(hosted: Hosted, opener: Opener) -> None:
    later = hosted.branch("main", "later.txt")
    commit = hosted.branch(BRANCH, "ours.txt", on=later)
    assert opener(commit, base=later).state is State.OPEN
    hosted.git("update-ref", "refs/heads/main", hosted.base_sha)
    with pytest.raises(ApprovalMismatch, match="no longer on 'main'"):
        opener(commit, base=later)


def test_a_reviewer_whom_the_forge_does_not_know_loses_nothing(
    hosted: Hosted, opener: Opener, warnings: list[str]
) -> None:
    assert opener(hosted.branch(BRANCH), reviewers=("nobody",)).number == 1
    assert "nobody" in warnings[0]


def test_wrong_credentials_are_named(hosted: Hosted, opener: Opener) -> None:
    with pytest.raises(ForgeAccessDenied, match="/self-heal/credentials/orders"):
        opener(hosted.base_sha, token="wrong")


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
