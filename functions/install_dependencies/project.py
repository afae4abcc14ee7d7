"""The project itself, as if it were installed: its name, version and entry points, and files that its build
writes.

Code asks for its own version (`importlib.metadata.version`), finds plugins by entry points, and imports a
`_version.py` that setuptools-scm and its kin write when they build. Nothing is built here, so what the files
say of these is put there instead.
"""

from __future__ import annotations

import configparser
import posixpath
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from functions.core.source.setup_py import keywords
from functions.install_dependencies.setup_files import read_config

_UNKNOWN = "0.0.0"
"""Where the version comes from tags or a build: what has no version is older than everything."""
_ASSIGNED = re.compile(r"^(?:__version__|VERSION|version)\s*(?::\s*\w+\s*)?=\s*[\"']([^\"']+)[\"']", re.M)
_VERSION_FILE = re.compile(r"(?:src/)?[\w/]*(?:__init__|_?_?version_?_?|__about__|__meta__|__pkg_info__)\.py")
_LONGEST = 200
COMMANDS = "bin"
"""Folder of the commands that entry points name."""
_COMMAND = re.compile(r"(?P<module>[A-Za-z_][\w.]*)\s*:\s*(?P<name>[A-Za-z_]\w*)\s*(?:\[.*\])?")
_SCRIPT = """#!/usr/bin/env python3
import sys
from {module} import {name}
sys.exit({name}())
"""


@dataclass(frozen=True, slots=True)
class Project:
    """name: canonical, "" where the files name none."""

    name: str = ""
    version: str = ""
    entry_points: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Group → name → `module:attribute`."""
    generated: Mapping[str, str] = field(default_factory=dict)
    """Path in the repository → text of a file that a build would write and that is not there."""


def of(tree: Mapping[str, bytes]) -> Project:
    """What the files say. Never raises: what cannot be read says nothing."""
    data, config = _toml(tree.get("pyproject.toml", b"")), _config(tree.get("setup.cfg", b""))
    given = keywords(tree["setup.py"], tree.__contains__) if "setup.py" in tree else {}
    tool, metadata = _table(data, "tool"), _section(config, "metadata")
    project, poetry = _table(data, "project"), _table(tool, "poetry")
    flit = _table(tool, "flit", "metadata")
    names = (project.get("name"), poetry.get("name"), flit.get("dist-name") or flit.get("module"))
    name = _first(*names, metadata.get("name"), given.get("name"))
    if not name or not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", name):
        return Project()
    stated = (project.get("version"), poetry.get("version"), metadata.get("version"), given.get("version"))
    version = _version(stated, tree, canonicalize_name(name))
    return Project(
        canonicalize_name(name),
        version,
        dict(_entry_points(data, config, given)),
        {path: _version_file(version) for path in _generated(data, given) if path not in tree},
    )


def files(itself: Project) -> Iterator[tuple[str, str]]:
    """What an installer would write of it beside the packages: path, text."""
    if not itself.name:
        return
    folder = f"{itself.name.replace('-', '_')}-{itself.version}.dist-info"
    yield f"{folder}/METADATA", f"Metadata-Version: 2.1\nName: {itself.name}\nVersion: {itself.version}\n"
    for name, value in itself.entry_points.get("console_scripts", {}).items():
        if match := _COMMAND.fullmatch(value):
            yield f"{COMMANDS}/{name}", _SCRIPT.format(module=match["module"], name=match["name"])
    if itself.entry_points:
        lines = (
            f"[{group}]\n" + "".join(f"{name} = {value}\n" for name, value in points.items())
            for group, points in itself.entry_points.items()
        )
        yield f"{folder}/entry_points.txt", "\n".join(lines)


def _version(stated: tuple[Any, ...], tree: Mapping[str, bytes], name: str) -> str:
    for text in (*stated, *_assigned(tree, name)):
        try:
            return str(Version(text)) if isinstance(text, str) and len(text) < _LONGEST else str(Version(""))
        except InvalidVersion:
            continue
    return _UNKNOWN


def _assigned(tree: Mapping[str, bytes], name: str) -> Iterator[str]:
    """Versions that modules give themselves, those of the package that is named like the project first."""
    own = name.replace("-", "_")
    paths = [path for path in tree if _VERSION_FILE.fullmatch(path) and path.count("/") <= 3]
    for path in sorted(paths, key=lambda path: (own not in path.lower().split("/"), path.count("/"), path)):
        if match := _ASSIGNED.search(tree[path].decode(errors="replace")):
            yield match[1]


def _generated(data: Mapping[str, Any], given: Mapping[str, Any]) -> Iterator[str]:
    """Where a build writes the version to: setuptools-scm, hatch-vcs, pdm, versioningit's like."""
    tool = _table(data, "tool")
    scm, of_setup = _table(tool, "setuptools_scm"), given.get("use_scm_version")
    hatch = _table(tool, "hatch", "build", "hooks", "vcs")
    paths = [scm.get("write_to"), scm.get("version_file"), hatch.get("version-file")]
    paths.append(_table(tool, "pdm", "version").get("write_to"))
    if isinstance(of_setup, dict):
        paths += [of_setup.get("write_to"), of_setup.get("version_file")]
    for path in paths:
        if isinstance(path, str) and path.endswith(".py") and _is_inside(path):
            yield posixpath.normpath(path)


