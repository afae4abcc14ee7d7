"""What the source says about names: who binds them, to what, and which are visible where."""

from __future__ import annotations

import builtins
from collections.abc import Iterator
from dataclasses import dataclass

import libcst as cst

from infra.local.model.source import SourceFile, Statement, walk


@dataclass(frozen=True, slots=True)
class Binding:
    """`name = value` as a statement of its own (annotated or not)."""

    statement: cst.SimpleStatementLine
    name: str
    value: cst.BaseExpression
    annotation: str = ""


def bindings(file: SourceFile, within: cst.CSTNode) -> Iterator[Binding]:
    """Simple assignments to one name, in source order."""
    for statement in walk(within, cst.SimpleStatementLine):
        small = statement.body[0]
        if len(statement.body) != 1:
            continue
        if isinstance(small, cst.Assign) and len(small.targets) == 1:
            target: cst.CSTNode = small.targets[0].target
            if isinstance(target, cst.Name):
                yield Binding(statement, target.value, small.value)
        elif isinstance(small, cst.AnnAssign) and small.value and isinstance(small.target, cst.Name):
            note = file.code(small.annotation.annotation)
            yield Binding(statement, small.target.value, small.value, note)


def binding_before(file: SourceFile, scope: cst.CSTNode, name: str, line: int) -> Binding | None:
    """The only assignment to the name in the scope, when it lies above the line."""
    found = [b for b in bindings(file, scope) if b.name == name]
    others = [
        n for n in stores(scope) if n.value == name and not any(n in _targets(b.statement) for b in found)
    ]
    if len(found) != 1 or others or file.start(found[0].statement)[0] >= line:
        return None
    return found[0]


def _targets(statement: cst.SimpleStatementLine) -> list[cst.Name]:
    return list(stores(statement))


def stores(within: cst.CSTNode) -> Iterator[cst.Name]:
    """Names that assignments, loops, `with`, and comprehensions bind inside the node."""
    if isinstance(within, cst.AssignTarget | cst.AnnAssign | cst.For | cst.CompFor | cst.NamedExpr):
        yield from _names(within.target)
    elif isinstance(within, cst.AsName):
        yield from _names(within.name)
    for child in within.children:
        yield from stores(child)


def _names(target: cst.CSTNode) -> Iterator[cst.Name]:
    if isinstance(target, cst.Name):
        yield target
    elif isinstance(target, cst.Tuple | cst.List):
        for element in target.elements:
            yield from _names(element.value)


def constants(file: SourceFile) -> dict[str, Binding]:
    """Module-level names that are assigned exactly once."""
    found: dict[str, Binding] = {}
    again: set[str] = set()
    for statement in file.body:
        if isinstance(statement, cst.SimpleStatementLine):
            for binding in bindings(file, statement):
                (again.add(binding.name) if binding.name in found else None)
                found[binding.name] = binding
    return {name: binding for name, binding in found.items() if name not in again}


def parameters(function: cst.FunctionDef) -> list[cst.Param]:
    """All named parameters, in order, without `*args` and `**kwargs`."""
    ps = function.params
    return [*ps.posonly_params, *ps.params, *ps.kwonly_params]


def parameter(function: cst.FunctionDef | None, name: str) -> cst.Param | None:
    return next((p for p in parameters(function) if p.name.value == name), None) if function else None


def annotation(file: SourceFile, node: cst.Param | cst.FunctionDef) -> str:
    """The parameter's or the return annotation as text, without quotes; empty when there is none."""
    note = node.annotation if isinstance(node, cst.Param) else node.returns
    return file.code(note.annotation).strip("\"'") if note else ""


def is_optional(note: str) -> bool:
    """Whether an annotation allows None."""
    return note.startswith("Optional[") or "None" in [part.strip() for part in note.split("|")][1:] + (
        [note.split("|")[0].strip()] if "|" in note else []
    )


