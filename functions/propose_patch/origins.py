"""Where the value came from: what made, changed or left out the value that a line failed on.

A traceback shows who asked for a value. Where the value is wrong, the culprit often returned long ago: a
loader, a constructor, a default that is shared, another job that writes the same table. Data flow is followed
back from what the failing statement reads, hand-over by hand-over, the likeliest first: a backward slice, by
names where no type tells more, as in `flow`.
"""

from __future__ import annotations

import ast
import builtins
import heapq
import posixpath
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from itertools import count, islice

from functions.core.source import syntax
from functions.propose_patch.flow import Flow, Write
from functions.propose_patch.repository import SourceTree, is_test
from functions.propose_patch.slots import Kind, Reads, Scope, Slot, add, name_of, reads_of

_MOST_SLOTS = 150
"""Slots that are followed."""
_MOST_FILES, _MOST_OF_ONE = 25, 20
"""Files that are read, and those that are for one name."""
_LEAST = 0.01
_HANDED_OVER = 0.9
"""What is left of a likelihood after a hand-over."""
_NAMED_OFTEN = -0.35
"""Of n writes of one name, each is as likely as n to this power."""
_CALLER, _GUARD, _BESIDE = 0.25, 0.4, 0.15
"""What callers hand over, what decides whether the line runs, and what else its function reads."""
_TEXT_LINES, _LARGEST_TEXT = 3, 100_000
_LARGEST_CODE = 300_000
"""Characters: a longer file was generated, and takes far longer than its length says."""

_QUOTED = re.compile(r"'([^'\s]+)'|\b(\w++)\(\)")
_ATTRIBUTE_OF = re.compile(r"'(\w+)' object has no attribute '(\w+)'")
_NOWHERE = Scope("", frozenset(), None)
_PROSE = (".md", ".rst", ".lock", ".txt", ".svg", ".html")


@dataclass(frozen=True, slots=True)
class ValueOrigin:
    """Lines of a file that may have made the value, what they stand in, and why. likely: up to about 1."""

    path: str
    lines: frozenset[int]
    around: range
    why: str
    likely: float


@dataclass(frozen=True, slots=True)
class CodePosition:
    """Where own code stood in the traceback."""

    path: str
    line: int


def origins(
    repository: SourceTree, traces: Sequence[Sequence[CodePosition]], error: str
) -> list[ValueOrigin]:
    """What may have made the value that the innermost places failed on, the likeliest first.

    traces: own code in the traceback and in those of exceptions that led to it, each innermost first; error:
    the exception's type and message.
    """
    search = _Search(repository, {place.path for places in traces for place in places})
    seeds: Reads = {}
    for places in traces:
        add(seeds, search.start(places, error).items())
    found: dict[tuple[str, frozenset[int]], ValueOrigin] = {}
    for origin in search.back(seeds):
        key = origin.path, origin.lines
        if key not in found or found[key].likely < origin.likely:
            found[key] = origin
    return sorted(found.values(), key=lambda origin: -origin.likely)


