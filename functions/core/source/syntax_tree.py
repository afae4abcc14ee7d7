"""What is asked of Python source in several places: its nodes, functions, constants, imports and names.

The same in lines, for what people and models are shown: `functions.core.source.syntax`.
"""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

Function = ast.FunctionDef | ast.AsyncFunctionDef
_BLOCKS = ("body", "handlers", "orelse", "finalbody", "cases")
_KEPT = 8192
"""Nodes of which answers are kept: each function of two large files."""
_EMPTY = frozenset(
    {"dict", "list", "set", "tuple", "str", "int", "float", "bytes", "bool", "frozenset", "Decimal"}
)
"""Constructors whose result is false without arguments, or with false ones."""


@lru_cache(maxsize=256)
def parse(text: bytes | str) -> ast.Module | None:
    """The syntax tree of a module, or None for what does not parse: of another Python, or a stranger's. Each
    text is parsed once, so whoever changes a tree, copies it."""
    with warnings.catch_warnings():
        # What the compiler thinks of its escapes is not ours to print: the warning would quote the source.
        warnings.simplefilter("ignore")
        try:
            return ast.parse(text)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return None


@lru_cache(maxsize=_KEPT)
def nodes_of(node: ast.AST) -> tuple[ast.AST, ...]:
    """All nodes in a node that nobody changes, itself first, level by level as `ast.walk` has them. What they
    are used for (`ast.Load` and its like) is no node here.

    Found once: many rules look at the same file, and a walk of ten thousand lines takes half a second.
    """
    found = [node]
    for inner in found:
        for name in inner._fields:
            value = getattr(inner, name, None)
            if isinstance(value, list):
                found += [part for part in value if isinstance(part, ast.AST)]
            elif isinstance(value, ast.AST) and not isinstance(value, ast.expr_context):
                found.append(value)
    return tuple(found)


@lru_cache(maxsize=_KEPT)
def same_code(one: ast.AST, other: ast.AST) -> bool:
    """Whether two nodes are the same code, wherever it stands: as `ast.dump` would say, which takes ten times
    as long."""
    mine, theirs = nodes_of(one), nodes_of(other)
    return len(mine) == len(theirs) and all(_own(a) == _own(b) for a, b in zip(mine, theirs, strict=True))


def _own(node: ast.AST) -> list[object]:
    """What a node is, but for the nodes in it: of lists of these, how many they are."""
    found: list[object] = [type(node)]
    for name in node._fields:
        value = getattr(node, name, None)
        if isinstance(value, list):
            found += [len(value), *(part for part in value if not isinstance(part, ast.AST))]
        else:
            found.append(type(value) if isinstance(value, ast.AST) else (type(value), value))
    return found


@lru_cache(maxsize=_KEPT)
def functions_of(module: ast.Module) -> dict[str, Function]:
    """Qualified name → function, nested ones included; of two with one name the last, as in Python."""
    return dict(named_functions(module))


def functions_around(module: ast.Module, line: int) -> list[tuple[str, Function]]:
    """(qualified name, function) of those that a line lies in, outermost first."""
    return [(n, f) for n, f in functions_of(module).items() if f.lineno <= line <= (f.end_lineno or 0)]


def named_functions(module: ast.Module, within: str = ".") -> Iterator[tuple[str, Function]]:
    """(qualified name, function) in the order of the source, nested ones included. within: what stands
    between a function's name and that of one in it."""
    waiting: list[tuple[ast.AST, str]] = [(module, "")]
    while waiting:
        node, prefix = waiting.pop()
        if isinstance(node, Function):
            yield prefix + node.name, node
            prefix = f"{prefix}{node.name}{within}"
        elif isinstance(node, ast.ClassDef):
            prefix = f"{prefix}{node.name}."
        blocks = (getattr(node, name, ()) for name in _BLOCKS)
        waiting += [(child, prefix) for block in blocks for child in block][::-1]


@dataclass(frozen=True, slots=True)
class Imported:
    """A name that an import binds.

    local: the name; dotted: what it stands for, without the leading dots of a relative import, of which there
    are `level`; module: the one that is imported, or imported from; node: the statement.
    """

    local: str
    dotted: str
    module: str
    level: int
    node: ast.Import | ast.ImportFrom


@lru_cache(maxsize=_KEPT)
def imports_of(node: ast.AST) -> tuple[Imported, ...]:
    """What the imports in a node bind, wherever they stand."""
    return tuple(
        imported
        for inner in nodes_of(node)
        if isinstance(inner, ast.Import | ast.ImportFrom)
        for imported in _imported(inner)
    )


def _imported(node: ast.Import | ast.ImportFrom) -> Iterator[Imported]:
    for alias in node.names:
        if isinstance(node, ast.ImportFrom):
            dotted = f"{node.module}.{alias.name}" if node.module else alias.name
            yield Imported(alias.asname or alias.name, dotted, node.module or "", node.level, node)
        else:
            top = alias.name.partition(".")[0]
            yield Imported(alias.asname or top, alias.name if alias.asname else top, alias.name, 0, node)


@lru_cache(maxsize=_KEPT)
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
    for inner in nodes_of(node):
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
