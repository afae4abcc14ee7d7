"""Mutants of a patch: the patched files with the value of what the patch adds taken away.

A regression test that still passes on all of them shows that no error is raised, and nothing of what the
patched code gives (mutation testing: DeMillo, Lipton, Sayward, "Hints on test data selection", 1978).
"""

from __future__ import annotations

import ast
from collections.abc import Callable

from functions.harness.names import is_test
from functions.validate_patch.candidate import Candidate, parsed
from functions.validate_patch.syntax_tree import Function, functions_of


def mutants(candidate: Candidate) -> list[dict[str, str]]:
    """Path → text, of each: what the patch changes returns None, or what it returns is negated."""
    made = []
    for mutate in (_emptied, _negated):
        files = {}
        for change in candidate.python_changes:
            old, new = parsed(candidate.before, change.path), parsed(candidate.after, change.path)
            if new is None or is_test(change.path):
                continue
            text = _mutated(old, new, mutate)
            if text:
                files[change.path] = text
        if files:
            made.append(files)
    return made


def _mutated(old: ast.Module | None, new: ast.Module, mutate: Callable[[Function], bool]) -> str:
    """The file with each changed function mutated; "" where there is nothing to mutate."""
    was = {name: ast.dump(node) for name, node in functions_of(old).items()} if old is not None else {}
    copy = ast.parse(ast.unparse(new))
    changed = [node for name, node in functions_of(copy).items() if was.get(name) != ast.dump(node)]
    return ast.unparse(copy) if [node for node in changed if mutate(node)] else ""


def _emptied(function: Function) -> bool:
    function.body = [ast.Return(ast.Constant(None))]
    return True


def _negated(function: Function) -> bool:
    returns = [node for node in ast.walk(function) if isinstance(node, ast.Return) and node.value is not None]
    for node in returns:
        node.value = ast.UnaryOp(ast.Not(), node.value or ast.Constant(None))
    return bool(returns)
