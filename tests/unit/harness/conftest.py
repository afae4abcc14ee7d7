"""Pythons that are not what they seem, made of the one that runs the tests."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from functions.harness import interpreters

HERE = "{}.{}".format(*sys.version_info[:2])


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
def loaded_by_path(tmp_path: Path) -> tuple[Path, Path]:
    """(executable, library directory): a CPython of the version that runs the tests, which starts only with
    that directory in LD_LIBRARY_PATH, as AWS's does.

    It is a copy in which the name of a library that it needs is another, of equal length, that only the
    directory has.
    """
    real = Path(os.path.realpath(sys.executable))
    program = real.read_bytes()
    needed = next(
        path
        for path in sorted(_libraries(), key=lambda path: not path.name.startswith("libpython"))
        if f"\0{path.name}\0".encode() in program and not path.name.startswith("libc.")
    )
    renamed = needed.name.replace("lib", "LIB", 1)
    libraries, copy = tmp_path / "libraries", tmp_path / "loaded" / "bin" / f"python{HERE}"
    libraries.mkdir()
    (libraries / renamed).symlink_to(needed)
    copy.parent.mkdir(parents=True)
    copy.write_bytes(program.replace(f"\0{needed.name}\0".encode(), f"\0{renamed}\0".encode()))
    copy.chmod(0o755)
    (tmp_path / "loaded" / "lib").symlink_to(Path(sys.base_prefix, "lib"))
    return copy, libraries


def _libraries() -> set[Path]:
    """The shared libraries that this process has loaded."""
    maps = Path("/proc/self/maps").read_text().splitlines()
    return {Path(line.split()[-1]) for line in maps if ".so" in line.rsplit("/", 1)[-1]}
