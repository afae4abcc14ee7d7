"""The candidate: everything that a gate may look at."""

from __future__ import annotations

import ast
import itertools
import operator
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from functions.core.incidents.incident import Frame
from functions.core.source.code_mappings import locate
from functions.core.source.syntax_tree import parse
from functions.core.workflow.proposal import Proposal
from functions.core.workflow.validation_context import ValidationContext
from functions.harness.names import is_test
from functions.validate_patch.rules import Rules
from functions.validate_patch.tree import Change, File, Tree

_BINDS = re.compile(
    rb"^[ \t]*(?:(?:async[ \t]+)?def|class)[ \t]+(\w+)|^[ \t]*(\w+)[ \t]*(?::[^=\n]*)?=(?!=)", re.MULTILINE
)


@dataclass(frozen=True, slots=True)
class FrameLocation:
    """A traceback frame in the repository: path, function and line as the incident saw them."""

    path: str
    function: str
    line: int
    code: str


@dataclass(frozen=True, eq=False)
class Candidate:
    """A patched tree beside the tree as fetched, and what is known of the incident. Equal to itself alone, so
    that what is read of it can be kept."""

    before: Tree
    after: Tree
    changes: tuple[Change, ...]
    proposal: Proposal
    context: ValidationContext
    rules: Rules

    @cached_property
    def places(self) -> tuple[FrameLocation, ...]:
        """The incident's own frames that are in the repository, innermost last."""
        incident, app = self.context.incident, self.context.app
        return places_of(incident.frames, self.before, app.source_roots)

    @cached_property
    def binders(self) -> Mapping[str, tuple[str, ...]]:
        """Name → files of the tree as fetched that seem to define or assign it, tests aside: few need
        to be parsed. Found by lines, since parsing a thousand files takes seconds."""
        found: dict[str, list[str]] = {}
        for path, file in self.before.items():
            if path.endswith(".py") and not is_test(path):
                for name in {match[1] or match[2] for match in _BINDS.finditer(file.data)}:
                    found.setdefault(name.decode(errors="replace"), []).append(path)
        return {name: tuple(paths) for name, paths in found.items()}

    def modules_binding(self, names: Iterable[str]) -> Iterator[tuple[str, ast.Module]]:
        """Path and syntax tree of the files that seem to define or assign one of the names."""
        for path in sorted({path for name in names for path in self.binders.get(name, ())}):
            module = parsed(self.before, path)
            if module is not None:
                yield path, module

    def differing(self, change: Change) -> tuple[ast.Module | None, ast.Module | None]:
        """The syntax trees of a changed file before and after, but for the module's statements that are the
        same at its beginning and at its end: who asks what is new counts them on both sides in vain."""
        old, new = parsed(self.before, change.path), parsed(self.after, change.path)
        if old is None or new is None:
            return old, new
        mine, theirs = _texts(old, self.before[change.path]), _texts(new, self.after[change.path])
        first = _alike(mine, theirs)
        last = _alike(mine[first:][::-1], theirs[first:][::-1])
        return _without(old, first, last), _without(new, first, last)

    @cached_property
    def python_changes(self) -> tuple[Change, ...]:
        return tuple(change for change in self.changes if change.path.endswith(".py"))


def _texts(module: ast.Module, file: File) -> list[list[bytes]]:
    """The lines of each statement of a module, with its decorators."""
    lines = file.data.splitlines()
    heads = [[statement, *getattr(statement, "decorator_list", ())] for statement in module.body]
    first = [min(node.lineno for node in nodes) - 1 for nodes in heads]
    return [lines[at : statement.end_lineno] for at, statement in zip(first, module.body, strict=True)]


def _alike(one: Sequence[list[bytes]], other: Sequence[list[bytes]]) -> int:
    """How many are the same at the beginning."""
    return sum(1 for _ in itertools.takewhile(bool, map(operator.eq, one, other)))


def _without(module: ast.Module, first: int, last: int) -> ast.Module:
    return ast.Module(module.body[first : len(module.body) - last], [])


def places_of(frames: Sequence[Frame], tree: Tree, roots: Mapping[str, str]) -> tuple[FrameLocation, ...]:
    """Map frames to files as the prompt does; a frame that cannot be placed is left out, not guessed."""
    found = []
    for frame in frames:
        path = locate(frame.file, tree, roots).path if frame.in_app or not frame.why else None
        if path is not None and frame.function is not None and frame.line is not None:
            found.append(FrameLocation(path, frame.function, frame.line, frame.code))
    return tuple(found)


def parsed(tree: Tree, path: str) -> ast.Module | None:
    """The syntax tree of a file, or None when it is missing or does not parse."""
    file = tree.get(path)
    return None if file is None else parse(file.data)
