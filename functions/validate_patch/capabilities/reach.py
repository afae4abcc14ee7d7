"""Calls that reach out: of the library's powers, and of the repository's own functions that have some.

A patch may make such a call where the file made it before, with no more data than it had then. What is
given counts: another address, another command, another field of what is sent.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from functions.core.source.syntax_tree import functions_of, nodes_of
from functions.harness.names import is_test
from functions.validate_patch.capabilities import library
from functions.validate_patch.capabilities.known import CAPABILITIES
from functions.validate_patch.capabilities.names import OWN, UNKNOWN, ModuleIndex, ResolvedNames, is_chained
from functions.validate_patch.capabilities.uses import reaching_out

_CONVERSIONS = frozenset(
    {"str", "int", "float", "bool", "bytes", "list", "dict", "tuple", "set", "len", "repr", "sorted"}
)
_DEPTH = 6
_TESTS_MAY = frozenset(power.what for power in CAPABILITIES if power.tests_may)


@dataclass(frozen=True, slots=True)
class Reach:
    """A place that reaches out. given: what its arguments are made of; None where it is not called."""

    name: str
    what: str
    line: int
    given: frozenset[str] | None


class Reaching:
    """Which of a tree's functions reach out, and where a file calls them."""

    def __init__(self, repository: ModuleIndex) -> None:
        self._repository = repository
        self._known: dict[tuple[str, int], str] = {}

    def places(self, path: str) -> Iterator[Reach]:
        names = self._repository.names(path)
        if names is None:
            return
        calls = {id(node.func): node for node in nodes_of(names.module) if isinstance(node, ast.Call)}
        inner = {id(node.value) for node in nodes_of(names.module) if isinstance(node, ast.Attribute)}
        inner |= names.format_parsers
        test = is_test(path)
        for node in nodes_of(names.module):
            if not is_chained(node) or id(node) in inner or not isinstance(node, ast.expr):
                continue
            if not isinstance(getattr(node, "ctx", ast.Load()), ast.Load):
                continue
            name = names.methods.get(id(node)) or names.of(node)
            what = self._of_test(name) if test else self.what(name)
            if what:
                call = calls.get(id(node))
                yield Reach(name, what, node.lineno, _given(call) if call is not None else None)

    def what(self, name: str, depth: int = _DEPTH) -> str:
        """What a resolved name does outside of the process; "" for nothing."""
        if not name.startswith(OWN):
            return next((power.what for power in reaching_out(name)), "") if name != UNKNOWN else ""
        if not depth:
            return ""
        if (name, depth) not in self._known:
            self._known[name, depth] = ""  # while it is looked at: it may call itself
            self._known[name, depth] = self._inside(name.removeprefix(OWN), depth - 1)
        return self._known[name, depth]

    def _of_test(self, name: str) -> str:
        """A test runs the code; what it may not do is to call what reaches out by itself, but for files."""
        what = self.what(name, 1) if name.startswith(OWN) else ""
        return "" if what in _TESTS_MAY else what

    def _inside(self, dotted: str, depth: int) -> str:
        parts = dotted.split(".")
        for end in range(len(parts) - 1, 0, -1):
            path = self._repository.path(".".join(parts[:end]))
            names = self._repository.names(path) if path is not None else None
            if names is None or is_test(names.path):
                continue
            body = functions_of(names.module).get(".".join(parts[end:]))
            return self._of_body(names, body, depth) if body is not None else ""
        return ""

    def _of_body(self, names: ResolvedNames, body: ast.AST, depth: int) -> str:
        for node in nodes_of(body):
            if is_chained(node) and isinstance(node, ast.expr) and id(node) not in names.format_parsers:
                name = names.methods.get(id(node)) or names.of(node)
                found = self.what(name, depth) if name != UNKNOWN else ""
                if not found and isinstance(node, ast.Attribute) and not library.is_standard(name):
                    found = next((power.what for power in reaching_out(name)), "")
                if found:
                    return found
        return ""


def newly(before: list[Reach], after: list[Reach]) -> Iterator[tuple[Reach, bool]]:
    """Places that the file did not have, and whether only what is given is new."""
    left = list(before)
    fresh = []
    for place in after:
        same = next((old for old in left if old.name == place.name and old.given == place.given), None)
        if same is not None:
            left.remove(same)
        else:
            fresh.append(place)
    for place in fresh:
        old = next(
            (old for old in left if old.name == place.name and (old.given is None) == (place.given is None)),
            None,
        )
        if old is None:
            yield place, False
            continue
        left.remove(old)
        if place.given is not None and not place.given <= (old.given or frozenset()):
            yield place, True


def _given(call: ast.Call) -> frozenset[str]:
    """ResolvedNames, attributes and texts that the arguments of a call are made of."""
    found = set()
    for argument in (*call.args, *(keyword.value for keyword in call.keywords)):
        for node in nodes_of(argument):
            if isinstance(node, ast.Name) and node.id not in _CONVERSIONS:
                found.add(node.id)
            elif isinstance(node, ast.Attribute):
                found.add(f".{node.attr}")
            elif isinstance(node, ast.Constant) and isinstance(node.value, str | bytes):
                found.add(repr(node.value))
            elif isinstance(node, ast.Subscript):
                found.add(ast.unparse(node))
    return frozenset(found)
