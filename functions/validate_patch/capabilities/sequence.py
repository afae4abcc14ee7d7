"""What was looked at before something is done is what it is done with.

A check may stand where it stood, word for word, and hold nothing, beside a value that is no longer the one
that is used. Here that is read, for the functions of the traceback too; see `dominance` for where it stands.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from functions.core.source.syntax_tree import Function, dotted, functions_of, nodes_of, same_code
from functions.validate_patch.candidate import Candidate
from functions.validate_patch.capabilities.changed import changed_modules
from functions.validate_patch.capabilities.checks import is_check
from functions.validate_patch.capabilities.code import guards, within
from functions.validate_patch.capabilities.leaks import LOGS
from functions.validate_patch.capabilities.names import ModuleIndex, ResolvedNames, definition


@dataclass(frozen=True, slots=True)
class _Read:
    """What a function gives to the repository's functions, and what it has checked, by source text."""

    given: Mapping[tuple[str, int], Mapping[str, ast.expr]]
    """(function, position) → arguments."""
    judged: Mapping[str, int]
    """What a check asks a function about, with the line of the first."""
    bound: Mapping[str, int]
    """Names, with the line where each is bound last."""


def findings(candidate: Candidate, before: ModuleIndex, after: ModuleIndex) -> Iterator[str]:
    """One sentence for each value that was checked, where something else is done with another."""
    for path, old, new in changed_modules(candidate, before, after):
        had, has = functions_of(old.module), functions_of(new.module)
        for name in had.keys() & has.keys():
            if not same_code(had[name], has[name]):
                was, now = _read(had[name], old, before), _read(has[name], new, after)
                for line, text in _differing(was, now):
                    yield f"check: {path}:{line or has[name].lineno}: {name} {text}"


def _differing(was: _Read, now: _Read) -> Iterator[tuple[int, str]]:
    for place in sorted(was.given.keys() & now.given.keys()):
        if was.given[place].keys() & was.judged.keys():
            for text, value in now.given[place].items():
                if text not in was.given[place]:
                    yield value.lineno, f"gives {place[0]} `{text}`, which is not what was checked"
    for name in sorted(was.judged.keys() & now.judged.keys() & now.bound.keys()):
        if was.bound.get(name, 0) <= was.judged[name] and now.judged[name] < now.bound[name]:
            yield now.bound[name], f"makes {name} another after it was checked"


def _read(function: Function, names: ResolvedNames, repository: ModuleIndex) -> _Read:
    given: dict[tuple[str, int], dict[str, ast.expr]] = {}
    judged: dict[str, int] = {}
    checking = set()
    for statement, _ in within(function):
        value = statement.value if isinstance(statement, ast.Assign | ast.Expr) else None
        given_to = isinstance(statement, ast.Expr)
        own = (
            definition(names, value.func, repository, by_name=not given_to)
            if isinstance(value, ast.Call)
            else None
        )
        if own is None or not _raises(own) or not isinstance(value, ast.Call):
            continue
        if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name):
            judged.setdefault(statement.targets[0].id, statement.lineno)
        elif isinstance(statement, ast.Expr) and not _does_more(own):
            checking.add(id(value))
            _judge(value, judged)
    asked = [node for test, _ in guards(function) for node in _calls(test)]
    for node in sorted(_calls(function), key=lambda call: call.lineno):
        own = definition(names, node.func, repository, by_name=False)
        if own and node in asked and is_check(own):
            _judge(node, judged)
        if own and id(node) not in checking:
            for position, value in enumerate(node.args):
                given.setdefault((ast.unparse(node.func), position), {})[ast.unparse(value)] = value
    bound = {
        node.id: node.lineno
        for node in sorted(nodes_of(function), key=lambda node: getattr(node, "lineno", 0))
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
    }
    return _Read(given, judged, bound)


def _raises(function: Function) -> bool:
    return any(isinstance(node, ast.Raise) for node in nodes_of(function))


def _does_more(function: Function) -> bool:
    """Whether it gives something back, or changes something, beside what it refuses."""
    return any(
        (isinstance(node, ast.Return) and node.value is not None)
        or isinstance(node, ast.Global | ast.Nonlocal)
        or (isinstance(node, ast.Attribute | ast.Subscript) and not isinstance(node.ctx, ast.Load))
        or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Call) and not _is_log(node.value))
        for node in nodes_of(function)
    )


def _is_log(call: ast.Call) -> bool:
    return LOGS.fullmatch(dotted(call.func)) is not None


def _judge(call: ast.Call, judged: dict[str, int]) -> None:
    for text in (*map(ast.unparse, call.args), *_names(call)):
        judged[text] = min(call.lineno, judged.get(text, call.lineno))


def _calls(function: ast.AST) -> Iterator[ast.Call]:
    return (node for node in nodes_of(function) if isinstance(node, ast.Call))


def _names(node: ast.AST) -> set[str]:
    called = {id(call.func) for call in _calls(node)}
    return {n.id for n in nodes_of(node) if isinstance(n, ast.Name) and id(n) not in called}
