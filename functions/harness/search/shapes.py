"""What inputs look like: read from how code uses its parameters, and from calls in the repository's tests."""

from __future__ import annotations

import ast
import base64
import json
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Union

from functions.harness.search.values import BUILTINS, Builtin, Lookup, New, Value

Function = Union[ast.FunctionDef, ast.AsyncFunctionDef]

_TEXT_METHODS = frozenset(
    {
        "upper",
        "lower",
        "strip",
        "split",
        "startswith",
        "endswith",
        "replace",
        "format",
        "title",
        "encode",
        "isdigit",
    }
    | {
        "join",
        "splitlines",
        "partition",
        "lstrip",
        "rstrip",
        "removeprefix",
        "removesuffix",
        "capitalize",
        "zfill",
    }
)
_SAME_TEXT = frozenset({"strip", "lstrip", "rstrip", "lower", "upper", "decode", "encode", "replace"})
_READS = frozenset({"read", "readline", "readlines"})
_MAPPING_METHODS = frozenset({"get", "items", "keys", "values", "pop", "setdefault"})
_DEPTH = 4


@dataclass
class Shape:
    """What is read from a value: its keys, its attributes, its elements, or that it is text or a number."""

    keys: dict[str, Shape] = field(default_factory=dict)
    attributes: dict[str, Shape] = field(default_factory=dict)
    element: Shape | None = None
    text: bool = False
    number: bool = False
    mapping: bool = False
    called: bool = False
    digits: bool = False
    """Whether it is read as a number: text of one will do."""
    json: Shape | None = None
    """What it holds as JSON."""
    base64: Shape | None = None
    values: Shape | None = None
    """Of a dictionary that is gone through."""
    parts: list[Shape] = field(default_factory=list)
    """What it is taken apart into."""
    binary: bool = False
    stream: bool = False

    def merge(self, other: Shape) -> None:
        """Take in what is read from the same value elsewhere."""
        for mine, theirs in ((self.keys, other.keys), (self.attributes, other.attributes)):
            for name, shape in theirs.items():
                mine.setdefault(name, Shape()).merge(shape)
        for mine_part, theirs_part in zip(self.parts, other.parts):
            mine_part.merge(theirs_part)
        self.parts = self.parts or other.parts
        for part in ("element", "json", "base64", "values"):
            theirs_inner = getattr(other, part)
            if theirs_inner is not None:
                setattr(self, part, getattr(self, part) or Shape())
                getattr(self, part).merge(theirs_inner)
        for flag in ("text", "number", "mapping", "called", "digits", "binary", "stream"):
            setattr(self, flag, getattr(self, flag) or getattr(other, flag))

    def example(self, depth: int = 0) -> Value:
        """The smallest value of this shape."""
        if depth > _DEPTH:
            return None
        if self.called:
            return Builtin("int")
        value = self._held(depth + 1)
        if self.stream:
            return New(
                "BytesIO" if self.binary else "StringIO", {}, (value if isinstance(value, str) else "x",)
            )
        return value.encode() if self.binary and isinstance(value, str) else value

    def _held(self, depth: int) -> Value:
        if self.base64 is not None:
            return base64.b64encode(str(self.base64.example(depth)).encode()).decode()
        if self.json is not None:
            return json.dumps(self.json.example(depth))
        if self.keys or self.mapping:
            others = {"x": self.values.example(depth)} if self.values is not None and not self.keys else {}
            return {**others, **{key: shape.example(depth) for key, shape in self.keys.items()}}
        if self.attributes:
            arguments = {name: shape.example(depth) for name, shape in self.attributes.items()}
            return New("SimpleNamespace", arguments)
        if self.parts:
            return tuple(part.example(depth) for part in self.parts)
        if self.element is not None and not self.text:
            return [self.element.example(depth)]
        if self.number and not self.text:
            return 1
        return "1" if self.digits else "x"


