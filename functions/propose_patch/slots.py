"""What values are kept under, and which of it an expression reads.

Names link: an attribute, a key, a keyword, a function, a class and a global of one name are one slot,
wherever they stand: source alone does not tell which object is meant. Variables of a function are slots of
their own, and so are the arguments of its calls.
"""

from __future__ import annotations

import ast
import builtins
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType
from typing import NamedTuple

from functions.core.source import syntax

_WORDS = 30
"""Of a long text, the words that count."""
_WORD = re.compile(r"[A-Za-z_]\w*")

PURE = frozenset(name for kind in (str, tuple, frozenset, MappingProxyType) for name in dir(kind))
"""Methods of types that cannot change: whatever else has one of them is not changed by it either."""

# How much of an expression's value a part of it makes, where that is not all.
_SHARES: dict[tuple[type[ast.AST], str], float] = {
    (ast.Attribute, "value"): 0.8,
    (ast.Subscript, "slice"): 0.8,
    (ast.Call, "args"): 0.7,
    (ast.Call, "keywords"): 0.7,
    (ast.IfExp, "test"): 0.5,
    (ast.comprehension, "ifs"): 0.4,
    (ast.Dict, "keys"): 0.2,
}
# What Python calls for an expression, where a class defines it: the data model's special methods. `setattr`
# and `[]` stand for what stores under a name or key that is only known when it runs.
_SPECIAL: dict[type[ast.AST], tuple[str, ...]] = {
    ast.Attribute: ("setattr", "__getattr__", "__getattribute__", "__get__", "__dict__"),
    ast.Subscript: ("[]", "__getitem__", "__missing__"),
    ast.Call: ("__call__", "__new__"),
    ast.BinOp: ("__add__", "__radd__", "__sub__", "__mul__", "__truediv__", "__mod__"),
    ast.Compare: ("__eq__", "__lt__", "__gt__", "__contains__"),
    ast.FormattedValue: ("__str__", "__format__", "__repr__"),
    ast.For: ("__iter__", "__next__"),
    ast.comprehension: ("__iter__", "__next__"),
    ast.withitem: ("__enter__", "__aenter__"),
    ast.Await: ("__await__",),
}
_IMPLIED, _COMMON = 0.2, 0.3


class Kind(Enum):
    """NAMED: of this name, anywhere; LOCAL: a variable of the function `owner`; ALIKE: one of any function;
    GIVEN: the argument `name` of calls of `owner`; CHANGED: what such calls do to it."""

    NAMED = 1
    LOCAL = 2
    ALIKE = 3
    GIVEN = 4
    CHANGED = 5


class Slot(NamedTuple):
    """name: of an argument its keyword or position, `*` for any, and `()` for the call itself."""

    name: str
    owner: str = ""
    kind: Kind = Kind.NAMED


Reads = dict[Slot, float]
"""Slots that a value is taken from, and how much of it each makes, up to 1."""


@dataclass(frozen=True)
class Scope:
    """The variables of a function, or of a module, whose `parent` is None; name: with its place."""

    name: str
    bound: frozenset[str]
    parent: Scope | None

    def slot(self, name: str) -> Slot:
        if self.parent is None:
            return Slot(name)
        return Slot(name, self.name, Kind.LOCAL) if name in self.bound else self.parent.slot(name)

    def inner(self, name: str, function: syntax.Function) -> Scope:
        bound, elsewhere = syntax.arguments(function), set[str]()
        for node in ast.walk(function):
            if isinstance(node, ast.Name):
                if isinstance(node.ctx, ast.Store):
                    bound.add(node.id)
            elif isinstance(node, ast.Global | ast.Nonlocal):
                elsewhere |= set(node.names)
            elif isinstance(node, syntax.Function | ast.ClassDef) and node is not function:
                bound.add(node.name)
        return Scope(name, frozenset(bound - elsewhere), self)


def name_of(node: ast.AST) -> str:
    """The last name of `a.b.c`, with brackets for what a call of it returns; "" for what has none."""
    if isinstance(node, ast.Call):
        return (name := name_of(node.func)) and f"{name}()"
    return getattr(node, "attr", getattr(node, "id", ""))


def reads_of(node: ast.AST, scope: Scope, weight: float = 1.0) -> Reads:
    found: Reads = {}
    add(found, _read(node, scope, weight))
    return found


def add(found: Reads, more: Iterable[tuple[Slot, float]], weight: float = 1.0) -> None:
    """Take in more; a slot counts by what it makes most of."""
    for slot, share in more:
        found[slot] = max(share * weight, found.get(slot, 0.0))


def _read(node: ast.AST, scope: Scope, weight: float) -> Iterator[tuple[Slot, float]]:
    """Without recursion: expressions nest as deep as whoever wrote them likes."""
    waiting = [(node, weight)]
    while waiting:
        part, weight = waiting.pop()
        yield from _read_itself(part, scope, weight)
        inside = [
            (child, weight * _SHARES.get((type(part), name), 1.0))
            for name, value in ast.iter_fields(part)
            for child in (value if isinstance(value, list) else (value,))
            if isinstance(child, ast.AST)
        ]
        waiting += reversed(inside)


def _read_itself(node: ast.AST, scope: Scope, weight: float) -> Iterator[tuple[Slot, float]]:
    if isinstance(node, ast.Name):
        yield scope.slot(node.id), weight
        if hasattr(builtins, node.id):
            yield Slot(f"__{node.id}__"), weight * _IMPLIED  # such as len
    elif isinstance(node, ast.Attribute):
        yield Slot(node.attr), weight * (_COMMON if node.attr in PURE else 1)
    elif isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield from ((Slot(word), weight * share) for word, share in words_of(node.value))
    yield from ((Slot(name), weight * _IMPLIED) for name in _SPECIAL.get(type(node), ()))


def words_of(text: str) -> Iterator[tuple[str, float]]:
    """A text without spaces as it is, and the names in it, by how surely they are meant."""
    if 1 < len(text) <= 60 and not any(map(str.isspace, text)):
        yield text, 0.9
    yield from ((word, 0.5) for word in _WORD.findall(text)[:_WORDS])
