"""What a repository asks for, read from its own files: names, versions and hashes, never a place to load.

Every place that states it is read, each by itself: what one of them says that cannot be followed loses only
that, and is said. A package that the repository takes from a place of its own is taken from nowhere else:
under its name, the usual index may have something else. An option that is not known is a problem, and nothing
is installed; so is, where the operator has not named it as well, an index of the repository's own.
"""

from __future__ import annotations

import fnmatch
import hashlib
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from functions.install_dependencies import (
    environments,
    locks,
    project,
    projects,
    requirements_files,
    setup_files,
)
from functions.install_dependencies.requirement import NotPlain, RequirementLine, parse
from functions.install_dependencies.stated import Role, Stated, StatedFiles, StatementKind, name_of

# The harness brings its own, which must run on every Python.
_OWN = frozenset({"pytest"})
_MOST = 2_000
_BROUGHT_ALONG = {
    "pip": frozenset({"pip"}),
    "setuptools": frozenset({"setuptools", "pkg_resources", "distutils"}),
}
_NESTED = 4
"""How deep extras of the project may name others of its extras."""
# What people run beside the tests, and tests import only where they are about it.
_TOOLS = re.compile(
    r"(?:types|mkdocs|mkdocstrings|sphinx|sphinxcontrib|flake8|pylint)(?:-.+)?|.+-stubs|mypy|black|ruff|isort|ty|"
    r"pyright|pre-commit|prek|tox|tox-.+|nox|twine|build|bandit|zizmor|furo|poetry|hatch|bumpversion|towncrier|wheel|uv|"
    r"pyupgrade|autoflake|myst-parser|check-manifest|coveralls|codecov|ipython|jupyter|notebook|zest-releaser"
)

Reader = Callable[[StatedFiles, str], Iterator[Stated]]
_READERS: tuple[tuple[str, Reader], ...] = (
    ("pyproject.toml", projects.of_pyproject),
    ("setup.cfg", setup_files.of_setup_cfg),
    ("setup.cfg", environments.of_tox),
    ("setup.py", setup_files.of_setup_py),
    ("Pipfile", projects.of_pipfile),
    ("Pipfile.lock", locks.of_pipfile_lock),
    ("uv.lock", locks.of_lock),
    ("poetry.lock", locks.of_lock),
    ("pdm.lock", locks.of_lock),
    ("pylock*.toml", locks.of_pylock),
    ("tox.ini", environments.of_tox),
    ("noxfile.py", environments.of_nox),
    ("environment*.y*ml", environments.of_conda),
)
"""Name of a file at the root → who reads it; requirements files besides."""


@dataclass(frozen=True, slots=True)
class Requirements:
    """What is asked for, as lines for the installer, and what of it cannot be followed."""

    requirements: tuple[str, ...] = ()
    """What the project itself needs comes first: of two that cannot both be had, the first one is kept."""
    constraints: tuple[str, ...] = ()
    excluded: tuple[str, ...] = ()
    """Names of packages that are taken from nowhere."""
    hashes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Canonical name → what the distribution's bytes may be, `sha256:…`, for packages that have any."""
    hashed: bool = False
    """Everything that is asked for has hashes, so whatever comes along with it must have some as well."""
    places: tuple[str, ...] = ()
    """Where the files say that packages come from, as options of pip."""
    early_versions: bool = False
    lost: tuple[str, ...] = ()
    """What is stated and not followed, one clause each."""
    itself: project.Project = field(default_factory=project.Project)
    problem: str = ""

    def digest(self, target: str) -> str:
        """The same for the same requirements on the same Python, platform and date, which `target` names."""
        return hashlib.sha256(json.dumps([target, asdict(self)], sort_keys=True).encode()).hexdigest()


def wanted(tree: Mapping[str, bytes]) -> Requirements:
    """What the repository asks for. Never raises: what cannot be read is lost, and said."""
    itself = project.of(tree)
    extras: frozenset[str] = frozenset()
    for _ in range(_NESTED):
        reading = _Reading(itself)
        for stated in _stated(StatedFiles(tree, extras)):
            reading.take(stated)
            if reading.problem:
                return Requirements(problem=reading.problem)
        if reading.extras <= extras:
            break
        extras = frozenset(reading.extras)
    return reading.summed_up(StatedFiles(tree).imported_by_tests)


def _stated(repository: StatedFiles) -> Iterator[Stated]:
    for pattern, reader in _READERS:
        for path in sorted(fnmatch.filter((p for p in repository.files if "/" not in p), pattern)):
            yield from _read(reader, repository, path)
    for path in sorted(filter(requirements_files.is_list, repository.files)):
        yield from _read(requirements_files.of_list, repository, path)
    # What virtual environments bring along is seldom stated.
    for name, modules in _BROUGHT_ALONG.items():
        if modules & repository.imported:
            yield Stated(StatementKind.REQUIREMENT, name, "the code that imports it", Role.DEVELOPS)


