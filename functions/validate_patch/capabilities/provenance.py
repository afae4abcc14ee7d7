"""What callers give decides no more than it did: a field that nothing read before ends in no store, and in no
argument of the repository's functions.

Whose role it is, which hotel, how late it is: where a record or a signed text said so before, a field of the
same name in the request may not. Library functions hand on what they are given (`json.loads(body)`); what the
repository's own give is theirs.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from functions.core.source.syntax_tree import Function, dotted, functions_of, nodes_of, same_code
from functions.validate_patch.candidate import Candidate
from functions.validate_patch.capabilities.changed import changed_modules
from functions.validate_patch.capabilities.leaks import LOGS
from functions.validate_patch.capabilities.names import OWN, ModuleIndex, ResolvedNames, definition

_ROUNDS = 4
_CHANGES = frozenset(
    {"update", "add", "append", "extend", "insert", "setdefault", "__setitem__", "put", "set"}
)
_READS = frozenset({"get", "pop", "setdefault"})
_WHOLE = frozenset({"update", "setattr"})


def findings(candidate: Candidate, before: ModuleIndex, after: ModuleIndex) -> Iterator[str]:
    """One sentence for each field that callers newly decide something by."""
    for path, old, new in changed_modules(candidate, before, after):
        had, has = functions_of(old.module), functions_of(new.module)
        for name in had.keys() & has.keys():
            if not same_code(had[name], has[name]):
                known = {text for text, _ in _read(had[name], _given(had[name], old, before))}
                yield from (
                    f"check: {path}:{line}: {name} {text}"
                    for line, text in _decided(has[name], new, after, known)
                )


def _decided(
    function: Function, names: ResolvedNames, repository: ModuleIndex, known: set[str]
) -> Iterator[tuple[int, str]]:
    given = _given(function, names, repository)
    fresh = [(text, node) for text, node in _read(function, given) if text not in known]
    for text, node in fresh:
        made = _made_of(function, node)
        for sink, what in _sinks(function, names, repository):
            if any(inner is node or getattr(inner, "id", "") in made for inner in nodes_of(sink)):
                yield node.lineno, f"newly lets {text}, which it is given, decide {what}"
                break


def _given(function: Function, names: ResolvedNames, repository: ModuleIndex) -> set[str]:
    """Names of what callers give, and of what libraries make of it."""
    arguments = function.args
    found = {a.arg for a in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)}
    found |= {a.arg for a in (arguments.vararg, arguments.kwarg) if a is not None}
    found -= {"self", "cls"}
    for _ in range(_ROUNDS):
        for target, value in _bindings(function):
            if _is_given(value, found, names, repository):
                found.add(target)
    return found


def _is_given(node: ast.expr, given: set[str], names: ResolvedNames, repository: ModuleIndex) -> bool:
    if isinstance(node, ast.Name):
        return node.id in given
    if isinstance(node, ast.Await | ast.Attribute | ast.Subscript | ast.Starred):
        return _is_given(node.value, given, names, repository)
    if isinstance(node, ast.BoolOp):
        return any(_is_given(value, given, names, repository) for value in node.values)
    if isinstance(node, ast.Call):
        own = names.of(node.func).startswith(OWN) or definition(names, node.func, repository) is not None
        parts = [*node.args, *([node.func.value] if isinstance(node.func, ast.Attribute) else [])]
        return not own and any(_is_given(part, given, names, repository) for part in parts)
    return False


def _bindings(function: Function) -> Iterator[tuple[str, ast.expr]]:
    for node in nodes_of(function):
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        value = getattr(node, "iter", None) or getattr(node, "value", None)
        if not isinstance(value, ast.expr):
            continue
        for name in (name for target in targets if target is not None for name in nodes_of(target)):
            if isinstance(name, ast.Name) and isinstance(name.ctx, ast.Store):
                yield name.id, value


def _read(function: Function, given: set[str]) -> Iterator[tuple[str, ast.expr]]:
    """Fields of what is given, and the whole of it where it is spread over something."""
    for node in nodes_of(function):
        of, key = _field(node)
        if (
            isinstance(of, ast.Name)
            and of.id in given
            and isinstance(key, ast.Constant)
            and isinstance(node, ast.expr)
        ):
            yield f"{key.value!r}", node
        elif isinstance(node, ast.Dict):
            for name, value in zip(node.keys, node.values, strict=True):
                if name is None and _root(value) in given:
                    yield f"all of `{ast.unparse(value)}`", value
        elif isinstance(node, ast.Call):
            spread = [k.value for k in node.keywords if k.arg is None]
            if getattr(node.func, "attr", getattr(node.func, "id", "")) in _WHOLE:
                spread += node.args
            for value in spread:
                if _root(value) in given:
                    yield f"all of `{ast.unparse(value)}`", value


def _field(node: ast.AST) -> tuple[ast.expr | None, ast.expr | None]:
    if isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Load):
        return node.value, node.slice
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args:
        return (node.func.value, node.args[0]) if node.func.attr in _READS else (None, None)
    return None, None


def _root(node: ast.expr) -> str:
    while isinstance(node, ast.Attribute | ast.Subscript | ast.Call):
        node = node.func if isinstance(node, ast.Call) else node.value
    return node.id if isinstance(node, ast.Name) else ""


def _made_of(function: Function, node: ast.expr) -> set[str]:
    """Names that a value ends in, by way of one another."""
    found: set[str] = set()
    for _ in range(_ROUNDS):
        for target, value in _bindings(function):
            if any(inner is node or getattr(inner, "id", "") in found for inner in nodes_of(value)):
                found.add(target)
    return found


def _sinks(
    function: Function, names: ResolvedNames, repository: ModuleIndex
) -> Iterator[tuple[ast.AST, str]]:
    """What others see: values that are stored, and what the repository's functions and unknown ones are
    given."""
    raised = {id(node.exc) for node in nodes_of(function) if isinstance(node, ast.Raise)}
    for node in nodes_of(function):
        if isinstance(node, ast.Assign | ast.AugAssign | ast.AnnAssign) and node.value is not None:
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            stored = [t for t in targets if isinstance(t, ast.Attribute | ast.Subscript)]
            yield from ((part, f"`{ast.unparse(stored[0])}`") for part in (*stored, node.value) if stored)
        if isinstance(node, ast.Call) and id(node) not in raised and not LOGS.fullmatch(dotted(node.func)):
            changes = isinstance(node.func, ast.Attribute) and node.func.attr in _CHANGES
            own = names.of(node.func).startswith(OWN) or definition(names, node.func, repository)
            if own or (changes and not _is_made_here(function, node.func.value)):  # type: ignore[attr-defined] # an attribute
                for part in (*node.args, *(keyword.value for keyword in node.keywords)):
                    yield part, f"what `{ast.unparse(node.func)}` is given"


def _is_made_here(function: Function, node: ast.expr) -> bool:
    """Whether a container is written out in the function, so that nobody else has it yet."""
    made = [value for name, value in _bindings(function) if isinstance(node, ast.Name) and name == node.id]
    return bool(made) and all(
        isinstance(value, ast.Dict | ast.List | ast.Set | ast.ListComp) for value in made
    )