class _Reader(ast.NodeVisitor):
    """Collects the shapes of a function's parameters, following assignments, loops and calls.

    functions: those of the same file, which a parameter may be handed on to.
    """

    def __init__(self, parameters: list[str], functions: Mapping[str, Function] | None = None) -> None:
        self._functions = functions or {}
        self.shapes = {name: Shape() for name in parameters}
        self.known: dict[str, Shape] = dict(self.shapes)

    def shape_of(self, node: ast.expr) -> Shape | None:
        if isinstance(node, ast.Name):
            return self.known.get(node.id)
        if isinstance(node, ast.Subscript):
            base = self.shape_of(node.value)
            if base is None:
                return None
            if isinstance(node.slice, ast.Constant) and isinstance(node.slice.value, str):
                return base.keys.setdefault(node.slice.value, Shape())
            if isinstance(node.slice, ast.Slice):
                base.text = base.text or base.element is None
                return base
            base.element = base.element or Shape()
            return base.element
        if isinstance(node, ast.Attribute):
            base = self.shape_of(node.value)
            return base.attributes.setdefault(node.attr, Shape()) if base is not None else None
        return self._of_call(node) if isinstance(node, ast.Call) else None

    def _of_call(self, node: ast.Call) -> Shape | None:
        """What a method gives of what it is called on, or what a reader makes of its argument."""
        base = self.shape_of(node.func.value) if isinstance(node.func, ast.Attribute) else None
        name = _last_name(node.func)
        if base is None:
            return self._read(node) if node.args else None
        if name in ("get", "pop") and node.args:
            key = node.args[0]
            if isinstance(key, ast.Constant) and isinstance(key.value, str):
                return base.keys.setdefault(key.value, Shape())
        if name in ("items", "values"):
            base.mapping = True
            base.values = base.values or Shape()
            pair = Shape(parts=[Shape(), base.values])
            return Shape(element=pair if name == "items" else base.values)
        base.binary = base.binary or name == "decode"
        base.stream = base.stream or name in _READS
        return base if name in _SAME_TEXT else None

    def _read(self, node: ast.Call) -> Shape | None:
        """What a text holds that is read by the standard library."""
        name, shape = _last_name(node.func), self.shape_of(node.args[0])
        if shape is not None and name in ("int", "float", "Decimal"):
            shape.digits = True
        for reader, part in (("loads", "json"), ("b64decode", "base64")):
            if shape is not None and name == reader:
                setattr(shape, part, getattr(shape, part) or Shape())
                return getattr(shape, part)  # type: ignore[no-any-return] # a Shape, as was just set
        return None

    def visit_Call(self, node: ast.Call) -> None:
        self.shape_of(node)
        if isinstance(node.func, ast.Attribute):
            base = self.shape_of(node.func.value)
            if base is not None and node.func.attr in _TEXT_METHODS:
                base.text = True
            elif base is not None and node.func.attr in _MAPPING_METHODS:
                base.mapping = True
                self.shape_of(node)
            for inner in (node.func.value, *node.args, *(k.value for k in node.keywords)):
                self.visit(inner)
            return
        if isinstance(node.func, ast.Name):
            self._hand_on(node, node.func.id)
            self._by_key(node)
        self.generic_visit(node)

    def _hand_on(self, node: ast.Call, name: str) -> None:
        if name in self.known:
            self.known[name].called = True
        callee = self._functions.get(name)
        if callee is None:
            return
        # Without the functions, so that two that call each other come to an end.
        inner = shapes_of(callee)
        for argument, parameter in zip(node.args, callee.args.args):
            shape = self.shape_of(argument)
            if shape is not None and parameter.arg in inner:
                shape.merge(inner[parameter.arg])

    def _by_key(self, node: ast.Call) -> None:
        """`sorted(rows, key=lambda row: …)` and its like tell what the items are."""
        for function in (k.value for k in node.keywords if k.arg == "key"):
            if isinstance(function, ast.Lambda) and node.args and function.args.args:
                self._iterate(ast.Name(function.args.args[0].arg, ast.Store()), node.args[0])

    def visit_Subscript(self, node: ast.Subscript) -> None:
        self.shape_of(node)
        self.generic_visit(node)

    def visit_Attribute(self, node: ast.Attribute) -> None:
        self.shape_of(node)
        self.generic_visit(node)

    def visit_BinOp(self, node: ast.BinOp) -> None:
        for side, other in ((node.left, node.right), (node.right, node.left)):
            shape = self.shape_of(side)
            if shape is not None:
                literal = isinstance(other, ast.Constant) and isinstance(other.value, str)
                shape.text, shape.number = shape.text or literal, shape.number or not literal
        self.generic_visit(node)

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        shape = self.shape_of(node.value)
        if shape is not None:
            shape.number = True
        self.generic_visit(node)

    def visit_Compare(self, node: ast.Compare) -> None:
        for side in (node.left, *node.comparators):
            shape = self.shape_of(side)
            if shape is not None and isinstance(node.ops[0], (ast.Lt, ast.LtE, ast.Gt, ast.GtE)):
                shape.number = True
        self.generic_visit(node)

    def visit_Assign(self, node: ast.Assign) -> None:
        self.generic_visit(node)
        shape = self.shape_of(node.value)
        if shape is not None:
            for target in node.targets:
                self._bind(target, shape)

    def _bind(self, target: ast.expr, shape: Shape) -> None:
        """Names that stand for what has a shape, or for its parts."""
        if isinstance(target, ast.Name):
            self.known[target.id] = shape
        elif isinstance(target, ast.Tuple) and all(isinstance(e, ast.Name) for e in target.elts):
            shape.parts = shape.parts or [Shape() for _ in target.elts]
            for name, part in zip(target.elts, shape.parts):
                self._bind(name, part)

    def _iterate(self, target: ast.expr, iterated: ast.expr) -> None:
        shape = self.shape_of(iterated)
        if shape is not None:
            shape.element = shape.element or Shape()
            self._bind(target, shape.element)

    def visit_For(self, node: ast.For) -> None:
        self._iterate(node.target, node.iter)
        self.generic_visit(node)

    def visit_comprehension(self, node: ast.comprehension) -> None:
        self._iterate(node.target, node.iter)
        self.generic_visit(node)

    def _comprehension(self, node: ast.ListComp | ast.SetComp | ast.GeneratorExp | ast.DictComp) -> None:
        # The loops come after the element in the tree, but say what its names are.
        for generator in node.generators:
            self.visit(generator)
        self.generic_visit(node)

    visit_ListComp = _comprehension  # noqa: N815 - ast.NodeVisitor's naming
    visit_SetComp = _comprehension  # noqa: N815 - ast.NodeVisitor's naming
    visit_GeneratorExp = _comprehension  # noqa: N815 - ast.NodeVisitor's naming
    visit_DictComp = _comprehension  # noqa: N815 - ast.NodeVisitor's naming


