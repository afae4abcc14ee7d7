"""The contract of the forge port, on a GitHub that others have written: what we take GitHub to do is not only
what our own forge does.

It is `emulate` from npm (Apache 2.0). Where it falls short of GitHub, this says so, and a test fails when
it does so no longer.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from github import Auth, Github, InputGitAuthor, InputGitTreeElement

from functions.core.apps.app import App
from functions.core.forge.connect import connect
from functions.core.forge.port import Forge
from functions.core.workflow.errors import RepositoryNotFound
from infra.app import use_bundled_node
from tests.unit.core.forge import test_contract as contract

if TYPE_CHECKING:
    from github.PullRequest import PullRequest
    from github.Repository import Repository

ROOT = Path(__file__).parents[4]
OWNER, TOKEN = "shop-token", "forge-token"
PEOPLE = ("shop", "self-heal-bot", "reviewer", "stranger")
SEED: dict[str, Any] = {
    "tokens": {
        token: {"login": login, "scopes": ["repo"]}
        for token, login in ((TOKEN, "self-heal-bot"), *((f"{name}-token", name) for name in PEOPLE))
    },
    "github": {
        "users": [{"login": name, "email": f"{name}@localhost"} for name in PEOPLE],
        "repos": [{"owner": "shop", "name": "orders"}],
    },
}


def client(url: str, token: str) -> Github:
    auth = Auth.Token(token)
    return Github(auth=auth, base_url=url, retry=None, seconds_between_requests=0, seconds_between_writes=0)


@dataclass(frozen=True)
class Emulated:
    """As `tests.unit.conftest.Hosted`, as far as this GitHub goes: by its API alone."""

    app: App
    base_sha: str
    token: str = TOKEN

    @property
    def github(self) -> Repository:
        return self._seen_by(OWNER)

    def pulls(self) -> list[PullRequest]:
        return list(self.github.get_pulls(state="all"))

    @property
    def forge(self) -> Emulated:
        return self

    def say(self, slug: str, number: int, text: str, by: str, *, changes_requested: bool = False) -> None:
        pull = self._seen_by(f"{by}-token").get_pull(number)
        if changes_requested:
            pull.create_review(body=text, event="REQUEST_CHANGES")
        else:
            pull.create_issue_comment(text)

    def git(self, *arguments: str) -> str:
        """The few things that are asked of git in the contract, by the API."""
        repository = self.github
        match arguments:
            case ("rev-parse", "main"):
                return repository.get_branch("main").commit.sha
            case ("tag", name, sha):
                return repository.create_git_ref(f"refs/tags/{name}", sha).object.sha
            case ("rev-parse", named) if named.endswith("^{tree}"):
                return repository.get_git_commit(named.removesuffix("^{tree}")).tree.sha
            case (*_, "commit-tree", tree, "-m", message):
                return repository.create_git_commit(message, repository.get_git_tree(tree), []).sha
        raise AssertionError(f"there is no git behind it: {arguments}")

    def _seen_by(self, token: str) -> Repository:
        return client(self.app.forge_api, token).get_repo(self.app.slug)

    def branch(
        self,
        name: str,
        path: str = "new.txt",
        on: str = "",
        content: bytes = b"new\n",
        by: str = "shop",
        at: str = "",
    ) -> str:
        repository = self.github
        parent = repository.get_git_commit(on or self.base_sha)
        blob = repository.create_git_blob(content.decode(), "utf-8")
        changed = [InputGitTreeElement(path, "100644", "blob", sha=blob.sha)]
        tree = repository.create_git_tree(changed, parent.tree)
        author = InputGitAuthor(by, f"{by}@localhost", at or "2026-01-01T00:00:00Z")
        commit = repository.create_git_commit("change", tree, [parent], author, author)
        if name in [branch.name for branch in repository.get_branches()]:
            moved = {"sha": commit.sha, "force": True}
            repository.requester.requestJsonAndCheck(
                "PATCH", f"{repository.url}/git/refs/heads/{name}", input=moved
            )
        else:
            repository.create_git_ref(f"refs/heads/{name}", commit.sha)
        return commit.sha


@pytest.fixture(scope="module")
def started() -> Iterator[tuple[int, Callable[[], None]]]:
    """Its port, and what makes it as it was in the beginning."""
    made = ["make", "--silent", ".venv/asl/.ready"]
    done = subprocess.run(made, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    if "JSII_NODE" not in os.environ:
        use_bundled_node()
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    api = ROOT / ".venv" / "asl" / "node_modules" / "emulate" / "dist" / "api.js"
    script = Path(__file__).with_name("emulated_github.mjs")
    command = [os.environ["JSII_NODE"], str(script), str(api), str(port), json.dumps(SEED)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin
        assert process.stdout
        assert process.stdout.readline() == "ready\n"

        def again() -> None:
            assert process.stdin
            assert process.stdout
            process.stdin.write("\n")
            process.stdin.flush()
            assert process.stdout.readline() == "ready\n"

        yield port, again
        process.stdin.close()


@pytest.fixture
def hosted(started: tuple[int, Callable[[], None]]) -> Emulated:
    port, again = started
    again()
    url = f"http://127.0.0.1:{port}"
    entry = {"log_groups": ["g"], "repository": f"{url}/shop/orders.git", "forge_api": url}
    app = App.from_json("orders", entry | {"credentials": "/self-heal/credentials/orders"})
    github = client(url, OWNER).get_repo("shop/orders")
    for name in ("reviewer", "self-heal-bot"):
        github.add_to_collaborators(name, "push")
    return Emulated(app, github.get_branch("main").commit.sha)


@pytest.fixture
def forge(hosted: Emulated) -> Forge:
    return connect(hosted.app, hosted.token)


SHORT: dict[Callable[..., None], str] = {
    contract.test_one_that_is_open_already_is_not_opened_again: "it opens a second one for the same branches",
    contract.test_without_its_branches_none_is_opened: "it opens one for branches that are not there",
    contract.test_a_repository_is_looked_at_for_who_set_it_up: "whoever may push is said to administer it",
    contract.test_a_draft_becomes_ready_and_keeps_its_title: "it has no GraphQL, which ends drafts",
    contract.test_who_wrote_lines_last_is_told_newest_first_without_whom_the_forge_does_not_know: (
        "it has no GraphQL, which tells blame"
    ),
    contract.test_checks_say_how_they_ended_and_a_failed_one_what_it_printed: "it has no commit statuses",
    contract.test_what_people_write_is_read_in_order_and_changes_that_they_ask_for_are_told_apart: (
        "it has no permission of who is no collaborator; all before that holds"
    ),
    contract.test_what_a_pull_request_changes_is_told_file_by_file: "its files have no patches",
}
"""Where it is not as GitHub is; and it lets in whoever has any token."""
PARAMETERS = {
    contract.test_without_its_branches_none_is_opened: [{"missing": "head"}, {"missing": "base"}],
    contract.test_what_is_no_commit_is_not_there: [{"name": name} for name in ("gone", "0" * 40, "main~0")],
}
BOTH = [
    (test, given)
    for name, test in sorted(vars(contract).items())
    if name.startswith("test_") and {"hosted", "forge"} <= {*test.__code__.co_varnames}
    for given in PARAMETERS.get(test, [{}])
]


@pytest.mark.parametrize(
    ("test", "given"), BOTH, ids=["-".join([test.__name__, *given.values()]) for test, given in BOTH]
)
def test_the_contract_holds_but_where_it_falls_short(
    hosted: Emulated, forge: Forge, test: Callable[..., None], given: dict[str, str]
) -> None:
    if test not in SHORT:
        test(hosted=hosted, forge=forge, **given)
        return
    with pytest.raises((Exception, pytest.fail.Exception)):
        test(hosted=hosted, forge=forge, **given)


def test_a_repository_that_is_not_there(hosted: Emulated) -> None:
    gone = replace(hosted.app, repository=f"{hosted.app.forge_api}/shop/nothing.git")
    for call in contract.CALLS.values():
        with pytest.raises(RepositoryNotFound, match="shop/nothing"):
            call(connect(gone, hosted.token))
