"""What a build gets: one zip with both trees, what to run in them, and the scripts that do it."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from functions.core import archive
from functions.core.archive import Kind, Member
from functions.validate_patch import reproduce, suite
from functions.validate_patch.candidate import Candidate
from functions.validate_patch.tree import EXECUTABLE, SYMLINK, Tree

REPRODUCTION_SECONDS = 600.0
"""For each of the six runs of the regression test: services may have to start."""
SUITE_SECONDS = 3 * 3600.0
"""For each of the two runs of the repository's tests. All of it fits the build's 8 hours in the workflow."""

NO_PYTHON = 127
"""What a shell tells when it does not find a command."""

# JSON is YAML. The driver ends with 0 whatever the tests do, so that a build that fails is one that could not
# run; how the driver itself ended is told by the shell, which code under test is not.
BUILDSPEC: dict[str, Any] = {
    "version": "0.2",
    "phases": {
        "build": {"commands": ['python3 -I drive.py; code=$?; mkdir -p results; echo "$code" > results/exit']}
    },
    "artifacts": {"base-directory": "results", "files": ["**/*"]},
}

_VALIDATE_PATCH = Path(__file__).resolve().parents[1]
# Without the packages' __init__.py: the scripts need two modules of the sandbox, not the project.
_SCRIPTS = {
    "drive.py": _VALIDATE_PATCH / "codebuild" / "scripts" / "drive.py",
    "launch.py": _VALIDATE_PATCH / "codebuild" / "scripts" / "launch.py",
    "functions/validate_patch/sandbox/report.py": _VALIDATE_PATCH / "sandbox" / "report.py",
    "functions/validate_patch/sandbox/reporter.py": _VALIDATE_PATCH / "sandbox" / "reporter.py",
}
_EPOCH = (1980, 1, 1, 0, 0, 0)


def bundle(candidate: Candidate, nonce: str) -> bytes:
    """The zip. The same candidate and nonce give the same bytes."""
    tests = reproduce.tests_in(candidate)
    job = {"nonce": nonce, "reproduction": _reproduction(tests), "suite": _suite(suite.plan(candidate))}
    trees = {
        "before": candidate.before,
        "after": candidate.after,
        "tests": {path: candidate.after[path] for path in tests},
    }
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w", zipfile.ZIP_DEFLATED) as package:
        _add(package, "buildspec.json", json.dumps(BUILDSPEC).encode())
        _add(package, "job.json", json.dumps(job).encode())
        for name, path in _SCRIPTS.items():
            _add(package, name, path.read_bytes())
        for name, tree in trees.items():
            _add(package, f"{name}.tar.gz", archive.pack(_members(tree)), zipfile.ZIP_STORED)
    return body.getvalue()


def _reproduction(tests: Sequence[str]) -> dict[str, Any] | None:
    if not tests:
        return None
    return {"task": reproduce.task(tests), "times": reproduce.TIMES, "seconds": REPRODUCTION_SECONDS}


def _suite(planned: suite.Plan | None) -> dict[str, Any] | None:
    if planned is None:
        return None
    return {"task": planned.task, "plain": planned.plain, "seconds": SUITE_SECONDS}


def _members(tree: Tree) -> list[Member]:
    kinds = {SYMLINK: Kind.SYMLINK, EXECUTABLE: Kind.EXECUTABLE}
    return [Member(path, file.data, kinds.get(file.mode, Kind.FILE)) for path, file in tree.items()]


def _add(package: zipfile.ZipFile, name: str, data: bytes, how: int = zipfile.ZIP_DEFLATED) -> None:
    package.writestr(zipfile.ZipInfo(name, _EPOCH), data, how)
