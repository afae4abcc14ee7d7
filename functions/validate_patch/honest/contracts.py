"""Rules on what functions owe each other: errors they document, None they may give, mistakes of theirs."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from functions.validate_patch.candidate import Candidate, parsed
from functions.validate_patch.honest.handlers import caught
from functions.validate_patch.honest.relevance import definitions_of
from functions.validate_patch.honest.view import Function, Hit, View, dotted, functions_of
from functions.validate_patch.tree import Tree

_MISTAKES = frozenset({"TypeError", "AttributeError", "NameError", "UnboundLocalError", "RecursionError"})
_REACH = 4
"""Calls followed from a function to where it may raise what it documents."""


def broken_promises(candidate: Candidate) -> Iterator[str]:
    """Errors of the repository's own that a failing function documents, and cannot raise, not even now."""
    for place in candidate.places:
        before, after = parsed(candidate.before, place.path), parsed(candidate.after, place.path)
        old, new = (_named(module, place.function) for module in (before, after))
        if old is None or new is None:
            continue
        if place is not candidate.places[-1] and ast.dump(old) == ast.dump(new):
            continue  # what else it lacks has nothing to do with this incident
        documented = set(re.findall(r"\b[A-Z]\w+", ast.get_docstring(old) or ""))
        for name in sorted(_own_errors(candidate.before, documented)):
            if not _can_raise(candidate.before, old, name) and not _can_raise(candidate.after, new, name):
                yield (
                    f"{place.path}:{new.lineno}: {place.function} documents {name}, but nothing in it raises "
                    "that, before the patch or after it: raise it for the case that failed"
                )


def _own_errors(tree: Tree, names: set[str]) -> set[str]:
    """Those of the names that are exception classes of the repository, told by what they derive from."""
    errors, unknown, derived = set[str](), names, dict[str, set[str]]()
    for _ in range(_REACH):
        for name, nodes in definitions_of(tree, unknown).items() if unknown else ():
            bases = {
                dotted(b).rpartition(".")[2] for n in nodes if isinstance(n, ast.ClassDef) for b in n.bases
            }
            derived[name] = bases
        unknown = {base for bases in derived.values() for base in bases} - derived.keys()
        unknown = {name for name in unknown if not name.endswith(("Error", "Exception"))}
    for _ in range(_REACH):
        known = {
            name for bases in derived.values() for name in bases if name.endswith(("Error", "Exception"))
        }
        errors |= {name for name, bases in derived.items() if bases & (known | errors)}
    return errors & names


def _can_raise(tree: Tree, function: Function, name: str) -> bool:
    """Whether a function, or what it seems to call, uses an error or one derived from it."""
    seen: set[str] = set()
    waiting: list[ast.AST] = [function]
    for _ in range(_REACH):
        used = {used for each in waiting for used in _used_in(each)}
        if name in used:
            return True
        found = definitions_of(tree, used - seen)
        classes = [n for nodes in found.values() for n in nodes if isinstance(n, ast.ClassDef)]
        if any(dotted(base).rpartition(".")[2] == name for node in classes for base in node.bases):
            return True
        seen |= used
        waiting = [n for nodes in found.values() for n in nodes if isinstance(n, Function)]
    return False


def _used_in(function: ast.AST) -> set[str]:
    """Names that a function uses outside of handlers' types and annotations."""
    handlers = [node for node in ast.walk(function) if isinstance(node, ast.ExceptHandler) and node.type]
    caught = {id(node) for handler in handlers if handler.type for node in ast.walk(handler.type)}
    return {
        node.id if isinstance(node, ast.Name) else node.attr
        for node in ast.walk(function)
        if isinstance(node, ast.Name | ast.Attribute) and id(node) not in caught
    }


def unguarded_callers(candidate: Candidate) -> Iterator[str]:
    """The caller in the traceback that goes on with a documented None as if it were something."""
    if len(candidate.places) < 2 or candidate.facts.incident.error_type in ("StopIteration",):
        return
    outer, inner = candidate.places[-2:]
    old = _named(parsed(candidate.before, inner.path), inner.function)
    if old is None or not re.search(r"\bNone (?:if|when|where|for)\b", ast.get_docstring(old) or ""):
        return
    caller = _named(parsed(candidate.after, outer.path), outer.function)
    for node in ast.walk(caller) if caller is not None else ():
        call = node.value if isinstance(node, ast.Assign) else None
        target = node.targets[0] if isinstance(node, ast.Assign) else None
        if not isinstance(call, ast.Call) or dotted(call.func).rpartition(".")[2] != inner.function:
            continue
        if not isinstance(node, ast.Assign) or not isinstance(target, ast.Name) or caller is None:
            continue
        if not _taken_for_something(caller, target.id):
            continue
        yield (
            f"{outer.path}:{node.lineno}: `{ast.unparse(node)}` may be None, as {inner.function} says, and "
            f"{outer.function} then fails on it: ask for None there as well"
        )


def _taken_for_something(function: Function, name: str) -> bool:
    """Whether an attribute or item of a name is used, and the name is never asked about."""
    asked = [n.test for n in ast.walk(function) if isinstance(n, ast.If | ast.IfExp | ast.While | ast.Assert)]
    asked += [n for n in ast.walk(function) if isinstance(n, ast.BoolOp)]
    if any(isinstance(n, ast.Name) and n.id == name for test in asked for n in ast.walk(test)):
        return False
    return any(
        isinstance(n, ast.Attribute | ast.Subscript) and isinstance(n.value, ast.Name) and n.value.id == name
        for n in ast.walk(function)
    )


def caught_in_callers(before: View | None, after: View) -> Iterator[Hit]:
    """A mistake in the innermost function that a caller now catches, with whatever else raises the same."""
    incident = after.candidate.facts.incident.error_type
    outer = {place.function for place in after.candidate.places[:-1]}
    inner = after.candidate.places[-1] if after.candidate.places else None
    if incident not in _MISTAKES or before is None or inner is None or inner.code.startswith("raise"):
        return
    known = {(before.where(h), name) for h in before.walk(ast.ExceptHandler) for name in caught(before, h)}
    for handler in after.walk(ast.ExceptHandler):
        where = after.where(handler)
        catches = incident in caught(after, handler) and (where, incident) not in known
        if catches and where.rpartition(".")[2] in outer - {inner.function}:
            yield Hit(
                handler.lineno,
                f"{where} {incident}",
                f"catches {incident} for all that is called here; mend {inner.function}, which raises it",
            )


def caught_with_more(view: View) -> Iterator[Hit]:
    """A type that stands for a mistake, caught around more than the statement that failed."""
    for handler in view.walk(ast.ExceptHandler):
        tried = view.parents.get(handler)
        types = _MISTAKES & set(caught(view, handler))
        again = isinstance(handler.body[-1], ast.Raise) and handler.body[-1].exc is None
        if types and not again and isinstance(tried, ast.Try) and len(tried.body) > 1:
            yield Hit(
                handler.lineno,
                f"{view.where(handler)} {sorted(types)}",
                f"catches {', '.join(sorted(types))} of {len(tried.body)} statements; ask for the case",
            )


def _named(module: ast.Module | None, name: str) -> Function | None:
    found = functions_of(module) if module is not None else {}
    return next((f for qualified, f in found.items() if qualified.rpartition(".")[2] == name), None)
