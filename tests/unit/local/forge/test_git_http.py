"""Clone, fetch and push with a real git client, and what the smart protocol's addresses refuse."""

from __future__ import annotations

import base64
import gc
import gzip
import http.client
import socket
import struct
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import psutil
import pytest
from git import GitCommandError, Repo

from tests.fakes.forge import Forge
from tests.processes import commands_below

if TYPE_CHECKING:
    from tests.unit.local.forge.conftest import Site

UPLOAD = "/acme/orders.git/info/refs?service=git-upload-pack"
RECEIVE = "/acme/orders.git/info/refs?service=git-receive-pack"
# A protocol v2 request for the list of branches: a command, a delimiter, an argument, the end.
LS_REFS = b"0014command=ls-refs\n0001001bref-prefix refs/heads/\n0000"


def basic(user: str, password: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}


def v2(token: str) -> dict[str, str]:
    return basic("x", token) | {
        "Git-Protocol": "version=2",
        "Content-Type": "application/x-git-upload-pack-request",
    }


def test_a_clone_has_the_imported_files_at_the_imported_commit(site: Site) -> None:
    repo = site.clone()

    assert repo.head.commit.hexsha == site.first_sha
    assert repo.active_branch.name == "main"
    assert {blob.path for blob in repo.tree().blobs} == {"README.md", "app.py"}


def test_a_revision_that_is_no_branch_tip_can_be_fetched_alone(site: Site, tmp_path: Path) -> None:
    site.push("main", {"app.py": "VERSION = 2\n"})
    site.push("main", {"app.py": "VERSION = 3\n"})

    with Repo.init(tmp_path / "shallow") as repo:
        repo.git.fetch("--depth", "1", site.clone_url(), site.first_sha)
        assert repo.git.rev_parse("FETCH_HEAD") == site.first_sha
        assert repo.git.rev_list("--count", "FETCH_HEAD") == "1"


@pytest.mark.parametrize("version", [0, 2])
def test_a_commit_whose_branch_is_gone_can_still_be_fetched(site: Site, tmp_path: Path, version: int) -> None:
    sha = site.push("gone", {"a.py": "A = 1\n"})
    site.clones[-1].git.push("origin", "--delete", "gone")

    with Repo.init(tmp_path / "orphan") as repo:
        with repo.config_writer() as config:
            config.set_value("protocol", "version", version)
        repo.git.fetch("--depth", "1", site.clone_url(), sha)
        assert repo.git.rev_parse("FETCH_HEAD") == sha


def test_a_push_beyond_git_s_post_buffer_arrives_whole(site: Site) -> None:
    # Above http.postBuffer (1 MiB) git sends the pack with chunked transfer encoding; hex hardly compresses.
    import random

    noise = random.Random(7).randbytes(1_500_000).hex()

    site.push("big", {"noise.txt": noise})

    check = site.clone()
    check.git.checkout("origin/big")
    assert Path(check.working_dir, "noise.txt").read_text(encoding="utf-8") == noise


@pytest.mark.parametrize("encoding", ["identity", "gzip", "chunked", "gzip and chunked"])
def test_request_bodies_are_understood_in_every_encoding(site: Site, encoding: str) -> None:
    body = gzip.compress(LS_REFS) if "gzip" in encoding else LS_REFS
    headers = v2(site.token) | ({"Content-Encoding": "gzip"} if "gzip" in encoding else {})
    chunked = "chunked" in encoding
    connection = http.client.HTTPConnection(urlsplit(site.forge.url).netloc, timeout=20)

    connection.request(
        "POST",
        "/acme/orders.git/git-upload-pack",
        body=iter([body[:5], body[5:]]) if chunked else body,
        headers=headers | ({"Transfer-Encoding": "chunked"} if chunked else {}),
        encode_chunked=chunked,
    )
    response = connection.getresponse()
    answer = response.read()
    connection.close()

    assert response.status == 200
    assert answer == f"003d{site.first_sha} refs/heads/main\n0000".encode()


@pytest.mark.parametrize(
    ("header", "version"),
    [
        ("version=2", b"version 2"),
        ("", b"# service=git-upload-pack"),
        ("version=2 GIT_DIR=/", b"# service=git-upload-pack"),
    ],
)
def test_the_protocol_version_is_passed_on_when_well_formed(site: Site, header: str, version: bytes) -> None:
    answer = site.request("GET", UPLOAD, headers=basic("x", site.token) | {"Git-Protocol": header})

    assert version in answer.body[:60]


@pytest.mark.parametrize(
    ("path", "credentials", "status"),
    [
        (UPLOAD, {}, 401),
        (UPLOAD, basic("x-access-token", "wrong"), 401),
        (UPLOAD, basic("x-access-token", ""), 401),
        (UPLOAD, {"Authorization": "Basic %%%"}, 401),
        (UPLOAD, {"Authorization": "Digest correct-horse"}, 401),
        (UPLOAD, basic("x-access-token", "correct-horse"), 200),
        (UPLOAD, basic("anybody", "correct-horse"), 200),
        (UPLOAD, basic("correct-horse", ""), 200),
        (UPLOAD, {"Authorization": "Bearer correct-horse"}, 200),
        (RECEIVE, {}, 401),
        (RECEIVE, basic("x", "correct-horse"), 200),
        ("/acme/open.git/info/refs?service=git-upload-pack", {}, 200),
        ("/acme/open/info/refs?service=git-upload-pack", {}, 200),
        ("/acme/open.git/info/refs?service=git-upload-pack", basic("x", "wrong"), 401),
        ("/acme/open.git/info/refs?service=git-receive-pack", {}, 401),
        ("/acme/none.git/info/refs?service=git-upload-pack", {}, 401),
        ("/acme/none.git/info/refs?service=git-upload-pack", basic("x", "correct-horse"), 404),
    ],
)
def test_who_may_have_which_service(
    site: Site, source: Path, path: str, credentials: dict[str, str], status: int
) -> None:
    site.forge.create_repository("acme/open", source, private=False)

    answer = site.request("GET", path, headers=credentials)

    assert answer.status == status
    assert ("WWW-Authenticate" in answer.headers) == (status == 401)


