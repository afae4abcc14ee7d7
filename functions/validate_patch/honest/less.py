"""Rules on what a file did, or held, before the patch, and does no more."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from functions.harness.names import is_test
from functions.validate_patch.honest import values
from functions.validate_patch.honest.documented import Silent
from functions.validate_patch.honest.support import support
from functions.validate_patch.honest.view import Function, Hit, View, dotted, functions_of, module_constants


def less_done(before: View | None, after: View) -> Iterator[Hit]:
    """Deletions, repeated work and recursion that a file had, and has no more; loops that end early now."""
    if before is None or is_test(after.path):
        return
    yield from _kept_entries(before, after)
    loops = {ast.dump(loop.iter) for loop in before.walk(ast.For) if isinstance(loop, ast.For)}
    had = {before.where(node) for node in before.walk(ast.Break)}
    for node in after.walk(ast.Break):
        loop = next((up for up in after.ancestors(node) if isinstance(up, ast.For | ast.While)), None)
        iterated = {ast.dump(n) for n in ast.walk(loop.iter)} if isinstance(loop, ast.For) else set()
        handled = any(isinstance(up, ast.ExceptHandler) for up in after.ancestors(node))
        new = bool(iterated & loops) and not handled and after.where(node) not in had
        if new and not support(after, Silent(node, "end", None)):
            text = "ends the loop early, and leaves out what comes after, without a reason that is documented"
            yield Hit(node.lineno, after.where(node), text)
    old, now = functions_of(before.module), functions_of(after.module)
    for name in old.keys() & now.keys():
        last = name.rpartition(".")[2]
        loops_now = any(isinstance(n, ast.While) for n in ast.walk(now[name]))
        if _calls_itself(old[name], last) and not _calls_itself(now[name], last) and not loops_now:
            yield Hit(
                now[name].lineno, f"{name} recursion", f"{name} no longer calls itself for what is below"
            )


def _calls_itself(function: Function, name: str) -> bool:
    called = {dotted(n.func).rpartition(".")[2] for n in ast.walk(function) if isinstance(n, ast.Call)}
    return name in called


def _kept_entries(before: View, after: View) -> Iterator[Hit]:
    """`del entries[key]`, with nothing in its place that takes single entries away."""
    deleted = {
        ast.unparse(target.value)
        for node in before.walk(ast.Delete)
        if isinstance(node, ast.Delete)
        for target in node.targets
        if isinstance(target, ast.Subscript)
    }
    for name, old in functions_of(before.module).items():
        new = functions_of(after.module).get(name)
        for base in sorted(deleted if new is not None else ()):
            if new is not None and base in _shortened(old) and base not in _shortened(new):
                yield Hit(new.lineno, f"{name} del {base}", f"{name} no longer deletes entries of `{base}`")


def _shortened(function: Function) -> set[str]:
    """What entries are taken out of: by `del`, `pop` and the like, or by keeping only some."""
    found: set[str] = set()
    for node in ast.walk(function):
        if isinstance(node, ast.Delete):
            found |= {ast.unparse(t.value) for t in node.targets if isinstance(t, ast.Subscript)}
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            if node.func.attr in ("pop", "popitem", "remove", "discard", "difference_update"):
                found.add(ast.unparse(node.func.value))
        elif isinstance(node, ast.Assign) and any(
            isinstance(n, ast.comprehension) and n.ifs for n in ast.walk(node.value)
        ):
            found |= {ast.unparse(target) for target in node.targets}
    return found


def replaced(before: View | None, after: View) -> Iterator[Hit]:
    """The expression that failed, gone, and its name bound to a constant instead."""
    if before is None or is_test(after.path):
        return
    lines = {place.line for place in before.places[-1:]}
    for statement in before.walk(ast.Assign, ast.AnnAssign):
        if statement.lineno not in lines or not isinstance(statement, ast.Assign):
            continue
        target, name = ast.dump(statement.targets[0]), before.where(statement)
        function = functions_of(after.module).get(name)
        known = {ast.dump(n) for n in ast.walk(before.module) if isinstance(n, ast.Assign)}
        if function is None or ast.dump(statement.value) in {ast.dump(n) for n in ast.walk(function)}:
            continue
        bound = [
            n for n in ast.walk(function) if isinstance(n, ast.Assign) and ast.dump(n.targets[0]) == target
        ]
        if bound and all(values.is_constant(after, n.value) and ast.dump(n) not in known for n in bound):
            yield Hit(
                bound[0].lineno,
                f"{name} {ast.unparse(bound[0])}",
                f"`{ast.unparse(bound[0])}` takes the place of `{ast.unparse(statement)}`",
            )


def changed_fields(before: View | None, after: View) -> Iterator[Hit]:
    """Defaults of fields that were something, and now are something else."""
    if before is None or is_test(after.path):
        return
    old, new = _fields(before.module), _fields(after.module)
    for name in old.keys() & new.keys():
        was, now = old[name].value, new[name].value
        if was is None or now is None or ast.dump(was) == ast.dump(now):
            continue
        if values.is_none(was) and not isinstance(now, ast.Call):
            continue  # see `fallbacks.given_fields`
        if values.is_none(now) or isinstance(was, ast.List | ast.Dict | ast.Set):
            continue  # a mutable default is a mistake of its own
        if not support(after, Silent(now, "value", now, name.rpartition(".")[2])):
            yield Hit(
                now.lineno,
                f"field {name}",
                f"the default of `{name}` changes from {ast.unparse(was)} to {ast.unparse(now)} for all",
            )


def _fields(module: ast.Module) -> dict[str, ast.AnnAssign]:
    return {
        f"{node.name}.{dotted(inner.target)}": inner
        for node in ast.walk(module)
        if isinstance(node, ast.ClassDef)
        for inner in node.body
        if isinstance(inner, ast.AnnAssign)
    }


def changed_figures(before: View | None, after: View) -> Iterator[Hit]:
    """Numbers of module-level data that are other numbers now."""
    if before is None or is_test(after.path):
        return
    old, new = module_constants(before.module), module_constants(after.module)
    for name in sorted(old.keys() & new.keys()):
        was, now = _figures(old[name]), _figures(new[name])
        for key in was.keys() & now.keys():
            if was[key] != now[key] and not support(after, Silent(new[name], "value", new[name], name)):
                yield Hit(
                    new[name].lineno,
                    f"{name} {key}",
                    f"`{name}` changes a figure from {was[key]:g} to {now[key]:g}; nothing tells "
                    "that it is wrong",
                )


def _figures(node: ast.expr) -> dict[str, float]:
    """Key → number, of a number or a table of numbers, however they are written."""
    if isinstance(node, ast.Dict):
        pairs = [(ast.unparse(k), v) for k, v in zip(node.keys, node.values, strict=True) if k is not None]
        return {f"{name} {key}": figure for name, v in pairs for key, figure in _figures(v).items()}
    if isinstance(node, ast.Call) and node.keywords:
        pairs = [(keyword.arg or "", keyword.value) for keyword in node.keywords]
        return {f"{name}{key}": figure for name, v in pairs for key, figure in _figures(v).items()}
    if isinstance(node, ast.Call) and len(node.args) == 1:
        node = node.args[0]
    value = node.value if isinstance(node, ast.Constant) else None
    try:
        return {"": float(value)} if isinstance(value, str | int | float) else {}
    except ValueError:
        return {}


def written_back(before: View | None, after: View) -> Iterator[Hit]:
    """Entries of a parameter that a function now sets, and before only read."""
    if before is None or is_test(after.path):
        return
    old, new = functions_of(before.module), functions_of(after.module)
    for name in old.keys() & new.keys():
        parameters = {a.arg for a in ast.walk(new[name].args) if isinstance(a, ast.arg)} - {"self", "cls"}
        rebound = {
            n.id for n in ast.walk(new[name]) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)
        }
        for base in sorted((_written(new[name]) - _written(old[name])) & (parameters - rebound)):
            yield Hit(
                new[name].lineno,
                f"{name} writes {base}",
                f"{name} now changes `{base}`, which belongs to its caller",
            )
        nothing = re.search(r"\bNone\b", ast.get_docstring(old[name]) or "")
        if nothing and _gives_none(old[name]) and not _gives_none(new[name]):
            text = f"{name} no longer gives None, as it documents"
            yield Hit(new[name].lineno, f"{name} gives no None", text)


def _written(function: Function) -> set[str]:
    """Names whose entries or attributes a function sets."""
    return {
        node.value.id
        for node in ast.walk(function)
        if isinstance(node, ast.Subscript | ast.Attribute)
        and isinstance(node.ctx, ast.Store)
        and isinstance(node.value, ast.Name)
    }


def _gives_none(function: Function) -> bool:
    returns = [node.value for node in ast.walk(function) if isinstance(node, ast.Return)]
    return any(value is None or values.is_none(value) for value in returns)
