"""Statements for a database: what was a fixed text with parameters stays one, and says the same."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from functions.core.source.syntax_tree import Function, functions_of, module_constants, nodes_of
from functions.harness.names import is_test
from functions.validate_patch.capabilities.names import ResolvedNames

_RUN = frozenset(
    {"execute", "executemany", "executescript", "raw", "execute_many", "fetch", "fetchrow", "fetchval"}
)
_QUERY = (
    "select ",
    "insert ",
    "update ",
    "delete ",
    "with ",
    "attach ",
    "pragma ",
    "create ",
    "drop ",
    "alter ",
    "replace ",
)


def findings(old: ResolvedNames | None, new: ResolvedNames, failing: set[str]) -> Iterator[str]:
    """failing: functions of the traceback, whose statements may say something else."""
    if is_test(new.path):
        return
    was = _statements(old) if old is not None else {}
    for name, found in _statements(new).items():
        before = [text for _, text in was.get(name, [])]
        for line, text in found:
            if text in before:
                before.remove(text)
            elif text is None:
                yield f"injection: {new.path}:{line}: a statement for a database is put together from text"
            elif name.rpartition(".")[2] in failing and len(found) > len(was.get(name, ())):
                yield f"statement: {new.path}:{line}: {name} asks the database for one thing more"
            elif name in was and name.rpartition(".")[2] not in failing:
                yield f"statement: {new.path}:{line}: {name} asks the database for something else than before"
            elif text.lower().startswith("attach"):
                yield f"statement: {new.path}:{line}: {name} opens another database"


def _statements(names: ResolvedNames) -> dict[str, list[tuple[int, str | None]]]:
    """Function → line and text of each statement; None for one that is put together."""
    constants = module_constants(names.module)
    found: dict[str, list[tuple[int, str | None]]] = {}
    for name, function in functions_of(names.module).items():
        for node in nodes_of(function):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args:
                if node.func.attr in _RUN:
                    found.setdefault(name, []).append((node.lineno, _text(node.args[0], function, constants)))
            elif isinstance(node, ast.BinOp | ast.JoinedStr) and _looks_like_one(node):
                found.setdefault(name, []).append((node.lineno, _text(node, function, constants)))
    return found


def _text(node: ast.expr, function: Function, constants: dict[str, ast.expr]) -> str | None:
    if isinstance(node, ast.Constant):
        return str(node.value)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        parts = _text(node.left, function, constants), _text(node.right, function, constants)
        return None if None in parts else "".join(map(str, parts))
    if isinstance(node, ast.JoinedStr) and not any(isinstance(v, ast.FormattedValue) for v in node.values):
        return "".join(str(v.value) for v in node.values if isinstance(v, ast.Constant))
    if isinstance(node, ast.Name):
        values = [
            n.value
            for n in nodes_of(function)
            if isinstance(n, ast.Assign)
            and any(isinstance(t, ast.Name) and t.id == node.id for t in n.targets)
        ]
        values = values or [constants[node.id]] if node.id in constants else values
        texts = [_text(v, function, {}) for v in values if not (isinstance(v, ast.Name) and v.id == node.id)]
        return None if None in texts or not texts else " | ".join(map(str, texts))
    return None


def _looks_like_one(node: ast.expr) -> bool:
    first = (
        node.left
        if isinstance(node, ast.BinOp)
        else node.values[0]
        if isinstance(node, ast.JoinedStr)
        else None
    )
    text = first.value if isinstance(first, ast.Constant) and isinstance(first.value, str) else ""
    return text.lstrip().lower().startswith(_QUERY) and " " in text.strip()
