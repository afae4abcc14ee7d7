"""setup.py, read without running it: what the call of `setup` is given, as far as its text says so.

Followed are constants, lists, dictionaries, names that the module gives a value, `+`, `append` and `extend`,
and the files that an expression names where it cannot be followed itself: `open("requirements.txt").read()`
and the many ways to write that all come to the lines of that file. Both branches of an `if` count, for what
it asks is not known here.
"""

from __future__ import annotations

import ast
import posixpath
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from functions.core.source.syntax_tree import nodes_of, parse

_LONGEST = 400_000
_DEEPEST = 40


class _Unknown(Exception):
    """An expression whose value the text does not say."""


@dataclass(frozen=True, slots=True)
class Included:
    """A file of the repository whose lines stand for what an expression gives."""

    path: str


@dataclass
class _Module:
    exists: Callable[[str], bool]
    values: dict[str, ast.expr] = field(default_factory=dict)
    added: dict[str, list[ast.expr]] = field(default_factory=dict)
    functions: dict[str, ast.FunctionDef] = field(default_factory=dict)
    opened: dict[str, ast.expr] = field(default_factory=dict)
    """Name of a file object of a `with` → what was opened."""


def keywords(source: bytes, exists: Callable[[str], bool]) -> dict[str, Any]:
    """Keyword of `setup(...)` → its value: plain Python values, in which `Included` stands for a file's
    lines.

    exists: whether the repository has a file of that path. Keywords whose value the text does not say are
    left out. {} where there is no such call, or where the text is no Python.
    """
    if len(source) > _LONGEST:
        return {}
    tree = parse(source)
    if tree is None:
        return {}
    module = _Module(exists)
    _read_statements(tree.body, module)
    found: dict[str, Any] = {}
    for call in (node for node in nodes_of(tree) if isinstance(node, ast.Call) and _is_setup(node.func)):
        for name, value in _given(call, module):
            found.setdefault(name, value)
    return found


def _is_setup(function: ast.expr) -> bool:
    name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
    return name == "setup"


def _given(call: ast.Call, module: _Module) -> Iterator[tuple[str, Any]]:
    for keyword in call.keywords:
        try:
            value = _value(keyword.value, module)
        except (_Unknown, RecursionError):
            continue
        if keyword.arg is not None:
            yield keyword.arg, value
        elif isinstance(value, dict):
            yield from ((name, one) for name, one in value.items() if isinstance(name, str))


def _read_statements(body: list[ast.stmt], module: _Module) -> None:
    for statement in body:
        _read_statement(statement, module)
        for name in ("body", "orelse", "finalbody"):
            inner = getattr(statement, name, None)
            if inner and not isinstance(statement, ast.ClassDef):
                _read_statements(inner, module)


def _read_statement(statement: ast.stmt, module: _Module) -> None:
    match statement:
        case ast.Assign(targets=[ast.Name(id=name)], value=value):
            module.values[name] = value
        case ast.Assign(targets=[ast.Subscript(value=ast.Name(id=name)) as at], value=value):
            module.added.setdefault(name, []).append(ast.Dict(keys=[at.slice], values=[value]))
        case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
            module.values[name] = value
        case ast.AugAssign(target=ast.Name(id=name), op=ast.Add(), value=value):
            module.added.setdefault(name, []).append(value)
        case ast.Expr(
            value=ast.Call(func=ast.Attribute(value=ast.Name(id=name), attr=attribute), args=[value])
        ):
            if attribute in ("append", "extend", "update"):
                more = ast.List(elts=[value]) if attribute == "append" else value
                module.added.setdefault(name, []).append(more)
        case ast.FunctionDef(name=name):
            module.functions[name] = statement
        case ast.With(items=items):
            module.opened.update(
                (item.optional_vars.id, item.context_expr)
                for item in items
                if isinstance(item.optional_vars, ast.Name)
            )


