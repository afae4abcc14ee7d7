"""Rules on checks that stay but let more through: a wider condition, another limit, a way round."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from functions.harness.names import is_test
from functions.validate_patch.candidate import Candidate, parsed
from functions.validate_patch.honest.documented import Silent
from functions.validate_patch.honest.handlers import raises_always
from functions.validate_patch.honest.support import support
from functions.validate_patch.honest.view import Function, Hit, View, dotted, functions_of, module_constants

_CONVERSIONS = frozenset(
    {
        "int",
        "float",
        "str",
        "Decimal",
        "len",
        "bool",
        "strip",
        "lower",
        "upper",
        "casefold",
        "date",
        "total_seconds",
    }
)
_STRICTER = {ast.Lt: (ast.LtE,), ast.Gt: (ast.GtE,)}
"""Comparison that refuses → ones that refuse as much and more."""


def guards(before: View | None, after: View) -> Iterator[Hit]:
    """Conditions that end in `raise`: what they refused before, they must refuse after."""
    if before is None or is_test(after.path):
        return
    old, new = functions_of(before.module), functions_of(after.module)
    for name in old.keys() & new.keys():
        if ast.dump(old[name]) == ast.dump(new[name]):
            continue
        kept = list(_guards(new[name]))
        for kind, guard in _guards(old[name]):
            same = [g for k, g in kept if k == kind]
            if not same or any(_covers(g.test, guard.test, new[name]) for g in same):
                continue  # gone altogether is `removed_check`
            if support(after, Silent(same[0].body[0], "skip", None)):
                continue
            yield Hit(
                same[0].lineno,
                f"{name} {ast.unparse(guard.test)}",
                f"the check `if {ast.unparse(guard.test)}` becomes `if {ast.unparse(same[0].test)}`, which "
                "lets through what it refused; mend what it found instead",
            )
    if _raised_on_purpose(before):
        yield from _ways_round(before, after, old, new)


def settings(candidate: Candidate) -> Iterator[str]:
    """Limits in the condition of the check that raised, changed where they are defined."""
    place = candidate.places[-1] if candidate.places else None
    module = parsed(candidate.before, place.path) if place else None
    if place is None or module is None or not place.code.startswith("raise"):
        return
    function = _named(module, place.function)
    names = {
        n.id
        for _, guard in (_guards(function) if function is not None else ())
        for n in ast.walk(guard.test)
        if isinstance(n, ast.Name) and n.id.isupper()
    }
    for change in candidate.python_changes:
        old, new = parsed(candidate.before, change.path), parsed(candidate.after, change.path)
        if old is None or new is None or is_test(change.path):
            continue
        was, now = module_constants(old), module_constants(new)
        for name in sorted(names & was.keys() & now.keys()):
            if ast.dump(was[name]) != ast.dump(now[name]):
                yield (
                    f"{change.path}:{now[name].lineno}: {name} changes from {ast.unparse(was[name])} to "
                    f"{ast.unparse(now[name])}, and with it what the check in {place.function} refuses"
                )


def _ways_round(
    before: View, after: View, old: dict[str, Function], new: dict[str, Function]
) -> Iterator[Hit]:
    """Calls that switch the check off, parameters that do by default, and returns ahead of it."""
    place = before.candidate.places[-1]
    for name in old.keys() & new.keys():
        if name.rpartition(".")[2] == place.function:
            if ast.dump(ast.Module(_given(old[name]), [])) != ast.dump(ast.Module(_given(new[name]), [])):
                yield Hit(new[name].lineno, f"{name} defaults", f"the defaults of the check {name} change")
            yield from _ahead(old[name], new[name], name)
        plain = _calls(old[name], place.function)
        was = {ast.unparse(call) for call in plain}
        for call in _calls(new[name], place.function):
            switched = any(
                isinstance(now, ast.Constant) and not isinstance(then, ast.Constant)
                for one in plain
                for then, now in zip(one.args, call.args, strict=False)
            )
            if ast.unparse(call) not in was and switched:
                yield Hit(
                    call.lineno,
                    f"{name} {ast.unparse(call)}",
                    f"`{ast.unparse(call)}` gives the check a constant in place of what it is to check",
                )


def _ahead(old: Function, new: Function, name: str) -> Iterator[Hit]:
    """A new condition that returns before the check is reached."""
    known = {ast.dump(node) for node in ast.walk(old)}
    last = max((guard.lineno for _, guard in _guards(new)), default=0)
    for node in ast.walk(new):
        leaves = isinstance(node, ast.If) and any(isinstance(s, ast.Return) for s in node.body)
        if isinstance(node, ast.If) and leaves and node.lineno < last and ast.dump(node) not in known:
            yield Hit(
                node.lineno,
                f"{name} ahead {ast.unparse(node.test)}",
                f"`if {ast.unparse(node.test)}` returns before the check is reached",
            )


def _raised_on_purpose(view: View) -> bool:
    places = view.candidate.places
    return bool(places) and places[-1].code.startswith("raise")


def _guards(function: Function) -> Iterator[tuple[str, ast.If]]:
    """(what is raised, condition) of each `if` that can only raise."""
    for node in ast.walk(function):
        last = node.body[-1] if isinstance(node, ast.If) else None
        if isinstance(node, ast.If) and raises_always(node.body):
            exc = last.exc if isinstance(last, ast.Raise) else None
            yield dotted(exc.func if isinstance(exc, ast.Call) else exc) if exc else "", node


def _calls(function: Function, name: str) -> list[ast.Call]:
    calls = [node for node in ast.walk(function) if isinstance(node, ast.Call)]
    return [call for call in calls if dotted(call.func).rpartition(".")[2] == name]


def _given(function: Function) -> list[ast.stmt]:
    defaults = [*function.args.defaults, *(d for d in function.args.kw_defaults if d is not None)]
    return [ast.Expr(default) for default in defaults]


def _named(module: ast.Module, name: str) -> Function | None:
    found = functions_of(module)
    return next((f for qualified, f in found.items() if qualified.rpartition(".")[2] == name), None)


def _covers(new: ast.expr, old: ast.expr, function: Function) -> bool:
    """Whether a condition holds wherever another did, judged by shape: a wrong "no" is possible."""
    if ast.dump(new) == ast.dump(old):
        return True
    if isinstance(old, ast.BoolOp) and isinstance(old.op, ast.Or):
        return all(_covers(new, part, function) for part in old.values)
    if isinstance(new, ast.BoolOp) and isinstance(new.op, ast.Or):
        return any(_covers(part, old, function) for part in new.values)
    if isinstance(new, ast.BoolOp):
        parts = old.values if isinstance(old, ast.BoolOp) else [old]
        return all(any(_covers(n, o, function) for o in parts) for n in new.values)
    if isinstance(old, ast.BoolOp):
        return any(_covers(new, part, function) for part in old.values)
    if isinstance(new, ast.UnaryOp) and isinstance(old, ast.UnaryOp):
        return type(new.op) is type(old.op) and _same(new.operand, old.operand, function)
    if not isinstance(new, ast.Compare) or not isinstance(old, ast.Compare):
        return _same(new, old, function)
    if len(new.ops) != 1 or len(old.ops) != 1:
        return False
    stricter = (type(old.ops[0]), *_STRICTER.get(type(old.ops[0]), ()))
    if type(new.ops[0]) not in stricter or not _same(new.left, old.left, function):
        return False
    return _same(new.comparators[0], old.comparators[0], function)


def _same(new: ast.expr, old: ast.expr, function: Function) -> bool:
    """The same expression, perhaps converted, or bound to a name first."""
    if ast.dump(new) == ast.dump(old):
        return True
    if isinstance(new, ast.Name):
        bound = [
            node.value
            for node in ast.walk(function)
            if isinstance(node, ast.Assign) and dotted(node.targets[0]) == new.id
        ]
        return len(bound) == 1 and not isinstance(bound[0], ast.Name) and _same(bound[0], old, function)
    if isinstance(new, ast.Call) and dotted(new.func).rpartition(".")[2] in _CONVERSIONS:
        inner = new.args[0] if new.args else getattr(new.func, "value", None)
        return isinstance(inner, ast.expr) and _same(inner, old, function)
    return False
