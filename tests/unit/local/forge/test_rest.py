"""GitHub's REST API as PyGithub uses it: every operation, and every refusal that a heal can meet."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from github import BadCredentialsException, GithubException, UnknownObjectException

if TYPE_CHECKING:
    from tests.unit.local.forge.conftest import Site

PULLS = "/api/v3/repos/acme/orders/pulls"


def send(site: Site, method: str, path: str, body: bytes) -> Any:
    return site.request(method, path, body, {"Authorization": f"token {site.token}"})


def messages(error: GithubException) -> list[str]:
    assert isinstance(error.data, dict)
    return [one["message"] for one in error.data["errors"]]


def test_the_token_s_account_and_the_repository(site: Site) -> None:
    github = site.github()
    repo = github.get_repo("acme/orders")

    assert github.get_user().login == "self-heal-bot"
    assert (repo.full_name, repo.default_branch, repo.private) == ("acme/orders", "main", True)
    assert repo.owner.login == "acme"
    assert repo.html_url == f"{site.forge.url}/acme/orders"
    assert repo.clone_url == f"{site.forge.url}/acme/orders.git"


def test_branches(site: Site) -> None:
    sha = site.push("self-heal/orders-1f", {"a.py": "A = 1\n"}, message="Add A")
    repo = site.github().get_repo("acme/orders")

    assert repo.get_branch("main").commit.sha == site.first_sha
    pushed = repo.get_branch("self-heal/orders-1f").commit
    assert (pushed.sha, pushed.commit.message) == (sha, "Add A")


@pytest.mark.parametrize(
    "name", ["none", "main~0", "main^{commit}", "HEAD", "@", "-h", "../main", "main\x00", "é"]
)
def test_what_is_not_a_branch_is_not_found(site: Site, name: str) -> None:
    repo = site.github().get_repo("acme/orders")

    with pytest.raises(GithubException) as branch:
        repo.get_branch(name)

    assert branch.value.status == 404


def test_a_pull_request_is_opened_with_what_github_tells_about_it(site: Site, fixed: str) -> None:
    repo = site.github().get_repo("acme/orders")

    pull = repo.create_pull(base="main", head="acme:fix", title="Unknown items", body="They **crash**.")

    assert (pull.number, pull.state, pull.merged, pull.mergeable) == (1, "open", False, True)
    assert pull.html_url == f"{site.forge.url}/acme/orders/pull/1"
    assert pull.url == f"{site.forge.api_url}/repos/acme/orders/pulls/1"
    assert (pull.head.ref, pull.head.sha, pull.head.label) == ("fix", fixed, "acme:fix")
    assert (pull.base.ref, pull.base.sha) == ("main", site.first_sha)
    assert pull.head.repo.full_name == "acme/orders"
    assert (pull.title, pull.body, pull.user.login) == ("Unknown items", "They **crash**.", "self-heal-bot")
    assert {pull.merged_at, pull.closed_at, pull.merge_commit_sha} == {None}
    assert repo.get_pull(1).title == "Unknown items"


def test_a_second_pull_request_for_the_same_branch_is_refused(site: Site, fixed: str) -> None:
    repo = site.github().get_repo("acme/orders")
    repo.create_pull(base="main", head="fix", title="One")

    with pytest.raises(GithubException) as refused:
        repo.create_pull(base="main", head="fix", title="Two")

    assert refused.value.status == 422
    assert refused.value.data["message"] == "Validation Failed"
    assert messages(refused.value) == ["A pull request already exists for acme:fix."]
    assert repo.get_pulls(state="all").totalCount == 1


def test_nothing_to_merge_is_refused(site: Site) -> None:
    repo = site.github().get_repo("acme/orders")
    site.clone().git.push("origin", "HEAD:refs/heads/same")

    with pytest.raises(GithubException) as refused:
        repo.create_pull(base="main", head="same", title="Nothing")

    assert refused.value.status == 422
    assert messages(refused.value) == ["No commits between main and same"]


def test_unrelated_histories_are_refused(site: Site) -> None:
    clone = site.clone()
    clone.git.checkout("--orphan", "other")
    clone.git.commit("-m", "Other root")
    clone.git.push("origin", "other")

    with pytest.raises(GithubException) as refused:
        site.github().get_repo("acme/orders").create_pull(base="main", head="other", title="T")

    assert messages(refused.value) == ["The other branch has no history in common with main"]


@pytest.mark.parametrize(
    ("change", "field", "code"),
    [
        ({"head": "none"}, "head", "invalid"),
        ({"head": "stranger:fix"}, "head", "invalid"),
        ({"head": ["fix"]}, "head", "invalid"),
        ({"head": "fix\x00"}, "head", "invalid"),
        ({"head": "\ud800"}, "head", "invalid"),
        ({"base": "none"}, "base", "invalid"),
        ({"base": "--help"}, "base", "invalid"),
        ({"title": " "}, "title", "missing_field"),
        ({"title": None}, "title", "missing_field"),
        ({"title": "t" * 257}, "title", "custom"),
        ({"body": "b" * 65_537}, "body", "custom"),
        ({"body": 7}, "body", "invalid"),
    ],
)
def test_invalid_fields_are_named(
    site: Site, fixed: str, change: dict[str, Any], field: str, code: str
) -> None:
    data = {"title": "T", "head": "fix", "base": "main"} | change

    answer = send(site, "POST", PULLS, json.dumps(data).encode())

    assert answer.status == 422
    (error,) = json.loads(answer.body)["errors"]
    assert (error["resource"], error["field"], error["code"]) == ("PullRequest", field, code)
    assert json.loads(site.request("GET", PULLS, headers={"Authorization": f"token {site.token}"}).body) == []


@pytest.mark.parametrize(
    ("body", "status"),
    [(b"{", 400), (b"7", 400), (b"\xff", 400), (b"[" * 100_000, 400), (b" " * 1_100_000, 413)],
)
def test_bodies_that_are_no_json_object(site: Site, body: bytes, status: int) -> None:
    assert send(site, "POST", PULLS, body).status == status


def test_pull_requests_are_found_by_state_head_and_base(site: Site, fixed: str) -> None:
    repo = site.github().get_repo("acme/orders")
    site.push("second", {"b.py": "B = 1\n"})
    repo.create_pull(base="main", head="fix", title="First").edit(state="closed")
    repo.create_pull(base="main", head="second", title="Second")
    repo.create_pull(base="main", head="fix", title="Third")

    def numbers(**query: str) -> list[int]:
        return [pull.number for pull in repo.get_pulls(**query)]

    assert numbers() == [3, 2]
    assert numbers(state="closed") == [1]
    assert numbers(state="all", direction="asc") == [1, 2, 3]
    assert numbers(state="all", head="acme:fix") == [3, 1]
    assert numbers(head="acme:fix", base="main") == [3]
    assert numbers(head="acme:none") == numbers(base="fix") == numbers(head="stranger:fix") == []


def test_lists_come_in_pages_with_links(site: Site, fixed: str) -> None:
    pull = site.github().get_repo("acme/orders").create_pull(base="main", head="fix", title="T")
    for number in range(65):
        pull.create_issue_comment(f"Comment {number}")
    path = "/api/v3/repos/acme/orders/issues/1/comments"

    assert [comment.body for comment in pull.get_issue_comments()] == [f"Comment {n}" for n in range(65)]
    middle = send(site, "GET", f"{path}?per_page=20&page=2&x=%0d%0aX-Evil:%20%3E;1", b"")
    assert len(json.loads(middle.body)) == 20
    assert "X-Evil" not in middle.headers
    evil = "x=%0D%0AX-Evil%3A+%3E%3B1"
    url = f"{site.forge.url}{path}?per_page=20&page={{}}&{evil}"
    assert middle.headers["Link"] == ", ".join(
        f'<{url.format(page)}>; rel="{relation}"'
        for relation, page in (("prev", 1), ("first", 1), ("next", 3), ("last", 4))
    )
    assert json.loads(send(site, "GET", f"{path}?per_page=999&page=9", b"").body) == []


def test_a_pull_request_can_be_edited_closed_and_reopened(site: Site, fixed: str) -> None:
    repo = site.github().get_repo("acme/orders")
    pull = repo.create_pull(base="main", head="fix", title="Before", body="Before")

    pull.edit(title="After", body="")
    assert repo.get_pull(1).title == "After"
    assert not repo.get_pull(1).body
    pull.edit(state="closed")
    assert (repo.get_pull(1).state, repo.get_pull(1).merged) == ("closed", False)
    assert repo.get_pull(1).closed_at is not None
    pull.edit(state="open")
    assert (repo.get_pull(1).state, repo.get_pull(1).closed_at) == ("open", None)
    changes: tuple[dict[str, Any], ...] = ({"title": " "}, {"state": "merged"})
    for change in changes:
        with pytest.raises(GithubException) as refused:
            pull.edit(**change)
        assert refused.value.status == 422


def test_reviews_labels_and_comments(site: Site, fixed: str) -> None:
    repo = site.github().get_repo("acme/orders")
    pull = repo.create_pull(base="main", head="fix", title="T")

    pull.create_review_request(reviewers=["ann", "acme"])
    pull.add_to_labels("self-heal", "bug")
    pull.add_to_labels("bug")
    comment = pull.create_issue_comment("Looks **good**.")

    fresh = repo.get_pull(1)
    assert [user.login for user in fresh.requested_reviewers] == ["ann", "acme"]
    assert [label.name for label in fresh.labels] == ["self-heal", "bug"]
    assert (comment.body, comment.user.login) == ("Looks **good**.", "self-heal-bot")
    assert [one.body for one in fresh.get_issue_comments()] == ["Looks **good**."]


@pytest.mark.parametrize(
    ("reviewer", "message"),
    [
        ("stranger", "Reviews may only be requested from collaborators."),
        ("self-heal-bot", "pull request author"),
    ],
)
def test_only_collaborators_can_be_asked_for_a_review(
    site: Site, fixed: str, reviewer: str, message: str
) -> None:
    repo = site.github().get_repo("acme/orders")
    pull = repo.create_pull(base="main", head="fix", title="T")

    with pytest.raises(GithubException) as refused:
        pull.create_review_request(reviewers=["ann", reviewer])

    assert refused.value.status == 422
    assert message in refused.value.data["message"]
    assert repo.get_pull(1).requested_reviewers == []


def test_a_merge_is_a_merge_commit_on_the_base_branch(site: Site, fixed: str) -> None:
    repo = site.github().get_repo("acme/orders")
    pull = repo.create_pull(base="main", head="fix", title="Unknown items")

    result = pull.merge(sha=fixed)

    assert result.merged
    merged = repo.get_pull(1)
    assert (merged.state, merged.merged, merged.merge_commit_sha) == ("closed", True, result.sha)
    assert merged.merged_at is not None
    assert merged.merged_by.login == "self-heal-bot"
    assert merged.is_merged()
    clone = site.clone()
    commit = clone.head.commit
    assert commit.hexsha == result.sha
    assert [parent.hexsha for parent in commit.parents] == [site.first_sha, fixed]
    assert commit.message == "Merge pull request #1 from acme/fix\n\nUnknown items\n"
    assert "PRICES.get" in Path(clone.working_dir, "app.py").read_text(encoding="utf-8")


def test_merges_that_github_refuses(site: Site, fixed: str) -> None:
    repo = site.github().get_repo("acme/orders")
    pull = repo.create_pull(base="main", head="fix", title="T")

    def refusal(**options: Any) -> tuple[int, str]:
        with pytest.raises(GithubException) as refused:
            pull.merge(**options)
        return refused.value.status, refused.value.data["message"]

    assert not pull.is_merged()
    assert refusal(sha="0" * 40)[0] == 409
    assert refusal(merge_method="octopus")[0] == 422
    pull.edit(state="closed")
    assert refusal() == (405, "Pull Request is not mergeable")
    pull.edit(state="open")
    site.push("main", {"app.py": "PRICES = {}\n"})
    assert repo.get_pull(1).mergeable is False
    assert refusal() == (405, "Pull Request is not mergeable")
    assert repo.get_pull(1).state == "open"


def test_a_merged_pull_request_stays_merged(site: Site, fixed: str) -> None:
    pull = site.github().get_repo("acme/orders").create_pull(base="main", head="fix", title="T")
    pull.merge()

    with pytest.raises(GithubException) as again:
        pull.merge()
    with pytest.raises(GithubException) as reopened:
        pull.edit(state="open")

    assert (again.value.status, reopened.value.status) == (405, 422)


def test_a_pull_request_follows_its_branches(site: Site, fixed: str) -> None:
    repo = site.github().get_repo("acme/orders")
    repo.create_pull(base="main", head="fix", title="Pushed to")
    site.push("doomed", {"d.py": "D = 1\n"})
    repo.create_pull(base="main", head="doomed", title="Branch deleted")

    newer = site.push("fix", {"more.py": "M = 1\n"})
    assert repo.get_pull(1).head.sha == newer
    clone = site.clone()
    clone.git.push("origin", "--delete", "doomed")
    assert (repo.get_pull(2).state, repo.get_pull(2).merged) == ("closed", False)
    clone.git.merge("--no-ff", "origin/fix")
    clone.git.push("origin", "HEAD:main")
    merged = repo.get_pull(1)
    assert (merged.state, merged.merged) == ("closed", True)
    assert merged.merge_commit_sha == clone.head.commit.hexsha


def test_credentials(site: Site, source: Path, fixed: str) -> None:
    site.forge.create_repository("acme/open", source, private=False)

    with pytest.raises(BadCredentialsException) as wrong:
        site.github("wrong").get_repo("acme/orders")
    assert (wrong.value.status, wrong.value.data["message"]) == (401, "Bad credentials")
    with pytest.raises(BadCredentialsException):
        site.github("wrong").get_repo("acme/open")
    with pytest.raises(UnknownObjectException):
        site.github(None).get_repo("acme/orders")
    assert site.github(None).get_repo("acme/open").private is False
    with pytest.raises(GithubException) as anonymous:
        site.github(None).get_repo("acme/open").create_pull(base="main", head="x", title="T")
    assert anonymous.value.status == 401
    assert site.request("GET", "/api/v3/user").status == 401


@pytest.mark.parametrize("scheme", ["token", "Bearer", "bearer"])
def test_both_authorization_schemes_are_taken(site: Site, scheme: str) -> None:
    answer = site.request("GET", "/api/v3/user", headers={"Authorization": f"{scheme} {site.token}"})

    assert json.loads(answer.body)["login"] == "self-heal-bot"


@pytest.mark.parametrize(
    "path",
    [
        "/repos/acme/none",
        "/repos/acme/orders/pulls/1",
        "/repos/acme/orders/pulls/99999999999999999999",
        "/repos/acme/orders/issues/0/comments",
        "/repos/acme/orders/nothing",
        "/repos/acme/..",
        "/repos/%2e%2e/orders",
        "/repos/acme/orders.git",
        "/repos//orders",
        "/../../etc/passwd",
        "/",
    ],
)
def test_unknown_things_are_not_found_in_github_s_words(site: Site, path: str) -> None:
    answer = send(site, "GET", f"/api/v3{path}", b"")

    assert answer.status == 404
    assert json.loads(answer.body)["message"] == "Not Found"


def test_clients_see_that_they_need_not_slow_down(site: Site) -> None:
    github = site.github()
    github.get_repo("acme/orders")

    assert github.rate_limiting == (5000, 5000)


def test_two_commits_are_compared_by_branch_tag_or_id(site: Site, fixed: str) -> None:
    repo = site.github().get_repo("acme/orders")
    site.forge._store.git("acme/orders")._run("tag", "v1", site.first_sha)
    for one in ("main", "v1", site.first_sha, site.first_sha[:8]):
        found = repo.compare(one, "fix")
        assert (found.merge_base_commit.sha, found.ahead_by, found.behind_by) == (site.first_sha, 1, 0)
        assert (found.status, [commit.sha for commit in found.commits]) == ("ahead", [fixed])
    assert repo.compare("fix", "main").status == "behind"
    assert repo.compare("fix", fixed).status == "identical"


@pytest.mark.parametrize("name", ["none", "main~0", "HEAD", "@", "-h", "../main", "main^{tree}"])
def test_what_is_no_commit_cannot_be_compared(site: Site, name: str) -> None:
    with pytest.raises(UnknownObjectException):
        site.github().get_repo("acme/orders").compare("main", name)
