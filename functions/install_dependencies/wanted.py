"""What a repository asks for, read from its own files; names and versions only, never a place to load from.

    requirements*.txt, *-requirements.txt, requirements/*.txt     with the files that they include
    pyproject.toml      [project] dependencies, and the extras and dependency groups for tests and development
                        (PEP 621, PEP 735); [tool.poetry] dependencies
    uv.lock, poetry.lock, Pipfile.lock                            which versions of those

A package named by an address or a path would be built or fetched from anywhere, so it counts as a problem.
"""

from __future__ import annotations

import hashlib
import json
import posixpath
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

# PEP 508 without addresses. `$` is left out: pip would put environment variables in.
_NAMED = re.compile(
    r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?\s*(?:\[[\w\s.,-]*\])?"
    r"\s*\(?(?:(?:===|==|~=|!=|<=|>=|<|>)\s*[\w.*+!-]+\s*,?\s*)*\)?\s*(?:;[\w\s.'\"<>=!~()*,-]*)?"
)
_FILE = re.compile(r"(?:[\w.-]*requirements[\w.-]*|requirements/[\w.-]+)\.txt")
_FOR_TESTS = frozenset({"test", "tests", "testing", "dev", "develop", "development"})
# Options that say where packages come from: that is the operator's to say, not a repository's.
_IGNORED = ("--index-url", "-i ", "--extra-index-url", "--find-links", "-f ", "--trusted-host", "--no-index")
_IGNORED_TOO = (
    "--pre",
    "--prefer-binary",
    "--only-binary",
    "--no-binary",
    "--use-feature",
    "--require-hashes",
)
# The sandbox's own: another version of it could not run there anyway.
_OWN = frozenset({"pytest", "pip", "setuptools", "wheel", "uv"})


@dataclass(frozen=True, slots=True)
class Wanted:
    """Requirement lines, constraint lines (which versions), and what stands in the way of installing."""

    requirements: tuple[str, ...] = ()
    constraints: tuple[str, ...] = ()
    problem: str = ""

    def digest(self, target: str) -> str:
        """The same for the same requirements on the same Python and platform, which `target` names."""
        return hashlib.sha256(json.dumps([target, self.requirements, self.constraints]).encode()).hexdigest()


def wanted(tree: Mapping[str, bytes]) -> Wanted:
    """What the repository asks for. Never raises: what cannot be read is a problem."""
    try:
        lines = set(_lines(tree))
        constraints = sorted(line for line in set(_locked(tree)) if _name(line) not in _OWN)
        bad = sorted(line for line in lines if not _NAMED.fullmatch(line))
    except (ValueError, TypeError, AttributeError, KeyError, RecursionError) as error:
        return Wanted(problem=f"the repository's dependency files cannot be read: {error}")
    if bad:
        return Wanted(problem=f"{bad[0][:100]!r} is no plain name and version, so it is not installed")
    return Wanted(tuple(sorted(line for line in lines if _name(line) not in _OWN)), tuple(constraints))


def _lines(tree: Mapping[str, bytes]) -> Iterator[str]:
    """Every requirement, as its file has it."""
    for path in sorted(tree):
        if _FILE.fullmatch(path):
            yield from _requirement_lines(tree, path, frozenset())
    if "pyproject.toml" in tree:
        yield from _of_pyproject(tomllib.loads(tree["pyproject.toml"].decode()))
    if "Pipfile.lock" in tree:
        lock = json.loads(tree["Pipfile.lock"])
        for section in ("default", "develop"):
            for name, entry in lock.get(section, {}).items():
                version = entry.get("version", "") if "path" not in entry and "git" not in entry else "@"
                yield f"{name}{version}"


def _requirement_lines(tree: Mapping[str, bytes], path: str, seen: frozenset[str]) -> Iterator[str]:
    """The requirements of a file and those it includes; options and hashes are left out."""
    if path in seen or path not in tree:
        return
    text = tree[path].decode().replace("\\\n", " ")
    for raw in text.splitlines():
        line = re.sub(r"(?:^|\s)#.*", "", raw).strip()
        line = re.sub(r"\s--hash[= ]\S+", "", line).strip()
        include = re.fullmatch(r"(?:-r|--requirement|-c|--constraint)[ =]\s*(\S+)", line)
        if include:
            inner = posixpath.normpath(posixpath.join(posixpath.dirname(path), include.group(1)))
            if not line.startswith(("-c", "--c")):
                yield from _requirement_lines(tree, inner, seen | {path})
        elif line and not line.startswith((*_IGNORED, *_IGNORED_TOO)) and not _is_itself(line):
            yield line


def _is_itself(line: str) -> bool:
    """`-e .`: the repository, which is on the path anyway."""
    return re.fullmatch(r"(?:(?:-e|--editable)[ =]\s*)?\.(?:\[[\w\s,-]*\])?/?", line) is not None


def _of_pyproject(data: dict[str, Any]) -> Iterator[str]:
    project, groups = data.get("project", {}), data.get("dependency-groups", {})
    own = _canonical(project.get("name", ""))
    extras = project.get("optional-dependencies", {})
    found = [*project.get("dependencies", [])]
    found += [line for name in extras if name in _FOR_TESTS for line in extras[name]]
    found += [line for name in groups if name in _FOR_TESTS for line in _group(groups, name, frozenset())]
    poetry = data.get("tool", {}).get("poetry", {})
    for table in (poetry, *(poetry.get("group", {}).get(name, {}) for name in sorted(_FOR_TESTS))):
        found += [name for name in table.get("dependencies", {}) if name != "python"]
    yield from (line for line in found if not own or _name(line) != own)


def _group(groups: dict[str, Any], name: str, seen: frozenset[str]) -> Iterator[str]:
    for entry in groups.get(name, []) if name not in seen else ():
        if isinstance(entry, str):
            yield entry
        elif "include-group" in entry:
            yield from _group(groups, entry["include-group"], seen | {name})


def _locked(tree: Mapping[str, bytes]) -> Iterator[str]:
    """`name==version` of the packages that a lock file has from a registry, in one version only."""
    versions: dict[str, set[str]] = {}
    for path in ("uv.lock", "poetry.lock"):
        for package in tomllib.loads(tree[path].decode()).get("package", []) if path in tree else ():
            source = package.get("source", {})
            if path == "poetry.lock" or "registry" in source:
                versions.setdefault(package["name"], set()).add(package["version"])
    lines: Iterable[str] = (f"{name}=={next(iter(v))}" for name, v in versions.items() if len(v) == 1)
    yield from (line for line in lines if _NAMED.fullmatch(line))


def _name(line: str) -> str:
    match = re.match(r"[A-Za-z0-9._-]+", line)
    return _canonical(match.group()) if match else ""


def _canonical(name: str) -> str:
    """PEP 503."""
    return re.sub(r"[-_.]+", "-", name).lower()
