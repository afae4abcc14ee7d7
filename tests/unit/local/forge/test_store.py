"""What the forge remembers, and how a directory becomes a repository."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from git import Repo

from infra.local.forge.git import Git, GitFailed
from infra.local.forge.store import Store, is_slug
from tests.fakes.forge import Forge

if TYPE_CHECKING:
    from tests.unit.local.forge.conftest import Site


@pytest.mark.parametrize("slug", ["a/b", "acme/orders", "A-1/x.y_z-", "a/.github", "a/git", "a/" + "n" * 100])
def test_slugs_that_github_allows(slug: str) -> None:
    assert is_slug(slug)


@pytest.mark.parametrize(
    "slug",
    [
        *("", "a", "a/", "/b", "a/b/c", "../b", "a/..", "a/.", ".new/b", "-a/b", "a-/b", "a--a/b", "a_b/c"),
        *("a/b.git", "a/b\n", "a\n/b", "a/b c", "a/b\x00", "é/b", "a/é", "a/" + "n" * 101, "o" * 40 + "/n"),
    ],
)
def test_slugs_that_github_does_not_allow(slug: str, tmp_path: Path) -> None:
    assert not is_slug(slug)
    assert Store(tmp_path).find(slug) is None
    with pytest.raises(ValueError, match="OWNER/NAME"):
        Forge(tmp_path, "t").create_repository(slug, tmp_path)


def test_the_first_commit_holds_what_the_source_means_to_hold(tmp_path: Path, source: Path) -> None:
    (source / ".gitignore").write_text("*.log\n")
    (source / "debug.log").write_text("x")
    (source / "deep" / "__pycache__").mkdir(parents=True)
    (source / "deep" / "__pycache__" / "m.pyc").write_text("x")
    (source / "deep" / "run.sh").write_text("#!/bin/sh\n")
    (source / "deep" / "run.sh").chmod(0o755)
    Repo.init(source).close()

    sha = Forge(tmp_path / "forge", "t").create_repository("a/b", source)

    git = Git(tmp_path / "forge" / "a" / "b.git")
    assert git.files(sha) == (".gitignore", "README.md", "app.py", "deep/run.sh")
    (commit,) = git.commits(sha)
    assert (commit.author, commit.subject) == ("Local forge", "Import")
    with Repo(git.directory) as repo:
        assert repo.commit(sha).tree["deep/run.sh"].mode == 0o100755


def test_the_same_files_give_the_same_commit_everywhere(tmp_path: Path, source: Path) -> None:
    one = Forge(tmp_path / "one", "t").create_repository("a/b", source)
    other = Forge(tmp_path / "other", "u").create_repository("c/d", source, private=False)

    assert one == other


def test_creating_again_changes_nothing(site: Site, source: Path) -> None:
    pushed = site.push("main", {"app.py": "X = 1\n"})
    (source / "app.py").write_text("Y = 1\n")

    assert site.forge.create_repository(site.slug, source, private=False) == pushed
    found = Store(site.directory).find(site.slug)
    assert found is not None
    assert (found.private, found.collaborators) == (True, ("ann",))


def test_a_source_without_files_leaves_nothing_behind(tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    forge = Forge(tmp_path / "forge", "t")

    with pytest.raises(GitFailed, match="no files"):
        forge.create_repository("a/b", empty)

    assert Store(tmp_path / "forge").all() == ()
    assert [path.name for path in (tmp_path / "forge").rglob("*")] == ["a"]


def test_a_restarted_forge_knows_everything(site: Site, fixed: str) -> None:
    pull = site.github().get_repo(site.slug).create_pull(base="main", head="fix", title="Té", body="B")
    pull.add_to_labels("l")
    pull.create_review_request(["ann"])
    pull.create_issue_comment("C")
    before = Store(site.directory).find(site.slug)
    site.forge.stop()

    with pytest.raises(ConnectionRefusedError):
        site.request("GET", "/")
    successor = Forge(site.directory, site.token, port=int(site.forge.url.rpartition(":")[2]))
    successor.start()
    try:
        again = site.github().get_repo(site.slug).get_pull(1)
        assert (again.title, again.body, again.state, again.head.sha) == ("Té", "B", "open", fixed)
        assert [label.name for label in again.labels] == ["l"]
        assert [comment.body for comment in again.get_issue_comments()] == ["C"]
        assert Store(site.directory).find(site.slug) == before
        again.merge()
    finally:
        successor.stop()
    site.forge.start()
    assert site.github().get_repo(site.slug).get_pull(1).merged


def test_the_record_is_json_and_no_half_written_file_stays(site: Site, fixed: str) -> None:
    site.github().get_repo(site.slug).create_pull(base="main", head="fix", title="T")

    record = json.loads((site.directory / f"{site.slug}.json").read_text(encoding="utf-8"))

    assert record["pulls"][0]["title"] == "T"
    assert sorted(path.name for path in (site.directory / "acme").iterdir()) == ["orders.git", "orders.json"]
