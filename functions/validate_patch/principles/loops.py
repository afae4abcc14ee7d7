"""How loops over what a function is given are left, or go on early."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from functions.core.source.syntax_tree import nodes_of

_LOOPS = ast.For | ast.AsyncFor | ast.comprehension


def leaves_early(function: ast.AST, fetched: ast.AST) -> int:
    """How often a loop over what the code as fetched goes through is left, or goes on early, how many
    conditions comprehensions over it have, and how much of what it did stands under one with nothing else."""
    gone_through = {ast.dump(n.iter) for n in nodes_of(fetched) if isinstance(n, _LOOPS)}
    did = {ast.dump(n) for n in nodes_of(fetched) if isinstance(n, _DOING)}
    found = 0
    for node in nodes_of(function):
        if isinstance(node, ast.comprehension):
            found += len(node.ifs) if ast.dump(node.iter) in gone_through else 0
        elif isinstance(node, ast.While) or (
            isinstance(node, _LOOPS) and ast.dump(node.iter) in gone_through
        ):
            inner = nodes_of(node)
            found += sum(isinstance(n, ast.Continue | ast.Break) for n in inner)
            guards = (n.body for n in inner if isinstance(n, ast.If) and not n.orelse)
            found += sum(any(ast.dump(s) in did for s in body) for body in guards)
    return found


_DOING = ast.Assign | ast.AugAssign | ast.Expr


def endings(loop: ast.For | ast.AsyncFor, function: ast.AST) -> Iterator[ast.stmt]:
    """Where a loop over what is given ends under a condition, or by an error that goes no further, with what
    was gathered until then."""
    for node in nodes_of(function):
        for handler in node.handlers if isinstance(node, ast.Try) and loop in node.body else ():
            if not any(isinstance(inner, ast.Raise) for inner in nodes_of(handler)):
                yield handler.body[-1]
    own = {n.id for n in nodes_of(loop.target) if isinstance(n, ast.Name)}
    kept = {
        n.id for n in nodes_of(function) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)
    } - own
    blocks = (n for n in nodes_of(loop) if isinstance(n, ast.If | ast.ExceptHandler))
    for statement in (s for block in blocks for s in (*block.body, *getattr(block, "orelse", ()))):
        value = statement.value if isinstance(statement, ast.Return) else None
        gathered = value is None or (isinstance(value, ast.Name) and value.id in kept)
        if isinstance(statement, ast.Break) or (isinstance(statement, ast.Return) and gathered):
            yield statement
