"""A source file as far as the prompt shows it, as a concrete syntax tree with real line numbers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeVar

import libcst as cst
from libcst.metadata import CodeRange, MetadataWrapper, ParentNodeProvider, PositionProvider

NodeT = TypeVar("NodeT", bound=cst.CSTNode)

Statement = cst.SimpleStatementLine | cst.BaseCompoundStatement


class Unreadable(ValueError):
    """What is shown of the file does not parse."""


@dataclass(frozen=True, slots=True)
class Splice:
    """Replace the text from `start` to `end`, both (line from 1, column from 0), by `text`."""

    start: tuple[int, int]
    end: tuple[int, int]
    text: str


class SourceFile:
    """One file: `path`, the known `lines`, and their syntax tree.

    Lines that the prompt leaves out are blank in the tree's text, so every position is a real line number.
    Raises Unreadable when the shown lines cannot be parsed even with gaps allowed for.
    """

    def __init__(self, path: str, lines: Mapping[int, str]) -> None:
        self.path = path
        self.lines = dict(lines)
        self.module, metadata = _parse(self.lines)
        self._ranges: Mapping[cst.CSTNode, CodeRange] = metadata.resolve(PositionProvider)
        self._parents: Mapping[cst.CSTNode, cst.CSTNode] = metadata.resolve(ParentNodeProvider)

    @property
    def body(self) -> Iterator[Statement]:
        """The statements at module level."""
        for statement in self.module.body:
            if isinstance(statement, Statement):
                yield statement

    def code(self, node: cst.CSTNode) -> str:
        """The node's own text, without surrounding whitespace or comments."""
        return cst.Module([]).code_for_node(node).strip()

    def start(self, node: cst.CSTNode) -> tuple[int, int]:
        position = self._ranges[node].start
        return position.line, position.column

    def end(self, node: cst.CSTNode) -> tuple[int, int]:
        position = self._ranges[node].end
        return position.line, position.column

    def parent(self, node: cst.CSTNode) -> cst.CSTNode | None:
        return self._parents.get(node)

    def ancestors(self, node: cst.CSTNode) -> Iterator[cst.CSTNode]:
        """From the node's parent outwards."""
        up = self.parent(node)
        while up is not None:
            yield up
            up = self.parent(up)

    def enclosing(self, node: cst.CSTNode, kind: type[NodeT]) -> NodeT | None:
        """The nearest ancestor of that kind."""
        return next((up for up in self.ancestors(node) if isinstance(up, kind)), None)

    def all(self, kind: type[NodeT], within: cst.CSTNode | None = None) -> Iterator[NodeT]:
        """Every node of that kind, in source order."""
        yield from walk(within or self.module, kind)

    def replace(self, node: cst.CSTNode, text: str) -> Splice:
        return Splice(self.start(node), self.end(node), text)

    def insert_before(self, statement: Statement, lines: Iterable[str]) -> Splice:
        """New lines above a statement that stands on a line of its own, at its indentation."""
        line = self.start(statement)[0]
        return self.insert_line(line, lines, self.indent(statement))

    def insert_after(self, statement: Statement, lines: Iterable[str]) -> Splice:
        return self.insert_line(self.end(statement)[0] + 1, lines, self.indent(statement))

    def insert_line(self, line: int, lines: Iterable[str], indent: str = "") -> Splice:
        """New lines before that line number; each is indented by `indent` unless empty."""
        text = "".join(f"{indent}{added}\n" if added else "\n" for added in lines)
        return Splice((line, 0), (line, 0), text)

    def indent(self, statement: Statement) -> str:
        text = self.lines.get(self.start(statement)[0], "")
        return text[: len(text) - len(text.lstrip())]

    @property
    def indent_unit(self) -> str:
        return self.module.default_indent

    def stands_alone(self, statement: Statement) -> bool:
        """Whether lines may be put above the statement: not the suite of a one-line `if x: return y`, and
        not an `elif`, whose test only runs when the tests above it failed."""
        up = self.parent(statement)
        if isinstance(statement, cst.If) and isinstance(up, cst.If):
            return False
        return isinstance(up, cst.IndentedBlock | cst.Module)


def walk(node: cst.CSTNode, kind: type[NodeT]) -> Iterator[NodeT]:
    """The node itself and its descendants of one kind, in source order."""
    if isinstance(node, kind):
        yield node
    for child in node.children:
        yield from walk(child, kind)


def _parse(lines: Mapping[int, str]) -> tuple[cst.Module, MetadataWrapper]:
    last = max(lines, default=0)
    shown = [lines.get(number, "") for number in range(1, last + 1)]
    for reading in (_whole, _with_headers, _readable):
        if (module := _module(reading(shown, lines))) is not None:
            wrapper = MetadataWrapper(module, unsafe_skip_copy=True)
            return wrapper.module, wrapper
    raise Unreadable("the lines shown do not parse")


def _whole(shown: list[str], known: Mapping[int, str]) -> list[str]:
    return shown


def _module(text: list[str]) -> cst.Module | None:
    try:
        return cst.parse_module("\n".join(text) + "\n")
    except cst.ParserSyntaxError:
        return None


def _readable(shown: list[str], known: Mapping[int, str]) -> list[str]:
    """Leave out of each run of lines what cannot be read: a run that starts in the middle of a statement
    is read from its first definition or statement on from which it parses."""
    text = [""] * len(shown)
    starts = [n for n in sorted(known) if n - 1 not in known]
    for first in starts:
        end = next(n for n in range(first, len(shown) + 2) if n not in known)
        for start in range(first, end):
            run = [""] * (start - 1) + shown[start - 1 : end - 1]
            parts = _with_headers(run, {n: known[n] for n in range(start, end)})
            if shown[start - 1].strip() and _module(parts) is not None:
                merged = [new or old for old, new in zip(text, parts + [""] * len(text), strict=False)]
                text = merged if _module(merged) is not None else text
                break
    return text


def _with_headers(shown: list[str], known: Mapping[int, str]) -> list[str]:
    """Make excerpts parse: a header without its body gets `...`, an indented run without a header gets one.

    Both go into text that only the parser sees: the run's header stands on a line that is not shown.
    """
    text = list(shown)
    for i, line in enumerate(shown):
        following = next((later for later in shown[i + 1 :] if later.strip()), "")
        if line.rstrip().endswith(":") and _width(following) <= _width(line):
            text[i] = f"{line.rstrip()} ..."
        if line.strip() and _width(line) and i not in known and not _has_header(text[:i], _width(line)):
            text[i - 1] = "if True:"
    return text


def _has_header(above: list[str], width: int) -> bool:
    outer = next((line for line in reversed(above) if line.strip() and _width(line) < width), "")
    return outer.rstrip().endswith(":")


def _width(line: str) -> int:
    return len(line) - len(line.lstrip())
