"""Lock files: which version of a package, and the hashes of its distributions.

uv.lock, poetry.lock and Pipfile.lock name the index that they were made with. That is not followed: the
hashes say which bytes are meant, wherever they come from.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator, Mapping
from typing import Any

from functions.install_dependencies.requirement import Asked, NotPlain, parse

_ADDRESSES = ("git", "url", "path", "file", "hg", "svn")


def pins(tree: Mapping[str, bytes]) -> Iterator[Asked]:
    """`name==version` with hashes, for every package of uv.lock and poetry.lock that comes from an index.

    Raises NotPlain for one from an address, or from a named index without hashes.
    """
    for path in ("uv.lock", "poetry.lock"):
        lock = tomllib.loads(tree[path].decode()) if path in tree else {}
        # Where poetry kept the hashes before its version 1.2.
        older = lock.get("metadata", {}).get("files", {})
        for package in lock.get("package", []):
            source = package.get("source", {})
            if not _is_local(source):
                yield _pin(package, source, older.get(package["name"], []))


def pipfile(tree: Mapping[str, bytes]) -> Iterator[Asked]:
    """What Pipfile.lock asks for, markers and hashes included. Raises NotPlain for what has an address."""
    lock = json.loads(tree["Pipfile.lock"]) if "Pipfile.lock" in tree else {}
    for section in ("default", "develop"):
        for name, entry in lock.get(section, {}).items():
            if entry.get("path") == ".":
                continue
            if wrong := next((key for key in _ADDRESSES if key in entry), None):
                raise NotPlain(_elsewhere(name, entry[wrong]))
            marker = f"; {entry['markers']}" if entry.get("markers") else ""
            yield parse(f"{name}{entry.get('version', '')}{marker}{_options(entry.get('hashes', []))}")


def _is_local(source: dict[str, Any]) -> bool:
    """Whether a package is part of the repository, as uv and poetry say it."""
    return bool({"virtual", "editable", "directory"} & source.keys()) or source.get("type") == "directory"


def _pin(package: dict[str, Any], source: dict[str, Any], older: list[dict[str, Any]]) -> Asked:
    if source.get("type") in _ADDRESSES or any(key in source for key in ("git", "path")):
        raise NotPlain(_elsewhere(package["name"], source))
    files = [*package.get("wheels", []), *package.get("files", []), *older]
    if sdist := package.get("sdist"):
        files.append(sdist)
    hashes = [file["hash"] for file in files if "hash" in file]
    if source and not hashes:
        raise NotPlain(f"{package['name']!r} is locked to an index of its own without a hash")
    return parse(f"{package['name']}=={package['version']}{_options(hashes)}")


def _options(hashes: list[str]) -> str:
    return "".join(f" --hash={value}" for value in hashes)


def _elsewhere(name: str, place: object) -> str:
    return f"{name!r} comes from a place of its own ({str(place)[:80]})"
