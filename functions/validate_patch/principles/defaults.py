"""Defaults that a file declares."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Any

from functions.core.source.syntax_tree import dotted, nodes_of
from functions.validate_patch.principles.results import Unwritten


def literal(node: ast.expr) -> Any:
    """The value of an expression, or its text where it is none."""
    try:
        return ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return Unwritten(ast.unparse(node))


def defaults_in(module: ast.Module) -> Iterator[tuple[str, Any]]:
    """(name, value) pairs that a file declares as defaults."""
    for node in nodes_of(module):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and len(node.args) == 2:
            key = node.args[0]
            if node.func.attr in ("get", "pop", "setdefault") and isinstance(key, ast.Constant):
                yield str(key.value), literal(node.args[1])
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value is not None:
            yield from ((node.target.id, value) for value in _field_default(node.value))
        elif isinstance(node, ast.arguments):
            positional = [*node.posonlyargs, *node.args]
            pairs = list(zip(positional[len(positional) - len(node.defaults) :], node.defaults, strict=True))
            pairs += [(a, d) for a, d in zip(node.kwonlyargs, node.kw_defaults, strict=True) if d is not None]
            given = ((argument.arg, literal(default)) for argument, default in pairs)
            yield from ((name, value) for name, value in given if value is not None)  # None: it was not given
        elif isinstance(node, ast.Assign) and isinstance(node.value, ast.Dict):
            named = any("default" in dotted(target).lower() for target in node.targets)
            entries = zip(node.value.keys, node.value.values, strict=True) if named else ()
            yield from ((str(k.value), literal(v)) for k, v in entries if isinstance(k, ast.Constant))


def _field_default(value: ast.expr) -> Iterator[Any]:
    """The default in `= 3`, `= field(default=3)` or `= Field(3)`; factories give their empty value."""
    if not isinstance(value, ast.Call):
        yield literal(value)
        return
    empty: dict[str, Any] = {"list": [], "dict": {}, "str": "", "int": 0}
    for keyword in value.keywords:
        if keyword.arg == "default":
            yield literal(keyword.value)
        elif keyword.arg in ("default_factory", "factory") and ast.unparse(keyword.value) in empty:
            yield empty[ast.unparse(keyword.value)]
    if value.args:
        yield literal(value.args[0])
