"""What the environments that tests run in are given: tox, nox, hatch, and conda's part that is pip's.

https://tox.wiki/en/latest/config.html#deps, https://nox.thea.codes/en/stable/
"""

from __future__ import annotations

import ast
import posixpath
import re
from collections.abc import Iterator, Mapping
from typing import Any

from functions.core.source.syntax_tree import nodes_of
from functions.install_dependencies import requirements_files
from functions.install_dependencies.setup_files import read_config
from functions.install_dependencies.stated import Role, Stated, StatedFiles, StatementKind, role_of

# `py39,dj{32,40}: package`: for some environments only; `!lint: package`: for all but some.
_FACTORS = re.compile(r"(?P<factors>[!\w.,{}-]+)\s*:\s+(?P<rest>.+)")
_ITSELF = re.compile(r"(?:-e\s*)?(?:\.|\{toxinidir\}|\{tox_root\})/?\[(?P<extras>[\w\s,-]+)\]")
_FOR_PYTHON = re.compile(r"(?:py|pypy|cpython)?\d*")


def of_tox(repository: StatedFiles, path: str) -> Iterator[Stated]:
    """tox.ini, and the part of setup.cfg that is tox's. Raises configparser.Error and UnicodeDecodeError."""
    config = read_config(repository.files[path])
    for section in config.sections():
        name = section.removeprefix("tox:")
        if name == "testenv" or (name.startswith("testenv:") and role_of(name.partition(":")[2])):
            yield from _deps(repository, path, config[section].get("deps", ""))
            yield Stated(StatementKind.EXTRAS, ",".join(config[section].get("extras", "").split()), path)


def of_tox_table(repository: StatedFiles, path: str, tox: Mapping[str, Any]) -> Iterator[Stated]:
    """[tool.tox] of pyproject.toml, in its own words or as text of tox.ini."""
    if text := tox.get("legacy_tox_ini"):
        inner = StatedFiles({path: text.encode(), **{k: v for k, v in repository.files.items() if k != path}})
        yield from of_tox(inner, path)
    tables = [tox.get("env_run_base", {}), *(t for n, t in tox.get("env", {}).items() if role_of(n))]
    for table in tables:
        yield Stated(StatementKind.EXTRAS, ",".join(map(str, table.get("extras", []))), path)
        for line in table.get("deps", []):
            if isinstance(line, str):
                yield from _deps(repository, path, line)


def of_hatch(path: str, environments: Mapping[str, Any]) -> Iterator[Stated]:
    """[tool.hatch.envs] of pyproject.toml: the default one, and those for tests."""
    for name, environment in environments.items():
        if name == "default" or role_of(name) is not None:
            for key in ("dependencies", "extra-dependencies"):
                for line in environment.get(key, []):
                    yield Stated(StatementKind.REQUIREMENT, line, path, Role.TESTS)


def of_nox(repository: StatedFiles, path: str) -> Iterator[Stated]:
    """noxfile.py, read without running it: what sessions for tests install by name or from lists."""
    for function in nodes_of(ast.parse(repository.files[path])):
        if not isinstance(function, ast.FunctionDef) or role_of(function.name) is None:
            continue
        for call in (node for node in nodes_of(function) if isinstance(node, ast.Call)):
            if isinstance(call.func, ast.Attribute) and call.func.attr == "install":
                given = [a.value for a in call.args if isinstance(a, ast.Constant)]
                yield from _installed(repository, path, [g for g in given if isinstance(g, str)])


def of_conda(repository: StatedFiles, path: str) -> Iterator[Stated]:
    """environment.yml: what pip installs in it, and of conda's own those that the tests import by that name.

    Conda's names are not the index's, so a name alone does not say which package is meant; one that is also
    imported by it does. Raises yaml.YAMLError.
    """
    import yaml  # type: ignore[import-untyped]  # has no types of its own

    data = yaml.safe_load(repository.files[path])
    for entry in (data or {}).get("dependencies", []):
        if isinstance(entry, dict):
            for line in entry.get("pip", []):
                yield from _deps(repository, path, line)
        elif isinstance(entry, str):
            name = re.split(r"[\s=<>!~]", entry.rpartition("::")[2])[0]
            if name.lower() in repository.imported_by_tests:
                yield Stated(StatementKind.REQUIREMENT, name, path, Role.TESTS)


def _deps(repository: StatedFiles, path: str, text: str) -> Iterator[Stated]:
    for raw in text.splitlines():
        line = raw.partition(" #")[0].strip()
        conditional = _FACTORS.fullmatch(line)
        if conditional:
            factors = re.split(r"[,{}-]+", conditional["factors"])
            # One factor that picks versions of something else, such as of a framework, excludes the others.
            if not all(_FOR_PYTHON.fullmatch(f) or f.startswith("!") or role_of(f) for f in factors):
                continue
            line = conditional["rest"].strip()
        if itself := _ITSELF.fullmatch(line):
            yield Stated(StatementKind.EXTRAS, itself["extras"], path)
            continue
        if not line or line.startswith(("#", ".", "{[")) or "{posargs" in line:
            continue
        line = line.replace("{toxinidir}/", "").replace("{tox_root}/", "")
        if match := re.fullmatch(r"(?:-r|--requirement)[\s=]*(\S+)", line):
            yield from _file(repository, match[1], StatementKind.REQUIREMENT)
        elif match := re.fullmatch(r"(?:-c|--constraint)[\s=]*(\S+)", line):
            yield from _file(repository, match[1], StatementKind.CONSTRAINT)
        elif not line.startswith("-") and "{" not in line:
            yield Stated(StatementKind.REQUIREMENT, line, path, Role.TESTS)


def _installed(repository: StatedFiles, path: str, arguments: list[str]) -> Iterator[Stated]:
    """What `session.install(...)` is given, in order."""
    left = iter(arguments)
    for argument in left:
        if argument in ("-r", "-c"):
            kind = StatementKind.REQUIREMENT if argument == "-r" else StatementKind.CONSTRAINT
            yield from _file(repository, next(left, ""), kind)
        elif itself := _ITSELF.fullmatch(argument):
            yield Stated(StatementKind.EXTRAS, itself["extras"], path)
        elif not argument.startswith(("-", ".")):
            yield Stated(StatementKind.REQUIREMENT, argument, path, Role.TESTS)


def _file(repository: StatedFiles, path: str, kind: StatementKind) -> Iterator[Stated]:
    yield from requirements_files.of_file(repository, posixpath.normpath(path), Role.TESTS, kind)
