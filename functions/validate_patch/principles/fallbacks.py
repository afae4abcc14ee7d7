"""Constants that a patch puts where something is missing: `x or 5`, `.get(key, 5)`, `x if x else 5`."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from functions.core.source.syntax_tree import dotted, nodes_of
from functions.harness.names import is_test
from functions.validate_patch.candidate import Candidate, parsed
from functions.validate_patch.principles.added import says
from functions.validate_patch.principles.results import value_of

_GIVING = ast.Assign | ast.AnnAssign | ast.AugAssign | ast.Return
_WITH_DEFAULT = frozenset({"get", "pop", "setdefault", "getattr", "next", "fromkeys"})


@dataclass(frozen=True, slots=True)
class Fallback:
    """A constant that stands in for what is missing."""

    path: str
    line: int
    value: object


def fallbacks(candidate: Candidate) -> list[Fallback]:
    """Those that changed files, tests aside, did not have as often before.

    What the code around already falls back to in the same way is none: `stock.get(item, 0)` beside
    `reserved.get(item, 0)`. Nor is what is empty, which is like its being missing; zero counts as a number.
    """
    found = []
    for change in candidate.python_changes:
        old, new = parsed(candidate.before, change.path), parsed(candidate.after, change.path)
        if old is None or new is None or is_test(change.path):
            continue
        had = {(_way(place), _key(node)) for place, node in _stand_ins(old)}
        more = _counted(new) - _counted(old)
        for place, node in _stand_ins(new):
            if (_way(place), _key(node)) in had:
                continue
            for line, value in _constants(node):
                zero = value == 0 and not isinstance(value, bool | str) and not _counts(place, new)
                if more[repr(value)] > 0 and (value or zero):
                    found.append(Fallback(change.path, line, value))
    return found


def _counts(place: ast.AST, module: ast.Module) -> bool:
    """Whether what stands in is written back under the key that was asked for, as where something is counted:
    `seen[key] = seen.get(key, 0) + 1`."""
    if isinstance(place, ast.Assign):
        return isinstance(place.targets[0], ast.Subscript)
    if not (isinstance(place, ast.Call) and isinstance(place.func, ast.Attribute)):
        return False
    table = ast.dump(place.func.value)
    written = (n.targets[0] for n in nodes_of(module) if isinstance(n, ast.Assign) and place in nodes_of(n))
    kept = any(isinstance(target, ast.Subscript) and ast.dump(target.value) == table for target in written)
    return place.func.attr == "setdefault" or kept


def _counted(module: ast.Module) -> Counter[str]:
    calls = (
        value_of(ast.unparse(n)) for n in nodes_of(module) if isinstance(n, ast.Call) and len(n.args) == 1
    )
    constants = [n.value for n in nodes_of(module) if isinstance(n, ast.Constant)]
    return Counter(map(repr, [*constants, *(number for number in calls if isinstance(number, float))]))


def _key(node: ast.expr) -> str:
    return ast.dump(node)


def _way(place: ast.AST) -> str:
    """How something stands in: what is asked, without the name of what it is asked for."""
    return dotted(place.func).rpartition(".")[2] if isinstance(place, ast.Call) else type(place).__name__


def _stand_ins(module: ast.Module) -> Iterator[tuple[ast.AST, ast.expr]]:
    """(what decides, what stands in) of all places where something may be missing."""
    for node in nodes_of(module):
        if isinstance(node, ast.BoolOp) and isinstance(node.op, ast.Or):
            yield from ((node, value) for value in node.values[1:])
        elif isinstance(node, ast.Call) and len(node.args) > 1 and _way(node) in _WITH_DEFAULT:
            yield node, node.args[-1]
        elif isinstance(node, ast.IfExp):
            yield from ((node, branch) for branch in (node.body, node.orelse))
        elif isinstance(node, ast.If | ast.ExceptHandler):
            for statement in (*node.body, *getattr(node, "orelse", ())):
                value = getattr(statement, "value", None)
                if isinstance(statement, _GIVING) and value is not None:
                    yield statement, value


def _constants(node: ast.AST) -> Iterator[tuple[int, object]]:
    """(line, value) of the constants that code is made of, keys of constant tables included: not what is
    compared, raised or said, nor what tells a method how to do its work, such as `split(",")`."""
    if isinstance(node, ast.Compare | ast.Raise | ast.JoinedStr) or says(node):
        return
    if isinstance(node, ast.Constant) and isinstance(node.value, str | int | float):
        yield node.lineno, node.value
    children = list(node.values if isinstance(node, ast.Dict) else ast.iter_child_nodes(node))
    if (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and _way(node) not in _WITH_DEFAULT
    ):
        children = [node.func]
    elif isinstance(node, ast.Call) and isinstance(number := value_of(ast.unparse(node)), float):
        yield node.lineno, number  # `Decimal("0.00")`
        return
    elif isinstance(node, ast.Subscript) and not dotted(node.value).rpartition(".")[2].isupper():
        children = [node.value]  # of what is given, a key only says which part is meant
    for child in children:
        yield from _constants(child)
