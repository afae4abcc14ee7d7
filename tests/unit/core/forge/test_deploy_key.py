"""Cloning and pushing by an SSH deploy key, from and to a server that is really there."""

from __future__ import annotations

import base64
import hashlib
import tomllib
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from functions.commit_patch import commit as step
from functions.commit_patch.commit import Approved
from functions.core.apps.app import App
from functions.core.forge import host_keys
from functions.core.forge.deploy_key import DeployKey, NoDeployKey
from functions.core.forge.git_remote import Remote
from functions.core.workflow.errors import (
    AppInvalid,
    ForgeAccessDenied,
    ForgeUnavailable,
    RepositoryNotFound,
)
from functions.core.workflow.state import CommitState
from tests.fakes.ssh import SshServer, new_key

if TYPE_CHECKING:
    from tests.unit.conftest import Hosted

HOST_KEYS = tomllib.loads(host_keys.PUBLISHED.read_text())["forge"]
BRANCH = "self-heal/orders-v1-abc"
PATCH = b"""diff --git a/rates.py b/rates.py
--- a/rates.py
+++ b/rates.py
@@ -2,4 +2,4 @@


 def rate(country):
-    return RATES[country]
+    return RATES.get(country)
"""
SHA = hashlib.sha256(PATCH).hexdigest()


@pytest.fixture(scope="module")
def key() -> str:
    return new_key()


@pytest.fixture
def server(hosted: Hosted, key: str) -> Iterator[SshServer]:
    """The forge's SSH server; that for HTTP is down."""
    hosted.forge.stop()
    with SshServer(hosted.bare.parents[1], key).running() as running:
        yield running


def app_of(hosted: Hosted, server: SshServer, **changes: Any) -> App:
    entry = {"deploy_key": True, "ssh_port": server.port, "ssh_host_keys": [server.host_key], **changes}
    return App.from_json("orders", {**hosted.app.to_json(), **entry})


def remote_of(app: App, key: str) -> Remote:
    return Remote.of(app, "forge-token", DeployKey.of(app, key))


def push(hosted: Hosted, app: App, key: str) -> CommitState:
    approved = Approved(SHA, hosted.base_sha, "2026-11-20T12:00:00+00:00")
    made = step.commit(app, remote_of(app, key), PATCH, approved, BRANCH, "Fix it\n")
    assert isinstance(made, CommitState)
    return made


def test_what_was_approved_is_fetched_committed_and_pushed_by_the_key_alone(
    hosted: Hosted, server: SshServer, key: str
) -> None:
    app = app_of(hosted, server)
    made = push(hosted, app, key)
    assert hosted.git("rev-parse", f"refs/heads/{BRANCH}") == made.sha
    assert "RATES.get(country)" in hosted.git("show", f"{made.sha}:rates.py")
    assert {command.split()[0] for command in server.commands} == {"git-upload-pack", "git-receive-pack"}
    assert {command.split()[1] for command in server.commands} == {"'/shop/orders.git'"}
    assert push(hosted, app, key) == made, "another run pushes nothing else"


def test_a_server_that_shows_another_key_is_told_nothing(hosted: Hosted, server: SshServer, key: str) -> None:
    other = app_of(hosted, server, ssh_host_keys=[host_keys.published()["github.com"][0]])
    with pytest.raises(ForgeAccessDenied, match=r"none of those that are pinned.*ssh_host_keys"):
        push(hosted, other, key)
    assert (server.tried, server.commands) == ([], [])


def test_a_key_that_the_forge_does_not_know_is_said_to_be_that(
    hosted: Hosted, server: SshServer, key: str
) -> None:
    with pytest.raises(ForgeAccessDenied, match="add the deploy key to the repository, with write access"):
        push(hosted, app_of(hosted, server), new_key())
    assert server.commands == []


def test_a_key_that_may_only_read_reads_and_is_said_to_be_that(hosted: Hosted, key: str) -> None:
    with SshServer(hosted.bare.parents[1], key, read_only=True).running() as server:
        app = app_of(hosted, server)
        remote = remote_of(app, key)
        with remote.repository() as repo:
            assert remote.fetch(repo, "refs/heads/main") == hosted.base_sha
        with pytest.raises(ForgeAccessDenied, match="with write access"):
            push(hosted, app, key)


def test_a_repository_that_is_not_there(hosted: Hosted, server: SshServer, key: str) -> None:
    gone = replace(app_of(hosted, server), repository=f"{hosted.forge.url}/shop/gone.git")
    with pytest.raises(RepositoryNotFound):
        push(hosted, gone, key)


def test_a_server_that_does_not_answer_is_tried_again(hosted: Hosted, server: SshServer, key: str) -> None:
    with pytest.raises(ForgeUnavailable, match="no connection to 127"):
        push(hosted, app_of(hosted, server, ssh_port=1), key)


def test_neither_key_nor_token_is_in_what_is_shown(hosted: Hosted, server: SshServer, key: str) -> None:
    remote = remote_of(app_of(hosted, server), key)
    assert "PRIVATE KEY" not in repr(remote)
    assert "forge-token" not in repr(remote)


def test_a_forge_of_ones_own_is_known_by_what_the_entry_says_or_not_spoken_to(hosted: Hosted) -> None:
    with pytest.raises(AppInvalid, match="'ssh_host_keys'"):
        App.from_json("orders", {**hosted.app.to_json(), "deploy_key": True})
    with pytest.raises(AppInvalid, match="'ssh_host_keys'"):
        App.from_json("orders", {**hosted.app.to_json(), "deploy_key": True, "ssh_host_keys": ["*"]})


@pytest.mark.parametrize("text", ["", "a token", new_key(passphrase="secret")])
def test_what_is_no_key_is_said_to_be_none(hosted: Hosted, text: str) -> None:
    with pytest.raises(NoDeployKey, match="ssh-keygen"):
        DeployKey.of(hosted.app, text)


@pytest.mark.parametrize("forge", HOST_KEYS, ids=lambda forge: str(forge["host"]))
def test_published_keys_have_the_fingerprints_that_are_published(forge: dict[str, Any]) -> None:
    assert forge["source"].startswith("https://docs.")
    assert len(forge["keys"]) == 2
    for fingerprint, line in forge["keys"].items():
        digest = hashlib.sha256(base64.b64decode(line.split()[1])).digest()
        assert base64.b64encode(digest).decode().rstrip("=") == fingerprint