def test_git_s_own_messages_say_what_is_wrong(site: Site) -> None:
    with pytest.raises(GitCommandError, match="Authentication failed"):
        site.clone(password="wrong")
    with pytest.raises(GitCommandError, match=r"repository '.*' not found"):
        site.clone(slug="acme/none")


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        # Outside of the directory, however it is spelt.
        ("GET", "/../forge/acme/orders.git/info/refs?service=git-upload-pack", 404),
        ("GET", "/%2e%2e/orders.git/info/refs?service=git-upload-pack", 404),
        ("GET", "/acme/%2e%2e/info/refs?service=git-upload-pack", 404),
        ("GET", "/acme%2f..%2facme/orders.git/info/refs?service=git-upload-pack", 404),
        ("GET", "//acme/orders.git/info/refs?service=git-upload-pack%00", 403),
        ("GET", "/acme/orders%00.git/info/refs?service=git-upload-pack", 404),
        ("GET", "/acme/orders%0a.git/info/refs?service=git-upload-pack", 404),
        # Services that exist but are not offered, and things that are no service.
        ("GET", "/acme/orders.git/info/refs?service=git-upload-archive", 403),
        ("GET", "/acme/orders.git/info/refs?service=git-upload-pack%0aX:%20y", 403),
        ("GET", "/acme/orders.git/info/refs?service=--help", 403),
        ("GET", "/acme/orders.git/info/refs", 403),
        ("POST", "/acme/orders.git/git-upload-archive", 404),
        # The dumb protocol would hand out files.
        ("GET", "/acme/orders.git/HEAD", 404),
        ("GET", "/acme/orders.git/config", 404),
        ("GET", "/acme/orders.git/objects/info/packs", 404),
        ("GET", "/acme/orders.json", 404),
        # The right address with the wrong method.
        ("POST", UPLOAD, 405),
        ("GET", "/acme/orders.git/git-receive-pack", 405),
    ],
)
def test_hostile_addresses_are_refused(site: Site, method: str, path: str, status: int) -> None:
    answer = site.request(method, path, headers=basic("x", site.token))

    assert answer.status == status
    assert site.first_sha.encode() not in answer.body


def test_the_forge_s_own_refs_can_be_read_but_not_pushed(site: Site, fixed: str) -> None:
    site.github().get_repo(site.slug).create_pull(base="main", head="fix", title="Fix")
    repo = site.clone()

    repo.git.fetch("origin", "refs/pull/1/head")
    assert repo.git.rev_parse("FETCH_HEAD") == fixed
    with pytest.raises(GitCommandError, match="deny updating a hidden ref"):
        repo.git.push("origin", "HEAD:refs/pull/1/head")


def test_clones_and_a_push_at_the_same_time_all_succeed(site: Site) -> None:
    repo = site.clone()
    failures: list[Exception] = []

    def clone(number: int) -> None:
        try:
            with Repo.clone_from(site.clone_url(), site.scratch / f"parallel-{number}") as copy:
                copy.git.fsck("--strict")
        except GitCommandError as error:
            failures.append(error)

    threads = [threading.Thread(target=clone, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    for number in range(5):
        repo.git.commit("--allow-empty", "-m", f"Step {number}")
        repo.git.push("origin", "HEAD:main")
    for thread in threads:
        thread.join()

    assert failures == []
    assert site.github().get_repo(site.slug).get_branch("main").commit.sha == repo.head.commit.hexsha


def test_clients_that_reset_the_connection_leave_no_process(site: Site) -> None:
    address = urlsplit(site.forge.url)
    token = basic("x", site.token)["Authorization"]
    asking = f"GET {UPLOAD} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: {token}\r\n\r\n".encode()
    for n in range(40):
        with socket.create_connection((address.hostname, address.port)) as client:
            client.setsockopt(
                socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
            )  # close means reset
            client.sendall(asking)
            time.sleep(n / 4000)
    site.forge.stop()
    gc.collect()  # what was never closed warns here, which fails the test
    assert not [p for p, command in commands_below(psutil.Process()) if "http-backend" in command]


def test_git_settings_of_the_person_who_runs_the_forge_do_not_matter(
    site: Site, tmp_path: Path, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = tmp_path / "gitconfig"
    settings.write_text(
        "[init]\n\tdefaultBranch = trunk\n[commit]\n\tgpgSign = true\n[core]\n\tautocrlf = true\n"
    )
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(settings))
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "elsewhere"))

    assert Forge(tmp_path / "other", "t").create_repository("a/b", source) == site.first_sha
