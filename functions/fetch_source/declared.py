"""What a repository's own files say of its Python.

The files that name one version, or leave one, are believed in this order:

    .selfheal.toml, [tool.selfheal]            python: written for this system
    .python-version                            pyenv's and uv's; also Heroku's
    pyproject.toml                             requires-python (PEP 621), or Poetry's python
    Pipfile                                    python_version
    runtime.txt                                Heroku's, before .python-version
    Dockerfile, Containerfile                  the tag of the image that the last stage is from
    setup.cfg, setup.py                        python_requires

A range, such as `>=3.9`, leaves open what the app runs on: of those after it, the first that names a version
within it is believed, else the range alone bounds the choice. Classifiers of the package metadata name what
its authors test it with: versions within the range that are as good as any.
"""

from __future__ import annotations

import configparser
import posixpath
import re
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from packaging.specifiers import InvalidSpecifier, SpecifierSet

from functions.core.apps.repository_settings import RepositorySettings
from functions.core.source.setup_py import keywords
from functions.fetch_source.dockerfile import python_of_image
from functions.harness.interpreters import VERSIONS

Read = Callable[[str], bytes | None]
"""The content of a file of the repository, by its path; None when there is none."""

# 3.12, 3.12.4, python-3.12.4, cpython-3.12; not a name such as "myenv", nor PyPy's.
_VERSION = re.compile(r"(?:c?python-?)?v?(\d{1,2}\.\d{1,2})(?:\.\d{1,3})?[a-z0-9]*")
# What a bound may be tried with: a specifier such as >=3.12.4 or !=3.9.1 tells patches apart.
_PATCHES = range(40)
_LONGEST = 100


@dataclass(frozen=True, slots=True)
class Declared:
    """version: "" when none is named; bound_by: the file, and its range; notes: what was passed over."""

    version: str = ""
    why: str = ""
    bound: SpecifierSet | None = None
    bound_by: str = ""
    notes: tuple[str, ...] = ()
    tested: tuple[str, ...] = ()
    """Versions that classifiers name, oldest first; none where they name older ones only, and there are
    classifiers (`tested_by`: whose) at all."""
    tested_by: str = ""

    def allows(self, version: str) -> bool:
        return self.bound is None or _within(self.bound, version)


@dataclass(frozen=True, slots=True)
class _Claim:
    """What one file says: a version or a range, in its own words."""

    file: str
    said: str
    version: str = ""
    bound: SpecifierSet | None = None


def declared(read: Read, directories: Sequence[str] = ()) -> Declared:
    """What the files say, those in the directories that are deployed before those of the root.

    Never raises: what cannot be read says nothing, for it is the repository's, and others read it too.
    """
    bound: _Claim | None = None
    notes: list[str] = []
    for claim in _claims(read, directories):
        if claim.version:
            if bound is None or bound.bound is None or _within(bound.bound, claim.version):
                return Declared(claim.version, f"{claim.file} names {claim.said}", notes=tuple(notes))
            notes.append(f"{claim.file} names {claim.said}, which {bound.file} excludes")
        elif claim.bound is not None and bound is None:
            left = [version for version in VERSIONS if _within(claim.bound, version)]
            if len(left) == 1:
                return Declared(left[0], f"{claim.file} allows {claim.said} only", notes=tuple(notes))
            if left:
                bound = claim
            else:
                supported = f"{VERSIONS[0]} to {VERSIONS[-1]}"
                notes.append(f"{claim.file} allows {claim.said}, none of {supported}")
    tested_by, tested = classified(read)
    found = Declared(notes=tuple(notes), tested=tested, tested_by=tested_by)
    if bound is None:
        return found
    return replace(found, bound=bound.bound, bound_by=f"{bound.file} ({bound.said})")


def _claims(read: Read, directories: Sequence[str]) -> Iterator[_Claim]:
    if settings := RepositorySettings.of(read).python:
        yield _Claim("the repository's settings for this system", settings, settings)
    for directory in dict.fromkeys((*directories, "")):
        for name, says in _FILES.items():
            path = posixpath.normpath(posixpath.join(directory, name))
            content = read(path)
            if content is not None:
                yield from says(path, content.decode(errors="replace"))


def _one_version(path: str, text: str) -> Iterator[_Claim]:
    """Lines of which the first that is a version counts."""
    for line in text.splitlines():
        said = line.strip()
        if match := _VERSION.fullmatch(said):
            yield _Claim(path, said, match[1])
            return


