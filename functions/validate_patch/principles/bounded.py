"""A figure that was taken as it came is bounded now: at the edge, whoever gets it gets another one."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator

from functions.core.source.syntax_tree import nodes_of
from functions.harness.names import is_test
from functions.validate_patch.candidate import Candidate
from functions.validate_patch.principles.finding import Finding, Severity

_BOUNDS = frozenset({"max", "min"})


def bounded(candidate: Candidate) -> Iterator[Finding]:
    """A question for each computation that stood by itself, and stands in `max` or `min` now. A divisor that
    is kept from being zero is none: what that gives is judged by its results."""
    for change in candidate.python_changes:
        old, new = candidate.differing(change)
        if old is None or new is None or is_test(change.path):
            continue
        free, inside = _computed(old)
        still, _ = _computed(new)
        for part, clamp in _computed(new)[1]:
            text = ast.unparse(part)
            known = sum(ast.unparse(other) == text for other, _ in inside)
            if free[text] > still[text] and not known:
                bound = ast.unparse(clamp)[:120]
                said = f"`{text[:100]}` is bounded now, by `{bound}`, for every caller: is that meant?"
                yield Finding(Severity.QUESTION, said, f"{change.path}:{part.lineno}")


def _computed(module: ast.Module) -> tuple[Counter[str], list[tuple[ast.Call | ast.BinOp, ast.Call]]]:
    """(calls and sums by their text, outside bounds; those directly within one, with it)."""
    divided = (n for n in nodes_of(module) if isinstance(n, ast.BinOp) and isinstance(n.op, ast.Div))
    divisors = {id(node.right) for node in divided}
    clamps = (
        node
        for node in nodes_of(module)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in _BOUNDS
    )
    inside = [
        (part, clamp)
        for clamp in clamps
        if len(clamp.args) > 1 and id(clamp) not in divisors
        for part in clamp.args
        if isinstance(part, ast.Call | ast.BinOp)
    ]
    held = {id(part) for part, _ in inside}
    free = Counter(
        ast.unparse(node)
        for node in nodes_of(module)
        if isinstance(node, ast.Call | ast.BinOp) and id(node) not in held
    )
    return free, inside
