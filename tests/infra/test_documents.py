"""What is written for people leads somewhere: every link, every path, every command of make."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from infra.packaging import ROOT

LISTED = subprocess.run(
    ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.md"],
    cwd=ROOT,
    capture_output=True,
    text=True,
    check=True,
).stdout.split()
PAGES = [ROOT / name for name in LISTED if not name.startswith("tests/data/")]
FOLDERS = (
    "statemachine",
    "functions",
    "functions/core",
    "functions/validate_patch",
    "infra",
    "infra/local",
    "tests",
)
MOST_WORDS = 1_200
"""Of the root README, its drawing left out: what somebody reads in the first ten minutes."""


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def anchors(page: Path) -> set[str]:
    """Of its headings, as GitHub makes them."""
    headings = re.findall(r"(?m)^#+ (.+)$", page.read_text())
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_link_leads_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        path, _, anchor = target.partition("#")
        if path.startswith(("https://", "http://")):
            continue
        found = (page.parent / path).resolve() if path else page
        assert found.exists(), target
        assert not anchor or anchor in anchors(found), target


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_target_of_make_is_one(page: Path) -> None:
    targets = set(re.findall(r"(?m)^([a-z-]+):", (ROOT / "Makefile").read_text()))
    asked = set(re.findall(r"(?m)(?:^|`)make ([a-z][a-z-]*)", page.read_text()))
    assert asked <= targets


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_file_that_is_named_with_its_folder_is_there(page: Path) -> None:
    named = re.findall(r"`((?:functions|infra|tests|statemachine)/[\w/.-]+)`", page.read_text())
    assert [
        path for path in named if not path.isupper() and "STEP" not in path and not (ROOT / path).exists()
    ] == []


def test_every_folder_that_people_enter_says_what_lives_there() -> None:
    assert [folder for folder in FOLDERS if not (ROOT / folder / "README.md").is_file()] == []


def test_the_readme_is_read_in_ten_minutes() -> None:
    text = re.sub(r"```mermaid.*?```", "", (ROOT / "README.md").read_text(), flags=re.S)
    assert len(text.split()) <= MOST_WORDS