def imported(file: SourceFile) -> dict[str, str]:
    """Names bound by module-level imports, with where they come from: {"Decimal": "decimal.Decimal"}."""
    names: dict[str, str] = {}
    for statement in file.body:
        if not isinstance(statement, cst.SimpleStatementLine):
            continue
        for small in statement.body:
            if not isinstance(small, cst.Import | cst.ImportFrom) or isinstance(small.names, cst.ImportStar):
                continue
            source = ""
            if isinstance(small, cst.ImportFrom):
                source = "." * len(small.relative) + (file.code(small.module) if small.module else "") + "."
            for alias in small.names:
                dotted = file.code(alias.name)
                if alias.asname:
                    names[file.code(alias.asname.name)] = source + dotted
                else:
                    names[dotted if source else dotted.split(".")[0]] = source + dotted
    return names


def module_names(file: SourceFile) -> set[str]:
    """Names that the module itself binds: functions, classes, imports, assignments."""
    names = set(imported(file))
    for statement in file.body:
        if isinstance(statement, cst.FunctionDef | cst.ClassDef):
            names.add(statement.name.value)
        else:
            names.update(name.value for name in stores(statement))
    return names


def visible_names(file: SourceFile, function: cst.FunctionDef | None) -> set[str]:
    """Names that can be read in the function: its own, those of functions around it, the module's."""
    names = module_names(file)
    scope: cst.FunctionDef | None = function
    while scope is not None:
        names.update(p.name.value for p in parameters(scope))
        for star in (scope.params.star_arg, scope.params.star_kwarg):
            if isinstance(star, cst.Param):
                names.add(star.name.value)
        names.update(name.value for name in stores(scope.body))
        scope = file.enclosing(scope, cst.FunctionDef)
    return names


BUILTINS = frozenset(name for name in dir(builtins) if not name.startswith("_"))


def names_in(node: cst.CSTNode) -> set[str]:
    """Names that the expression reads; attribute names and keyword labels are not names."""
    found: set[str] = set()
    if isinstance(node, cst.Name):
        return {node.value}
    for child in node.children:
        if isinstance(node, cst.Attribute) and child is node.attr:
            continue
        if isinstance(node, cst.Arg) and child is node.keyword:
            continue
        found |= names_in(child)
    return found


def is_plain(node: cst.BaseExpression) -> bool:
    """Whether reading the expression twice is safe and cheap: names, attributes, literals, subscripts."""
    if isinstance(node, cst.Name | cst.SimpleString | cst.Integer):
        return True
    if isinstance(node, cst.Attribute):
        return is_plain(node.value)
    return (
        isinstance(node, cst.Subscript)
        and is_plain(node.value)
        and ((key := index_of(node)) is not None and is_plain(key))
    )


def index_of(node: cst.Subscript) -> cst.BaseExpression | None:
    """The expression between the brackets; None for slices and several indices."""
    if len(node.slice) == 1 and isinstance(node.slice[0].slice, cst.Index):
        return node.slice[0].slice.value
    return None


def definition(file: SourceFile, name: str) -> cst.FunctionDef | cst.ClassDef | None:
    """The module-level function or class of that name."""
    for statement in file.body:
        if isinstance(statement, cst.FunctionDef | cst.ClassDef) and statement.name.value == name:
            return statement
    return None


def methods(definition: cst.ClassDef) -> dict[str, cst.FunctionDef]:
    return {s.name.value: s for s in definition.body.body if isinstance(s, cst.FunctionDef)}


def literal(node: cst.BaseExpression | None) -> str | None:
    """The value of a plain string literal."""
    if isinstance(node, cst.SimpleString):
        value = node.evaluated_value
        return value if isinstance(value, str) else None
    return None


def sole_body(block: cst.BaseSuite) -> cst.CSTNode | None:
    """The small statement of a suite that holds just one."""
    body: list[cst.CSTNode] = list(block.body)
    if len(body) == 1 and isinstance(body[0], cst.SimpleStatementLine):
        body = list(body[0].body)
    return body[0] if len(body) == 1 and not isinstance(body[0], Statement) else None
