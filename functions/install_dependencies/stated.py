"""What a place in a repository states, in the words that all places share."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum, IntEnum, auto
from functools import cached_property

from packaging.utils import canonicalize_name

from functions.harness.names import is_test


class StatementKind(Enum):
    """What a line says."""

    REQUIREMENT = auto()
    CONSTRAINT = auto()
    """Which versions, should somebody ask for the package."""
    PIN = auto()
    """A constraint to one version, as locks have it: where there are several for a package, the installer
    chooses among them."""
    EXTRAS = auto()
    """Names of the project's own extras, by commas."""
    ELSEWHERE = auto()
    """A package from a place of its own, by its name: it is not taken from anywhere else, either."""
    PLACE = auto()
    """Where packages come from: an option, with its value."""
    HASHES_ONLY = auto()
    EARLY_VERSIONS = auto()
    """Pre-releases count too."""
    UNKNOWN = auto()
    """An option that is not known, so not harmless."""
    LOST = auto()
    """What is stated and cannot be followed: a clause that says so."""


class Role(IntEnum):
    """What a requirement is for. Of two that cannot both be had, the one with the lower number is kept."""

    RUNS = 0
    """The project itself, as its package says."""
    LISTED = 1
    """The project itself, as a list of what is deployed says."""
    TESTS = 2
    DEVELOPS = 3
    """Work on the project; its tests may be among that."""


@dataclass(frozen=True, slots=True)
class Stated:
    """One statement, and the file that it stands in."""

    kind: StatementKind
    text: str
    path: str
    role: Role = Role.RUNS


@dataclass(frozen=True)
class StatedFiles:
    """The files that statements are read from: path → content; extras: those of the project that its own
    files ask for."""

    files: Mapping[str, bytes]
    extras: frozenset[str] = frozenset()

    @cached_property
    def imported_by_tests(self) -> frozenset[str]:
        """What the tests import, as distributions of that name would be called."""
        names = self._imported(is_test)
        return frozenset(canonicalize_name(_NAMED_OTHERWISE.get(name, name)) for name in names)

    @cached_property
    def imported(self) -> frozenset[str]:
        """Top-level modules that the code imports, but for what builds it."""
        return self._imported(lambda path: path not in _BUILDS)

    def _imported(self, counts: Callable[[str], bool]) -> frozenset[str]:
        found: set[bytes] = set()
        for path, data in self.files.items():
            if path.endswith(".py") and counts(path):
                found.update(_IMPORT.findall(data))
        return frozenset(name.decode() for name in found)


def name_of(requirement: str) -> str:
    """The canonical name that a requirement begins with; "" where it begins with none."""
    match = _NAME.match(requirement)
    return canonicalize_name(match[0]) if match else ""


def role_of(name: str) -> Role | None:
    """What an extra, a group, an environment or a list is for, by its name; None for what tests do
    without."""
    words = set(name.lower().replace("_", "-").replace(".", "-").replace("/", "-").split("-"))
    if words & _OF_TESTS or any(word.startswith("test") for word in words):
        return Role.TESTS
    return Role.DEVELOPS if words & _OF_DEVELOPMENT else None


_OF_TESTS = frozenset(
    {"test", "tests", "testing", "tox", "ci", "pytest", "unittest", "unit", "cov", "coverage"}
)
_OF_DEVELOPMENT = frozenset({"dev", "develop", "development", "developer", "all", "devel"})
_BUILDS = frozenset({"setup.py", "noxfile.py", "tasks.py", "docs/conf.py", "docs/source/conf.py"})
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_IMPORT = re.compile(rb"^[ \t]*(?:import|from)[ \t]+([A-Za-z_]\w*)", re.M)
# What is imported by another name than that of its distribution, of what tests are likely to import.
_NAMED_OTHERWISE = {
    "yaml": "PyYAML",
    "dateutil": "python-dateutil",
    "bs4": "beautifulsoup4",
    "attr": "attrs",
    "PIL": "Pillow",
    "jwt": "PyJWT",
    "git": "GitPython",
    "OpenSSL": "pyOpenSSL",
    "socks": "PySocks",
    "dotenv": "python-dotenv",
    "MySQLdb": "mysqlclient",
    "psycopg2": "psycopg2-binary",
    "sklearn": "scikit-learn",
    "cv2": "opencv-python",
    "Crypto": "pycryptodome",
    "serial": "pyserial",
    "docx": "python-docx",
    "slugify": "python-slugify",
    "jose": "python-jose",
    "multipart": "python-multipart",
    "magic": "python-magic",
}
