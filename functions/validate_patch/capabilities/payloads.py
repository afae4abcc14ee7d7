"""What is sent: the fields of records that end in a call which talks to others, by way of names and of the
repository's own functions. A fix for a crash sends no field that was not sent before."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from functions.core.source.syntax_tree import Function, functions_of, nodes_of
from functions.harness.names import is_test
from functions.validate_patch.candidate import Candidate
from functions.validate_patch.capabilities.known import CAPABILITIES
from functions.validate_patch.capabilities.names import OWN, ModuleIndex, ResolvedNames
from functions.validate_patch.capabilities.reach import Reaching

_TALKS = frozenset(power.what for power in CAPABILITIES if power.name in ("network", "process"))
_ROUNDS = 4
"""How many functions, and how many names, may stand between a field and the call."""
_READS = {"get": 0, "pop": 0, "setdefault": 0, "itemgetter": 0, "attrgetter": 0, "getattr": 1}
"""What reads a field, and which of its arguments names it."""


def findings(candidate: Candidate, before: ModuleIndex, after: ModuleIndex) -> Iterator[str]:
    """One sentence per function that sends more, or whose caller does."""
    fresh = set(_reading_more(candidate, before, after))
    if not fresh:
        return
    was, now = _Payloads(before), _Payloads(after)
    for path, name in sorted(_around(after, fresh)):
        for field in sorted(now.sent(path, name) - was.sent(path, name)):
            yield f"reach: {path}: {name} sends {field} as well, by what {now.talks(path, name)}"


def _reading_more(candidate: Candidate, before: ModuleIndex, after: ModuleIndex) -> Iterator[tuple[str, str]]:
    for change in candidate.python_changes:
        old, new = before.names(change.path), after.names(change.path)
        if new is None or is_test(change.path):
            continue
        were = functions_of(old.module) if old is not None else {}
        for name, function in functions_of(new.module).items():
            known = set(_fields([were[name]], were[name])) if name in were else set()
            if set(_fields([function], function)) - known:
                yield change.path, name


def _around(repository: ModuleIndex, fresh: set[tuple[str, str]]) -> set[tuple[str, str]]:
    """The functions, and those that call them, by one another."""
    found, tree = set(fresh), repository.tree
    for _ in range(_ROUNDS):
        words = {name.rpartition(".")[2].encode() for _, name in found}
        for path in tree:
            if not path.endswith(".py") or is_test(path) or not any(w in tree[path].data for w in words):
                continue
            names = repository.names(path)
            for name, function in functions_of(names.module).items() if names is not None else ():
                called = {part.rpartition(".")[2].encode() for part in _called(names, [function])}
                if called & words:
                    found.add((path, name))
    return found


class _Payloads:
    """Of one tree, the fields that a function sends."""

    def __init__(self, repository: ModuleIndex) -> None:
        self._repository = repository
        self._reaching = Reaching(repository)

    def talks(self, path: str, name: str) -> str:
        names, function = self._found(path, name)
        return next((what for _, what in self._calls(names, function)), "") if names and function else ""

    def sent(self, path: str, name: str) -> frozenset[str]:
        names, function = self._found(path, name)
        if names is None or function is None:
            return frozenset()
        given = [
            argument
            for call, _ in self._calls(names, function)
            for argument in (*call.args, *(keyword.value for keyword in call.keywords))
        ]
        return self._made_of(names, function, given, _ROUNDS)

    def _found(self, path: str, name: str) -> tuple[ResolvedNames | None, Function | None]:
        names = self._repository.names(path)
        return names, functions_of(names.module).get(name) if names is not None else None

    def _calls(self, names: ResolvedNames, function: Function) -> Iterator[tuple[ast.Call, str]]:
        for node in nodes_of(function):
            if isinstance(node, ast.Call):
                what = self._reaching.what(names.methods.get(id(node.func)) or names.of(node.func))
                if what in _TALKS:
                    yield node, what

    def _made_of(
        self, names: ResolvedNames, function: Function, parts: list[ast.expr], depth: int
    ) -> frozenset[str]:
        """Fields that expressions of a function are made of."""
        parts = _with_bound(function, parts)
        found = set(_fields(parts, function))
        for called in _called(names, parts) if depth else ():
            module, _, name = called.rpartition(".")
            path = self._repository.path(module)
            inner, other = self._found(path, name) if path is not None else (None, None)
            if inner is not None and other is not None and other is not function:
                given = [
                    n.value for n in nodes_of(other) if isinstance(n, ast.Return) and n.value is not None
                ]
                found |= self._made_of(inner, other, given, depth - 1)
        return frozenset(found)


def _with_bound(function: Function, parts: list[ast.expr]) -> list[ast.expr]:
    """Expressions, and those that the names in them were bound to, or had put into them."""
    found, known = list(parts), set[str]()
    for _ in range(_ROUNDS):
        fresh = {n.id for part in found for n in nodes_of(part) if isinstance(n, ast.Name)} - known
        known |= fresh
        found += [value for node in nodes_of(function) for name, value in _put(node) if name in fresh]
    return found


def _put(node: ast.AST) -> Iterator[tuple[str, ast.expr]]:
    """(name, value) where a value becomes that of a name, or part of it."""
    targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
    value = getattr(node, "iter", None) or getattr(node, "value", None)
    if isinstance(value, ast.expr):
        for target in targets:
            for name in nodes_of(target) if target is not None else ():
                if isinstance(name, ast.Name):
                    yield name.id, value
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        owner = node.func.value
        given = (*node.args, *(keyword.value for keyword in node.keywords))
        yield from ((owner.id, value) for value in given if isinstance(owner, ast.Name))


def _called(names: ResolvedNames | None, parts: list[ast.expr] | list[Function]) -> set[str]:
    """Own functions that are called, dotted."""
    found: set[str] = set()
    for node in (node for part in parts for node in nodes_of(part)):
        if isinstance(node, ast.Call) and names is not None:
            name = names.methods.get(id(node.func)) or names.of(node.func)
            if name.startswith(OWN):
                found.add(name.removeprefix(OWN))
    return found


def _fields(parts: list[ast.expr] | list[Function], function: Function) -> Iterator[str]:
    """What is read of records: keys, attributes, and parameters as a whole; but for what is only asked."""
    arguments = function.args
    parameters = {a.arg for a in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)}
    for part in parts:
        skipped = {id(n) for node in nodes_of(part) for test in _asked(node) for n in nodes_of(test)}
        skipped |= {id(node.func) for node in nodes_of(part) if isinstance(node, ast.Call)}
        for node in nodes_of(part):
            if id(node) not in skipped:
                yield from map(repr, filter(None, map(_text, _named_by(node))))
                yield from _of_parameter(node, parameters)


def _named_by(node: ast.AST) -> Iterator[ast.AST]:
    """Where the name of a field that a node reads may stand."""
    if isinstance(node, ast.Subscript):
        yield from nodes_of(node.slice)
    elif isinstance(node, ast.Call):
        at = _READS.get(getattr(node.func, "attr", getattr(node.func, "id", "")), len(node.args))
        yield from (inner for argument in node.args[at : at + 1] for inner in nodes_of(argument))
    elif isinstance(node, ast.Tuple | ast.List | ast.Set) and all(map(_text, node.elts)):
        yield from node.elts  # names that a loop goes through


def _of_parameter(node: ast.AST, parameters: set[str]) -> Iterator[str]:
    if isinstance(node, ast.Dict):
        wholes = (value for key, value in zip(node.keys, node.values, strict=True) if key is None)
        yield from (f"all of {w.id}" for w in wholes if isinstance(w, ast.Name) and w.id in parameters)
    elif isinstance(node, ast.Attribute) and getattr(node.value, "id", "") in parameters:
        yield f".{node.attr}"


def _asked(node: ast.AST) -> Iterator[ast.AST]:
    if isinstance(node, ast.Compare):
        yield node
    elif isinstance(node, ast.If | ast.IfExp | ast.While | ast.Assert):
        yield node.test


def _text(node: ast.AST) -> str:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""
