"""What the rules of this gate read of a syntax tree."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from functions.validate_patch.syntax_tree import (
    Function,
    dotted,
    functions_of,
    module_constants,
    nodes_of,
    same_code,
)

__all__ = ["Function", "dotted", "functions_of", "guards", "module_constants", "nodes_of", "same_code"]


def guards(function: ast.AST, above: tuple[str, ...] = ()) -> Iterator[tuple[ast.expr, tuple[str, ...]]]:
    """Conditions that end in `raise`, each with the conditions that it stands under, as source text."""
    for name in ("body", "orelse", "finalbody", "handlers"):
        for node in getattr(function, name, []):
            under = above
            if isinstance(node, ast.If):
                if node.body and isinstance(node.body[-1], ast.Raise):
                    yield node.test, above
                under = (*above, ast.unparse(node.test))
            yield from guards(node, under)
