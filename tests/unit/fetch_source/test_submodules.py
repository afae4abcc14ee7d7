"""Submodules on a forge that runs: fetched where an app asks for them, and only from its own forge."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from functions.core.forge.connect import connect
from functions.core.forge.git_remote import Remote
from functions.core.source.archive import ArchiveLimits, read
from functions.core.source.submodules import same_forge
from functions.core.workflow.errors import SourceTooLarge
from functions.fetch_source.source import Source, fetch_source

if TYPE_CHECKING:
    from tests.unit.conftest import Hosted

OWN = "https://git.example.com/shop/orders.git"
Fetch = Callable[..., Source]


@pytest.fixture
def fetch(hosted: Hosted, tmp_path: Path) -> Fetch:
    """Fetches `shop/orders`, whose `lib` is commit `lib_sha` of what `address` leads to."""
    source = tmp_path / "lib"
    source.mkdir()
    (source / "money.py").write_text("def share(amount, people):\n    return amount / people\n")
    lib_sha = hosted.forge.create_repository("shop/lib", source, private=True)

    def call(
        address: str = "../lib.git", sha: str = lib_sha, limits: ArchiveLimits | None = None, **entry: Any
    ) -> Source:
        text = f'[submodule "x"]\n\tpath = lib\n\turl = {address}\n[include]\n\tpath = /etc/passwd\n'
        blob = hosted.git("hash-object", "-w", "--stdin", stdin=text.encode())
        rows = [hosted.git("ls-tree", hosted.base_sha), f"100644 blob {blob}\t.gitmodules"]
        tree = hosted.git(
            "mktree", "--missing", stdin="\n".join([*rows, f"160000 commit {sha}\tlib", ""]).encode()
        )
        identity = ("-c", "user.name=t", "-c", "user.email=t@example.com")
        commit = hosted.git(*identity, "commit-tree", tree, "-m", "with a submodule")
        hosted.git("update-ref", "refs/heads/main", commit)
        app = replace(hosted.app, **({"submodules": True} | entry))
        return fetch_source(
            app, Remote.of(app, hosted.token), connect(app, hosted.token), limits or ArchiveLimits()
        )

    return call


def paths(source: Source) -> set[str]:
    return {member.path for member in read(source.archive)}


def test_files_of_a_submodule_stand_where_it_is_mounted(fetch: Fetch) -> None:
    source = fetch()
    assert paths(source) == {".gitmodules", "README.md", "rates.py", "lib/money.py"}
    assert (source.submodules, source.left_out, source.files) == (("lib",), (), 4)


def test_nothing_of_it_is_fetched_unless_asked_for(fetch: Fetch) -> None:
    source = fetch(submodules=False)
    assert paths(source) == {".gitmodules", "README.md", "rates.py"}
    assert (source.submodules, source.left_out) == (("lib",), ("lib",))


@pytest.mark.parametrize(
    ("address", "sha"),
    [
        ("../gone.git", None),
        ("../lib.git", "0" * 39 + "1"),
        ("https://elsewhere.example.com/shop/lib.git", None),
        ("ext::sh -c touch% /tmp/x", None),
        ("--upload-pack=touch /tmp/x", None),
    ],
)
def test_what_cannot_be_had_is_left_out_and_said(fetch: Fetch, address: str, sha: str | None) -> None:
    source = fetch(address, **({"sha": sha} if sha else {}))
    assert source.left_out == ("lib",)
    assert "rates.py" in paths(source)


def test_the_ceiling_counts_submodules_too(fetch: Fetch) -> None:
    with pytest.raises(SourceTooLarge, match="4 files"):
        fetch(limits=ArchiveLimits(members=3))


@pytest.mark.parametrize(
    ("address", "url"),
    [
        ("../lib.git", "https://git.example.com/shop/lib.git"),
        ("../../other/lib", "https://git.example.com/other/lib"),
        ("https://git.example.com/x/lib.git", "https://git.example.com/x/lib.git"),
        ("git@git.example.com:x/lib.git", "https://git.example.com/x/lib.git"),
        ("ssh://git@git.example.com:2222/x/lib.git", "https://git.example.com/x/lib.git"),
        ("git@elsewhere.example.com:x/lib.git", None),
        ("https://git.example.com.evil.example/x.git", None),
        ("https://git.example.com@evil.example/x.git", None),
        ("https://user:secret@git.example.com/x.git", None),
        ("http://git.example.com/x.git", None),
        ("https://git.example.com:8443/x.git", None),
        ("//evil.example/x.git", None),
        ("..//evil.example/x.git", "https://git.example.com/shop/evil.example/x.git"),
        ("file:///etc", None),
        ("", None),
    ],
)
def test_only_addresses_of_the_app_s_own_forge_are_followed(address: str, url: str | None) -> None:
    assert same_forge(address, OWN) == url