@dataclass
class _Search:
    repository: SourceTree
    near: set[str]
    _flows: dict[str, Flow | None] = field(default_factory=dict)
    _called: dict[Slot, list[Write]] = field(default_factory=lambda: defaultdict(list))
    """What the traceback tells of parameters: the arguments that its callers gave."""

    def start(self, places: Sequence[CodePosition], error: str) -> Reads:
        """What the failing statement reads, and less surely what surrounds it and what led to it."""
        seeds: Reads = {}
        inner: tuple[syntax.Function, Scope] | None = None
        for rank, place in enumerate(places):
            flow, tree = self._flow(place.path), self.repository.tree(place.path)
            function = syntax.enclosing(tree, place.line)[0] if tree else None
            statement = syntax.statement_at(function or tree, place.line) if tree else None
            if flow is None or tree is None or statement is None:
                inner = None
                continue
            scope = flow.scopes[function or tree]
            add(seeds, reads_of(statement, scope).items(), 1 if rank == 0 else _CALLER)
            if rank == 0:
                decides = 0.9 if isinstance(statement, ast.Raise | ast.Assert) else _GUARD
                for guard in _guards(function or tree, place.line):
                    add(seeds, reads_of(guard, scope).items(), decides)
                if function:
                    add(seeds, reads_of(function, scope).items(), _BESIDE)
            if inner:
                self._hand_over(*inner, statement, scope)
            inner = (function, scope) if function else None
        add(seeds, ((Slot(name), 1.0) for name in _said(error)))
        if (match := _ATTRIBUTE_OF.search(error)) and hasattr(builtins, match[1].replace("NoneType", "None")):
            seeds.pop(Slot(match[2]), None)  # nobody had to set it: the value is another than was thought
        return seeds

    def _hand_over(self, callee: syntax.Function, inner: Scope, statement: ast.AST, scope: Scope) -> None:
        """What the statement of a caller gave to the parameters of what it called."""
        calls = [node for node in ast.walk(statement) if isinstance(node, ast.Call)]
        named = [c for c in calls if name_of(c.func) == callee.name]
        parameters = [*callee.args.posonlyargs, *callee.args.args, *callee.args.kwonlyargs]
        method = bool(parameters) and parameters[0].arg in ("self", "cls")
        for place, parameter in enumerate(parameters):
            given: list[ast.AST] = []
            for call in named:
                by_place = [call.func, *call.args] if method else call.args
                given += [each.value for each in call.keywords if each.arg in (parameter.arg, None)]
                given += by_place[place : place + 1]
                given += [each for each in call.args[:place] if isinstance(each, ast.Starred)]
            for part in given or ([] if named else [statement]):
                slot, reads = Slot(parameter.arg, inner.name, Kind.LOCAL), reads_of(part, scope)
                likely = 1 if given else 0.6
                self._called[slot].append(Write(frozenset(), None, "", likely, scope, links=reads))

    def back(self, seeds: Reads) -> Iterator[ValueOrigin]:
        """What the seeds, and what wrote them, were made by."""
        best, turn = dict(seeds), count()
        waiting = [(-likely, next(turn), slot) for slot, likely in seeds.items()]
        heapq.heapify(waiting)
        done: set[Slot] = set()
        while waiting and len(done) < _MOST_SLOTS:
            likely, _, slot = heapq.heappop(waiting)
            if slot in done:
                continue
            done.add(slot)
            writes = list(self._writes(slot))
            often = max(1, sum(bool(write.lines) for _, write in writes)) ** _NAMED_OFTEN
            for path, write in writes:
                here = -likely * write.likely * (often if write.lines else 1)
                if here < _LEAST:
                    continue
                if write.lines:
                    around = syntax.span(write.around) if write.around else range(0)
                    yield ValueOrigin(
                        path, write.lines, around, write.why, here if write.reads else here * 1.2
                    )
                    here *= _HANDED_OVER
                for read, share in write.reads.items():
                    if here * share > max(best.get(read, 0.0), _LEAST):
                        best[read] = here * share
                        heapq.heappush(waiting, (-best[read], next(turn), read))

    def _writes(self, slot: Slot) -> Iterator[tuple[str, Write]]:
        if slot.kind is Kind.LOCAL:
            told = self._called.get(slot, [])
            yield from (("", write) for write in told)
            path = slot.owner.rpartition(":")[0]
            flow = self._flow(path)
            for write in flow.writes.get(slot, ()) if flow else ():
                if write.lines or not told:
                    yield path, write
            return
        text = (slot.owner or slot.name).rstrip("()")
        for path, flow in self._flows_with("] = " if text == "[]" else text):
            yield from ((path, write) for write in flow.writes.get(slot, ()))
        if slot.kind is Kind.NAMED:
            yield from self._in_data(slot.name)

    def _in_data(self, name: str) -> Iterator[tuple[str, Write]]:
        """Lines of configuration and data files that have a name, and the start of a file of that name."""
        word = re.compile(rf"(?<!\w){re.escape(name)}(?!\w)")
        for path in self._data:
            if posixpath.basename(path) == posixpath.basename(name):
                yield (
                    path,
                    Write(frozenset(range(1, _TEXT_LINES + 1)), None, f"file {name}", 0.6, _NOWHERE),
                )
            if name in (self.repository.text(path) or ""):
                lines = enumerate(self.repository.lines(path), 1)
                for number in islice((n for n, line in lines if word.search(line)), _TEXT_LINES):
                    yield path, Write(frozenset({number}), None, f"has {name!r}", 0.7, _NOWHERE)

    @cached_property
    def _data(self) -> list[str]:
        paths = (path for path in self.repository.paths if not path.endswith((".py", *_PROSE)))
        return sorted(path for path in paths if 0 < len(self.repository.text(path) or "") < _LARGEST_TEXT)

    @cached_property
    def _python(self) -> list[str]:
        """Own code, files of the traceback first; tests make values of their own."""
        python = (path for path in self.repository.paths if path.endswith(".py") and not is_test(path))
        return sorted(python, key=lambda path: (path not in self.near, path))

    def _flows_with(self, text: str) -> Iterator[tuple[str, Flow]]:
        having = (path for path in self._python if text in (self.repository.text(path) or ""))
        for path in islice(having, _MOST_OF_ONE):
            if (path in self._flows or len(self._flows) < _MOST_FILES) and (flow := self._flow(path)):
                yield path, flow

    def _flow(self, path: str) -> Flow | None:
        if path not in self._flows:
            self._flows[path] = None
            short = len(self.repository.text(path) or "") <= _LARGEST_CODE
            tree = self.repository.tree(path) if short else None
            # Generated code nests deeper than Python walks: there is no origin in it.
            with suppress(RecursionError):
                self._flows[path] = Flow(path, tree) if tree else None
        return self._flows[path]


def _guards(around: ast.AST, line: int) -> Iterator[ast.AST]:
    """The conditions that a line runs under."""
    for node in ast.walk(around):
        if isinstance(node, ast.If | ast.While) and line in syntax.span(node):
            yield node.test
        elif isinstance(node, ast.Match) and line in syntax.span(node):
            yield node.subject


def _said(error: str) -> Iterator[str]:
    """The names that a message quotes, but for those of Python's own types."""
    for name, called in _QUOTED.findall(error):
        for part in (name or called).split("."):
            if part and not hasattr(builtins, part) and part != "NoneType":
                yield part
