"""Dependencies of the repository in the sandbox: there to import, not to change; or said to be missing."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path

import pytest
from functions.validate_patch.sandbox.isolation import Limits
from functions.validate_patch.sandbox.sandbox import Sandbox

from functions.core.dependencies import Dependencies
from functions.core.errors import PermanentError
from functions.core.evidence import Result
from functions.core.facts import Facts
from functions.core.proposal import Proposal
from functions.validate_patch.tree import File, Tree
from functions.validate_patch.validate import validate

OPTIONS = ["-q", "-p", "no:cacheprovider", "-o", "addopts="]
TEST = b"import leftpad\n\n\ndef test_pad(padded):\n    assert leftpad.pad('a') == padded\n"
PLUGIN = "import pytest\n\n\n@pytest.fixture\ndef padded():\n    return ' a'\n"


@pytest.fixture
def site() -> Iterator[Path]:
    """An environment as InstallDependencies leaves it: a package, and a pytest plugin."""
    with tempfile.TemporaryDirectory() as folder:
        yield _filled(Path(folder))


def _filled(tmp_path: Path) -> Path:
    (tmp_path / "leftpad.py").write_text("def pad(text):\n    return ' ' + text\n")
    (tmp_path / "leftpad.py").chmod(0o666)
    (tmp_path / "pad_fixtures.py").write_text(PLUGIN)
    info = tmp_path / "pad_fixtures-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: pad-fixtures\nVersion: 1\n")
    (info / "entry_points.txt").write_text("[pytest11]\npads = pad_fixtures\n")
    (tmp_path / "evil.pth").write_text("import os; os.environ['RAN'] = 'yes'\n")
    return tmp_path


@pytest.mark.parametrize("namespaces", [True, False], ids=["namespaces", "as on Lambda"])
def test_tests_import_packages_and_use_their_plugins(site: Path, namespaces: bool) -> None:
    with Sandbox(namespaces=namespaces, dependencies=site) as box:
        outcome = box.run(box.stage({"test_pad.py": File(TEST)}), {"kind": "pytest", "args": OPTIONS})
    assert outcome.exit_code == 0, outcome.output


@pytest.mark.parametrize("namespaces", [True, False], ids=["namespaces", "as on Lambda"])
def test_a_command_of_the_apps_own_imports_them_too(site: Path, namespaces: bool) -> None:
    code = b"import leftpad, os; print(leftpad.pad('b'), os.environ.get('RAN'))"
    with Sandbox(namespaces=namespaces, dependencies=site) as box:
        outcome = box.run(
            box.stage({"a.py": File(code)}), {"kind": "command", "args": [sys.executable, "a.py"]}
        )
    assert outcome.output == " b None\n"


CHANGES = b"import leftpad; open(leftpad.__file__, 'a').write('pad = str\\n')"


def test_code_under_test_cannot_change_them(site: Path) -> None:
    with Sandbox(dependencies=site) as box:
        assert box.namespaces
        task = {"kind": "command", "args": [sys.executable, "a.py"]}
        assert "Read-only file system" in box.run(box.stage({"a.py": File(CHANGES)}), task).output


def test_without_namespaces_a_change_is_seen_and_ends_the_step(site: Path) -> None:
    with Sandbox(Limits(seconds=20), namespaces=False, dependencies=site) as box:
        task = {"kind": "command", "args": [sys.executable, "a.py"]}
        with pytest.raises(PermanentError, match="changed the dependencies"):
            box.run(box.stage({"a.py": File(CHANGES)}), task)


def test_nothing_is_run_when_they_could_not_be_installed(
    shop: Tree, incidents: dict[str, Facts], propose: Callable[..., Proposal], sandbox: Sandbox
) -> None:
    proposal = propose(("shop/reports.py", '"ORD-" + order["number"]', "f\"ORD-{order['number']}\""))

    result = validate(
        shop, proposal, incidents["label"], "0" * 40, lambda: nullcontext(sandbox), "no wheel for a"
    )

    assert (result.evidence.accepted, result.proven) == (True, False)
    told = {gate.gate: gate.detail for gate in result.evidence.gates if gate.result is Result.NOT_RUN}
    expected = "not run: the repository's dependencies are not installed: no wheel for a"
    assert told == dict.fromkeys(("reproduces", "breaks_nothing", "nothing_extra"), expected)


def test_an_execution_of_before_the_step_was_there_has_none() -> None:
    assert Dependencies.from_state({}) == Dependencies("", "", 0)