def _value(node: ast.expr, module: _Module, depth: int = 0) -> Any:
    """Raises _Unknown."""
    if depth > _DEEPEST:
        raise _Unknown
    match node:
        case ast.Constant(value=value):
            return value
        case ast.List(elts=elements) | ast.Tuple(elts=elements) | ast.Set(elts=elements):
            return _elements(elements, module, depth)
        case ast.Dict(keys=keys, values=values):
            return _entries(keys, values, module, depth)
        case ast.Call(func=ast.Name(id="dict"), args=[], keywords=given):
            return _entries([ast.Constant(k.arg) for k in given], [k.value for k in given], module, depth)
        case ast.Call(func=ast.Name(id="list" | "sorted" | "set" | "tuple"), args=[inner]):
            return _value(inner, module, depth + 1)
        case ast.Name(id=name) if name in module.values:
            return _named(name, module, depth)
        case ast.Subscript(value=inner, slice=key):
            return _item(_value(inner, module, depth + 1), _value(key, module, depth + 1))
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            return _sum([_value(side, module, depth + 1) for side in (left, right)])
        case ast.IfExp(body=body):
            return _value(body, module, depth + 1)
    return _files(node, module)


def _elements(elements: list[ast.expr], module: _Module, depth: int) -> list[Any]:
    """One that is not known loses only itself."""
    found: list[Any] = []
    for element in elements:
        starred = isinstance(element, ast.Starred)
        try:
            value = _value(element.value if isinstance(element, ast.Starred) else element, module, depth + 1)
        except _Unknown:
            continue
        found += value if starred and isinstance(value, list) else [value]
    return found


def _entries(
    keys: list[ast.expr | None], values: list[ast.expr], module: _Module, depth: int
) -> dict[Any, Any]:
    found = {}
    for key, node in zip(keys, values, strict=True):
        try:
            value = _value(node, module, depth + 1)
            name = None if key is None else _value(key, module, depth + 1)
        except _Unknown:
            continue
        if key is None and isinstance(value, dict):
            found.update(value)
        elif isinstance(name, str):
            found[name] = value
    return found


def _named(name: str, module: _Module, depth: int) -> Any:
    values = [_value(module.values[name], module, depth + 1)]
    for node in module.added.get(name, ()):
        try:
            values.append(_value(node, module, depth + 1))
        except _Unknown:
            continue
    return _sum(values)


def _sum(values: list[Any]) -> Any:
    """Lists, texts or dictionaries put together; what does not fit to the first is left out."""
    first = values[0]
    if isinstance(first, Included):
        first, values[0] = [], [first]
    if isinstance(first, str) and all(isinstance(value, str) for value in values):
        return "".join(values)
    if isinstance(first, dict):
        return {k: v for value in values if isinstance(value, dict) for k, v in value.items()}
    if isinstance(first, list):
        lists = ([value] if isinstance(value, Included) else value for value in values)
        return [one for value in lists if isinstance(value, list) for one in value]
    if len(values) == 1:
        return first
    raise _Unknown


def _item(value: Any, key: Any) -> Any:
    try:
        return value[key]
    except (KeyError, IndexError, TypeError):
        raise _Unknown from None


def _files(node: ast.expr, module: _Module) -> Any:
    """The file that an expression names, directly or through what it calls. Raises _Unknown."""
    for name in _texts(node, module, frozenset()):
        path = posixpath.normpath(name)
        if path.endswith((".txt", ".in", ".pip")) and module.exists(path):
            return Included(path)
    raise _Unknown


def _texts(node: ast.AST, module: _Module, seen: frozenset[str]) -> Iterator[str]:
    """Texts in an expression, those that are joined to a path by their last parts first, and in what it
    uses."""
    used = []
    for inner in nodes_of(node):
        if isinstance(inner, ast.Call):
            parts = [a.value for a in inner.args if isinstance(a, ast.Constant) and isinstance(a.value, str)]
            if len(parts) > 1:
                yield "/".join(parts)
        if isinstance(inner, ast.Constant) and isinstance(inner.value, str):
            yield inner.value
        elif isinstance(inner, ast.Name) and inner.id not in seen:
            used.append(inner.id)
    for name in used:
        places: tuple[Mapping[str, ast.AST], ...] = (module.opened, module.values, module.functions)
        for place in places:
            if name in place:
                yield from _texts(place[name], module, seen | {name})