def _pyproject(path: str, text: str) -> Iterator[_Claim]:
    data = _toml(text)
    poetry = _at(data, "tool", "poetry", "dependencies", "python")
    yield from _range(f"requires-python of {path}", _at(data, "project", "requires-python"))
    yield from _range(f"Poetry's python of {path}", _caret(poetry) if isinstance(poetry, str) else None)


def _pipfile(path: str, text: str) -> Iterator[_Claim]:
    requires = _at(_toml(text), "requires")
    if isinstance(requires, dict):
        for key in ("python_version", "python_full_version"):
            if isinstance(requires.get(key), str):
                yield from _one_version(path, requires[key])


def _range(what: str, specifier: Any) -> Iterator[_Claim]:
    if isinstance(specifier, str) and len(specifier) <= _LONGEST:
        try:
            bound = SpecifierSet(specifier)
        except InvalidSpecifier:
            return
        if str(bound):
            yield _Claim(what, str(bound), bound=bound)


def _caret(specifier: str) -> str:
    """Poetry's ^3.10 and bare 3.10 in the words of PEP 440; the rest of what it knows is that already."""
    parts = [part.strip() for part in specifier.split(",")]
    translated = (re.sub(r"^\^(\d+)(.*)$", _up_to_next, part) for part in parts)
    return ",".join(re.sub(r"^~(\d+\.\d+)$", r"==\1.*", part) for part in translated)


def _up_to_next(match: re.Match[str]) -> str:
    return f">={match[1]}{match[2]},<{int(match[1]) + 1}"


def _docker(path: str, text: str) -> Iterator[_Claim]:
    if image := python_of_image(text):
        yield _Claim(path, image.name, image.version)


def _setup_cfg(path: str, text: str) -> Iterator[_Claim]:
    yield from _range(f"python_requires of {path}", _config(text, "options").get("python_requires"))


def _setup_py(path: str, text: str) -> Iterator[_Claim]:
    said = keywords(text.encode(), lambda name: False).get("python_requires")
    yield from _range(f"python_requires of {path}", said)


def classified(read: Read) -> tuple[str, tuple[str, ...]]:
    """(`classifiers of FILE name`, which of the supported versions the first file with any names, oldest
    first)."""
    for path, lines in (
        ("pyproject.toml", lambda text: _at(_toml(text), "project", "classifiers")),
        ("pyproject.toml", lambda text: _at(_toml(text), "tool", "poetry", "classifiers")),
        ("pyproject.toml", lambda text: _at(_toml(text), "tool", "flit", "metadata", "classifiers")),
        ("setup.cfg", lambda text: _config(text, "metadata").get("classifiers", "").splitlines()),
        ("setup.py", lambda text: keywords(text.encode(), lambda name: False).get("classifiers")),
    ):
        content = read(path)
        given = lines(content.decode(errors="replace")) if content is not None else None
        text = "\n".join(map(str, given)) if isinstance(given, (list, tuple)) else str(given or "")
        if named := set(_CLASSIFIER.findall(text)):
            return f"classifiers of {path} name", tuple(v for v in VERSIONS if v in named)
    return "", ()


_CLASSIFIER = re.compile(r"Programming Language :: Python :: (3\.\d+)")


def _config(text: str, section: str) -> Mapping[str, str]:
    config = configparser.ConfigParser(interpolation=None, strict=False)
    try:
        config.read_string(text)
    except configparser.Error:
        return {}
    return config[section] if config.has_section(section) else {}


_FILES: dict[str, Callable[[str, str], Iterator[_Claim]]] = {
    ".python-version": _one_version,
    "pyproject.toml": _pyproject,
    "Pipfile": _pipfile,
    "runtime.txt": _one_version,
    "Dockerfile": _docker,
    "Containerfile": _docker,
    "setup.cfg": _setup_cfg,
    "setup.py": _setup_py,
}


def _within(bound: SpecifierSet, version: str) -> bool:
    """Whether any patch release of a version such as "3.12" is allowed."""
    return any(bound.contains(f"{version}.{patch}") for patch in _PATCHES)


def _toml(text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError):
        return {}


def _at(data: Any, *keys: str) -> Any:
    for key in keys:
        data = data.get(key) if isinstance(data, dict) else None
    return data
