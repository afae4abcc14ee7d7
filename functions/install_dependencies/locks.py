"""Lock files: which version of a package, and the hashes of its distributions.

uv.lock, poetry.lock, pdm.lock, pylock.toml (PEP 751) and Pipfile.lock name the index that they were made
with. That is not followed: the hashes say which bytes are meant, wherever they come from.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator
from typing import Any

from functions.install_dependencies.stated import Role, Stated, StatedFiles, StatementKind

_ADDRESSES = ("git", "url", "path", "file", "hg", "svn", "vcs", "directory", "archive")


def of_lock(repository: StatedFiles, path: str) -> Iterator[Stated]:
    """uv.lock, poetry.lock and pdm.lock: a pin with hashes for every package that comes from an index.

    Raises ValueError, and what data of other types than the tools write leads to.
    """
    lock = tomllib.loads(repository.files[path].decode())
    # Where poetry kept the hashes before its version 1.2, and pdm before its 2.8.
    metadata = lock.get("metadata", {}).get("files", {})
    for package in lock.get("package", []):
        source = package.get("source", {})
        if _is_local(source):
            continue
        name, version = package["name"], package["version"]
        older = metadata.get(name) or metadata.get(f"{name} {version}") or []
        files = [*package.get("wheels", []), *package.get("files", []), *older]
        files += [package["sdist"]] if package.get("sdist") else []
        hashes = [file["hash"] for file in files if "hash" in file]
        from_address = source.get("type") in _ADDRESSES or any(key in source for key in ("git", "path"))
        if from_address or any(key in package for key in ("git", "url", "path")) or (source and not hashes):
            yield Stated(StatementKind.ELSEWHERE, name, path)
        else:
            yield _pin(name, version, hashes, path)


def of_pylock(repository: StatedFiles, path: str) -> Iterator[Stated]:
    """pylock.toml. Raises as `of_lock` does."""
    for package in tomllib.loads(repository.files[path].decode()).get("packages", []):
        if package.get("directory"):
            continue
        if any(key in package for key in ("vcs", "archive")):
            yield Stated(StatementKind.ELSEWHERE, package["name"], path)
        elif "version" in package:
            files = [*package.get("wheels", []), *([package["sdist"]] if package.get("sdist") else [])]
            hashes = [f"sha256:{file['hashes']['sha256']}" for file in files if "sha256" in file["hashes"]]
            yield _pin(package["name"], package["version"], hashes, path)


def of_pipfile_lock(repository: StatedFiles, path: str) -> Iterator[Stated]:
    """What Pipfile.lock asks for, markers and hashes included. Raises as `of_lock` does."""
    lock = json.loads(repository.files[path])
    for section, role in (("default", Role.RUNS), ("develop", Role.DEVELOPS)):
        for name, entry in lock.get(section, {}).items():
            if entry.get("path") == ".":
                continue
            if any(key in entry for key in _ADDRESSES):
                yield Stated(StatementKind.ELSEWHERE, name, path)
                continue
            marker = f"; {entry['markers']}" if entry.get("markers") else ""
            text = f"{name}{entry.get('version', '')}{marker}{_options(entry.get('hashes', []))}"
            yield Stated(StatementKind.REQUIREMENT, text, path, role)


def _is_local(source: dict[str, Any]) -> bool:
    """Whether a package is part of the repository, as uv and poetry say it."""
    return bool({"virtual", "editable", "directory"} & source.keys()) or source.get("type") == "directory"


def _pin(name: str, version: str, hashes: list[str], path: str) -> Stated:
    return Stated(StatementKind.PIN, f"{name}=={version}{_options(hashes)}", path)


def _options(hashes: list[str]) -> str:
    return "".join(f" --hash={value}" for value in hashes)
