"""What the tests of ValidatePatch share: the sample repository, incidents in it, and proposals."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from functions.core.app import App
from functions.core.archive import members_of
from functions.core.facts import Facts
from functions.core.incident import Frame, Incident, Status
from functions.core.proposal import Edit, Proposal, RegressionTest
from functions.validate_patch.sandbox.sandbox import Sandbox
from functions.validate_patch.tree import SYMLINK, File, Tree
from functions.validate_patch.validate import tree_of

DATA = Path(__file__).parents[2] / "data" / "validate"


def _tree(folder: Path) -> Tree:
    return {path: file for path, file in tree_of(members_of(folder)).items() if "__pycache__" not in path}


def _incident_rows() -> dict[str, dict[str, Any]]:
    return tomllib.loads((DATA / "incidents.toml").read_text())


@pytest.fixture(scope="session")
def shop(repositories: dict[str, Tree]) -> Tree:
    """A small repository of an orders service with its tests and documentation."""
    return repositories["shop"]


@pytest.fixture(scope="session")
def facts_of() -> Callable[..., Facts]:
    """Facts of an incident: its type and the places it passed through, innermost last."""

    def make(error_type: str, *places: tuple[str, int, str, str], message: str = "") -> Facts:
        frames = tuple(
            Frame(f"/var/task/{path}", line, function, code, in_app=True, why="below /var/task")
            for path, line, function, code in places
        )
        incident = Incident(
            incident_id="shop-1f3c",
            fingerprint="1f3c",
            app="shop",
            status=Status.HEALING,
            error_type=error_type,
            title=f"{error_type}: {message}",
            sample=f"Traceback (most recent call last):\n{error_type}: {message}\n",
            frames=frames,
        )
        return Facts(incident, App("shop", ("/aws/lambda/shop",), "https://github.com/shop/shop"))

    return make


@pytest.fixture(scope="session")
def propose() -> Callable[..., Proposal]:
    """A proposal of (path, search, replace) edits, with a regression test's code if given."""

    def make(
        *edits: tuple[str, str, str], test: str = "", path: str = "tests/test_regression.py"
    ) -> Proposal:
        return Proposal(
            root_cause="cause",
            title="Mend it",
            explanation="why",
            edits=tuple(Edit(*edit) for edit in edits),
            confidence=0.9,
            regression_test=RegressionTest(path, test) if test else None,
        )

    return make


@pytest.fixture(scope="session")
def repositories() -> dict[str, Tree]:
    """The sample repositories by name."""
    return {folder.name: _tree(folder) for folder in sorted(DATA.iterdir()) if folder.is_dir()}


@pytest.fixture(scope="session")
def incidents(repositories: dict[str, Tree], facts_of: Callable[..., Facts]) -> dict[str, Facts]:
    """The incidents of `incidents.toml` by name. Line numbers are those of the code named."""

    def facts(row: dict[str, Any]) -> Facts:
        places = []
        for path, function, code in row["places"]:
            lines = [line.strip() for line in repositories[row["repository"]][path].data.decode().split("\n")]
            places.append((path, lines.index(code) + 1, function, code))
        error_type, _, message = row["raised"].partition(": ")
        return facts_of(error_type, *places, message=message)

    return {name: facts(row) for name, row in _incident_rows().items()}


@pytest.fixture(scope="session")
def tree_for(repositories: dict[str, Tree]) -> Callable[..., Tree]:
    """The repository that an incident happened in, by the incident's name; with extra symbolic links."""
    rows = _incident_rows()

    def tree(incident: str, links: dict[str, str] | None = None) -> Tree:
        extra = {path: File(target.encode(), SYMLINK) for path, target in (links or {}).items()}
        return {**repositories[rows[incident]["repository"]], **extra}

    return tree


@pytest.fixture(scope="session")
def sandbox() -> Iterator[Sandbox]:
    """One sandbox for many validations: runs in it do not know of each other."""
    with Sandbox() as box:
        yield box
