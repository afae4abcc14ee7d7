"""Calls as text, taken apart: what they are given can be looked at before and after they ran."""

from __future__ import annotations

import ast
from types import CodeType


def taken_apart(text: str) -> tuple[CodeType, dict[str, CodeType]]:
    """A call with names in place of its containers and of the object it is made on: name → what makes it."""
    tree = ast.parse(text, mode="eval")
    inner = tree.body
    while _wraps(inner):
        inner = inner.args[0]  # type: ignore[attr-defined] # a call, as `_wraps` saw
    parts: dict[str, CodeType] = {}

    def named(node: ast.expr) -> ast.expr:
        name = f"_given_{len(parts)}"
        parts[name] = _compiled(ast.Expression(node))
        return ast.copy_location(ast.Name(name, ast.Load()), node)

    if isinstance(inner, ast.Call):
        inner.args = [named(a) if isinstance(a, _HELD) else a for a in inner.args]
        for keyword in inner.keywords:
            if isinstance(keyword.value, _HELD):
                keyword.value = named(keyword.value)
        if isinstance(inner.func, ast.Attribute) and isinstance(inner.func.value, ast.Call):
            inner.func.value = named(inner.func.value)
    return _compiled(tree), parts


def _compiled(tree: ast.Expression) -> CodeType:
    code: CodeType = compile(tree, "<string>", "eval")
    return code


_HELD = (ast.Dict, ast.List, ast.Call)


def _wraps(node: ast.expr) -> bool:
    """`list(f(…))` and `asyncio.run(f(…))`, which make a call run to its end."""
    single = isinstance(node, ast.Call) and len(node.args) == 1 and not node.keywords
    return single and ast.unparse(node.func) in ("list", "asyncio.run") and isinstance(node.args[0], ast.Call)  # type: ignore[attr-defined] # a call
