"""FetchSource against a forge that runs: real git over HTTP, real refusals, real outages."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from functions.core.apps.registry import bound
from functions.core.forge.connect import connect
from functions.core.forge.git_remote import Remote
from functions.core.source.archive import ArchiveLimits, Member, MemberKind, read
from functions.core.source.head import Head
from functions.core.workflow.errors import (
    ForgeAccessDenied,
    ForgeUnavailable,
    RepositoryNotFound,
    SourceTooLarge,
)
from functions.fetch_source.handler import handler
from functions.fetch_source.source import Source, fetch_source
from tests.fakes.forge import Outage
from tests.fakes.web import answered_by

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.service_resource import Table

    from tests.fakes.emulated import LambdaContext
    from tests.unit.conftest import Hosted

TOKEN = "forge-token"


@pytest.fixture(autouse=True)
def private_tmp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A /tmp of the test's own that must be as empty afterwards as before."""
    own = tmp_path / "tmp"
    own.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(own))
    yield own
    assert list(own.iterdir()) == []


def fetch(hosted: Hosted, logged: str = "", **changes: Any) -> Source:
    app = replace(hosted.app, **changes)
    return fetch_source(app, Remote.of(app, hosted.token), connect(app, hosted.token), logged=logged)


def paths(source: Source) -> list[str]:
    return [member.path for member in read(source.archive)]


def test_branch_head_when_no_deployed_revision_is_known(hosted: Hosted) -> None:
    source = fetch(hosted)
    assert (source.sha, source.revision_from) == (hosted.base_sha, "branch")
    assert source.reason == "head of main; the app's entry names no revision; the log names none"
    assert paths(source) == ["README.md", "rates.py"]
    assert (source.files, source.submodules) == (2, ())


def test_deployed_commit_even_when_the_branch_has_moved_on(hosted: Hosted) -> None:
    hosted.branch("main")
    source = fetch(hosted, revision=hosted.base_sha)
    assert (source.sha, source.revision_from) == (hosted.base_sha, "deployed")
    assert "new.txt" not in paths(source)
    assert "new.txt" in paths(fetch(hosted))


def test_deployed_tag(hosted: Hosted) -> None:
    identity = ("-c", "user.name=t", "-c", "user.email=t@example.com")
    hosted.git(*identity, "tag", "-a", "v1.2", "-m", "release", hosted.base_sha)
    hosted.branch("main")
    source = fetch(hosted, revision="v1.2")
    assert (source.sha, source.revision_from) == (hosted.base_sha, "deployed")


@pytest.mark.parametrize(
    ("revision", "said"),
    [
        ("0" * 39 + "1", "is not on the forge"),
        ("v9.9", "is not on the forge"),
        ("abc1234", "is not on the forge"),
        ("--upload-pack=touch /tmp/x", "is not a commit id or a tag"),
        ("main:refs/heads/other", "is not a commit id or a tag"),
    ],
)
def test_a_revision_that_cannot_be_had_is_said_and_the_branch_is_read(
    hosted: Hosted, revision: str, said: str
) -> None:
    source = fetch(hosted, revision=revision)
    assert (source.sha, source.revision_from) == (hosted.base_sha, "branch")
    assert said in source.reason
    assert revision in source.reason


# What the log names, the commit that is then read, and what the reason says.
LOGGED = {
    "a version that is a tag": ("1.2", "base", "1.2, which is refs/tags/v1.2"),
    "a tag": ("v1.2", "base", "v1.2, which is refs/tags/v1.2"),
    "the commit of a tag": ("{base}", "base", "{base}; "),
    "the commit of a tag, short": ("{base:.8}", "base", "{base:.8}, which is refs/tags/v1.2"),
    "the head of the app's branch": ("{head:.8}", "head", "{head:.8}, which is refs/heads/main"),
    "a commit of the app's branch that is nobody's head": ("{middle}", "middle", "{middle}; "),
    "the head of another branch": ("{release}", "", "{release}, but main has not got that commit"),
    "the head of another branch, short": ("{release:.8}", "", "release, but main has not got that commit"),
    "a tag of another branch": ("9.0", "", "9.0, which is refs/tags/v9.0, but main has not got that commit"),
    "a branch's name": ("release", "", "release, which is no tag and no commit"),
    "a commit that no branch and no tag has": ("{loose}", "", "{loose}, but main has not got that commit"),
    "a commit that does not exist": ("0123456789", "", "0123456789, which is no tag and no commit"),
    "a number that many commits may start with": ("0", "", "0, which is no tag and no commit"),
    "the id of a directory": ("{tree}", "", "{tree}, which is no tag and no commit"),
    "the id of a file": ("{file}", "", "{file}, which is no tag and no commit"),
    "the id of a tag of another branch": ("{tag}", "", "{tag}, but main has not got that commit"),
    "a pull request": ("refs/pull/1/head", "", "refs/pull/1/head, which is no tag and no commit"),
    "what git reads as a commit": ("main~1", "", "main~1, which is no tag and no commit"),
}


