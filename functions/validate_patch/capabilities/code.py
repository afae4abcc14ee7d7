"""What the rules of this gate read of a syntax tree."""

from __future__ import annotations

import ast
import builtins
from collections.abc import Iterator

from functions.core.source.syntax_tree import Function, dotted


def guards(function: ast.AST, above: tuple[str, ...] = ()) -> Iterator[tuple[ast.expr, tuple[str, ...]]]:
    """Conditions that end in `raise`, each with what it stands under: see `within`."""
    for node, under in within(function, above):
        if isinstance(node, ast.If) and node.body and isinstance(node.body[-1], ast.Raise):
            raised = node.body[-1].exc
            name = dotted(raised.func if isinstance(raised, ast.Call) else raised) if raised else ""
            yield node.test, tuple(one for one in under if not one.startswith(_TRY) or _may_catch(one, name))


_TRY = "except "


def within(node: ast.AST, above: tuple[str, ...] = ()) -> Iterator[tuple[ast.stmt, tuple[str, ...]]]:
    """The statements of a function, each with what it stands under, as source text: conditions, and what is
    caught around it and raised no further (`except`, and its types)."""
    for name in ("body", "orelse", "finalbody", "handlers"):
        for inner in getattr(node, name, []):
            under = above
            if isinstance(node, ast.Try) and name == "body":
                under = (*above, *(f"{_TRY}{_types(one)}" for one in node.handlers if not _passes_on(one)))
            if isinstance(inner, ast.stmt):
                yield inner, under
            if isinstance(inner, Function | ast.ClassDef):
                continue
            if isinstance(inner, ast.If | ast.While):
                under = (*under, ast.unparse(inner.test))
            elif isinstance(inner, ast.For | ast.AsyncFor):
                under = (*under, ast.unparse(inner.iter))
            yield from within(inner, under)


def _types(handler: ast.ExceptHandler) -> str:
    return ast.unparse(handler.type) if handler.type else "BaseException"


def _passes_on(handler: ast.ExceptHandler) -> bool:
    return isinstance(handler.body[-1], ast.Raise)


def _may_catch(handler: str, raised: str) -> bool:
    """Whether what is raised by this name may end there: what is not built in has its parents elsewhere."""
    types = {name.strip("() ") for name in handler.removeprefix(_TRY).split(",")}
    kind = getattr(builtins, raised, None)
    parents = {one.__name__ for one in kind.__mro__} if isinstance(kind, type) else {raised, "Exception"}
    return bool(types & (parents | {"BaseException"}))
