"""Statements that make, change or remove a value, by what they do to it."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice

from functions.propose_patch import syntax

STATEMENT_LINES = 6
"""Of a long statement, the lines that are shown."""

_WRITES_TABLE = r"\b(?:INTO|UPDATE|TABLE(?: IF NOT EXISTS)?)\s+[\"`]?{}\b"
_CHANGES = {"append", "add", "update", "setdefault", "pop", "insert", "extend", "put", "clear", "remove"}


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement, the function and the class it lies in, and its own expressions, without inner
    statements."""

    node: ast.stmt
    function: syntax.Function | None
    owner: ast.ClassDef | None

    @property
    def parts(self) -> Iterator[ast.AST]:
        waiting: list[ast.AST] = [self.node]
        while waiting:
            node = waiting.pop()
            yield node
            inner = ast.iter_child_nodes(node)
            waiting += [child for child in inner if not isinstance(child, ast.stmt | ast.ExceptHandler)]


Finder = Callable[[Statement], bool]


def constant_key(node: ast.AST) -> str:
    """The key of `x["key"]`, and of `x.get("key")` and `x.pop("key")`."""
    inner: ast.AST | None = None
    if isinstance(node, ast.Subscript):
        inner = node.slice
    elif isinstance(node, ast.Call) and called(node) in ("get", "pop", "setdefault") and node.args:
        inner = node.args[0]
    return inner.value if isinstance(inner, ast.Constant) and isinstance(inner.value, str) else ""


def called(node: ast.AST) -> str:
    """The last name of what a call calls, "" for anything else."""
    if not isinstance(node, ast.Call):
        return ""
    return getattr(node.func, "attr", getattr(node.func, "id", ""))


def calls(*names: str) -> Finder:
    return lambda statement: any(called(part) in names for part in statement.parts)


def sets_key(key: str) -> Finder:
    """`x[key] = …`, `del x[key]`, `{key: …}`, `dict(key=…)`, `x.pop(key)`, `x.setdefault(key, …)`."""

    def sets(part: ast.AST) -> bool:
        if isinstance(part, ast.Subscript):
            return not isinstance(part.ctx, ast.Load) and constant_key(part) == key
        if isinstance(part, ast.Dict):
            return any(isinstance(k, ast.Constant) and k.value == key for k in part.keys)
        if called(part) in ("pop", "setdefault"):
            return constant_key(part) == key
        return isinstance(part, ast.keyword) and part.arg == key

    return lambda statement: any(map(sets, statement.parts))


def sets_attribute(name: str) -> Finder:
    """`x.name = …`, `del x.name`, `setattr(x, "name", …)`, `name = …` in a class or a module, a method or
    property of that name, `f(name=…)`, and a constructor that takes it."""

    def sets(part: ast.AST) -> bool:
        if isinstance(part, ast.Attribute):
            return part.attr == name and not isinstance(part.ctx, ast.Load)
        if called(part) in ("setattr", "delattr"):
            return any(
                isinstance(given, ast.Constant) and given.value == name for given in arguments_of(part)
            )
        return isinstance(part, ast.keyword) and part.arg == name

    def finds(statement: Statement) -> bool:
        node = statement.node
        if isinstance(node, syntax.Function):
            takes = node.name == "__init__" and name in syntax.arguments(node)
            return statement.owner is not None and (node.name == name or takes)
        outside = statement.function is None and name in syntax.assigned(node)
        return outside or any(map(sets, statement.parts))

    return finds


def has_field(name: str) -> Finder:
    """`X = namedtuple("X", "name …")` and the like: a class that is made by a call."""
    word = re.compile(rf"\b{re.escape(name)}\b")

    def names_it(part: ast.AST) -> bool:
        return (
            isinstance(part, ast.Constant) and isinstance(part.value, str) and bool(word.search(part.value))
        )

    def finds(statement: Statement) -> bool:
        value = statement.node.value if isinstance(statement.node, ast.Assign) else None
        maker = called(value) if value else ""
        return maker in ("namedtuple", "NamedTuple", "make_dataclass") and any(map(names_it, statement.parts))

    return finds