@pytest.mark.parametrize("case", LOGGED)
def test_what_a_log_names_counts_when_the_apps_own_branch_has_it(hosted: Hosted, case: str) -> None:
    identity = ("-c", "user.name=t", "-c", "user.email=t@example.com")
    hosted.git(*identity, "tag", "-a", "v1.2", "-m", "release", hosted.base_sha)
    commits = {"base": hosted.base_sha, "loose": hosted.branch("gone", "gone.txt")}
    hosted.git("update-ref", "-d", "refs/heads/gone")
    commits["release"] = hosted.branch("release", "release.txt")
    hosted.git(*identity, "tag", "-a", "v9.0", "-m", "release", commits["release"])
    hosted.git("update-ref", "refs/pull/1/head", commits["release"])
    for name, ref in (("tree", "main^{tree}"), ("file", "main:rates.py"), ("tag", "v9.0")):
        commits[name] = hosted.git("rev-parse", ref)
    commits["middle"] = hosted.branch("main", "middle.txt")
    commits["head"] = hosted.branch("main", on=commits["middle"])
    logged, read, said = (text.format(**commits) for text in LOGGED[case])
    source = fetch(hosted, logged)
    assert source.sha == commits[read or "head"]
    assert source.revision_from == ("deployed" if read else "branch")
    assert f"the log names {logged}" in source.reason
    assert said in source.reason


def test_what_only_the_log_names_must_be_on_the_branch_or_an_allowed_tag(hosted: Hosted) -> None:
    colleague = hosted.branch("colleague", "theirs.txt")
    hosted.git("tag", "v2.0", colleague)
    source = fetch(hosted, colleague)
    assert (source.sha, source.revision_from) == (hosted.base_sha, "branch")
    assert f"the log names {colleague}, but main has not got that commit" in source.reason
    assert "theirs.txt" not in paths(source)
    assert fetch(hosted, colleague, log_tags=("release-*",)).sha == hosted.base_sha
    for named in (colleague, "2.0"):
        assert fetch(hosted, named, log_tags=("v*",)).sha == colleague


def test_a_release_branch_is_read_and_the_patch_goes_on_the_apps_own(hosted: Hosted) -> None:
    release = hosted.branch("release", "theirs.txt")
    source = fetch(hosted, revision=release)
    assert (source.sha, source.head.sha) == (release, hosted.base_sha)
    assert [member.path for member in read(source.head.archive)] == ["README.md", "rates.py"]
    assert source.head.history is None
    assert source.head.unknown == f"{release} is not among the last 200 commits of main"


def test_a_head_that_is_what_is_deployed_is_kept_once(hosted: Hosted) -> None:
    assert fetch(hosted, revision=hosted.base_sha).head == Head(hosted.base_sha)


def test_how_the_head_came_there_from_what_is_deployed_is_known(hosted: Hosted) -> None:
    first = hosted.branch("main", "first.txt")
    second = hosted.branch("main", "second.txt", on=first)
    head = fetch(hosted, revision=hosted.base_sha).head
    assert head.sha == second
    assert "second.txt" in [member.path for member in read(head.archive)]
    assert head.history
    assert [(step.sha, step.was) for step in head.history] == [
        (first, {"first.txt": None}),
        (second, {"second.txt": None}),
    ]
    assert head.history[0].said.startswith(f"{first[:12]} by t on 20")
    assert head.history[0].said.endswith(": change")


