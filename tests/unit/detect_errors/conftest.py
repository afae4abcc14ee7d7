"""Interpreters that really raise: every Python that this machine has, each in one process for the session."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

DATA = Path(__file__).parents[2] / "data" / "detect_errors"
_ASK = "import sys; sys.stdout.write('%d.%d' % sys.version_info[:2])"


class Interpreter:
    """One running raiser (see tests/data/detect_errors/raiser.py)."""

    def __init__(self, python: str, version: tuple[int, int], root: Path) -> None:
        self.version = version
        root.mkdir(parents=True)
        self._process = subprocess.Popen(
            [python, str(DATA / "raiser.py"), str(root)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            encoding="utf-8",
            env={"PYTHONIOENCODING": "utf-8", "LC_ALL": "C.UTF-8", "NO_COLOR": "1"},
        )

    def raises(self, case: dict[str, Any]) -> dict[str, Any]:
        """Run one case; returns what was printed and what was true."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(case) + "\n")
        self._process.stdin.flush()
        answer: dict[str, Any] = json.loads(self._process.stdout.readline())
        assert "error" not in answer, answer["error"]
        return answer

    def close(self) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(timeout=10)
        self._process.stdout.close()


def _pythons() -> dict[tuple[int, int], str]:
    candidates = [sys.executable, *map(str, sorted(Path.home().glob(".pyenv/versions/*/bin/python")))]
    candidates += [path for minor in range(6, 16) if (path := shutil.which(f"python3.{minor}"))]
    found: dict[tuple[int, int], str] = {}
    for python in candidates:
        asked = subprocess.run([python, "-c", _ASK], capture_output=True, text=True, timeout=30, check=False)
        if asked.returncode == 0:
            major, _, minor = asked.stdout.partition(".")
            found.setdefault((int(major), int(minor)), python)
    return found


@pytest.fixture(scope="session")
def interpreters(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Interpreter]]:
    """One per Python version of this machine, the running one at least."""
    root = tmp_path_factory.mktemp("raised")
    running = [
        Interpreter(python, version, root / f"py{version[0]}{version[1]}")
        for version, python in sorted(_pythons().items())
    ]
    yield running
    for interpreter in running:
        interpreter.close()


@pytest.fixture(scope="session")
def tracebacks() -> list[dict[str, Any]]:
    """The given tracebacks with their labels."""
    return _lines(DATA / "tracebacks.jsonl")


@pytest.fixture(scope="session")
def groups() -> list[dict[str, Any]]:
    """The given groups of errors and their near misses."""
    return _lines(DATA / "groups.jsonl")


def _lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