def shapes_of(function: Function, functions: Mapping[str, Function] | None = None) -> dict[str, Shape]:
    """Parameter → shape, for all but `self` and `cls` and starred ones. functions: see `_Reader`."""
    arguments = function.args
    names = [a.arg for a in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)]
    reader = _Reader([name for name in names if name not in ("self", "cls")], functions)
    for statement in function.body:
        reader.visit(statement)
    return reader.shapes


def attributes_of(node: ast.ClassDef) -> dict[str, Shape]:
    """Attribute → shape, as the methods of a class use what they keep on `self`."""
    reader = _Reader(["self"])
    for method in node.body:
        if isinstance(method, (ast.FunctionDef, ast.AsyncFunctionDef)):
            for statement in method.body:
                reader.visit(statement)
    return reader.shapes["self"].attributes


def calls_of(
    name: str, module: ast.Module, classes: Mapping[str, list[str]]
) -> Iterator[tuple[list[Value], dict[str, Value]]]:
    """Arguments of calls of a function in a module, where they are literals or names bound to such.

    `classes`: constructors that may occur in them → their parameters.
    """
    for scope in [
        n for n in ast.walk(module) if isinstance(n, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Module))
    ]:
        bound = {
            target.id: node.value
            for node in ast.walk(scope)
            if isinstance(node, ast.Assign)
            for target in node.targets
            if isinstance(target, ast.Name)
        }
        for node in ast.walk(scope):
            if isinstance(node, ast.Call) and _last_name(node.func) == name:
                try:
                    arguments = [literal(a, bound, classes) for a in node.args]
                    keywords = {k.arg: literal(k.value, bound, classes) for k in node.keywords if k.arg}
                except ValueError:
                    continue
                yield arguments, keywords


def literal(
    node: ast.expr, bound: Mapping[str, ast.expr], classes: Mapping[str, list[str]], depth: int = 0
) -> Value:
    """The value of an expression. Raises ValueError if it is not made of literals and known constructors."""
    if depth > 2 * _DEPTH:
        raise ValueError("too deep")
    inner = depth + 1
    if isinstance(node, ast.Constant):
        return node.value
    if isinstance(node, ast.Name) and node.id in BUILTINS and node.id not in bound:
        return Builtin(node.id)
    if isinstance(node, ast.Name) and node.id in bound:
        return literal(bound[node.id], {k: v for k, v in bound.items() if k != node.id}, classes, inner)
    if isinstance(node, (ast.List, ast.Tuple)):
        values = [literal(e, bound, classes, inner) for e in node.elts]
        return values if isinstance(node, ast.List) else tuple(values)
    if isinstance(node, ast.Dict) and all(node.keys):
        keys = [ast.literal_eval(k) for k in node.keys if k is not None]
        return {k: literal(v, bound, classes, inner) for k, v in zip(keys, node.values)}
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        value = literal(node.operand, bound, classes, inner)
        if isinstance(value, (int, float)):
            return -value
    if isinstance(node, ast.Attribute) and node.attr == "get":
        table = literal(node.value, bound, classes, inner)
        if isinstance(table, dict):
            return Lookup(table)
    if isinstance(node, ast.Call):
        return _made(node, lambda argument: literal(argument, bound, classes, inner), classes)
    raise ValueError(f"not a literal: {ast.dump(node)[:80]}")


def _made(node: ast.Call, read: Callable[[ast.expr], Value], classes: Collection[str]) -> Value:
    """What a call of a known constructor, or of `json.dumps`, makes of its arguments, which `read` reads."""
    name = _last_name(node.func)
    if name == "dumps" and node.args:
        try:
            return json.dumps(read(node.args[0]))
        except TypeError as error:
            raise ValueError("what is no JSON") from error
    if name not in classes:
        raise ValueError(f"not a literal: {ast.dump(node)[:80]}")
    positional = tuple(map(read, node.args))
    return New(name, {k.arg: read(k.value) for k in node.keywords if k.arg}, positional)


def _last_name(node: ast.expr) -> str:
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""
