"""pyproject.toml: what a project and its tests need, and where it says that packages come from.

[project], [dependency-groups]                      PEP 621, PEP 735
[tool.poetry], [tool.flit.metadata], [tool.pdm], [tool.uv], [tool.rye], [tool.hatch.envs]
[[tool.uv.index]], [[tool.poetry.source]], [[tool.pdm.source]]
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from typing import Any

from functions.install_dependencies import environments
from functions.install_dependencies.poetry import specifier
from functions.install_dependencies.setup_files import of_extras
from functions.install_dependencies.stated import Role, Stated, StatedFiles, StatementKind, role_of

_ELSEWHERE = ("git", "url", "index", "source", "hg", "svn", "path", "workspace")


def of_pyproject(repository: StatedFiles, path: str) -> Iterator[Stated]:
    """Raises ValueError, and what data of other types than the tools take leads to."""
    data = tomllib.loads(repository.files[path].decode())
    tool = data.get("tool", {})
    yield from _of_project(repository, path, data.get("project", {}))
    yield from _of_groups(path, data.get("dependency-groups", {}))
    yield from _of_poetry(repository, path, tool.get("poetry", {}))
    yield from _of_others(repository, path, tool)
    yield from environments.of_hatch(path, tool.get("hatch", {}).get("envs", {}))
    yield from environments.of_tox_table(repository, path, tool.get("tox", {}))
    for name, given in tool.get("uv", {}).get("sources", {}).items():
        yield from _elsewhere(name, given, path)
    yield from (Stated(StatementKind.PLACE, place, path) for place in _places(tool))


def of_pipfile(repository: StatedFiles, path: str) -> Iterator[Stated]:
    """Pipfile without its lock. Raises as `of_pyproject` does."""
    if f"{path}.lock" in repository.files:
        return
    data = tomllib.loads(repository.files[path].decode())
    yield from _of_table(path, data.get("packages", {}), Role.RUNS)
    yield from _of_table(path, data.get("dev-packages", {}), Role.DEVELOPS)
    for source in data.get("source", []):
        # Every Pipfile names the usual index as well.
        if source.get("name") != "pypi":
            yield Stated(StatementKind.PLACE, f"--extra-index-url {source['url']}", path)


def _of_project(repository: StatedFiles, path: str, project: Mapping[str, Any]) -> Iterator[Stated]:
    yield from _listed(path, project.get("dependencies", []), Role.RUNS)
    yield from of_extras(repository, path, project.get("optional-dependencies", {}))


def _of_groups(path: str, groups: dict[str, Any]) -> Iterator[Stated]:
    for name in groups:
        if (role := role_of(name)) is not None:
            yield from _listed(path, _group(groups, name, frozenset()), role)


def _group(groups: dict[str, Any], name: str, seen: frozenset[str]) -> Iterator[str]:
    for entry in groups.get(name, []) if name not in seen else ():
        if isinstance(entry, str):
            yield entry
        elif "include-group" in entry:
            yield from _group(groups, entry["include-group"], seen | {name})


def _of_poetry(repository: StatedFiles, path: str, poetry: Mapping[str, Any]) -> Iterator[Stated]:
    yield from _of_table(path, poetry.get("dependencies", {}), Role.RUNS, repository.imported_by_tests)
    yield from _of_table(path, poetry.get("dev-dependencies", {}), Role.DEVELOPS)
    for name, group in poetry.get("group", {}).items():
        if (role := role_of(name)) is not None:
            yield from _of_table(path, group.get("dependencies", {}), role)


def _of_others(repository: StatedFiles, path: str, tool: Mapping[str, Any]) -> Iterator[Stated]:
    flit = tool.get("flit", {}).get("metadata", {})
    yield from _listed(path, flit.get("requires", []), Role.RUNS)
    yield from of_extras(repository, path, flit.get("requires-extra", {}))
    for name, lines in tool.get("pdm", {}).get("dev-dependencies", {}).items():
        yield from _listed(path, lines, role_of(name) or Role.DEVELOPS)
    for name in ("uv", "rye"):
        yield from _listed(path, tool.get(name, {}).get("dev-dependencies", []), Role.DEVELOPS)


def _listed(path: str, lines: Any, role: Role) -> Iterator[Stated]:
    yield from (Stated(StatementKind.REQUIREMENT, line, path, role) for line in lines)


def _of_table(
    path: str, table: Mapping[str, Any], role: Role, wanted: frozenset[str] | None = None
) -> Iterator[Stated]:
    """wanted: names of the optional ones that count, too; None for all."""
    for name, entry in table.items():
        if name == "python":
            continue
        for one in entry if isinstance(entry, list) else [entry]:
            if isinstance(one, dict) and any(key in one for key in _ELSEWHERE):
                yield from _elsewhere(name, one, path)
                continue
            given = one if isinstance(one, dict) else {"version": one}
            if given.get("optional") and wanted is not None and name.lower() not in wanted:
                continue
            yield Stated(StatementKind.REQUIREMENT, _line(name, given), path, role)


def _line(name: str, given: Mapping[str, Any]) -> str:
    extras = f"[{','.join(given['extras'])}]" if given.get("extras") else ""
    markers = [str(given["markers"])] if given.get("markers") else []
    if given.get("platform"):
        markers.append(f"sys_platform == '{given['platform']}'")
    for one in filter(None, specifier(str(given.get("python", ""))).split(",")):
        operator = one.rstrip("0123456789.*")
        markers.append(f"python_version {operator} '{one[len(operator) :]}'")
    joined = " and ".join(f"({marker})" for marker in markers)
    return f"{name}{extras}{specifier(str(given.get('version', '')))}{f'; {joined}' if joined else ''}"


def _elsewhere(name: str, given: Any, path: str) -> Iterator[Stated]:
    for source in given if isinstance(given, list) else [given]:
        if isinstance(source, dict) and any(key in source for key in _ELSEWHERE):
            yield Stated(StatementKind.ELSEWHERE, name, path)
            return


def _places(tool: Mapping[str, Any]) -> Iterator[str]:
    """Where the project says that packages come from, as options of pip."""
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
