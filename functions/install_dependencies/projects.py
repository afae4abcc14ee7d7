"""pyproject.toml: what a project and its tests need, and where it says that packages come from.

[project] dependencies, and the extras and dependency groups for tests and development (PEP 621, PEP 735)
[tool.poetry] dependencies; [tool.uv], [[tool.poetry.source]], [[tool.pdm.source]]
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from packaging.utils import NormalizedName, canonicalize_name

from functions.install_dependencies.requirement import NotPlain, parse

_FOR_TESTS = frozenset({"test", "tests", "testing", "dev", "develop", "development"})
_ELSEWHERE = ("git", "url", "index", "source", "hg", "svn")


def requirements(data: dict[str, Any]) -> Iterator[str]:
    """Every requirement, less the project itself and what lies in the repository.

    Raises NotPlain for a package that the project takes from an address or an index of its own: under the
    same name, the usual index may have something else.
    """
    project, poetry = data.get("project", {}), data.get("tool", {}).get("poetry", {})
    here = {canonicalize_name(project.get("name", "")), canonicalize_name(poetry.get("name", ""))}
    here |= _beside(data.get("tool", {}).get("uv", {}).get("sources", {}))
    for line in (*_of_project(project), *_of_groups(data.get("dependency-groups", {}))):
        if parse(line).name not in here:
            yield line
    for table in (poetry, *(poetry.get("group", {}).get(name, {}) for name in sorted(_FOR_TESTS))):
        entries = {name: entry for name, entry in table.get("dependencies", {}).items() if name != "python"}
        left_out = here | _beside(entries)
        yield from (name for name in entries if canonicalize_name(name) not in left_out)


def places(data: dict[str, Any]) -> Iterator[str]:
    """Where the project says that packages come from, as options of pip."""
    tool = data.get("tool", {})
    uv = tool.get("uv", {})
    sources = [
        *uv.get("index", []),
        *tool.get("poetry", {}).get("source", []),
        *tool.get("pdm", {}).get("source", []),
    ]
    for source in sources:
        # Poetry's name for the usual index needs no address.
        if address := source.get("url"):
            yield f"{'--index-url' if source.get('default') else '--extra-index-url'} {address}"
    if "index-url" in uv:
        yield f"--index-url {uv['index-url']}"
    for name in ("extra-index-url", "find-links"):
        yield from (f"--{name} {address}" for address in uv.get(name, []))


def _of_project(project: dict[str, Any]) -> Iterator[str]:
    extras = project.get("optional-dependencies", {})
    yield from project.get("dependencies", [])
    for name in extras:
        if name in _FOR_TESTS:
            yield from extras[name]


def _of_groups(groups: dict[str, Any]) -> Iterator[str]:
    for name in groups:
        if name in _FOR_TESTS:
            yield from _group(groups, name, frozenset())


def _group(groups: dict[str, Any], name: str, seen: frozenset[str]) -> Iterator[str]:
    for entry in groups.get(name, []) if name not in seen else ():
        if isinstance(entry, str):
            yield entry
        elif "include-group" in entry:
            yield from _group(groups, entry["include-group"], seen | {name})


def _beside(sources: dict[str, Any]) -> set[NormalizedName]:
    """Canonical names of what lies in the repository, by the tables that say where packages come from."""
    found: set[NormalizedName] = set()
    for name, given in sources.items():
        for source in given if isinstance(given, list) else [given]:
            if not isinstance(source, dict):
                continue
            if wrong := next((key for key in _ELSEWHERE if key in source), None):
                raise NotPlain(
                    f"{name!r} comes from a place of its own ({wrong} = {str(source[wrong])[:80]!r})"
                )
            if "path" in source or source.get("workspace"):
                found.add(canonicalize_name(name))
    return found
