"""The forge as a server: its address, its end, failures on purpose, and its own process."""

from __future__ import annotations

import logging
import signal
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from urllib.request import urlopen

import pytest
from git import GitCommandError
from github import GithubException

from tests.fakes.forge import Forge, Outage

if TYPE_CHECKING:
    from tests.unit.local.forge.conftest import Site


def test_it_keeps_its_port_over_stops_and_starts(site: Site) -> None:
    url = site.forge.url
    for _ in range(3):
        site.forge.stop()
        site.forge.stop()
        with pytest.raises(ConnectionRefusedError):
            site.request("GET", "/")
        site.forge.start()
        site.forge.start()
        assert site.forge.url == url
        assert site.request("GET", "/").status == 200


def test_it_listens_on_the_loopback_address_only(site: Site) -> None:
    host, _, port = urlsplit(site.forge.url).netloc.partition(":")

    assert host == "127.0.0.1"
    with pytest.raises(ConnectionRefusedError), socket.create_connection(("127.0.0.2", int(port)), timeout=5):
        pass


def test_a_stop_does_not_wait_for_idle_clients(site: Site) -> None:
    address = urlsplit(site.forge.url)
    with socket.create_connection((address.hostname, address.port), timeout=10) as idle:
        idle.sendall(b"POST /acme/orders.git/git-upload-pack HTTP/1.1\r\nHost: localhost\r\n")
        site.request("GET", "/")  # by now the other connection has been accepted
        site.forge.stop()

        assert idle.recv(100) == b""


def test_a_taken_port_is_an_error(site: Site, tmp_path: Path) -> None:
    second = Forge(tmp_path / "second", "t", port=int(site.forge.url.rpartition(":")[2]))

    with pytest.raises(OSError, match="in use"):
        second.start()


def test_addresses_and_tokens_that_cannot_be(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="before its first start"):
        _ = Forge(tmp_path, "t").url
    with pytest.raises(ValueError, match="token"):
        Forge(tmp_path, "")


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1:1", 200),
        ("localhost", 200),
        ("evil.example", 421),
        ("evil.example:80", 421),
        ("127.0.0.1.evil.example", 421),
        ("localhost@evil.example", 421),
        ("", 421),
    ],
)
@pytest.mark.parametrize("path", ["/", "/api/v3/user", "/acme/orders.git/info/refs?service=git-upload-pack"])
def test_a_foreign_host_name_is_turned_away(site: Site, host: str, status: int, path: str) -> None:
    answer = site.request("GET", path, headers={"Host": host, "Authorization": f"token {site.token}"})

    assert answer.status == status


@pytest.mark.parametrize(("status", "retry_after"), [(429, 7), (503, None), (502, None)])
def test_it_can_answer_like_a_host_in_trouble(site: Site, status: int, retry_after: int | None) -> None:
    site.forge.outage = Outage(status, retry_after)

    with pytest.raises(GithubException) as rest:
        site.github().get_repo(site.slug)
    assert rest.value.status == status
    assert (rest.value.headers or {}).get("retry-after") == (str(retry_after) if retry_after else None)
    with pytest.raises(GitCommandError, match=str(status)):
        site.clone()
    assert site.request("GET", "/").status == 200

    site.forge.outage = None
    assert site.github().get_repo(site.slug).full_name == site.slug


def test_trouble_can_be_of_the_api_alone_or_pass(site: Site) -> None:
    site.forge.outage = Outage(503, api_only=True, times=2)
    site.clone()
    for _ in range(2):
        with pytest.raises(GithubException):
            site.github().get_repo(site.slug)
    assert site.github().get_repo(site.slug).full_name == site.slug


def test_pull_requests_opened_at_once_are_one(site: Site, fixed: str) -> None:
    def attempt(_: int) -> int:
        try:
            site.github().get_repo(site.slug).create_pull(base="main", head="fix", title="T")
        except GithubException as refused:
            return refused.status
        return 201

    with ThreadPoolExecutor(4) as pool:
        answers = sorted(pool.map(attempt, range(8)))

    assert answers == [201] + [422] * 7


def test_a_stranger_s_path_stays_on_one_log_line(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "infra.local.forge")
    address = urlsplit(site.forge.url)
    with socket.create_connection((address.hostname, address.port), timeout=10) as raw:
        raw.sendall(b"GET /\x1b[2J\x7fforged HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert raw.recv(20).startswith(b"HTTP/1.1 404")

    assert "forged" in caplog.text
    assert "\x1b" not in caplog.text


def test_it_runs_in_its_own_process_and_ends_cleanly(tmp_path: Path, source: Path) -> None:
    # Given a repository made by this process,
    directory, token = tmp_path / "forge", tmp_path / "token"
    Forge(directory, "t").create_repository("a/b", source)
    token.write_text("t\n")

    # when another process serves the directory,
    command = (sys.executable, "-m", "infra.local.forge", "--directory", directory, "--token-file", token)
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        try:
            url = process.stdout.readline().removeprefix("forge: ").strip()
            with urlopen(f"{url}/a/b", timeout=10) as page:
                assert b"app.py" in page.read()
        finally:
            # then it ends at once, without complaint, when asked to.
            process.send_signal(signal.SIGTERM)
            _, errors = process.communicate(timeout=10)

    assert process.returncode == 0
    assert errors == ""
