"""The present time in place of one that is missing: said, not refused.

`today = today or date.today()` makes a result depend on when it runs, and is how a value that may be left out
is filled in. It is no more than that where the function used the name before, goes on to use it as it did,
and decides nothing by it: what a condition that ends in `raise` looks at, or an answer of yes or no, is a
check.
"""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from functions.core.source.syntax_tree import Function, functions_of, nodes_of
from functions.harness.names import is_test
from functions.validate_patch.candidate import Candidate, parsed
from functions.validate_patch.capabilities.checks import is_check
from functions.validate_patch.capabilities.code import guards
from functions.validate_patch.capabilities.known import CLOCK
from functions.validate_patch.capabilities.names import ModuleIndex, ResolvedNames

_PLAIN = (ast.Call, ast.Attribute, ast.Name, ast.Constant, ast.keyword)
_HEADERS = ("test", "iter", "subject", "items", "args", "decorator_list")


@dataclass(frozen=True, slots=True)
class Filling:
    """A name that a function takes from elsewhere where it has no value."""

    function: str
    name: str
    value: ast.expr


def warnings(candidate: Candidate) -> Iterator[str]:
    """One sentence for each place."""
    for change in candidate.python_changes:
        old, new = parsed(candidate.before, change.path), parsed(candidate.after, change.path)
        if old is None or new is None or is_test(change.path):
            continue
        names = ModuleIndex(candidate.after).names(change.path)
        for one in fillings(old, new):
            if names is not None and reads_clock(names, one.value):
                yield (
                    f"The patch makes {one.function} depend on when it runs: {one.name} is the present time"
                    f" where it is missing ({change.path}:{one.value.lineno})."
                )


def reads_clock(names: ResolvedNames, value: ast.expr) -> bool:
    """Whether a call is one that asks for the time."""
    found = (names.of(node) for node in nodes_of(value) if isinstance(node, ast.Name | ast.Attribute))
    return any(CLOCK.fullmatch(name) for name in found)


def fillings(old: ast.Module, new: ast.Module) -> Iterator[Filling]:
    """Names that a function newly fills in with a plain call, and otherwise uses as it did."""
    was = functions_of(old)
    for name, function in functions_of(new).items():
        before = was.get(name)
        if before is None or is_check(function) or is_check(before):
            continue
        for variable, value, statements in _filled(function):
            newly = _mentions(function, variable, statements) - _mentions(before, variable, ())
            if variable in _bound(before) and not newly and not _decides(function, variable):
                yield Filling(name, variable, value)


def _filled(function: Function) -> Iterator[tuple[str, ast.expr, tuple[ast.stmt, ...]]]:
    """(name, what fills it in, statements that fill it in): by `or`, by a choice, or under a condition."""
    for node in nodes_of(function):
        if isinstance(node, ast.If) and len(node.body) == 1 and not node.orelse:
            inner = node.body[0]
            name, value = _assigned(inner)
            if name and _is_missing(node.test, name) and _is_plain(value):
                yield name, value, (node, inner)
        elif isinstance(node, ast.stmt):
            name, value = _assigned(node)
            filler = _fallback(value, name)
            if name and filler is not None and _is_plain(filler):
                yield name, filler, (node,)


def _assigned(node: ast.stmt) -> tuple[str, ast.expr]:
    if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
        return node.targets[0].id, node.value
    return "", ast.Constant(None)


def _fallback(value: ast.expr, name: str) -> ast.expr | None:
    """What `value` is where the name's own is missing."""
    if isinstance(value, ast.BoolOp) and isinstance(value.op, ast.Or) and len(value.values) == 2:
        return value.values[1] if _is_name(value.values[0], name) else None
    if isinstance(value, ast.IfExp):
        if _is_missing(value.test, name) and _is_name(value.orelse, name):
            return value.body
        if _is_there(value.test, name) and _is_name(value.body, name):
            return value.orelse
    return None


def _is_missing(test: ast.expr, name: str) -> bool:
    if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
        return _is_name(test.operand, name)
    return _compares(test, name, ast.Is)


def _is_there(test: ast.expr, name: str) -> bool:
    return _is_name(test, name) or _compares(test, name, ast.IsNot)


def _compares(test: ast.expr, name: str, how: type[ast.cmpop]) -> bool:
    return (
        isinstance(test, ast.Compare)
        and _is_name(test.left, name)
        and isinstance(test.ops[0], how)
        and len(test.ops) == 1
        and isinstance(test.comparators[0], ast.Constant)
        and test.comparators[0].value is None
    )


def _is_name(node: ast.expr, name: str) -> bool:
    return isinstance(node, ast.Name) and node.id == name


def _is_plain(node: ast.expr) -> bool:
    """A call with nothing computed in it: `datetime.now(timezone.utc).date()`."""
    return all(isinstance(inner, _PLAIN) for inner in nodes_of(node))


def _bound(function: Function) -> set[str]:
    return {n.arg for n in nodes_of(function) if isinstance(n, ast.arg)} | {
        n.id for n in nodes_of(function) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)
    }


def _decides(function: Function, name: str) -> bool:
    return any(_is_name(n, name) for test, _ in guards(function) for n in nodes_of(test))  # type: ignore[arg-type] # any node is asked


def _mentions(function: Function, name: str, without: tuple[ast.stmt, ...]) -> Counter[str]:
    """Statements, of compound ones what they begin with, that have the name in them; as text."""
    found: Counter[str] = Counter()
    for node in nodes_of(function):
        if not isinstance(node, ast.stmt) or node in without:
            continue
        begins = [getattr(node, key) for key in _HEADERS if hasattr(node, key)]
        parts = begins if _is_compound(node) else [node]
        flat = [p for part in parts for p in (part if isinstance(part, list) else [part])]
        found.update(
            ast.unparse(part) for part in flat if any(getattr(n, "id", "") == name for n in nodes_of(part))
        )
    return found


def _is_compound(node: ast.stmt) -> bool:
    return hasattr(node, "body") or isinstance(node, ast.Match)
