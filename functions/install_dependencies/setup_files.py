"""setup.cfg and setup.py: what setuptools is told that the project and its tests need.

https://setuptools.pypa.io/en/stable/userguide/declarative_config.html
"""

from __future__ import annotations

import configparser
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from packaging.utils import canonicalize_name

from functions.core.source.setup_py import Included, keywords
from functions.install_dependencies import requirements_files
from functions.install_dependencies.stated import Role, Stated, StatedFiles, StatementKind, name_of, role_of

Extras = dict[str, list[str]]


def of_setup_cfg(repository: StatedFiles, path: str) -> Iterator[Stated]:
    """Raises configparser.Error and UnicodeDecodeError."""
    config = read_config(repository.files[path])
    options = config["options"] if config.has_section("options") else {}
    yield from _stated(repository, path, _lines(options.get("install_requires", "")), Role.RUNS)
    yield from _stated(repository, path, _lines(options.get("tests_require", "")), Role.TESTS)
    extras = config["options.extras_require"] if config.has_section("options.extras_require") else {}
    yield from of_extras(repository, path, {name: _lines(text) for name, text in extras.items()})


def of_setup_py(repository: StatedFiles, path: str) -> Iterator[Stated]:
    given = keywords(repository.files[path], repository.files.__contains__)
    yield from _stated(repository, path, given.get("install_requires", ()), Role.RUNS)
    yield from _stated(repository, path, given.get("requires", ()), Role.RUNS)
    yield from _stated(repository, path, given.get("tests_require", ()), Role.TESTS)
    extras = given.get("extras_require", {})
    if isinstance(extras, dict):
        yield from of_extras(repository, path, extras)


def read_config(data: bytes) -> configparser.ConfigParser:
    """Raises configparser.Error and UnicodeDecodeError."""
    config = configparser.ConfigParser(interpolation=None, strict=False, delimiters=("=", ":"))
    config.optionxform = str  # type: ignore[assignment, method-assign]  # how the library says: as written
    config.read_string(data.decode("utf-8-sig"))
    return config


def of_extras(repository: StatedFiles, path: str, extras: Mapping[str, Any]) -> Iterator[Stated]:
    """Extras for tests and development, and those that the project's own files ask for; of the others, what
    the tests import. `:marker` and `name:marker` are setuptools' way to say when."""
    for key, asked in extras.items():
        name, _, marker = key.partition(":")
        role = role_of(name) if name else Role.RUNS
        if role is None and canonicalize_name(name) in repository.extras:
            role = Role.TESTS
        for one in _stated(repository, path, asked, Role.TESTS if role is None else role, marker):
            if role is not None or name_of(one.text) in repository.imported_by_tests:
                yield one


def _stated(repository: StatedFiles, path: str, asked: Any, role: Role, marker: str = "") -> Iterator[Stated]:
    if isinstance(asked, str):
        asked = _lines(asked)
    for one in asked if isinstance(asked, Sequence) else [asked]:
        if isinstance(one, Included):
            yield from requirements_files.of_file(repository, one.path, role)
        elif isinstance(one, str):
            for line in _lines(one):
                joined = f"{line}; {marker}" if marker and ";" not in line else line
                if line.startswith("file:"):  # setuptools: the file's lines
                    for name in line.removeprefix("file:").split(","):
                        yield from requirements_files.of_file(repository, name.strip(), role)
                else:
                    yield Stated(StatementKind.REQUIREMENT, joined, path, role)


def _lines(text: str) -> list[str]:
    stripped = (line.partition(" #")[0].strip() for line in text.splitlines())
    return [line for line in stripped if line and not line.startswith("#")]
