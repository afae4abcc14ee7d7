"""The literals of a repository's tests: those that may be changed, numbered alike wherever a file is read."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from functions.harness.search.shapes import Function

_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
_MOST = 400
"""Of one file."""
KNOWN, CHECKED = "__self_heal_literal__", "__self_heal_checked__"
"""Names in an instrumented test: `KNOWN(path, number, literal)`, `CHECKED(line, what is compared)`."""


@dataclass(frozen=True)
class ChangedLiteral:
    """A literal of a test's file that has another value. `number` is -1 for none that has."""

    path: str
    number: int = -1
    value: str = ""
    """Source text; of a key that is left out of a dictionary, `del` and the key."""


def literals_in(module: ast.Module) -> list[ast.expr]:
    """The literals in functions, and those that names of the module are bound to, in the order of the file.

    A container of literals is one; of one that holds more, the whole and what it holds are. What a result is
    compared with is none: the test is run for how it ends.
    """
    found: list[ast.expr] = []
    for statement in module.body:
        if isinstance(statement, (ast.Assign, ast.AnnAssign)):
            found += _in(statement.value)
        elif isinstance(statement, (*_FUNCTIONS, ast.ClassDef)):
            for node in _functions(statement):
                found += [one for inner in node.body for one in _in(inner)]
    return found[:_MOST]


def _functions(node: ast.stmt) -> Iterator[Function]:
    """Functions at module level and methods; those within are part of them."""
    if isinstance(node, _FUNCTIONS):
        yield node
    elif isinstance(node, ast.ClassDef):
        for inner in node.body:
            yield from _functions(inner)


def _in(node: ast.AST | None) -> Iterator[ast.expr]:
    if node is None or _says_nothing(node):
        return
    if isinstance(node, ast.expr) and _is_literal(node):
        yield node
        return
    if isinstance(node, (ast.Dict, ast.List, ast.Tuple)) and isinstance(
        getattr(node, "ctx", ast.Load()), ast.Load
    ):
        yield node
    for inner in _parts(node):
        yield from _in(inner)


def _says_nothing(node: ast.AST) -> bool:
    """What is no input: documentation, annotations, texts that are put together, patterns."""
    text = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    return text or isinstance(node, (ast.JoinedStr, ast.Import, ast.ImportFrom, ast.arguments))


def _parts(node: ast.AST) -> Iterator[ast.AST]:
    if isinstance(node, _FUNCTIONS):
        yield from node.body
    elif isinstance(node, ast.AnnAssign):
        yield from filter(None, [node.value])
    elif isinstance(node, ast.stmt) and (compared := compared_in(node)) is not None:
        yield compared
    else:
        yield from ast.iter_child_nodes(node)


def _is_literal(node: ast.expr) -> bool:
    if isinstance(node, ast.Constant):
        return node.value is not ...
    try:
        ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return False
    return isinstance(node, (ast.Dict, ast.List, ast.Tuple, ast.UnaryOp))


def compared_in(node: ast.stmt) -> ast.expr | None:
    """What a statement checks, without what it should be; None for any other statement."""
    if isinstance(node, ast.Assert):
        test = node.test.operand if isinstance(node.test, ast.UnaryOp) else node.test
        if not isinstance(test, ast.Compare):
            return test
        return test.left if _calls(test.left) or not _calls(test.comparators[0]) else test.comparators[0]
    call = node.value if isinstance(node, ast.Expr) else None
    if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and call.args:
        name = call.func.attr
        if (
            name.startswith("assert")
            and not name.startswith(_EXPECTING)
            and isinstance(call.func.value, ast.Name)
        ):
            return next((argument for argument in call.args if _calls(argument)), call.args[0])
    return None


_EXPECTING = ("assertRaises", "assertWarns", "assertLogs", "assertNoLogs")


def _calls(node: ast.AST) -> bool:
    return any(isinstance(inner, (ast.Call, ast.Await)) for inner in ast.walk(node))


class Marked(ast.NodeTransformer):
    """Puts `KNOWN(…)` in the place of each literal, and `CHECKED(…)` in that of each check: a changed test
    goes on where it would have ended."""

    def __init__(self, path: str, module: ast.Module) -> None:
        self._path = path
        self._numbers = {id(node): number for number, node in enumerate(literals_in(module))}

    def visit(self, node: ast.AST) -> Any:
        number = self._numbers.get(id(node))
        compared = compared_in(node) if isinstance(node, ast.stmt) else None
        if compared is not None:
            given: list[ast.AST] = [ast.Constant(node.lineno), self.visit(compared)]  # type: ignore[attr-defined] # a statement
            return _placed(ast.Expr(_call(CHECKED, given)), node)
        node = super().visit(node)
        if number is None:
            return node
        return _placed(_call(KNOWN, [ast.Constant(self._path), ast.Constant(number), node]), node)


def _call(name: str, given: list[Any]) -> ast.Call:
    return ast.Call(ast.Name(name, ast.Load()), given, [])


def _placed(node: ast.AST, other: ast.AST) -> ast.AST:
    return ast.fix_missing_locations(ast.copy_location(node, other))


def constants_of(module: ast.Module) -> dict[int, str]:
    """Number of a literal → the name of the module that is bound to it as a whole."""
    numbers = {id(node): number for number, node in enumerate(literals_in(module))}
    found = {}
    for statement in module.body:
        if isinstance(statement, (ast.Assign, ast.AnnAssign)):
            target = statement.targets[0] if isinstance(statement, ast.Assign) else statement.target
            if isinstance(target, ast.Name) and id(statement.value) in numbers:
                found[numbers[id(statement.value)]] = target.id
    return found
