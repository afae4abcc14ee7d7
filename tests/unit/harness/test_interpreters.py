"""Where the Pythons of apps are found, and what is not believed."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from functions.harness import interpreters
from functions.harness.interpreters import VERSIONS, Interpreter, available, find, missing

HERE = "{}.{}".format(*sys.version_info[:2])
OTHER = next(version for version in VERSIONS if version != HERE)
Fake = Callable[..., Path]


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A machine without any other Python than the one that runs the tests."""
    monkeypatch.delenv(interpreters.DIRECTORY, raising=False)
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path / "pyenv"))
    monkeypatch.setenv("UV_PYTHON_INSTALL_DIR", str(tmp_path / "uv"))
    monkeypatch.setenv("PATH", "/nowhere")
    return tmp_path


def test_the_interpreter_that_runs_this_is_found_without_its_virtual_environment(bare: Path) -> None:
    found = find(HERE)
    assert found == Interpreter(HERE, Path(os.path.realpath(sys.executable)), Path(sys.base_prefix))
    assert available() == (HERE,)


@pytest.mark.parametrize("version", ["", "3", "3.8", "3.99", "2.7", "3.12.1", "../3.12", "3.12; ls"])
def test_what_is_no_supported_version_is_never_looked_for(version: str) -> None:
    assert find(version) is None


def test_the_runners_own_directory_comes_first(
    bare: Path, fake: Fake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(interpreters.DIRECTORY, str(bare / "python"))
    named = {v: fake(bare / "python" / v / "bin" / f"python{v}", v) for v in VERSIONS}
    assert {v: found.executable for v in VERSIONS if (found := find(v))} == named


def test_the_first_on_the_path_that_really_is_that_version_is_taken(
    bare: Path, fake: Fake, monkeypatch: pytest.MonkeyPatch
) -> None:
    folders = [bare / name for name in ("shims", "pypy", "lying", "broken", "text", "real", "later")]
    fake(folders[0] / f"python{OTHER}", OTHER, status=127)
    fake(folders[1] / f"python{OTHER}", OTHER, "pypy")
    fake(folders[2] / f"python{OTHER}", HERE)
    fake(folders[3] / f"python{OTHER}", OTHER).write_bytes(b"\x7fELF")
    fake(folders[4] / f"python{OTHER}", OTHER).write_text("#!/bin/sh\necho Python\n")
    real = fake(folders[5] / f"python{OTHER}", OTHER)
    fake(folders[6] / f"python{OTHER}", OTHER)
    monkeypatch.setenv("PATH", os.pathsep.join(map(str, folders)))
    assert find(OTHER) == Interpreter(OTHER, real, bare)


def test_of_pyenvs_versions_the_newest_patch_is_taken(bare: Path, fake: Fake) -> None:
    for name in ("2", "9", "10", "11t", "-dev"):
        fake(bare / "pyenv" / "versions" / f"{OTHER}.{name}" / "bin" / f"python{OTHER}", OTHER)
    found = find(OTHER)
    assert found is not None
    assert found.prefix.name == f"{OTHER}.10"


def test_uv_is_asked_last_and_installs_nothing(
    bare: Path, fake: Fake, monkeypatch: pytest.MonkeyPatch
) -> None:
    managed = fake(bare / "managed" / f"python{OTHER}", OTHER)
    uv = bare / "tools" / "uv"
    uv.parent.mkdir()
    uv.write_text(f'#!/bin/sh\necho "$@" > {bare}/asked\necho {managed}\n')
    uv.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(bare / "no" / "python"))
    monkeypatch.setenv("PATH", str(uv.parent))
    found = find(OTHER)
    assert found is not None
    assert found.executable == managed
    assert "--no-python-downloads" in (bare / "asked").read_text().split()


def test_a_python_that_works_only_through_ld_library_path_is_found_with_it_and_not_without(
    bare: Path, by_library_path: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    executable, libraries = by_library_path
    monkeypatch.setenv("PATH", str(executable.parent))
    monkeypatch.setattr(sys, "executable", str(bare / "no" / "python"))
    assert find(HERE) is None
    find.cache_clear()
    monkeypatch.setenv("LD_LIBRARY_PATH", str(libraries))
    found = find(HERE)
    assert found is not None
    assert found.executable == executable


def test_what_is_missing_is_said_with_what_is_here_and_what_to_do(bare: Path) -> None:
    assert missing(OTHER) == (
        f"Python {OTHER} is not here (here are {HERE}): install it, such as with `uv python install {OTHER}`"
    )
    assert missing("2.7").startswith("Python 2.7 is none that tests can run on, which are 3.9 to 3.14: ")


def test_the_module_runs_alone_on_every_python_that_is_here() -> None:
    """A copy of the harness runs where the rest of the project is not."""
    folder = Path(interpreters.__file__).parent
    program = f"import sys; sys.path.insert(0, {str(folder)!r}); import interpreters as i; print(i.VERSIONS)"
    for version in available():
        found = find(version)
        assert found is not None
        told = subprocess.check_output([found.executable, "-I", "-c", program], text=True)
        assert told.strip() == str(VERSIONS), version