def _version_file(version: str) -> str:
    """In the words of all of them: setuptools-scm's names and hatch-vcs's are the same."""
    parts = tuple(Version(version).release)
    return (
        f"__version__ = version = {version!r}\n"
        f"__version_tuple__ = version_tuple = {parts!r}\n"
        "__commit_id__ = commit_id = None\n"
    )


def _entry_points(
    data: Mapping[str, Any], config: configparser.ConfigParser, given: Mapping[str, Any]
) -> Iterator[tuple[str, dict[str, str]]]:
    project, poetry = _table(data, "project"), _table(data, "tool", "poetry")
    flit = _table(data, "tool", "flit")
    groups: dict[str, Any] = {
        **_read_points(config["options.entry_points"] if config.has_section("options.entry_points") else {}),
        **_read_points(given.get("entry_points", {})),
        **_table(flit, "entrypoints"),
        **_table(poetry, "plugins"),
        **_table(project, "entry-points"),
    }
    scripts = {**_table(flit, "scripts"), **_table(poetry, "scripts"), **_table(project, "scripts")}
    if scripts:
        groups["console_scripts"] = {**groups.get("console_scripts", {}), **scripts}
    for group, points in groups.items():
        plain = {
            name: value
            for name, value in (points.items() if isinstance(points, dict) else ())
            if isinstance(value, str) and _is_plain(name) and _is_plain(value)
        }
        if plain and _is_plain(group):
            yield group, plain


def _read_points(given: Any) -> dict[str, dict[str, str]]:
    """Entry points as setuptools takes them: `name = value` in lines, lists, or the text of an ini file."""
    if isinstance(given, str):
        parser = _config(given.encode())
        return {section: dict(parser[section]) for section in parser.sections()}
    found: dict[str, dict[str, str]] = {}
    for group, lines in given.items() if isinstance(given, Mapping) else ():
        split = lines.splitlines() if isinstance(lines, str) else lines
        pairs = (line.partition("=") for line in split if isinstance(line, str)) if split else ()
        found[str(group)] = {name.strip(): value.strip() for name, _, value in pairs if value}
    return found


def _is_plain(text: str) -> bool:
    return len(text) < _LONGEST and "\n" not in text and "]" not in text.replace("[", "").rstrip("]")


def _is_inside(path: str) -> bool:
    return not path.startswith("/") and ".." not in path.split("/")


def _first(*values: Any) -> str:
    return next((value for value in values if isinstance(value, str) and value), "")


def _table(data: Any, *keys: str) -> dict[str, Any]:
    for key in keys:
        data = data.get(key) if isinstance(data, dict) else None
    return data if isinstance(data, dict) else {}


def _toml(data: bytes) -> dict[str, Any]:
    try:
        return tomllib.loads(data.decode())
    except (ValueError, RecursionError):
        return {}


def _config(data: bytes) -> configparser.ConfigParser:
    try:
        return read_config(data)
    except (configparser.Error, ValueError):
        return configparser.ConfigParser()


def _section(config: configparser.ConfigParser, name: str) -> Mapping[str, str]:
    return config[name] if config.has_section(name) else {}
