"""The fetched source as the context is built from it: texts and syntax trees, read once."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable
from functools import cached_property

from functions.core.source.archive import Member, MemberKind
from functions.core.source.encodings import encoding_of
from functions.core.source.syntax_tree import parse

# Beyond this a file is data or generated code: parsing it would cost seconds and its text would not be shown.
_LARGEST_TEXT = 1_000_000


_TEST_FILE = re.compile(r"(?:.*/)?(?:test_[^/]*|[^/]*_test)\.py")


def is_test(path: str) -> bool:
    """Whether a file holds tests, by its name."""
    return _TEST_FILE.fullmatch(path) is not None


class SourceTree:
    """Files of one commit. Symlinks, binaries and very large files count as paths but have no text."""

    def __init__(self, members: Iterable[Member]) -> None:
        self._data: dict[str, bytes] = {}
        self._trees: dict[str, ast.Module | None] = {}
        self._texts: dict[str, str | None] = {}
        for member in members:
            plain = member.kind is not MemberKind.SYMLINK and len(member.data) <= _LARGEST_TEXT
            self._data[member.path] = member.data if plain else b""

    @cached_property
    def paths(self) -> frozenset[str]:
        return frozenset(self._data)

    def text(self, path: str) -> str | None:
        """The file's text with `\\n` line ends, or None when there is none or it is in no known encoding."""
        if path not in self._texts:
            try:
                data = self._data[path]
                text = data.decode(encoding_of(path, data)).removeprefix("\ufeff")
                self._texts[path] = text.replace("\r\n", "\n").replace("\r", "\n")
            except (LookupError, SyntaxError, UnicodeError):
                self._texts[path] = None
        return self._texts[path]

    def lines(self, path: str) -> list[str]:
        """The file's lines, counted as Python counts them in tracebacks: by line feeds alone."""
        return (self.text(path) or "").split("\n")

    def tree(self, path: str) -> ast.Module | None:
        """The syntax tree, or None when the file does not parse."""
        if path not in self._trees:
            text = self.text(path)
            self._trees[path] = None if text is None else parse(text)
        return self._trees[path]

    def module(self, name: str, level: int, importer: str) -> str | None:
        """The file of an imported module; None when it is not in the repository, or not to be told apart.

        name: dotted, may be empty for `from . import x`; level: leading dots of a relative import.
        """
        tail = name.replace(".", "/")
        if level:
            base = importer.split("/")[:-level]
            stem = "/".join([*base, tail]).strip("/")
            return next((path for path in _files(stem) if path in self.paths), None)
        for end in _files(tail):
            matches = [path for path in self.paths if path == end or path.endswith(f"/{end}")]
            if len(matches) > 1:
                # Two packages of that name: the one that shares the importer's own directory is meant.
                matches.sort(key=lambda path: -_shared(path, importer))
                if _shared(matches[0], importer) == _shared(matches[1], importer):
                    continue
            if matches:
                return matches[0]
        return None


def _files(stem: str) -> tuple[str, str]:
    return (f"{stem}.py", f"{stem}/__init__.py") if stem else ("__init__.py", "__init__.py")


def _shared(path: str, other: str) -> int:
    """How many leading directories two paths share."""
    count = 0
    for left, right in zip(path.split("/")[:-1], other.split("/")[:-1], strict=False):
        if left != right:
            break
        count += 1
    return count
