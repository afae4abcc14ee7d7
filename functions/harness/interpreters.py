"""Where the Pythons are that an app's code can run on.

Looked for in this order, and believed only once it was started and said which version it is:

    the directory that SELFHEAL_PYTHONS names    `3.12/bin/python3.12`, as the runner's image has them
    the interpreter that runs this
    python3.12 on PATH, wherever there is one    pyenv's shims are there for versions that are not switched on
    pyenv's versions directory                   the newest 3.12.x
    what uv has installed                        `uv python find`, without installing any
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

RELEASES = {
    "3.9": "3.9.25",
    "3.10": "3.10.22",
    "3.11": "3.11.18",
    "3.12": "3.12.16",
    "3.13": "3.13.18",
    "3.14": "3.14.10",
}
"""What the harness runs on, oldest first, and the release of each that the runner's image has: the newest
that the locked uv knows, and whose hash it checks (`uv python list --all-versions`)."""
RELEASED = {
    "3.9": "2020-10-05",
    "3.10": "2021-10-04",
    "3.11": "2022-10-24",
    "3.12": "2023-10-02",
    "3.13": "2024-10-07",
    "3.14": "2025-10-07",
}
"""When each came out: code that is older was never run on it. https://devguide.python.org/versions/"""
VERSIONS = tuple(RELEASES)
NEWEST = VERSIONS[-1]
DIRECTORY = "SELFHEAL_PYTHONS"
"""Environment variable that names a directory of interpreters."""

_SECONDS = 20.0
# Wheels are resolved for CPython, so another implementation of the same version does not do.
_ASK = (
    "import json, os, sys; print(json.dumps({"
    "'version': '%d.%d' % sys.version_info[:2], 'name': sys.implementation.name,"
    " 'executable': os.path.realpath(sys.executable), 'prefix': sys.base_prefix}))"
)


@dataclass(frozen=True)
class Interpreter:
    """A CPython on this machine.

    version: such as "3.12"; executable: free of links and virtual environments; prefix: the directory below
    which it finds its library.
    """

    version: str
    executable: Path
    prefix: Path


@cache
def find(version: str) -> Interpreter | None:
    """The interpreter of a version such as "3.12"; None when there is none, or no such version is supported.

    Starts what it finds, once per process: tens of milliseconds.
    """
    if version not in VERSIONS:
        return None
    return next(filter(None, (_asked(path, version) for path in _candidates(version))), None)


def available() -> tuple[str, ...]:
    """The versions that are here, oldest first."""
    return tuple(version for version in VERSIONS if find(version) is not None)


def places() -> dict[str, str]:
    """Environment variables by which a process with another home finds the interpreters that are here."""
    home = Path.home()
    data = Path(os.environ.get("XDG_DATA_HOME") or home / ".local" / "share")
    usual = {"PYENV_ROOT": str(home / ".pyenv"), "UV_PYTHON_INSTALL_DIR": str(data / "uv" / "python")}
    told = {name: os.environ.get(name, "") for name in (*usual, DIRECTORY)}
    return {**usual, **{name: value for name, value in told.items() if value}}


def missing(version: str) -> str:
    """That a version is not here, and what to do, as one clause."""
    if version in VERSIONS:
        here = ", ".join(available()) or "none"
        how = f"install it, such as with `uv python install {version}`"
        return f"Python {version} is not here (here are {here}): {how}"
    return (
        f"Python {version} is none that tests can run on, which are {VERSIONS[0]} to {NEWEST}: if the app"
        " runs on one of these, name it in the app's entry ('python')"
    )


def _candidates(version: str) -> Iterator[Path]:
    name = "python" + version
    if given := os.environ.get(DIRECTORY):
        yield Path(given, version, "bin", name)
    if version == "{}.{}".format(*sys.version_info[:2]):
        yield Path(sys.executable)
    for folder in os.environ.get("PATH", os.defpath).split(os.pathsep):
        yield Path(folder or os.curdir, name)
    for prefix in _newest_first(Path(places()["PYENV_ROOT"], "versions"), version):
        yield prefix / "bin" / name
    yield from _of_uv(version)


def _newest_first(folder: Path, version: str) -> list[Path]:
    """Subdirectories such as 3.12.4; no builds with a suffix, such as "t" or "-dev"."""
    found = {}
    for path in folder.glob(version + ".*"):
        if patch := re.fullmatch(re.escape(version) + r"\.(\d+)", path.name):
            found[int(patch[1])] = path
    return [found[patch] for patch in sorted(found, reverse=True)]


def _of_uv(version: str) -> Iterator[Path]:
    uv = shutil.which(
        "uv", path=os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", "")))
    )
    if uv is None:
        return
    # Only those that uv has installed itself: it would give up at the first of pyenv's shims.
    command = [uv, "python", "find", "--managed-python", "--no-python-downloads", "--no-project", version]
    if found := _output(command):
        yield Path(found)


def _asked(path: Path, version: str) -> Interpreter | None:
    """What the program at `path` says it is; None when it is no CPython of that version."""
    if not path.is_file():
        return None
    try:
        told = json.loads(_output([str(path), "-I", "-c", _ASK]))
    except ValueError:
        return None
    if (told["version"], told["name"]) != (version, "cpython"):
        return None
    return Interpreter(version, Path(told["executable"]), Path(told["prefix"]))


def _output(command: list[str]) -> str:
    """What a command prints, "" when it fails. It keeps the environment: an interpreter may find its own
    library through LD_LIBRARY_PATH only."""
    try:
        run = subprocess.run(command, capture_output=True, text=True, timeout=_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return run.stdout.strip() if run.returncode == 0 else ""
