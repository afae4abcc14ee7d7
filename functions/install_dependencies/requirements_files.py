"""Requirements files: their lines, and those of the files that they include.

    requirements*.txt, *-requirements.txt, requirements/*.txt

https://pip.pypa.io/en/stable/reference/requirements-file-format/
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum, auto

_FILE = re.compile(r"(?:[\w.-]*requirements[\w.-]*|requirements/[\w.-]+)\.txt")
_COMMENT = re.compile(r"(?:^|(?<=\s))#.*")
_OPTION = re.compile(r"(?P<name>--[a-z][a-z-]*|-[a-z])(?:[=\s]\s*(?P<value>.*))?", re.DOTALL)
_ITSELF = re.compile(r"\.(?:\[[\w\s,-]*\])?/?")
_PLACES = {
    **dict.fromkeys(("-i", "--index-url", "--pypi-url"), "--index-url"),
    **{name: name for name in ("--extra-index-url", "--find-links", "--no-index", "--trusted-host")},
    "-f": "--find-links",
}
# What changes nothing where only wheels are installed, each in the version that is asked for.
_WITHOUT_EFFECT = frozenset({"--prefer-binary", "--only-binary", "--no-binary", "--use-feature"})


class Kind(Enum):
    """What a line says."""

    REQUIREMENT = auto()
    CONSTRAINT = auto()
    """Which versions, should somebody ask for the package."""
    PLACE = auto()
    """Where packages come from: an option, with its value."""
    HASHES_ONLY = auto()
    EARLY_VERSIONS = auto()
    """Pre-releases count too."""


@dataclass(frozen=True, slots=True)
class Line:
    """One logical line and the file that it stands in."""

    kind: Kind
    text: str
    path: str


def lines(tree: Mapping[str, bytes]) -> Iterator[Line]:
    """The lines of every requirements file. Raises UnicodeDecodeError."""
    for path in sorted(tree):
        if _FILE.fullmatch(path):
            yield from _of_file(tree, path, frozenset(), Kind.REQUIREMENT)


def _of_file(tree: Mapping[str, bytes], path: str, seen: frozenset[str], kind: Kind) -> Iterator[Line]:
    if path in seen or path not in tree:
        return
    text = tree[path].decode("utf-8-sig").replace("\\\r\n", " ").replace("\\\n", " ")
    for raw in text.splitlines():
        line = _COMMENT.sub("", raw).strip()
        if not line or _ITSELF.fullmatch(line):
            continue
        option = _OPTION.fullmatch(line)
        if option is None:
            yield Line(kind, line, path)
            continue
        name, value = option["name"], (option["value"] or "").strip()
        if name in ("-r", "--requirement", "-c", "--constraint"):
            inner = posixpath.normpath(posixpath.join(posixpath.dirname(path), value))
            of = kind if name.startswith(("-r", "--r")) else Kind.CONSTRAINT
            yield from _of_file(tree, inner, seen | {path}, of)
        elif not (name in ("-e", "--editable") and _ITSELF.fullmatch(value)):
            yield from _of_option(name, value, line, path)


def _of_option(name: str, value: str, line: str, path: str) -> Iterator[Line]:
    if name in _PLACES:
        yield Line(Kind.PLACE, f"{_PLACES[name]} {value}".strip(), path)
    elif name == "--require-hashes":
        yield Line(Kind.HASHES_ONLY, line, path)
    elif name == "--pre":
        yield Line(Kind.EARLY_VERSIONS, line, path)
    elif name not in _WITHOUT_EFFECT:
        # Not known, so not harmless: it counts as a requirement, which it cannot be read as.
        yield Line(Kind.REQUIREMENT, line, path)
