"""What a patch adds to the functions it changes: constants, and names, that may become results."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from functions.core.source.syntax_tree import dotted
from functions.harness.names import is_test
from functions.validate_patch.candidate import Candidate

_BY_KEY = frozenset({"get", "pop", "setdefault"})
_SAYS = frozenset({"debug", "info", "warning", "warn", "error", "exception", "critical", "log", "print"})


@dataclass(frozen=True, slots=True)
class Added:
    """A constant, or a name, that a changed file did not have as often before."""

    path: str
    line: int
    value: Any
    """The constant; None beside a name."""
    name: str
    """The last part of a name; "" for a constant."""
    reckoned: bool
    """Whether it is an operand, or an argument, of what is computed."""


def additions(candidate: Candidate) -> list[Added]:
    """Of all changed files that are no tests, in source order.

    What is only compared with, indexed by, raised, or said in a log becomes no result and is left out.
    """
    found: list[Added] = []
    for change in candidate.python_changes:
        before, after = candidate.differing(change)
        if after is None or is_test(change.path):
            continue
        had = Counter(_key(node) for node, _ in _parts(before)) if before is not None else Counter[str]()
        for node, reckoned in _parts(after):
            if had[_key(node)] > 0:
                had[_key(node)] -= 1
                continue
            value = node.value if isinstance(node, ast.Constant) else None
            name = "" if isinstance(node, ast.Constant) else dotted(node).rpartition(".")[2]
            found.append(Added(change.path, node.lineno, value, name, reckoned))
    return found


def _key(node: ast.expr) -> str:
    return repr(node.value) if isinstance(node, ast.Constant) else f"name {dotted(node)}"


def _parts(module: ast.Module) -> Iterator[tuple[ast.expr, bool]]:
    """Constants and read names that may become a result, each with whether something is computed with it."""
    waiting: list[tuple[ast.AST, bool]] = [(module, False)]
    while waiting:
        node, reckoned = waiting.pop()
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
            number = node.operand.value if isinstance(node.operand, ast.Constant) else None
            if isinstance(number, int | float):
                node = ast.copy_location(ast.Constant(-number), node)
        if isinstance(node, ast.Constant):
            yield node, reckoned
            continue
        if isinstance(node, ast.Name | ast.Attribute) and isinstance(node.ctx, ast.Load) and dotted(node):
            yield node, reckoned
        waiting += [(child, _reckons(node, child, reckoned)) for child in reversed(list(_held(node)))]


def _reckons(node: ast.AST, child: ast.AST, reckoned: bool) -> bool:
    """A branch or an element of a display is taken as it is; what an operator or a call gets is not."""
    if isinstance(node, ast.BinOp | ast.keyword):
        return True
    if isinstance(node, ast.UnaryOp | ast.Call):
        return reckoned or (isinstance(node, ast.Call) and not _takes_default(node, child))
    return reckoned and isinstance(node, ast.expr)


def _takes_default(node: ast.Call, child: ast.AST) -> bool:
    """Whether an argument is what a call gives when it finds nothing."""
    name = dotted(node.func).rpartition(".")[2]
    return (
        name in ("get", "pop", "setdefault", "getattr", "next") and child is node.args[-1]
        if node.args
        else False
    )


def says(node: ast.AST) -> bool:
    """Whether a call only tells somebody something."""
    return isinstance(node, ast.Call) and dotted(node.func).rpartition(".")[2] in _SAYS


def _held(node: ast.AST) -> Iterator[ast.AST]:
    if isinstance(node, ast.Raise | ast.Compare | ast.Assert | ast.FormattedValue | ast.match_case):
        yield from node.body if isinstance(node, ast.match_case) else ()
        return
    if isinstance(node, ast.Subscript):
        # A key that is written out tells which entry is taken: `RATES["DE"]`.
        yield node.value
        return
    if isinstance(node, ast.Call) and dotted(node.func).rpartition(".")[2] in _BY_KEY and node.args:
        yield from (node.func, *node.args[1:])
        return
    if isinstance(node, ast.ExceptHandler):
        yield from node.body
        return
    if isinstance(node, ast.Expr) and (says(node.value) or isinstance(node.value, ast.Constant)):
        return
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        defaults = [d for d in (*node.args.defaults, *node.args.kw_defaults) if d is not None]
        yield from (*node.decorator_list, *defaults, *node.body)
        return
    if isinstance(node, ast.AnnAssign):
        yield from (node.value,) if node.value is not None else ()
        return
    yield from ast.iter_child_nodes(node)