def changes_table(name: str) -> Finder:
    """`name[…] = …`, `name.append(…)` and the like, `module.name[…] = …`, and a method of it that is called
    with something and for nothing that it returns, such as `name.set(…)`."""

    def hands_over(node: ast.stmt) -> bool:
        call = node.value if isinstance(node, ast.Expr) else None
        if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Attribute):
            return False
        return bool(arguments_of(call)) and last_name(call.func.value) == name

    def changes(part: ast.AST) -> bool:
        if isinstance(part, ast.Subscript) and not isinstance(part.ctx, ast.Load):
            return last_name(part.value) == name
        if isinstance(part, ast.Call) and isinstance(part.func, ast.Attribute):
            return part.func.attr in _CHANGES and last_name(part.func.value) == name
        return False

    return lambda statement: hands_over(statement.node) or any(map(changes, statement.parts))


def writes_sql(name: str) -> Finder:
    written = re.compile(_WRITES_TABLE.format(re.escape(name)), re.I)

    def writes(part: ast.AST) -> bool:
        return (
            isinstance(part, ast.Constant)
            and isinstance(part.value, str)
            and bool(written.search(part.value))
        )

    return lambda statement: any(map(writes, statement.parts))


def defines(name: str) -> Finder:
    return lambda statement: isinstance(statement.node, syntax.Function) and statement.node.name == name


def last_name(node: ast.AST) -> str:
    return getattr(node, "attr", getattr(node, "id", ""))


def arguments_of(node: ast.AST) -> list[ast.expr]:
    return [*node.args, *(keyword.value for keyword in node.keywords)] if isinstance(node, ast.Call) else []


def statements_of(
    body: Iterable[ast.AST], function: syntax.Function | None, owner: ast.ClassDef | None
) -> Iterator[Statement]:
    for node in body:
        if not isinstance(node, ast.stmt):
            continue
        yield Statement(node, function, owner)
        inner = syntax.children(node)
        if isinstance(node, ast.ClassDef):
            yield from statements_of(inner, None, node)
        else:
            yield from statements_of(inner, node if isinstance(node, syntax.Function) else function, owner)


def is_fixed(node: ast.stmt) -> bool:
    """Whether a statement writes a constant or a literal: what is wrong is mostly written down."""
    value = getattr(node, "value", None)
    return isinstance(node, ast.Delete | syntax.Function) or isinstance(
        value, ast.Constant | ast.Dict | ast.Call
    )


def lines_of(statement: Statement) -> frozenset[int]:
    """The statement's lines, and the head of the function that it lies in; of a function, what it returns or
    yields, and what it made that of, too."""
    node, function = statement.node, statement.function
    shown = list(syntax.head(function))[:2] if function else []
    if isinstance(node, syntax.Function):
        gives = [
            n for n in ast.walk(node) if isinstance(n, ast.Return | ast.Yield | ast.YieldFrom) and n.value
        ]
        inside = [line for n in gives[:3] for line in range(n.lineno, (n.end_lineno or n.lineno) + 1)]
        names = {name for n in gives[:3] if n.value for name in syntax.names_in(n.value)}
        made = [line for n in islice(_making(node, names), 4) for line in syntax.span(n)[:STATEMENT_LINES]]
        return frozenset([*shown, *syntax.head(node), *inside, *made])
    if isinstance(node, ast.ClassDef) or hasattr(node, "body"):
        return frozenset([*shown, *syntax.head(node)])
    return frozenset([*shown, *list(syntax.span(node))[:STATEMENT_LINES]])


def _making(function: syntax.Function, names: set[str]) -> Iterator[ast.stmt]:
    """The statements of a function that give a value to one of these names, change it, or define it."""
    changes = [changes_table(name) for name in sorted(names)]
    for node in ast.walk(function):
        if node is function or not isinstance(node, ast.stmt):
            continue
        defines_it = isinstance(node, syntax.Function) and node.name in names
        simple = Statement(node, None, None)
        if defines_it or (not hasattr(node, "body") and _gives(simple, names, changes)):
            yield node


def _gives(statement: Statement, names: set[str], changes: Iterable[Finder]) -> bool:
    return bool(syntax.assigned(statement.node) & names) or any(finds(statement) for finds in changes)
