"""What the failing line calls and reads, as far as the repository defines it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from functions.core.source import syntax
from functions.core.source.syntax_tree import imports_of
from functions.propose_patch.repository import SourceTree

_REEXPORTS = 3
"""How many `from x import name` are followed to where a name is really defined."""


@dataclass(frozen=True, slots=True)
class Definition:
    """A statement in a file that defines `name`."""

    path: str
    name: str
    node: ast.stmt


def definitions_for(repository: SourceTree, path: str, line: int) -> Iterator[Definition]:
    """Definitions behind the names of the failing statement, and one step back along the data: behind the
    values that the function gave to those names, and the types their annotations declare. May repeat."""
    tree = repository.tree(path)
    if tree is None:
        return
    function, owner = syntax.enclosing(tree, line)
    scope: ast.AST = function or owner or tree
    failing = syntax.statement_at(scope, line)
    if failing is None:
        return
    resolver = _Resolver(repository, path, tree, owner)
    origins = list(_origins(function, syntax.names_in(failing))) if function else []
    yield from resolver.behind(failing, dict(origins))
    for _, value in origins:
        yield from resolver.behind(value, {})


def _origins(function: syntax.Function, names: set[str]) -> Iterator[tuple[str, ast.AST]]:
    """Names used on the failing line, with the expression or annotation they got their value from."""
    arguments = function.args
    for argument in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs):
        if argument.arg in names and argument.annotation:
            yield argument.arg, argument.annotation
    for node in ast.walk(function):
        value = (
            getattr(node, "value", None) or getattr(node, "iter", None) or getattr(node, "context_expr", None)
        )
        if isinstance(value, ast.AST):
            for name in sorted(syntax.assigned(node) & names):
                yield name, value


class _Resolver:
    def __init__(
        self, repository: SourceTree, path: str, tree: ast.Module, owner: ast.ClassDef | None
    ) -> None:
        self._repository = repository
        self._path = path
        self._tree = tree
        self._owner = owner

    def behind(self, node: ast.AST, origins: dict[str, ast.AST]) -> Iterator[Definition]:
        """Definitions of the names and attributes that occur in a node, as one reads it."""
        parts = (part for part in ast.walk(node) if isinstance(part, ast.expr))
        for part in sorted(parts, key=lambda expr: (expr.lineno, expr.end_col_offset or 0)):
            if isinstance(part, ast.Attribute) and isinstance(part.value, ast.Name):
                yield from self._attribute(part.value.id, part.attr, origins)
            elif isinstance(part, ast.Name):
                yield from self._name(part.id)
            elif isinstance(part, ast.Constant) and isinstance(part.value, str) and part.value.isidentifier():
                # A forward reference in an annotation; any other text that names nothing resolves to nothing.
                yield from (d for d in self._name(part.value) if isinstance(d.node, ast.ClassDef))

    def _name(self, name: str) -> Iterator[Definition]:
        if found := self._find(self._path, name):
            yield found

    def _attribute(self, base: str, attribute: str, origins: dict[str, ast.AST]) -> Iterator[Definition]:
        if base in ("self", "cls") and self._owner:
            yield from self._member(self._path, self._owner, attribute)
        elif module := self._module(base):
            if found := self._find(module, attribute):
                yield found
        else:
            for name in (base, *sorted(syntax.names_in(origins[base]) if base in origins else ())):
                found = self._find(self._path, name)
                if found and isinstance(found.node, syntax.Function) and found.node.returns is not None:
                    returned = sorted(syntax.names_in(found.node.returns))
                    found = next(filter(None, (self._find(found.path, r) for r in returned)), found)
                if found and isinstance(found.node, ast.ClassDef):
                    yield from self._member(found.path, found.node, attribute)

    def _member(self, path: str, owner: ast.ClassDef, attribute: str) -> Iterator[Definition]:
        if node := syntax.member(owner, attribute):
            yield Definition(path, f"{owner.name}.{attribute}", node)
            return
        for base in owner.bases:
            name = base.id if isinstance(base, ast.Name) else ""
            parent = self._find(path, name) if name else None
            if parent and isinstance(parent.node, ast.ClassDef) and parent.node is not owner:
                node = syntax.member(parent.node, attribute)
                if node:
                    yield Definition(parent.path, f"{parent.name}.{attribute}", node)

    def _module(self, name: str) -> str | None:
        """The file behind a name that an import bound to a module."""
        found = next((one for one in imports_of(self._tree) if one.local == name), None)
        return self._repository.module(found.dotted, found.level, self._path) if found else None

    def _find(self, path: str, name: str) -> Definition | None:
        """Where a name of a module is really defined, through re-exports."""
        for _ in range(_REEXPORTS):
            tree = self._repository.tree(path)
            if tree is None:
                return None
            if node := syntax.top_level(tree, name):
                return Definition(path, name, node)
            sources = (one for one in imports_of(tree) if isinstance(one.node, ast.ImportFrom))
            source = next((one for one in sources if one.local == name), None)
            target = self._repository.module(source.module, source.level, path) if source else None
            if source is None or target is None:
                return None
            path, name = target, source.dotted.rpartition(".")[2]
        return None
