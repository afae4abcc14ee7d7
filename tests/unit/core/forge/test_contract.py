"""What every adapter of the forge port does, on a forge that is really there and speaks its API."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from functions.core.apps.app import App
from functions.core.forge.connect import connect
from functions.core.forge.github import GitHub
from functions.core.forge.gitlab import GitLab
from functions.core.forge.port import Comparison, Conclusion, Forge, State
from functions.core.workflow.errors import (
    ForgeAccessDenied,
    ForgeRefused,
    ForgeUnavailable,
    RepositoryNotFound,
)
from tests.fakes.forge import Outage

if TYPE_CHECKING:
    from tests.unit.conftest import Hosted

BRANCH = "self-heal/orders-v1-abc"


@pytest.fixture(params=["GitHub", "GitLab"])
def app(hosted: Hosted, request: pytest.FixtureRequest) -> App:
    apis = {"GitHub": hosted.forge.api_url, "GitLab": hosted.forge.gitlab_api_url}
    return replace(hosted.app, forge_api=apis[request.param])


@pytest.fixture
def forge(hosted: Hosted, app: App) -> Forge:
    return connect(app, hosted.token)


def test_opened_found_and_got_are_the_same(hosted: Hosted, forge: Forge) -> None:
    commit = hosted.branch(BRANCH)
    assert forge.find(BRANCH, "main") is None
    opened = forge.open(BRANCH, "main", "Fix", "why")
    assert (opened.branch, opened.base, opened.head_sha, opened.state) == (BRANCH, "main", commit, State.OPEN)
    assert forge.find(BRANCH, "main") == opened == forge.get(opened.number)
    assert forge.number(opened.url) == opened.number
    (pull,) = hosted.pulls()
    assert (pull.title, pull.body) == ("Fix", "why")


def test_another_s_branch_is_not_found(hosted: Hosted, forge: Forge) -> None:
    hosted.branch(f"{BRANCH}-2")
    forge.open(f"{BRANCH}-2", "main", "Fix", "why")
    assert forge.find(BRANCH, "main") is None
    assert forge.find(f"{BRANCH}-2", "release") is None


def test_one_that_is_open_already_is_not_opened_again(hosted: Hosted, forge: Forge) -> None:
    """Another run was faster, between the look and the request."""
    hosted.branch(BRANCH)
    assert forge.open(BRANCH, "main", "Fix", "why") == forge.open(BRANCH, "main", "Fix again", "why")
    assert len(hosted.pulls()) == 1


def test_of_several_the_newest_is_found(hosted: Hosted, forge: Forge) -> None:
    hosted.branch(BRANCH)
    first = forge.open(BRANCH, "main", "Fix", "why")
    hosted.github.get_pull(first.number).edit(state="closed")
    assert forge.find(BRANCH, "main") == replace(first, state=State.CLOSED)
    second = forge.open(BRANCH, "main", "Fix", "why")
    assert forge.find(BRANCH, "main") == second != first


def test_a_merged_one_names_what_it_put_on_its_branch(hosted: Hosted, forge: Forge) -> None:
    hosted.branch(BRANCH)
    opened = forge.open(BRANCH, "main", "Fix", "why")
    assert opened.merge_sha == ""
    hosted.github.get_pull(opened.number).merge()
    merged = forge.get(opened.number)
    assert (merged.state, merged.merge_sha) == (State.MERGED, hosted.git("rev-parse", "main"))


@pytest.mark.parametrize("missing", ["head", "base"])
def test_without_its_branches_none_is_opened(hosted: Hosted, forge: Forge, missing: str) -> None:
    hosted.branch(BRANCH)
    head, base = ("gone", "main") if missing == "head" else (BRANCH, "gone")
    with pytest.raises(ForgeRefused):
        forge.open(head, base, "Fix", "why")


def test_reviewers_are_asked_and_a_stranger_is_told(hosted: Hosted, forge: Forge) -> None:
    hosted.branch(BRANCH)
    opened = forge.open(BRANCH, "main", "Fix", "why")
    assert forge.ask_reviewers(opened, ["nobody-of-this-name"]) == ("nobody-of-this-name",)
    assert forge.ask_reviewers(opened, ["nobody-of-this-name", "reviewer"]) == ("nobody-of-this-name",)
    assert forge.ask_reviewers(opened, ["shop"]) == ()
    asked = [user.login for user in hosted.pulls()[0].requested_reviewers]
    assert asked == ["reviewer", "shop"], "whoever was asked before stays asked"


def test_who_owns_files_is_read_as_the_forge_reads_it(hosted: Hosted, forge: Forge) -> None:
    assert forge.owners("main", ["rates.py"]) == ()
    rules = b"* @shop/everything\n*.py @reviewer @shop\n"
    commit = hosted.branch("main", "CODEOWNERS", content=rules)
    assert forge.owners(commit, ["rates.py", "README.md"]) == ("reviewer", "shop", "shop/everything")
    assert forge.owners(hosted.base_sha, ["rates.py"]) == (), "in that commit"


def test_who_wrote_lines_last_is_told_newest_first_without_whom_the_forge_does_not_know(
    hosted: Hosted, forge: Forge
) -> None:
    first, second, third = b"a = 1\nb = 2\nc = 3\n", b"a = 1\nb = 20\nc = 3\n", b"a = 1\nb = 20\nc = 30\n"
    old = hosted.branch("main", "new.py", content=first, by="stranger", at="2026-01-01T00:00:00Z")
    mid = hosted.branch("main", "new.py", on=old, content=second, by="shop", at="2026-01-02T00:00:00Z")
    new = hosted.branch("main", "new.py", on=mid, content=third, by="reviewer", at="2026-01-03T00:00:00Z")
    assert forge.last_authors(new, "new.py", {1, 2, 3}) == ("reviewer", "shop")
    assert forge.last_authors(new, "new.py", {2}) == ("shop",)
    assert forge.last_authors(mid, "new.py", {3, 4}) == ()


def test_two_commits_are_compared_by_whatever_names_them(hosted: Hosted, forge: Forge) -> None:
    first = hosted.branch(BRANCH, "a.txt")
    second = hosted.branch(BRANCH, "b.txt", on=first)
    later = hosted.branch("main", "c.txt")
    hosted.git("tag", "v1", hosted.base_sha)
    assert forge.compare("main", BRANCH) == Comparison(hosted.base_sha, 2)
    assert forge.compare("main", first) == Comparison(hosted.base_sha, 1)
    assert forge.compare(second, first) == Comparison(first, 0)
    assert forge.compare("v1", later) == Comparison(hosted.base_sha, 1)
    assert forge.compare(later, "v1") == Comparison(hosted.base_sha, 0)


@pytest.mark.parametrize("name", ["gone", "0" * 40, "main~0", "--all", "refs/heads/main^{tree}"])
def test_what_is_no_commit_is_not_there(hosted: Hosted, forge: Forge, name: str) -> None:
    with pytest.raises(RepositoryNotFound):
        forge.compare("main", name)
    with pytest.raises(RepositoryNotFound):
        forge.compare(name, "main")


def test_histories_with_nothing_in_common_cannot_be_compared(hosted: Hosted, forge: Forge) -> None:
    identity = ("-c", "user.name=t", "-c", "user.email=t@example.com")
    tree = hosted.git("rev-parse", f"{hosted.base_sha}^{{tree}}")
    other = hosted.git(*identity, "commit-tree", tree, "-m", "another beginning")
    with pytest.raises(RepositoryNotFound):
        forge.compare("main", other)


def test_a_repository_is_looked_at_for_who_set_it_up(hosted: Hosted, forge: Forge) -> None:
    seen = forge.survey("main", hosted.base_sha, ["reviewer", "nobody-of-this-name"])
    assert (seen.may_push, seen.administers, seen.archived) == (True, False, False)
    assert (seen.has_branch, seen.protected, seen.has_revision) == (True, False, True)
    assert seen.strangers == ("nobody-of-this-name",)
    gone = forge.survey("gone", "0" * 40, [])
    assert (gone.has_branch, gone.has_revision) == (False, False)


def test_a_draft_becomes_ready_and_keeps_its_title(hosted: Hosted, forge: Forge) -> None:
    hosted.branch(BRANCH)
    opened = forge.open(BRANCH, "main", "Fix", "why", draft=True)
    assert opened.draft
    forge.describe(opened.number, "Fix better", "because")
    assert forge.get(opened.number).draft, "another title is no decision"
    forge.ready(opened.number)
    assert not forge.get(opened.number).draft
    (pull,) = hosted.pulls()
    assert (pull.title, pull.body) == ("Fix better", "because")


def test_labels_are_added(hosted: Hosted, forge: Forge) -> None:
    hosted.branch(BRANCH)
    opened = forge.open(BRANCH, "main", "Fix", "why")
    forge.label(opened.number, ["self-heal"])
    forge.label(opened.number, ["self-heal", "proven"])
    assert [label.name for label in hosted.pulls()[0].labels] == ["self-heal", "proven"]


def test_what_people_write_is_read_in_order_and_changes_that_they_ask_for_are_told_apart(
    hosted: Hosted, forge: Forge
) -> None:
    hosted.branch(BRANCH)
    number = forge.open(BRANCH, "main", "Fix", "why").number
    forge.remark(number, "Ours.")
    hosted.forge.say("shop/orders", number, "Looks odd.", "stranger")
    hosted.forge.say("shop/orders", number, "Keep the default.", "reviewer", changes_requested=True)
    remarks = forge.remarks(number)
    assert [(one.author, one.text) for one in remarks if one.text] == [
        ("self-heal-bot", "Ours."),
        ("stranger", "Looks odd."),
        ("reviewer", "Keep the default."),
    ]
    assert {one.author for one in remarks if one.asks_changes} == {"reviewer"}
    assert all(one.at.endswith("+00:00") for one in remarks)
    assert [forge.may_push(name) for name in ("reviewer", "stranger")] == [True, False]


def test_checks_say_how_they_ended_and_a_failed_one_what_it_printed(hosted: Hosted, forge: Forge) -> None:
    commit = hosted.branch(BRANCH)
    assert forge.checks(commit) == ()
    hosted.check(commit, "lint", "success")
    hosted.check(commit, "tests", "failure", "x" * 10_000 + "\nFAILED tests/test_rates.py::test_rate\n")
    hosted.check(commit, "docs", "")
    ended = {check.name: check for check in forge.checks(commit)}
    assert {name: check.conclusion for name, check in ended.items()} == {
        "lint": Conclusion.PASSED,
        "tests": Conclusion.FAILED,
        "docs": Conclusion.PENDING,
    }
    printed = forge.output(ended["tests"])
    assert printed.endswith("FAILED tests/test_rates.py::test_rate\n")
    assert len(printed) == 6_000
    hosted.check(commit, "tests", "success")
    again = {check.name: check.conclusion for check in forge.checks(commit)}
    assert again["tests"] is Conclusion.PASSED, "the last word counts"


def test_what_a_pull_request_changes_is_told_file_by_file(hosted: Hosted, forge: Forge) -> None:
    hosted.branch(BRANCH, content=b"one\ntwo\n")
    number = forge.open(BRANCH, "main", "Fix", "why").number
    assert forge.changes(number).rstrip() == "--- new.txt\n@@ -0,0 +1,2 @@\n+one\n+two"


CALLS: dict[str, Callable[[Forge], object]] = {
    "find": lambda forge: forge.find(BRANCH, "main"),
    "open": lambda forge: forge.open(BRANCH, "main", "Fix", "why"),
    "get": lambda forge: forge.get(1),
    "compare": lambda forge: forge.compare("main", BRANCH),
    "survey": lambda forge: forge.survey("main", "main", ["reviewer"]),
    "remarks": lambda forge: forge.remarks(1),
    "remark": lambda forge: forge.remark(1, "said"),
    "changes": lambda forge: forge.changes(1),
    "checks": lambda forge: forge.checks("0" * 40),
    "last_authors": lambda forge: forge.last_authors("0" * 40, "rates.py", {1}),
    "may_push": lambda forge: forge.may_push("reviewer"),
    "label": lambda forge: forge.label(1, ["self-heal"]),
    "ready": lambda forge: forge.ready(1),
    "describe": lambda forge: forge.describe(1, "Fix", "why"),
}


@pytest.mark.parametrize("call", CALLS)
class TestTrouble:
    """Each failure has its own name, whatever was asked."""

    def test_credentials_that_are_refused(self, hosted: Hosted, app: App, call: str) -> None:
        with pytest.raises(ForgeAccessDenied, match="/self-heal/credentials/orders"):
            CALLS[call](connect(app, "wrong"))

    def test_a_repository_that_is_not_there(self, hosted: Hosted, app: App, call: str) -> None:
        gone = replace(app, repository=f"{hosted.forge.url}/shop/nothing.git")
        with pytest.raises(RepositoryNotFound, match="shop/nothing"):
            CALLS[call](connect(gone, hosted.token))

    @pytest.mark.parametrize("status", [429, 500, 503])
    def test_a_forge_in_trouble(self, hosted: Hosted, forge: Forge, call: str, status: int) -> None:
        hosted.forge.outage = Outage(status)
        with pytest.raises(ForgeUnavailable):
            CALLS[call](forge)

    def test_a_forge_that_is_down(self, hosted: Hosted, forge: Forge, call: str) -> None:
        hosted.forge.stop()
        with pytest.raises(ForgeUnavailable, match="not reachable"):
            CALLS[call](forge)


@pytest.mark.parametrize(
    ("repository", "forge_api", "adapter"),
    [
        ("https://github.com/shop/orders", None, GitHub),
        ("https://ghe.shop.example/shop/orders", None, GitHub),
        ("https://gitlab.com/shop/backend/orders", None, GitLab),
        ("https://git.shop.example/shop/orders", "https://git.shop.example/api/v4", GitLab),
        ("https://git.shop.example/shop/orders", "https://git.shop.example/api/v4/", GitLab),
    ],
)
def test_the_entry_chooses_the_adapter(repository: str, forge_api: str | None, adapter: type) -> None:
    entry = {"log_groups": ["g"], "repository": repository} | ({"forge_api": forge_api} if forge_api else {})
    assert type(connect(App.from_json("orders", entry), "token")) is adapter


@pytest.mark.parametrize(
    "url", ["", "https://forge/x/pull/<script>", "pull/x/1", "https://f/pull/1/files", "x/9"]
)
def test_what_is_no_pull_request_s_page_has_no_number(forge: Forge, url: str) -> None:
    assert forge.number(url) is None