def test_the_apps_entry_goes_before_the_log(hosted: Hosted) -> None:
    hosted.branch("main")
    source = fetch(hosted, logged="main", revision=hosted.base_sha)
    assert source.reason == f"the app's entry names {hosted.base_sha}"


@pytest.mark.parametrize(
    ("changes", "outage", "error", "said"),
    [
        ({"branch": "gone"}, None, RepositoryNotFound, "'gone'"),
        ({"repository": "{forge}/shop/nothing.git"}, None, RepositoryNotFound, "shop/nothing"),
        ({}, Outage(500), ForgeUnavailable, "500"),
        ({}, Outage(503), ForgeUnavailable, "503"),
        ({}, Outage(429), ForgeUnavailable, "429"),
        ({}, Outage(403), ForgeAccessDenied, "/self-heal/credentials/orders"),
        ({"repository": "http://127.0.0.1:1/shop/orders.git"}, None, ForgeUnavailable, "127.0.0.1:1"),
        ({"repository": "https://forge.invalid/shop/orders.git"}, None, ForgeUnavailable, "forge.invalid"),
    ],
)
def test_failures_of_the_forge_have_their_own_names(
    hosted: Hosted, changes: dict[str, str], outage: Outage | None, error: type[Exception], said: str
) -> None:
    changes = {key: value.format(forge=hosted.forge.url) for key, value in changes.items()}
    hosted.forge.outage = outage
    with pytest.raises(error, match=said) as raised:
        fetch(hosted, **changes)
    assert TOKEN not in str(raised.value)


@pytest.mark.parametrize("token", ["wrong-token", ""])
def test_wrong_or_missing_credentials_are_refused_without_a_prompt(hosted: Hosted, token: str) -> None:
    with pytest.raises(ForgeAccessDenied, match="/self-heal/credentials/orders") as raised:
        fetch_source(hosted.app, Remote.of(hosted.app, token), connect(hosted.app, token))
    assert not token or token not in str(raised.value)


def test_a_forge_that_is_down(hosted: Hosted) -> None:
    hosted.forge.stop()
    with pytest.raises(ForgeUnavailable, match=r"Failed to connect|Connection refused"):
        fetch(hosted)


def test_too_many_files_or_bytes_is_its_own_outcome(hosted: Hosted) -> None:
    remote, forge = Remote.of(hosted.app, hosted.token), connect(hosted.app, hosted.token)
    with pytest.raises(SourceTooLarge, match="2 files"):
        fetch_source(hosted.app, remote, forge, ArchiveLimits(members=1))
    with pytest.raises(SourceTooLarge, match="MB"):
        fetch_source(hosted.app, remote, forge, ArchiveLimits(bytes=10))
    with pytest.raises(SourceTooLarge, match="fetch"):
        fetch_source(hosted.app, replace(remote, bytes=10), forge)


