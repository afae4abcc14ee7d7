"""What `selfheal try` installs: as the deployed system does, kept for the next trial, and said where it
cannot be."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from functions.core.source import archive
from infra.trial.dependencies import Prepared, prepare

Index = tuple[Path, dict[str, str]]
PYTHON = "{}.{}".format(*sys.version_info[:2])
OFFLINE = {"UV_DEFAULT_INDEX": "http://127.0.0.1:9/", "UV_HTTP_RETRIES": "0"}


@pytest.fixture
def trial(index: Index, tmp_path: Path) -> Callable[..., tuple[Prepared, list[str]]]:
    """Prepare for a repository with these requirements: what came of it, and what was said on the way."""

    def run(requirements: str, **environment: str) -> tuple[Prepared, list[str]]:
        said: list[str] = []
        given = {**index[1], "XDG_CACHE_HOME": str(tmp_path / "cache"), **environment}
        tree = {"requirements.txt": requirements.encode()}
        return prepare(tree, PYTHON, "", said.append, given), said

    return run


def names(prepared: Prepared) -> set[str]:
    return {member.path for member in archive.read(prepared.archive) if member.path.endswith(".py")}


def test_what_the_repository_asks_for_is_installed_once_and_kept(
    trial: Callable[..., tuple[Prepared, list[str]]],
    make_wheel: Callable[..., Path],
) -> None:
    make_wheel("first", "1.0")
    done, said = trial("first\n")
    assert names(done) == {"first.py"}
    assert said == [
        f"dependencies: resolving 1 requirement for Python {PYTHON}",
        "dependencies: installing 1 package",
    ]
    again, said = trial("first\n", **OFFLINE)
    assert again == done
    assert said == ["dependencies: 1 package, kept from an earlier trial"]


def test_what_is_missing_is_said(
    trial: Callable[..., tuple[Prepared, list[str]]],
    make_wheel: Callable[..., Path],
) -> None:
    make_wheel("first", "1.0")
    done, said = trial("first\nnowhere\n")
    assert names(done) == {"first.py"}
    assert done.lost[0].startswith("nowhere is not installed: ")
    assert said[-1] == f"dependencies: {done.lost[0]}"


def test_offline_it_is_said_what_to_do(trial: Callable[..., tuple[Prepared, list[str]]]) -> None:
    done, _ = trial("first\n", **OFFLINE)
    assert done.archive == b""
    assert "cannot be reached: go online once, what is installed then is kept" in done.reason


def test_a_cache_that_was_changed_is_not_used(
    trial: Callable[..., tuple[Prepared, list[str]]],
    make_wheel: Callable[..., Path],
    tmp_path: Path,
) -> None:
    make_wheel("first", "1.0")
    done, _ = trial("first\n")
    (kept,) = (tmp_path / "cache" / "self-heal" / "dependencies").glob("*.tar.gz")
    kept.write_bytes(b"other")
    again, said = trial("first\n")
    assert again == done
    assert said[-1] == "dependencies: installing 1 package"


def test_a_repository_that_asks_for_nothing_costs_nothing(
    trial: Callable[..., tuple[Prepared, list[str]]],
) -> None:
    assert trial("") == (Prepared(), [])
