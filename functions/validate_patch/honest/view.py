"""What a rule sees of one file: its syntax tree, before or after the patch, and the candidate around it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

from functions.validate_patch.candidate import Candidate, Place

Function = ast.FunctionDef | ast.AsyncFunctionDef
Node = TypeVar("Node", bound=ast.AST)


@dataclass(frozen=True, slots=True)
class Hit:
    """Something a rule found. Hits of equal key before and after the patch are the same construct."""

    line: int
    key: str
    text: str
    """What is wrong with it, continuing `path:line: `."""


@dataclass(frozen=True)
class View:
    """One version of one file."""

    path: str
    module: ast.Module
    source: str
    before: ast.Module | None
    """The file as fetched (the same as `module` when this is the version before the patch)."""
    candidate: Candidate

    @cached_property
    def parents(self) -> dict[ast.AST, ast.AST]:
        return {child: node for node in ast.walk(self.module) for child in ast.iter_child_nodes(node)}

    def ancestors(self, node: ast.AST) -> Iterator[ast.AST]:
        """From the parent outwards."""
        while (parent := self.parents.get(node)) is not None:
            yield parent
            node = parent

    def function(self, node: ast.AST) -> Function | None:
        """The innermost function around a node."""
        return next((up for up in self.ancestors(node) if isinstance(up, Function)), None)

    def where(self, node: ast.AST) -> str:
        """The qualified name of the place, as the part of a key that keeps functions apart."""
        names = [up.name for up in self.ancestors(node) if isinstance(up, Function | ast.ClassDef)]
        return ".".join(reversed(names)) or "<module>"

    def walk(self, *kinds: type[Node]) -> Iterator[Node]:
        """All nodes of these kinds, in source order."""
        found = [node for node in ast.walk(self.module) if isinstance(node, kinds)]
        return iter(sorted(found, key=_position))

    @cached_property
    def places(self) -> tuple[Place, ...]:
        """The incident's frames in this file."""
        return tuple(place for place in self.candidate.places if place.path == self.path)


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


def _position(node: ast.AST) -> tuple[int, int]:
    return getattr(node, "lineno", 0), getattr(node, "col_offset", 0)


def dotted(node: ast.expr) -> str:
    """`a.b.c` of a name or attribute chain; "" for other expressions."""
    if isinstance(node, ast.Attribute):
        base = dotted(node.value)
        return f"{base}.{node.attr}" if base else node.attr
    return node.id if isinstance(node, ast.Name) else ""