def test_the_token_is_in_no_argument_no_url_and_no_file(
    hosted: Hosted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a git that writes down its arguments and the files of its repository before it does its work
    real = subprocess.run(["which", "git"], check=True, capture_output=True, text=True).stdout.strip()
    log, bin_directory = tmp_path / "log", tmp_path / "bin"
    bin_directory.mkdir()
    wrapper = bin_directory / "git"
    wrapper.write_text(
        f'#!/bin/sh\necho "$@" >> {log}\n{real} "$@"; status=$?\n'
        f"cat config >> {log} 2>/dev/null\nexit $status\n"
    )
    wrapper.chmod(0o755)
    monkeypatch.setenv("PATH", f"{bin_directory}{os.pathsep}{os.environ['PATH']}")

    fetch(hosted)

    written = log.read_text()
    assert "fetch --depth=1" in written
    assert "[core]" in written
    assert TOKEN not in written
    assert Remote.of(hosted.app, TOKEN)._basic() not in written
    assert TOKEN not in repr(Remote.of(hosted.app, TOKEN))


def test_the_hosts_git_configuration_hooks_and_filters_have_no_say(
    hosted: Hosted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    marker = tmp_path / "ran"
    home = tmp_path / "home"
    template = home / "template" / "hooks"
    template.mkdir(parents=True)
    hook = template / "reference-transaction"
    hook.write_text(f"#!/bin/sh\ntouch {marker}\n")
    hook.chmod(0o755)
    (home / ".gitconfig").write_text(
        f"[init]\n\ttemplateDir = {home}/template\n[core]\n\thooksPath = {template}\n"
        f'[filter "evil"]\n\tsmudge = touch {marker}\n\tclean = touch {marker}\n'
        f'[url "http://127.0.0.1:1/"]\n\tinsteadOf = {hosted.forge.url}/\n'
    )
    commit(
        hosted, {".gitattributes": b"* filter=evil export-ignore export-subst\n", "a.py": b"$Format:%H$\r\n"}
    )
    monkeypatch.setenv("HOME", str(home))

    members = {member.path: member.data for member in read(fetch(hosted).archive)}

    assert not marker.exists()
    assert members["a.py"] == b"$Format:%H$\r\n"


def commit(
    hosted: Hosted,
    files: dict[str, bytes],
    links: dict[str, str] | None = None,
    modules: tuple[str, ...] = (),
) -> str:
    """A commit on main with exactly these files, links and submodules."""
    entries = [("100755" if name.endswith(".sh") else "100644", name, data) for name, data in files.items()]
    entries += [("120000", name, target.encode()) for name, target in (links or {}).items()]
    index = {"GIT_INDEX_FILE": str(hosted.bare.parent / "index"), "PATH": os.environ["PATH"]}
    lines = [
        f"{mode} {hosted.git('hash-object', '-w', '--stdin', stdin=data)}\t{name}"
        for mode, name, data in entries
    ]
    lines += [f"160000 {hosted.base_sha}\t{name}" for name in modules]
    git = ["git", "--git-dir", str(hosted.bare)]
    subprocess.run(
        [*git, "update-index", "--index-info"], input="\n".join(lines).encode(), env=index, check=True
    )
    tree = (
        subprocess.run([*git, "write-tree"], env=index, check=True, capture_output=True)
        .stdout.decode()
        .strip()
    )
    identity = ("-c", "user.name=t", "-c", "user.email=t@example.com")
    sha: str = hosted.git(*identity, "commit-tree", tree, "-p", hosted.base_sha, "-m", "files")
    hosted.git("update-ref", "refs/heads/main", sha)
    return sha


def test_the_tree_arrives_as_it_is_in_the_commit(hosted: Hosted) -> None:
    commit(
        hosted,
        {
            "src/orders/pricing.py": b"x = 1\n",
            "run.sh": b"#!/bin/sh\n",
            "gr\u00fc\u00dfe name.txt": b"\xff\x00",
        },
        links={"latest": "src/orders", "escape": "../../etc/passwd", "root": "/etc"},
        modules=("vendor/lib",),
    )
    source = fetch(hosted)
    assert list(read(source.archive)) == [
        Member("gr\u00fc\u00dfe name.txt", b"\xff\x00"),
        Member("latest", b"src/orders", MemberKind.SYMLINK),
        Member("run.sh", b"#!/bin/sh\n", MemberKind.EXECUTABLE),
        Member("src/orders/pricing.py", b"x = 1\n"),
    ]
    assert source.submodules == source.left_out == ("vendor/lib",)


@dataclass
class Elsewhere:
    """A web server that is not the forge: it hangs, or redirects, and remembers what it was sent."""

    url: str = ""
    location: str = ""
    seen: list[str] = field(default_factory=list)
    release: threading.Event = field(default_factory=threading.Event)


@pytest.fixture
def elsewhere(httpserver: HTTPServer) -> Iterator[Elsewhere]:
    state = Elsewhere()

    def answer(request: Request) -> Response:
        state.seen.append(str(request.headers))
        if state.location:
            return Response(status=301, headers={"Location": state.location})
        state.release.wait(30)
        return Response(status=503)

    state.url = answered_by(httpserver, answer)
    yield state
    state.release.set()


def test_a_forge_that_hangs_is_given_up(hosted: Hosted, elsewhere: Elsewhere) -> None:
    app = replace(hosted.app, repository=f"{elsewhere.url}/shop/orders.git")
    with pytest.raises(ForgeUnavailable, match="took over 1 s"):
        fetch_source(app, replace(Remote.of(app, TOKEN), seconds=1), connect(app, TOKEN))


def test_a_redirect_is_not_followed_so_the_token_stays_here(hosted: Hosted, elsewhere: Elsewhere) -> None:
    elsewhere.location = hosted.forge.url + "/shop/orders.git/info/refs?service=git-upload-pack"
    app = replace(hosted.app, repository=f"{elsewhere.url}/shop/orders.git")
    with pytest.raises(RepositoryNotFound, match="moved"):
        fetch_source(app, Remote.of(app, TOKEN), connect(app, TOKEN))
    assert len(elsewhere.seen) == 1


def test_other_protocols_than_http_are_refused(hosted: Hosted, tmp_path: Path) -> None:
    remote = Remote(url=f"file://{hosted.bare}")
    with pytest.raises(ForgeUnavailable, match="not allowed"):
        fetch_source(hosted.app, remote, connect(hosted.app, TOKEN))


@pytest.fixture
def state(
    hosted: Hosted, incidents_table: Table, monkeypatch: pytest.MonkeyPatch, request: Any
) -> dict[str, Any]:
    """Bucket, table and registry as deployed, and the state in which FetchSource is entered."""
    registry = f"/{request.function.__name__}/apps"
    boto3.client("s3").create_bucket(Bucket="artifacts")
    name, value = f"/{request.function.__name__}/credentials/orders", bound(TOKEN, hosted.app.host)
    boto3.client("ssm").put_parameter(Name=name, Value=value, Type="SecureString")
    boto3.client("ssm").put_parameter(
        Name=f"{registry}/orders", Value=json.dumps(hosted.app.to_json()), Type="SecureString"
    )
    item = {"fingerprint": "f", "status": "HEALING", "error_type": "KeyError", "title": "KeyError: 'NZ'"}
    incidents_table.put_item(Item={"incident_id": "orders-f", "app": "orders", **item})
    monkeypatch.setenv("ARTIFACTS_BUCKET", "artifacts")
    monkeypatch.setenv("ARTIFACTS_ROLE_ARN", "arn:aws:iam::123456789012:role/artifacts")
    monkeypatch.setenv("PYTHONS", "3.9 3.12")
    monkeypatch.setenv("INCIDENTS_TABLE", incidents_table.name)
    monkeypatch.setenv("REGISTRY_PATH", registry)
    return {"incident_id": "orders-f", "app": "orders", "heal_id": "h1", "attempt": 0}


def test_step_keeps_the_commit_it_began_with(
    hosted: Hosted, state: dict[str, Any], lambda_context: LambdaContext
) -> None:
    first = handler(state, lambda_context)
    key, _, _ = first["key"].partition("@sha256:")
    assert (key, first["base_sha"], first["revision_from"]) == (
        "orders-f/h1/source.tar.gz",
        hosted.base_sha,
        "branch",
    )
    assert first["facts"].startswith("orders-f/h1/facts.json@sha256:")
    assert first["python"]["version"] == "3.12"
    # When the branch moves on and the forge goes away
    hosted.branch("main")
    hosted.forge.stop()
    # Then a redriven step answers the same, from what it kept
    assert handler(state, lambda_context) == first
    s3 = boto3.client("s3")
    archive = s3.get_object(Bucket="artifacts", Key=key)["Body"].read()
    assert [member.path for member in read(archive)] == ["README.md", "rates.py"]
    names = {entry["Key"] for entry in s3.list_objects_v2(Bucket="artifacts")["Contents"]}
    assert names == {f"orders-f/h1/{name}" for name in ("source.tar.gz", "source.json", "facts.json")}


def test_step_that_failed_leaves_nothing_that_looks_done(
    hosted: Hosted, state: dict[str, Any], lambda_context: LambdaContext
) -> None:
    hosted.forge.outage = Outage(503)
    with pytest.raises(ForgeUnavailable):
        handler(state, lambda_context)
    hosted.forge.outage = None
    assert handler(state, lambda_context)["base_sha"] == hosted.base_sha
