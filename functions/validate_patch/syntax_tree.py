"""What is asked of syntax trees in several places."""

from __future__ import annotations

import ast
import re

Function = ast.FunctionDef | ast.AsyncFunctionDef
_EMPTY = frozenset(
    {"dict", "list", "set", "tuple", "str", "int", "float", "bytes", "bool", "frozenset", "Decimal"}
)
"""Constructors whose result is false without arguments, or with false ones."""


def functions_of(module: ast.Module) -> dict[str, Function]:
    """Qualified name → function, nested ones included; of two with one name the last, as in Python."""
    found: dict[str, Function] = {}

    def visit(node: ast.AST, prefix: str) -> None:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, Function | ast.ClassDef):
                if isinstance(child, Function):
                    found[prefix + child.name] = child
                visit(child, f"{prefix}{child.name}.")
            else:
                visit(child, prefix)

    visit(module, "")
    return found


def module_constants(module: ast.Module) -> dict[str, ast.expr]:
    """Names bound at module level (and in class bodies) → the expression."""
    found: dict[str, ast.expr] = {}
    blocks = [module.body, *(node.body for node in module.body if isinstance(node, ast.ClassDef))]
    for statement in (statement for block in blocks for statement in block):
        if isinstance(statement, ast.Assign):
            for target in statement.targets:
                if isinstance(target, ast.Name):
                    found[target.id] = statement.value
        elif (
            isinstance(statement, ast.AnnAssign)
            and isinstance(statement.target, ast.Name)
            and statement.value
        ):
            found[statement.target.id] = statement.value
    return found


def names_in(node: ast.AST) -> set[str]:
    """Every name, attribute and string constant that looks like a name, within a node."""
    found: set[str] = set()
    for inner in ast.walk(node):
        if isinstance(inner, ast.Name):
            found.add(inner.id)
        elif isinstance(inner, ast.Attribute):
            found.add(inner.attr)
        elif isinstance(inner, ast.Constant) and isinstance(inner.value, str) and inner.value.isidentifier():
            found.add(inner.value)
    return found


def dotted(node: ast.expr) -> str:
    """`a.b.c` of a name or attribute chain; "" for other expressions."""
    if isinstance(node, ast.Attribute):
        base = dotted(node.value)
        return f"{base}.{node.attr}" if base else node.attr
    return node.id if isinstance(node, ast.Name) else ""


def is_false(node: ast.expr) -> bool:
    """Whether an expression is a literal that Python takes as false, or the constructor of one."""
    if isinstance(node, ast.Constant):
        return not node.value
    if isinstance(node, ast.List | ast.Tuple | ast.Set):
        return not node.elts
    if isinstance(node, ast.Dict):
        return not node.keys
    if isinstance(node, ast.Call):
        return dotted(node.func).rpartition(".")[2] in _EMPTY and all(map(_spells_nothing, node.args))
    return False


def _spells_nothing(node: ast.expr) -> bool:
    """False itself, or the text of a zero, as in `Decimal("0.00")`."""
    value = node.value if isinstance(node, ast.Constant) else None
    return is_false(node) or (isinstance(value, str) and re.fullmatch(r"-?0+(?:\.0*)?", value) is not None)
