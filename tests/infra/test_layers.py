"""What import-linter (pyproject.toml) does not say of the layers: logic without AWS, sizes, and names."""

from __future__ import annotations

import ast
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.catalog import EVERY
from infra.packaging import ROOT

SOURCES = sorted(p for folder in ("functions", "infra") for p in (ROOT / folder).rglob("*.py"))
SOURCES = [p for p in SOURCES if "sample" not in p.parts]
LOGIC = [
    path
    for path in SOURCES
    if path.is_relative_to(ROOT / "functions")
    and not path.is_relative_to(ROOT / "functions/core")
    # The page's routes are its edge: Powertools' resolver is what calls them. A MicroVM starts its program.
    and path.name not in ("handler.py", "routes.py", "microvm.py")
]
HARNESS = ROOT / "functions/harness"


def imports(path: Path) -> Iterator[str]:
    """Every module that a file imports, anywhere in it, but for type checking."""
    tree = ast.parse(path.read_text())
    skipped = {
        id(node)
        for block in ast.walk(tree)
        if isinstance(block, ast.If) and ast.unparse(block.test) == "TYPE_CHECKING"
        for node in ast.walk(block)
    }
    for node in ast.walk(tree):
        if id(node) in skipped:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("path", LOGIC, ids=name)
def test_a_step_s_logic_knows_no_aws(path: Path) -> None:
    for module in imports(path):
        assert module.partition(".")[0] not in ("boto3", "aws_lambda_powertools"), f"imports {module}"
    if not path.is_relative_to(HARNESS):  # a program of its own
        attributes = (n for n in ast.walk(ast.parse(path.read_text())) if isinstance(n, ast.Attribute))
        assert "os.environ" not in {ast.unparse(node) for node in attributes}


def test_the_harness_needs_no_more_than_the_oldest_python_that_it_supports_and_pytest() -> None:
    for path in HARNESS.rglob("*.py"):
        foreign = {m for m in imports(path) if m.partition(".")[0] not in sys.stdlib_module_names}
        assert {m for m in foreign if not m.startswith("functions.harness")} <= {"pytest"}, path
        ast.parse(path.read_text(), feature_version=(3, 9))


def test_every_function_has_its_folder_and_every_folder_is_a_function() -> None:
    folders = {p.parent.name for p in (ROOT / "functions").glob("*/__init__.py")} - {"core", "harness"}
    assert folders == {spec.folder for spec in EVERY}


@pytest.mark.parametrize("path", SOURCES, ids=name)
def test_a_file_can_be_read_in_one_sitting(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= 400


def test_a_class_name_means_one_thing() -> None:
    places: dict[str, list[str]] = {}
    for path in SOURCES:
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                places.setdefault(node.name, []).append(name(path))
    assert {known: found for known, found in places.items() if len(found) > 1} == {}


def test_the_contracts_name_every_function() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    steps = next(c for c in contracts if c.get("containers") == ["functions"])["layers"][0]
    assert set(steps.split(" | ")) == {spec.folder for spec in EVERY}
