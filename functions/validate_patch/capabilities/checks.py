"""Checks stay: what decides who may, what is valid and what is signed does not change in passing.

A check is a function that answers yes or no, or a condition that ends in `raise`. The functions of the
traceback may change: what they now refuse is compared by running them. Whatever else a check is, or rests on,
has nothing to do with the crash.
"""

from __future__ import annotations

import ast
import builtins
import copy
from collections.abc import Iterator, Mapping
from types import MappingProxyType

from functions.core.source.syntax_tree import (
    Function,
    functions_around,
    functions_of,
    module_constants,
    nodes_of,
    same_code,
)
from functions.harness.names import is_test
from functions.harness.search.targets import module_name
from functions.validate_patch.candidate import Candidate
from functions.validate_patch.capabilities.changed import changed_modules
from functions.validate_patch.capabilities.code import guards
from functions.validate_patch.capabilities.names import OWN, ModuleIndex, ResolvedNames

_ROUNDS = 4
"""How many functions may stand between a check and what it rests on."""
_YES_OR_NO = frozenset(
    (
        *("bool", "any", "all", "isinstance", "issubclass", "callable", "hasattr", "compare_digest"),
        *("startswith", "endswith", "isdigit", "isalnum", "isalpha", "is_file", "is_dir", "exists"),
        *("issubset", "issuperset", "isdisjoint"),
    )
)


def findings(candidate: Candidate, before: ModuleIndex, after: ModuleIndex) -> Iterator[str]:
    """Checks that change, or that rest on what changes, and decorators that are gone."""
    on_the_way = {(place.path, place.function) for place in candidate.places}
    changed: dict[str, str] = {}
    for path, old, new in changed_modules(candidate, before, after):
        was, now = functions_of(old.module), functions_of(new.module)
        failing = {name for path, name in on_the_way if path == path}
        for name in was.keys() & now.keys():
            if same_code(was[name], now[name]):
                continue
            where = f"{path}:{now[name].lineno}"
            yield from (f"check: {where}: {text}" for text in _decorators(name, was[name], now[name]))
            yield from (f"check: {where}: {text}" for text in _given(name, was[name], now[name], candidate))
            yield from (f"check: {where}: {text}" for text in _weaker(name, was[name], now[name], candidate))
            same = _body(was[name]) == _body(now[name])
            if not same and name.rpartition(".")[2] not in failing:
                changed[_dotted(path, name)] = where
        had, has = module_constants(old.module), module_constants(new.module)
        for name in had.keys() & has.keys():
            if not same_code(had[name], has[name]):
                changed[_dotted(path, name)] = f"{path}:{has[name].lineno}"
    tables = {_dotted(c.path, n) for c in candidate.python_changes for n in _constants(before, c.path)}
    about = {one[:2] for one in _compared(candidate, before, after)}
    yield from _resting_on(changed, before, tables & _in_innermost(candidate, before), about)


def warnings(candidate: Candidate) -> Iterator[str]:
    """One sentence for each function whose value a check failed on, and which the patch adds to."""
    before, after = ModuleIndex(candidate.before), ModuleIndex(candidate.after)
    for check, cause, line in _compared(candidate, before, after):
        changed, path = cause.rpartition(".")[2], candidate.places[-1].path
        yield (
            f"The patch changes what {changed} gives, and with it what the check {check.rpartition('.')[2]}"
            f" answers, which failed on it ({path}:{line})."
        )


def _compared(
    candidate: Candidate, before: ModuleIndex, after: ModuleIndex
) -> Iterator[tuple[str, str, int]]:
    """(check, function, line): the check in which the error arose, and functions that the failing line calls
    and the patch only adds to: all that they gave back is still worked out, as it was."""
    place = candidate.places[-1] if candidate.places else None
    names = before.names(place.path) if place is not None else None
    if place is None or names is None:
        return
    for name, function in functions_around(names.module, place.line):
        if name.rpartition(".")[2] != place.function or not is_check(function):
            continue
        calls = [n for n in nodes_of(function) if isinstance(n, ast.Call) and n.lineno == place.line]
        for used in dict.fromkeys(names.of(call.func) for call in calls):
            if used.startswith(OWN) and _adds(used.removeprefix(OWN), before, after):
                yield _dotted(place.path, name), used.removeprefix(OWN), place.line


def _adds(dotted: str, before: ModuleIndex, after: ModuleIndex) -> bool:
    """Whether a function changes, and what it gave back is worked out word for word as before."""
    module, _, name = dotted.rpartition(".")
    path = before.path(module)
    old, new = (tree.names(path) if path else None for tree in (before, after))
    was = functions_of(old.module).get(name) if old is not None else None
    now = functions_of(new.module).get(name) if new is not None else None
    if was is None or now is None or same_code(was, now):
        return False
    given = [n.value for n in nodes_of(was) if isinstance(n, ast.Return) and n.value is not None]
    left = {ast.unparse(n) for n in nodes_of(now) if isinstance(n, ast.expr)}
    return bool(given) and all(isinstance(v, ast.Call) and ast.unparse(v) in left for v in given)


