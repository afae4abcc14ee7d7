"""Pythons that are not what they seem, made of the one that runs the tests."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from functions.harness import interpreters
from tests.fakes.pythons import loaded_by_path


@pytest.fixture(autouse=True)
def nothing_is_remembered() -> Iterator[None]:
    """Each test looks afresh, and leaves nothing that it found behind."""
    interpreters.find.cache_clear()
    yield
    interpreters.find.cache_clear()


@pytest.fixture
def fake(tmp_path: Path) -> Callable[..., Path]:
    """Makes a program that answers as an interpreter of another version would."""

    def make(path: Path, version: str, name: str = "cpython", status: int = 0) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        told = {"version": version, "name": name, "executable": str(path), "prefix": str(path.parent.parent)}
        path.write_text(f"#!/bin/sh\necho '{json.dumps(told)}'\nexit {status}\n")
        path.chmod(0o755)
        return path

    return make


@pytest.fixture
def by_library_path(tmp_path: Path) -> tuple[Path, Path]:
    return loaded_by_path(tmp_path)