def _read(reader: Reader, repository: StatedFiles, path: str) -> Iterable[Stated]:
    try:
        found = list(reader(repository, path))
        if wrong := next((one.text for one in found if not isinstance(one.text, str)), None):
            raise TypeError(f"{wrong!r} is no text")
        return found
    except Exception as error:  # noqa: BLE001 - parsers of six formats, over what strangers wrote
        return [
            Stated(StatementKind.LOST, f"{path} cannot be read: {' '.join(str(error).split())[:200]}", path)
        ]


@dataclass(slots=True)
class _Reading:
    itself: project.Project
    asked: list[tuple[Role, RequirementLine]] = field(default_factory=list)
    held: list[RequirementLine] = field(default_factory=list)
    """What only says which version, should anybody ask for the package."""
    pins: list[RequirementLine] = field(default_factory=list)
    extras: set[str] = field(default_factory=set)
    excluded: set[str] = field(default_factory=set)
    places: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    hashes_only: bool = False
    early_versions: bool = False
    problem: str = ""

    def take(self, stated: Stated) -> None:
        match stated.kind:
            case StatementKind.REQUIREMENT | StatementKind.CONSTRAINT | StatementKind.PIN:
                self._parse(stated)
            case StatementKind.EXTRAS:
                self.extras |= {canonicalize_name(name) for name in filter(None, stated.text.split(","))}
            case StatementKind.ELSEWHERE:
                self._lose(
                    name_of(stated.text), f"{stated.text} comes from a place of its own ({stated.path})"
                )
            case StatementKind.PLACE:
                self.places.append(stated.text)
            case StatementKind.HASHES_ONLY:
                self.hashes_only = True
            case StatementKind.EARLY_VERSIONS:
                self.early_versions = True
            case StatementKind.LOST:
                self.lost.append(stated.text)
            case StatementKind.UNKNOWN:
                self.problem = (
                    f"{stated.path} has {stated.text[:100]!r}, which is not known, so nothing is installed"
                )
        if len(self.asked) + len(self.held) + len(self.pins) > 2 * _MOST:
            self.problem = f"the files ask for over {_MOST:,} packages"

    def _parse(self, stated: Stated) -> None:
        try:
            one = parse(str(stated.text))
        except NotPlain as error:
            self._lose(_name_in_address(stated.text), f"{error} ({stated.path})")
            return
        if one.name == self.itself.name:
            self.extras |= {canonicalize_name(extra) for extra in Requirement(one.line).extras}
        elif stated.kind is StatementKind.REQUIREMENT:
            self.asked.append((stated.role, one))
        else:
            (self.pins if stated.kind is StatementKind.PIN else self.held).append(one)

    def _lose(self, name: str, why: str) -> None:
        self.lost.append(why)
        if name:
            self.excluded.add(name)

    def summed_up(self, imported: frozenset[str]) -> Requirements:
        """imported: see `StatedFiles.imported_by_tests`."""
        left_out = self.excluded | {self.itself.name} | _OWN
        asked = [
            (role, one)
            for role, one in self.asked
            if one.name not in left_out
            and (role is Role.RUNS or one.name in imported or not _TOOLS.fullmatch(one.name))
        ]
        held = [one for one in (*self.held, *_of_one_version(self.pins)) if one.name not in left_out]
        hashes: dict[str, set[str]] = {}
        for one in (*(one for _, one in asked), *held, *self.pins):
            if one.hashes:
                hashes.setdefault(one.name, set()).update(one.hashes)
        lines: dict[str, Role] = {}
        for role, one in sorted(asked, key=lambda pair: (pair[0], pair[1].line)):
            lines.setdefault(one.line, role)
        return Requirements(
            requirements=tuple(lines),
            constraints=tuple(sorted({one.line for one in held})),
            excluded=tuple(sorted(filter(None, self.excluded | {self.itself.name}))),
            hashes={name: tuple(sorted(values)) for name, values in sorted(hashes.items())},
            hashed=bool(asked) and (self.hashes_only or all(one.name in hashes for _, one in asked)),
            places=tuple(dict.fromkeys(self.places)),
            early_versions=self.early_versions,
            lost=tuple(dict.fromkeys(self.lost)),
            itself=self.itself,
        )


_EGG = re.compile(r"[#&]egg=([\w.-]+)")


def _name_in_address(text: str) -> str:
    """The canonical name of a package that an address or a path leads to, as far as it tells one."""
    if match := _EGG.search(text):
        return name_of(match[1])
    if "@" in text and "://" in text and " @ " in text:
        return name_of(text)
    last = re.split(r"[#?]", text)[0].rstrip("/").rpartition("/")[2]
    last = re.sub(r"\.(?:git|tar\.gz|zip|whl)(?:@.*)?$", "", last)
    return name_of(re.split(r"-\d", last)[0]) if "/" in text else ""


def _of_one_version(pins: list[RequirementLine]) -> Iterator[RequirementLine]:
    """A lock may have several versions of a package, for different markers: the installer chooses."""
    versions: dict[str, set[str]] = {}
    for pin in pins:
        versions.setdefault(pin.name, set()).add(pin.line)
    yield from (pin for pin in pins if len(versions[pin.name]) == 1)