def _resting_on(
    changed: Mapping[str, str], before: ModuleIndex, own: set[str], about: set[tuple[str, str]]
) -> Iterator[str]:
    """own: tables that the failing function itself uses, if it is no check: they may be what is mended.
    about: (check, changed function) that the error is about."""
    affected = {name: name for name in changed if name not in own}
    told: set[str] = set()
    for _ in range(_ROUNDS):
        for path in _mentioning(before, affected):
            for check, cause in _checks(before, path, affected):
                if cause not in told and (check, cause) not in about:
                    told.add(cause)
                    what = "" if check == cause else f", and with it the check {check.rpartition('.')[2]}"
                    said = f"changes {cause.rpartition('.')[2]}{what}, which the error is not about"
                    yield f"check: {changed[cause]}: {said}"
        for path in _mentioning(before, affected):
            for name, cause in list(_users(before, path, affected)):
                affected.setdefault(name, cause)


def _mentioning(repository: ModuleIndex, affected: Mapping[str, str]) -> list[str]:
    words = {name.rpartition(".")[2].encode() for name in affected}
    tree = repository.tree
    return [
        path
        for path in tree
        if path.endswith(".py") and not is_test(path) and any(word in tree[path].data for word in words)
    ]


def _checks(repository: ModuleIndex, path: str, affected: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """(check, cause): functions that answer yes or no, and conditions that end in `raise`."""
    names = repository.names(path)
    for name, function in functions_of(names.module).items() if names is not None else ():
        own = _dotted(path, name)
        if is_check(function) and own in affected:
            yield own, affected[own]
        tests = [test for test, _ in guards(function)]
        for part in [function] if is_check(function) else tests:
            for used in _used(names, part):
                if used in affected and used != own:
                    yield own, affected[used]


def _users(repository: ModuleIndex, path: str, affected: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """(function, cause) of those that use what changes, and give something back of it."""
    names = repository.names(path)
    for name, function in functions_of(names.module).items() if names is not None else ():
        returned = [n for n in nodes_of(function) if isinstance(n, ast.Return) and n.value is not None]
        for used in (used for part in returned for used in _used(names, part)):
            if used in affected:
                yield _dotted(path, name), affected[used]


def _used(names: ResolvedNames | None, part: ast.AST) -> Iterator[str]:
    """What of the repository a piece of code uses, by dotted name; constants of its own module too."""
    if names is None:
        return
    constants = module_constants(names.module)
    for node in nodes_of(part):
        if isinstance(node, ast.Name) and node.id in constants and node.id not in names.aliases:
            yield _dotted(names.path, node.id)
        elif isinstance(node, ast.Name | ast.Attribute):
            found = names.of(node)
            if found.startswith(OWN):
                yield found.removeprefix(OWN)


def _constants(repository: ModuleIndex, path: str) -> Iterator[str]:
    names = repository.names(path)
    yield from module_constants(names.module) if names is not None else ()


def _in_innermost(candidate: Candidate, repository: ModuleIndex) -> set[str]:
    """What the function that failed uses itself: its tables may be what is to be mended."""
    if not candidate.places:
        return set()
    place = candidate.places[-1]
    names = repository.names(place.path)
    functions = functions_of(names.module) if names is not None else {}
    failing = [f for n, f in functions.items() if n.rpartition(".")[2] == place.function and not is_check(f)]
    return {used for function in failing for used in _used(names, function)}


def is_check(function: Function) -> bool:
    """Whether a function answers yes or no, whatever it is asked."""
    inner = [n for n in nodes_of(function) if isinstance(n, Function | ast.Lambda) and n is not function]
    skipped = {id(node) for one in inner for node in nodes_of(one)}
    given = [n.value for n in nodes_of(function) if isinstance(n, ast.Return) and id(n) not in skipped]
    return bool(given) and all(value is not None and _is_yes_or_no(value) for value in given)


def _is_yes_or_no(node: ast.expr) -> bool:
    if isinstance(node, ast.Compare):
        return True
    if isinstance(node, ast.Constant):
        return isinstance(node.value, bool)
    if isinstance(node, ast.BoolOp):
        return any(map(_is_yes_or_no, node.values))
    if isinstance(node, ast.UnaryOp):
        return isinstance(node.op, ast.Not)
    if isinstance(node, ast.BinOp):
        return _is_yes_or_no(node.left) and _is_yes_or_no(node.right)
    if isinstance(node, ast.Call):
        return getattr(node.func, "attr", getattr(node.func, "id", "")) in _YES_OR_NO
    return False


def _decorators(name: str, old: Function, new: Function) -> Iterator[str]:
    left = [ast.unparse(decorator) for decorator in new.decorator_list]
    for decorator in map(ast.unparse, old.decorator_list):
        if decorator not in left:
            yield f"{name} is no longer decorated with {decorator}"


def _given(name: str, old: Function, new: Function, candidate: Candidate) -> Iterator[str]:
    """What a condition that ends in `raise` looks at, bound to something else; where the error arose, to
    something that is neither fixed nor another form of what it was bound to."""
    mended = bool(candidate.places) and name.rpartition(".")[2] == candidate.places[-1].function
    looked_at = {node.id for test, _ in guards(old) for node in nodes_of(test) if isinstance(node, ast.Name)}
    was, now = _bound(old), _bound(new)
    for variable in sorted(looked_at & was.keys()):
        texts = [ast.unparse(value) for value in was[variable]]
        other = [value for value in now.get(variable, ()) if ast.unparse(value) not in texts]
        known = {variable} | {part for value in was[variable] for part in _parts(value)}
        gone = len(now.get(variable, ())) < len(texts)
        if other and any(_parts(value) - known for value in other) if mended else other or gone:
            yield f"changes {variable}, which a check of {name} looks at"


def _parts(node: ast.expr) -> set[str]:
    """Names and attributes that a value is made of, but for constants and what converts."""
    named = {n.id for n in nodes_of(node) if isinstance(n, ast.Name) and not n.id.isupper()}
    named |= {n.attr for n in nodes_of(node) if isinstance(n, ast.Attribute)}
    return named - _CONVERSIONS - set(dir(builtins)) - set(dir(str)) - set(dir(dict))


def _weaker(name: str, old: Function, new: Function, candidate: Candidate) -> Iterator[str]:
    """Conditions that ended in `raise` and are gone, or let more through. One may refuse more than it did."""
    place = candidate.places[-1] if candidate.places else None
    if place is not None and place.code.startswith("raise") and name.rpartition(".")[2] == place.function:
        return  # it is what the error is about: it is judged by running it
    kept = [(alternatives(test), above) for test, above in guards(new)]
    for test, above in guards(old):
        refused = alternatives(test)
        if not any(refused <= now and set(under) <= set(above) for now, under in kept):
            yield f"the check `if {ast.unparse(test)}` of {name} is gone, or lets more through"


def alternatives(test: ast.expr, fresh: Mapping[str, ast.expr] = MappingProxyType({})) -> set[str]:
    """What each refuses alone: the parts of an `or`. fresh: names, and what is read for them."""
    if isinstance(test, ast.BoolOp) and isinstance(test.op, ast.Or):
        return {part for value in test.values for part in alternatives(value, fresh)}
    return {ast.unparse(_Unconverted(fresh).visit(copy.deepcopy(test)))}


class _Unconverted(ast.NodeTransformer):
    """`int(x)` and `x.strip()` as `x`: a check that reads its input in another form is the same check."""

    def __init__(self, fresh: Mapping[str, ast.expr]) -> None:
        self._fresh = dict(fresh)

    def visit_Name(self, node: ast.Name) -> ast.AST:
        value = self._fresh.pop(node.id, None)  # once: it may be bound to something with itself in it
        return node if value is None else self.visit(copy.deepcopy(value))

    def visit_Call(self, node: ast.Call) -> ast.AST:
        self.generic_visit(node)
        if isinstance(node.func, ast.Name) and node.func.id in _CONVERSIONS and len(node.args) == 1:
            return node.args[0]
        if isinstance(node.func, ast.Attribute) and node.func.attr in _CONVERSIONS and not node.args:
            return node.func.value
        return node


_CONVERSIONS = frozenset(
    {"int", "float", "str", "Decimal", "bytes", "strip", "lower", "upper", "casefold", "date"}
)


def _bound(function: Function) -> dict[str, list[ast.expr]]:
    """Name → what is assigned to it."""
    found: dict[str, list[ast.expr]] = {}
    for node in nodes_of(function):
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        value = getattr(node, "value", None)
        for target in targets:
            if isinstance(target, ast.Name) and isinstance(value, ast.expr):
                found.setdefault(target.id, []).append(value)
    return found


def _body(function: Function) -> str:
    plain = [
        ast.dump(node)
        for node in function.body
        if not isinstance(node, ast.Expr) or not isinstance(node.value, ast.Constant)
    ]
    return f"{ast.dump(function.args)} {plain}"


def _dotted(path: str, name: str) -> str:
    return f"{module_name(path)}.{name}"
