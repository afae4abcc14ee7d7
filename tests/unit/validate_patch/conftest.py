"""What the tests of ValidatePatch share: the sample repository, incidents in it, and proposals."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from functions.core.apps.app import App
from functions.core.incidents.incident import Frame, Incident, Status
from functions.core.source.archive import members_of, pack
from functions.core.source.engine import ENGINE
from functions.core.source.python import Python
from functions.core.workflow.artifacts import Artifacts
from functions.core.workflow.proposal import Edit, Proposal, RegressionTest
from functions.core.workflow.validation_context import ValidationContext
from functions.harness.job import Job
from functions.harness.runner import Ran, Runner
from functions.validate_patch.tree import SYMLINK, File, Tree
from functions.validate_patch.validate import tree_of, validate
from infra.local.runner import LocalRunner
from tests.unit.validate_patch.lanes_at_work import REGRESSION, RIGHT, Lanes, stocked

if TYPE_CHECKING:
    from tests.fakes.emulated import LambdaContext

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
def facts_of() -> Callable[..., ValidationContext]:
    """Facts of an incident: its type and the places it passed through, innermost last."""

    def make(error_type: str, *places: tuple[str, int, str, str], message: str = "") -> ValidationContext:
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
        app = App("shop", ("/aws/lambda/shop",), "https://github.com/shop/shop")
        return ValidationContext(incident, app, python=Python(ENGINE, "it runs the tests"))

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
def incidents(
    repositories: dict[str, Tree], facts_of: Callable[..., ValidationContext]
) -> dict[str, ValidationContext]:
    """The incidents of `incidents.toml` by name. Line numbers are those of the code named."""

    def context(row: dict[str, Any]) -> ValidationContext:
        places = []
        for path, function, code in row["places"]:
            lines = [line.strip() for line in repositories[row["repository"]][path].data.decode().split("\n")]
            places.append((path, lines.index(code) + 1, function, code))
        error_type, _, message = row["raised"].partition(": ")
        return facts_of(error_type, *places, message=message)

    return {name: context(row) for name, row in _incident_rows().items()}


@pytest.fixture(scope="session")
def tree_for(repositories: dict[str, Tree]) -> Callable[..., Tree]:
    """The repository that an incident happened in, by the incident's name; with extra symbolic links."""
    rows = _incident_rows()

    def tree(incident: str, links: dict[str, str] | None = None) -> Tree:
        extra = {path: File(target.encode(), SYMLINK) for path, target in (links or {}).items()}
        return {**repositories[rows[incident]["repository"]], **extra}

    return tree


@pytest.fixture(scope="session")
def runner() -> Runner:
    """Each job in a world of its own, on this machine."""
    return LocalRunner()


@pytest.fixture(scope="session")
def shop_archive() -> bytes:
    """The shop as FetchSource packs it."""
    return pack(member for member in members_of(DATA / "shop") if "__pycache__" not in member.path)


@pytest.fixture
def artifacts(
    aws: None, monkeypatch: pytest.MonkeyPatch, shop_archive: bytes, incidents: dict[str, ValidationContext]
) -> Artifacts:
    """The artifacts bucket with what FetchSource leaves in it."""
    return stocked(monkeypatch, shop_archive, incidents["label"])


@pytest.fixture
def lanes(
    artifacts: Artifacts,
    shop: Tree,
    incidents: dict[str, ValidationContext],
    propose: Callable[..., Proposal],
    lambda_context: LambdaContext,
) -> Lanes:
    """A right patch with a test, in every lane."""
    return Lanes(artifacts, lambda_context, shop, incidents["label"], propose(RIGHT, test=REGRESSION))


@pytest.fixture(scope="session")
def whole_report(
    shop: Tree, incidents: dict[str, ValidationContext], propose: Callable[..., Proposal], runner: Runner
) -> bytes:
    """What the driver really reports of that patch."""
    kept: list[bytes] = []

    class Keeping:
        def run(self, job: Job) -> Ran:
            ran = runner.run(job)
            assert ran.report
            kept.append(ran.report)
            return ran

    proposal = propose(RIGHT, test=REGRESSION)
    assert validate(shop, proposal, incidents["label"], "a" * 40, Keeping()).proven
    return kept[0]
