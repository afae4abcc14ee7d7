"""Questions to a syntax tree, answered in line numbers."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator

Function = ast.FunctionDef | ast.AsyncFunctionDef


def first_line(node: ast.stmt) -> int:
    """Where a statement starts, decorators included."""
    decorators: list[ast.expr] = getattr(node, "decorator_list", [])
    return min([node.lineno, *(decorator.lineno for decorator in decorators)])


def span(node: ast.stmt) -> range:
    """All lines of a statement."""
    return range(first_line(node), (node.end_lineno or node.lineno) + 1)


def enclosing(tree: ast.Module, line: int) -> tuple[Function | None, ast.ClassDef | None]:
    """The innermost function around a line, and the innermost class around that (or around the line)."""
    function: Function | None = None
    owner: ast.ClassDef | None = None
    body: Iterable[ast.AST] = tree.body
    while True:
        inner = next((n for n in body if isinstance(n, ast.stmt) and line in span(n)), None)
        if inner is None:
            return function, owner
        if isinstance(inner, ast.ClassDef):
            function, owner = None, inner
        elif isinstance(inner, Function):
            function = inner
        body = children(inner)


def children(node: ast.stmt) -> list[ast.AST]:
    """Statements directly inside, through the handlers and cases that are no statements themselves."""
    found: list[ast.AST] = []
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.stmt):
            found.append(child)
        elif isinstance(child, ast.ExceptHandler | ast.match_case):
            found += child.body
    return found


def statement_at(scope: ast.AST, line: int) -> ast.AST | None:
    """The smallest statement that covers a line; of a compound one only its head, without its body."""
    covering = [n for n in ast.walk(scope) if isinstance(n, ast.stmt) and line in span(n)]
    if not covering:
        return None
    smallest = min(covering, key=lambda node: len(span(node)))
    if not hasattr(smallest, "body"):
        return smallest
    children = ast.iter_child_nodes(smallest)
    parts = (c.context_expr if isinstance(c, ast.withitem) else c for c in children)
    head = ast.Tuple(elts=[part for part in parts if isinstance(part, ast.expr)], ctx=ast.Load())
    return ast.copy_location(head, smallest)


def import_lines(tree: ast.Module) -> set[int]:
    """Lines of the imports at module level, those under `if TYPE_CHECKING:` and `try:` included."""
    return {line for statement in tree.body for line in _import_lines(statement)}


def _import_lines(statement: ast.stmt) -> Iterator[int]:
    inside = statement.body if isinstance(statement, ast.If | ast.Try) else [statement]
    if any(isinstance(node, ast.Import | ast.ImportFrom) for node in inside):
        yield from span(statement)


def constant_lines(tree: ast.Module, names: set[str], most: int) -> set[int]:
    """Lines of the module-level assignments to these names, at most `most` for each."""
    found: set[int] = set()
    for statement in tree.body:
        if isinstance(statement, ast.Assign | ast.AnnAssign | ast.AugAssign) and assigned(statement) & names:
            found |= set(span(statement)[:most])
    return found


def assigned(statement: ast.AST) -> set[str]:
    """Names that a statement binds by assignment."""
    targets: list[ast.expr] = []
    if isinstance(statement, ast.Assign):
        targets = statement.targets
    elif isinstance(statement, ast.AnnAssign | ast.AugAssign | ast.For | ast.AsyncFor | ast.NamedExpr):
        targets = [statement.target]
    elif isinstance(statement, ast.withitem) and statement.optional_vars:
        targets = [statement.optional_vars]
    return {n.id for target in targets for n in ast.walk(target) if isinstance(n, ast.Name)}


def arguments(function: Function) -> set[str]:
    """Names of a function's arguments."""
    taken = function.args
    named = (*taken.posonlyargs, *taken.args, *taken.kwonlyargs)
    return {a.arg for a in (*named, *filter(None, (taken.vararg, taken.kwarg)))}


def head(node: ast.stmt) -> range:
    """The lines of a compound statement before its body, decorators included."""
    body: list[ast.stmt] = getattr(node, "body", [])
    last = first_line(body[0]) if body else node.lineno + 1
    return range(first_line(node), max(last, node.lineno + 1))


def names_in(node: ast.AST) -> set[str]:
    """All names that occur in a node."""
    return {n.id for n in ast.walk(node) if isinstance(n, ast.Name)}


def outline_lines(owner: ast.ClassDef) -> set[int]:
    """Head of a class, its attributes, and the signatures of its methods."""
    first_body = owner.body[0]
    found = set(range(first_line(owner), max(first_line(first_body), owner.lineno + 1)))
    for statement in owner.body:
        if isinstance(statement, Function):
            found |= set(
                range(first_line(statement), max(first_line(statement.body[0]), statement.lineno + 1))
            )
        elif isinstance(statement, ast.Assign | ast.AnnAssign):
            found |= set(span(statement)[:3])
    return found


def member(owner: ast.ClassDef, name: str) -> ast.stmt | None:
    """A method or class attribute, or the assignment to `self.name` in one of the methods."""
    for statement in owner.body:
        if isinstance(statement, Function | ast.ClassDef) and statement.name == name:
            return statement
        if name in assigned(statement):
            return statement
    for node in ast.walk(owner):
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        for target in targets:
            if isinstance(target, ast.Attribute) and target.attr == name and isinstance(node, ast.stmt):
                return node
    return None


def top_level(tree: ast.Module, name: str) -> ast.stmt | None:
    """The last definition of a name at module level: function, class or assignment."""
    found: ast.stmt | None = None
    for statement in tree.body:
        named = isinstance(statement, Function | ast.ClassDef) and statement.name == name
        if named or name in assigned(statement):
            found = statement
    return found
