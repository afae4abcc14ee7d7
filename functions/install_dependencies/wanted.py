"""What a repository asks for, read from its own files: names, versions and hashes, never a place to load.

    requirements files    see `requirements_files`
    pyproject.toml        see `projects`
    lock files            see `locks`

What a file says that is neither followed nor harmless is a problem, and nothing is installed: an index of its
own whose packages were taken from the usual one would let whoever registers the name there choose the code.
"""

from __future__ import annotations

import hashlib
import json
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field

from functions.install_dependencies import locks, projects, requirements_files
from functions.install_dependencies.requirement import Asked, NotPlain, parse
from functions.install_dependencies.requirements_files import Kind

# The sandbox's own: another version of it could not run there anyway.
_OWN = frozenset({"pytest", "pip", "setuptools", "wheel", "uv"})
_MOST = 2_000


@dataclass(frozen=True, slots=True)
class Wanted:
    """Requirement lines, constraint lines (which versions), and what stands in the way of installing."""

    requirements: tuple[str, ...] = ()
    constraints: tuple[str, ...] = ()
    hashes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Canonical name → what the distribution's bytes may be, `sha256:…`, for packages that have any."""
    hashed: bool = False
    """Everything that is asked for has hashes, so whatever comes along with it must have some as well."""
    places: tuple[str, ...] = ()
    """Where the files say that packages come from, as options of pip."""
    early_versions: bool = False
    problem: str = ""

    def digest(self, target: str) -> str:
        """The same for the same requirements on the same Python and platform, which `target` names."""
        return hashlib.sha256(json.dumps([target, asdict(self)], sort_keys=True).encode()).hexdigest()


def wanted(tree: Mapping[str, bytes]) -> Wanted:
    """What the repository asks for. Never raises: what cannot be read is a problem."""
    try:
        return _read(tree)
    except NotPlain as error:
        return Wanted(problem=f"{error}, so nothing is installed")
    except (ValueError, TypeError, AttributeError, KeyError, RecursionError) as error:
        return Wanted(problem=f"the repository's dependency files cannot be read: {error}")


@dataclass(slots=True)
class _Reading:
    asked: list[Asked] = field(default_factory=list)
    held: list[Asked] = field(default_factory=list)
    """What only says which version, should anybody ask for the package."""
    places: list[str] = field(default_factory=list)
    hashes_only: bool = False
    early_versions: bool = False


def _read(tree: Mapping[str, bytes]) -> Wanted:
    reading = _Reading()
    for line in requirements_files.lines(tree):
        match line.kind:
            case Kind.REQUIREMENT:
                reading.asked.append(parse(line.text))
            case Kind.CONSTRAINT:
                reading.held.append(parse(line.text))
            case Kind.PLACE:
                reading.places.append(line.text)
            case Kind.HASHES_ONLY:
                reading.hashes_only = True
            case Kind.EARLY_VERSIONS:
                reading.early_versions = True
    if "pyproject.toml" in tree:
        project = tomllib.loads(tree["pyproject.toml"].decode())
        reading.asked += map(parse, projects.requirements(project))
        reading.places += projects.places(project)
    reading.asked += locks.pipfile(tree)
    pins = list(locks.pins(tree))
    reading.held += _of_one_version(pins)
    return _summed_up(reading, pins)


def _summed_up(reading: _Reading, pins: list[Asked]) -> Wanted:
    if len(reading.asked) + len(reading.held) > _MOST:
        raise NotPlain(f"the files ask for over {_MOST:,} packages")
    hashes: dict[str, set[str]] = {}
    for one in (*reading.asked, *reading.held, *pins):
        if one.hashes:
            hashes.setdefault(one.name, set()).update(one.hashes)
    asked = [one for one in reading.asked if one.name not in _OWN]
    return Wanted(
        requirements=tuple(sorted({one.line for one in asked})),
        constraints=tuple(sorted({one.line for one in reading.held if one.name not in _OWN})),
        hashes={name: tuple(sorted(values)) for name, values in sorted(hashes.items())},
        hashed=bool(asked) and (reading.hashes_only or all(one.name in hashes for one in asked)),
        places=tuple(dict.fromkeys(reading.places)),
        early_versions=reading.early_versions,
    )


def _of_one_version(pins: list[Asked]) -> Iterator[Asked]:
    """A lock may have several versions of a package, for different markers: the installer chooses."""
    versions: dict[str, set[str]] = {}
    for pin in pins:
        versions.setdefault(pin.name, set()).add(pin.line)
    yield from (pin for pin in pins if len(versions[pin.name]) == 1)
