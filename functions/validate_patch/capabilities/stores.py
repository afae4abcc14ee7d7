"""What a patch changes for code elsewhere: attributes of what is imported, and what runs at import."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from functions.core.source.syntax_tree import functions_of, nodes_of
from functions.harness.names import is_test
from functions.validate_patch.capabilities import library
from functions.validate_patch.capabilities.names import OWN, UNKNOWN, ResolvedNames
from functions.validate_patch.capabilities.uses import Use

_HARMLESS_AT_IMPORT = (
    ast.Import
    | ast.ImportFrom
    | ast.FunctionDef
    | ast.AsyncFunctionDef
    | ast.ClassDef
    | ast.Assign
    | ast.AnnAssign
)


def stores(names: ResolvedNames) -> Iterator[Use]:
    """Stores to, and deletions of, attributes and items of what the file imports or defines at its top."""
    known = {*names.aliases, *_at_top(names.module)}
    local = _locals(names.module)
    for node in nodes_of(names.module):
        if not isinstance(node, ast.Attribute | ast.Subscript) or isinstance(node.ctx, ast.Load):
            continue
        base = _base(node)
        if made := _library_call(node, names):
            text = ast.unparse(node)
            yield Use(
                "interpreter",
                f"interpreter store {text}",
                node.lineno,
                f"{text}: {made} is the whole process's",
            )
        if base is None or base.id not in known or (base.id in local and base.id not in names.aliases):
            continue
        if isinstance(node, ast.Subscript) and base.id not in names.aliases:
            continue  # a module may fill tables of its own
        text = ast.unparse(node)
        if not is_test(names.path) or names.of(base) == UNKNOWN or not names.of(base).startswith(OWN):
            yield Use(
                "interpreter", f"interpreter store {text}", node.lineno, f"{text} of another part is replaced"
            )


def at_import(names: ResolvedNames) -> Iterator[Use]:
    """Statements that do something when the module is imported."""
    if is_test(names.path) and not names.path.endswith("__init__.py"):
        return
    for node in names.module.body:
        if isinstance(node, _HARMLESS_AT_IMPORT) or _is_text(node) or _is_main(node):
            continue
        text = " ".join(ast.unparse(node).split())
        shown = text if len(text) <= 80 else f"{text[:77]}..."
        yield Use(
            "at_import", f"at_import {text}", node.lineno, f"`{shown}` runs as soon as the module is imported"
        )


def _is_text(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _is_main(node: ast.stmt) -> bool:
    """`if __name__ == "__main__":`, `if TYPE_CHECKING:`, and a library that may be missing."""
    if isinstance(node, ast.If):
        names = {getattr(n, "id", getattr(n, "attr", "")) for n in nodes_of(node.test)}
        return bool(names & {"__name__", "TYPE_CHECKING", "version_info"})
    return isinstance(node, ast.Try) and all(isinstance(s, ast.Import | ast.ImportFrom) for s in node.body)


def _base(node: ast.expr) -> ast.Name | None:
    while isinstance(node, ast.Attribute | ast.Subscript):
        node = node.value
    return node if isinstance(node, ast.Name) else None


def _library_call(node: ast.expr, names: ResolvedNames) -> str:
    """The function of the standard library, no class of it, of whose result something is replaced."""
    while isinstance(node, ast.Attribute | ast.Subscript):
        node = node.value
    name = names.of(node.func) if isinstance(node, ast.Call) else ""
    last = name.rpartition(".")[2]
    return name if library.is_standard(name) and last.islower() else ""


def _at_top(module: ast.Module) -> set[str]:
    """ResolvedNames that the module binds at its top."""
    found = set()
    for node in module.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found.add(node.name)
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            found |= {
                n.id for n in nodes_of(node) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)
            }
    return found


def _locals(module: ast.Module) -> set[str]:
    """ResolvedNames that functions bind for themselves."""
    found = set()
    for function in functions_of(module).values():
        for node in nodes_of(function):
            if isinstance(node, ast.arg):
                found.add(node.arg)
            elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                found.add(node.id)
    return found
