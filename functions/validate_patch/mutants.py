"""Mutants of a patch: the patched files with the value of what the patch adds taken away.

A regression test that still passes on all of them shows that no error is raised, and nothing of what the
patched code gives (mutation testing: DeMillo, Lipton, Sayward, "Hints on test data selection", 1978).
"""

from __future__ import annotations

import ast
import copy
import textwrap
from collections.abc import Callable

from functions.core.source.syntax_tree import Function, functions_of, same_code
from functions.harness.names import is_test
from functions.validate_patch.candidate import Candidate, parsed


def mutants(candidate: Candidate) -> list[dict[str, str]]:
    """Path → text, of each: what the patch changes returns None, or what it returns is negated."""
    made = []
    for mutate in (_emptied, _negated):
        files = {}
        for change in candidate.python_changes:
            old, new = parsed(candidate.before, change.path), parsed(candidate.after, change.path)
            if new is None or is_test(change.path):
                continue
            text = change.after.data.decode(errors="replace") if change.after is not None else ""
            if mutated := _mutated(text, old, new, mutate):
                files[change.path] = mutated
        if files:
            made.append(files)
    return made


def _mutated(text: str, old: ast.Module | None, new: ast.Module, mutate: Callable[[Function], bool]) -> str:
    """The file with each changed function mutated; "" where there is nothing to mutate."""
    was = functions_of(old) if old is not None else {}
    lines, last = text.split("\n"), 0
    made: list[tuple[int, int, str]] = []
    for name, function in functions_of(new).items():
        first = min(node.lineno for node in (function, *function.decorator_list))
        # What stands in a function that changed is part of it.
        if first > last and not (name in was and same_code(was[name], function)):
            last, mutant = function.end_lineno or first, copy.deepcopy(function)
            if mutate(mutant):
                indent = lines[first - 1][: function.col_offset]
                made.append((first - 1, last, textwrap.indent(ast.unparse(mutant), indent)))
    for start, end, code in reversed(made):
        lines[start:end] = [code]
    return "\n".join(lines) if made else ""


def _emptied(function: Function) -> bool:
    function.body = [ast.Return(ast.Constant(None))]
    return True


def _negated(function: Function) -> bool:
    returns = [node for node in ast.walk(function) if isinstance(node, ast.Return) and node.value is not None]
    for node in returns:
        node.value = ast.UnaryOp(ast.Not(), node.value or ast.Constant(None))
    return bool(returns)
