"""What goes into a function: a tree of files, as a zip or as a container image.

Light functions are zips of our code alone beside a layer of libraries (infra/layer.py). Functions that need
git, or compiled libraries, share one container image; each has its own command. The one that runs code of
strangers has an image of its own. With packaging `zip` the very same trees become zips: that is how the
embedded run deploys without Docker, where the dependencies come from the interpreter that runs the functions.
"""

from __future__ import annotations

import hashlib
import re
import tomllib
from collections.abc import Iterable, Mapping
from enum import StrEnum
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from infra.spec import Spec

ROOT = Path(__file__).resolve().parent.parent
LOCK = ROOT / "requirements.lock"
PROJECT = ROOT / "pyproject.toml"
DOCKERFILE = ROOT / "infra" / "Dockerfile"

HARNESS = ROOT / "functions" / "harness" / "requirements.txt"

PYTHON = "3.14"
"""The newest Python that Lambda has and that AWS supports: 3.15 is in preview, without the Powertools layer.
https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtimes.html"""
ARCHITECTURE = "x86_64"
"""The functions' platform, here and in `infra/Dockerfile`."""

_MARKERS = {
    "implementation_name": "cpython",
    "os_name": "posix",
    "platform_machine": ARCHITECTURE,
    "platform_python_implementation": "CPython",
    "platform_system": "Linux",
    "python_full_version": f"{PYTHON}.0",
    "python_version": PYTHON,
    "sys_platform": "linux",
}

Tree = Mapping[str, bytes]
"""Relative path with forward slashes → content."""


class Packaging(StrEnum):
    """How functions that need more than our own code are deployed."""

    IMAGE = "image"
    ZIP = "zip"


def handler(spec: Spec) -> str:
    """The function's entry point, for a zip's Handler and an image's command."""
    return f"functions.{spec.folder}.handler.handler"


def tree(spec: Spec) -> Tree:
    """The files of a function's package."""
    if not spec.image:
        return source(spec)
    return {
        **source(spec),
        "Dockerfile": DOCKERFILE.read_bytes(),
        "requirements.txt": requirements().encode(),
        "uv.txt": _locked(LOCK.read_text())["uv"].encode(),
        "harness.txt": HARNESS.read_bytes(),
    }


def stage(spec: Spec) -> str:
    """The stage of the Dockerfile that a function's image is."""
    return "runner" if spec.runs_strangers else "functions"


def source(spec: Spec) -> Tree:
    """Our own code in a function's package."""
    if spec.image:
        return _files("functions")
    own = {"functions/__init__.py": (ROOT / "functions" / "__init__.py").read_bytes()}
    return own | _files("functions/core") | _files(f"functions/{spec.folder}")


def digest(files: Tree) -> str:
    """SHA-256 of a tree: the same for the same paths and contents, whatever the times and modes."""
    total = hashlib.sha256()
    for path, content in sorted(files.items()):
        total.update(f"{path}\0{len(content)}\0".encode())
        total.update(content)
    return total.hexdigest()


def write(files: Tree, into: Path) -> Path:
    """Write a tree below the directory `into`, which is created."""
    for path, content in sorted(files.items()):
        target = into / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
        # As Lambda's user must read them, whatever the umask of whoever deploys.
        target.chmod(0o644)
        for folder in target.relative_to(into).parents:
            (into / folder).chmod(0o755)
    return into


def requirements() -> str:
    """The lines of the lock that the functions need at run time on their platform, hashes included.

    Raises LookupError when the lock lacks a package, or this environment does: then it is out of date.
    """
    locked = _locked(LOCK.read_text())
    project = tomllib.loads(PROJECT.read_text())["project"]
    needed = closure(project["dependencies"])
    if missing := sorted(needed - locked.keys()):
        raise LookupError(f"{LOCK.name} lacks {missing[0]}; renew it with: make lock")
    return "".join(locked[name] for name in sorted(needed))


def locked_versions() -> dict[str, str]:
    """Package name → its version in the lock."""
    found = {}
    for name, lines in _locked(LOCK.read_text()).items():
        if pin := re.match(r"[^=]+==([^ ;\\]+)", lines):
            found[name] = pin.group(1).strip()
    return found


def _files(folder: str) -> dict[str, bytes]:
    found = (path for path in (ROOT / folder).rglob("*") if path.is_file())
    return {
        path.relative_to(ROOT).as_posix(): path.read_bytes()
        for path in found
        if "__pycache__" not in path.parts and path.suffix != ".md"
    }


def _locked(lock: str) -> dict[str, str]:
    """Package name → its lines in the lock."""
    entries: dict[str, str] = {}
    name = ""
    for line in lock.splitlines(keepends=True):
        if line[:1] not in (" ", "#", "\n"):
            name = canonicalize_name(re.split(r"[=\[ ;]", line, maxsplit=1)[0])
            entries[name] = ""
        if name:
            entries[name] += line
    return entries


def closure(names: Iterable[str]) -> set[str]:
    """Canonical names of these requirements and everything they need, on the functions' platform.

    Raises LookupError for a package that is not installed here.
    """
    seen: set[tuple[str, frozenset[str]]] = set()
    waiting = [Requirement(name) for name in names]
    while waiting:
        requirement = waiting.pop()
        name = canonicalize_name(requirement.name)
        extras = frozenset(requirement.extras)
        if (name, extras) in seen:
            continue
        seen.add((name, extras))
        for text in _requires(name):
            inner = Requirement(text)
            if _applies(inner, extras):
                waiting.append(inner)
    return {name for name, _ in seen}


def _requires(name: str) -> list[str]:
    try:
        return metadata.requires(name) or []
    except metadata.PackageNotFoundError as error:
        raise LookupError(f"{name} is not installed here; install what {LOCK.name} says") from error


def _applies(requirement: Requirement, extras: frozenset[str]) -> bool:
    if requirement.marker is None:
        return True
    return any(requirement.marker.evaluate(_MARKERS | {"extra": extra}) for extra in extras or {""})
