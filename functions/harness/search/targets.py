"""What the search may call: the functions of the traceback, innermost first, as a test could reach them."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from functions.harness.names import is_test
from functions.harness.search.shapes import Function, Shape, attributes_of, shapes_of
from functions.harness.search.values import SAMPLES, STANDARD, EnumMember, New, Value

FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)

# Annotation → a value of that type.
_TYPES: dict[str, Value] = {
    "str": "x",
    "int": 1,
    "float": 1.5,
    "bool": True,
    "dict": {},
    "list": [],
    "bytes": b"x",
}
_DEPTH = 3


@dataclass(frozen=True)
class Callee:
    """A function, or a method of a class, at module level."""

    path: str
    function: Function
    owner: ast.ClassDef | None = None

    @cached_property
    def module(self) -> str:
        return module_name(self.path)

    @property
    def imported(self) -> str:
        """The name to import from the module."""
        return self.owner.name if self.owner is not None else self.function.name

    @property
    def static(self) -> bool:
        """Whether a method is called on its class."""
        return any(
            isinstance(d, ast.Name) and d.id in ("staticmethod", "classmethod")
            for d in self.function.decorator_list
        )

    @property
    def is_property(self) -> bool:
        names = {getattr(d, "id", getattr(d, "attr", "")) for d in self.function.decorator_list}
        return bool(names & {"property", "cached_property"})

    @cached_property
    def wrapper(self) -> str:
        """What makes a call run to its end: an event loop, or a list of what it yields."""
        if isinstance(self.function, ast.AsyncFunctionDef):
            return "asyncio.run"
        own = [n for n in ast.walk(self.function) if isinstance(n, (ast.Yield, ast.YieldFrom))]
        return "list" if own else ""

    def parameters(self) -> list[ast.arg]:
        """Parameters a caller gives, in order; starred ones aside."""
        arguments = self.function.args
        found = [*arguments.posonlyargs, *arguments.args]
        bound = self.owner is not None and not any(
            isinstance(d, ast.Name) and d.id == "staticmethod" for d in self.function.decorator_list
        )
        return [*(found[1:] if bound else found), *arguments.kwonlyargs]

    def required(self) -> list[ast.arg]:
        """The parameters without a default."""
        arguments = self.function.args
        positional = [*arguments.posonlyargs, *arguments.args]
        optional = {
            a.arg for a in positional[len(positional) - len(arguments.defaults) :] if arguments.defaults
        }
        optional |= {a.arg for a, d in zip(arguments.kwonlyargs, arguments.kw_defaults) if d is not None}
        return [a for a in self.parameters() if a.arg not in optional]


@dataclass(frozen=True)
class Classes:
    """Classes of the repository that inputs may be made of: name → (module, definition)."""

    known: dict[str, tuple[str, ast.ClassDef]]
    whole: bool = False
    """Whether examples have a value for what has a default, too."""
    helpers: dict[str, tuple[str, dict[str, Value]]] = field(default_factory=dict)
    """Functions of tests that make inputs: name → (module, parameters with their defaults)."""

    def parameters(self) -> dict[str, list[str]]:
        own = {name: [a.arg for a in _constructor(node)] for name, (_, node) in self.known.items()}
        return {**{name: [] for name in (*STANDARD, *self.helpers)}, **own}

    def module_of(self, name: str) -> str:
        """Where a name that inputs use is imported from."""
        if name in STANDARD:
            return STANDARD[name]
        return self.known[name][0] if name in self.known else self.helpers[name][0]

    def spelled_out(self, value: Value) -> Value:
        """An input whose helpers are given what they have by default, so that it can be changed."""
        if isinstance(value, New):
            positional = tuple(map(self.spelled_out, value.positional))
            arguments = {name: self.spelled_out(inner) for name, inner in value.arguments.items()}
            defaults = {} if value.name in self.known else self.helpers.get(value.name, ("", {}))[1]
            left = list(defaults.items())[len(positional) :]
            return New(value.name, {**dict(left), **arguments}, positional)
        if isinstance(value, dict):
            return {key: self.spelled_out(inner) for key, inner in value.items()}
        return type(value)(map(self.spelled_out, value)) if isinstance(value, (list, tuple)) else value

    def example(self, name: str, depth: int = 0) -> Value:
        """`Name(…)` with a value for each parameter of its constructor."""
        node = self.known[name][1]
        if any(ast.unparse(base).endswith("Enum") for base in node.bases):
            members = [s.targets[0] for s in node.body if isinstance(s, ast.Assign)]
            return next((EnumMember(name, m.id) for m in members if isinstance(m, ast.Name)), None)
        kept = attributes_of(node)
        given = _constructor(node, whole=self.whole)
        used = {a.arg: kept.get(a.arg) or kept.get(f"_{a.arg}") for a in given}
        return New(name, {a.arg: self.of_annotation(a, used[a.arg], depth + 1) for a in given})

    def of_annotation(self, argument: ast.arg, shape: Shape | None, depth: int = 0) -> Value:
        """A value for a parameter: by its annotation, else by how it is used, else text."""
        note = ast.unparse(argument.annotation).strip("'\"") if argument.annotation is not None else ""
        head, _, rest = note.partition("[")
        head = head.split("|")[0].strip().rpartition(".")[2]
        if head == "Optional":
            head, rest = rest.rstrip("]").partition("[")[0], ""
        if head in SAMPLES:
            return SAMPLES[head][0]
        used = shape is not None and (shape.keys or shape.attributes or shape.element)
        if head in self.known and depth < _DEPTH:
            return self.example(head, depth)
        if head in ("list", "List", "Sequence", "Iterable", "tuple", "Tuple") and rest:
            inner = ast.arg(arg="", annotation=_annotation(rest.rstrip("]").split(",")[0]))
            return [self.of_annotation(inner, shape.element if shape else None, depth + 1)]
        if head in ("dict", "Dict", "Mapping") and rest and not used:
            kinds = [ast.arg(arg="", annotation=_annotation(part)) for part in rest.rstrip("]").split(",", 1)]
            key, *value = [self.of_annotation(kind, None, depth + 1) for kind in kinds]
            return {key if isinstance(key, (str, int)) else "x": value[0] if value else "x"}
        if shape is not None and used:
            return shape.example()
        if head in _TYPES:
            return _TYPES[head]
        return shape.example() if shape is not None else "x"

    def constructors(self, target: Callee) -> list[Value]:
        """How to make the object that a method is called on."""
        return [] if target.owner is None else [self.example(target.owner.name)]


def _annotation(text: str) -> ast.expr | None:
    try:
        return ast.parse(text.strip(), mode="eval").body
    except SyntaxError:
        return None


def _constructor(node: ast.ClassDef, *, whole: bool = False) -> list[ast.arg]:
    """Required parameters of a class: of `__init__`, or the fields of a dataclass without a default.

    `whole`: with what has a default, of fields only those that are None by default.
    """
    for statement in node.body:
        if isinstance(statement, ast.FunctionDef) and statement.name == "__init__":
            target = Callee("", statement, node)
            return target.parameters() if whole else target.required()
    return [
        ast.arg(arg=s.target.id, annotation=s.annotation)
        for s in node.body
        if isinstance(s, ast.AnnAssign) and isinstance(s.target, ast.Name)
        if s.value is None or (whole and isinstance(s.value, ast.Constant) and s.value.value is None)
    ]


def module_name(path: str) -> str:
    """The dotted name that a file is imported by, from the repository's root or its `src`."""
    return path.removeprefix("src/").removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def targets_of(root: Path, places: list[dict[str, Any]]) -> Iterator[Callee]:
    """Callable functions of the traceback, innermost first; nested ones are reached through their callers."""
    seen = set()
    for place in reversed(places):
        module = ast.parse((root / place["path"]).read_bytes())
        for node in module.body:
            owner = node if isinstance(node, ast.ClassDef) else None
            for inner in owner.body if owner is not None else [node]:
                holds = isinstance(inner, FUNCTIONS) and inner.lineno <= place["line"] <= (
                    inner.end_lineno or 0
                )
                if isinstance(inner, FUNCTIONS) and holds and (place["path"], inner.lineno) not in seen:
                    seen.add((place["path"], inner.lineno))
                    yield Callee(place["path"], inner, owner)


def helpers_of(root: Path, paths: list[str]) -> dict[str, tuple[str, dict[str, Value]]]:
    """See `Classes.helpers`: plain functions at module level of tests whose parameters all have defaults."""
    found: dict[str, tuple[str, dict[str, Value]]] = {}
    for path in filter(is_test, paths):
        try:
            module = ast.parse((root / path).read_bytes())
        except (SyntaxError, ValueError):
            continue
        for node in module.body:
            if isinstance(node, ast.FunctionDef) and (defaults := _defaults(node)):
                found.setdefault(node.name, (module_name(path), defaults))
    return found


def _defaults(node: ast.FunctionDef) -> dict[str, Value]:
    """Parameters of a plain function with their defaults; nothing unless each has a literal one."""
    given = [*node.args.posonlyargs, *node.args.args]
    if node.decorator_list or node.name.startswith("test") or len(given) != len(node.args.defaults):
        return {}
    try:
        return {a.arg: ast.literal_eval(default) for a, default in zip(given, node.args.defaults)}
    except ValueError:
        return {}


def classes_of(root: Path, paths: list[str]) -> Classes:
    """Classes at module level of the given files."""
    known: dict[str, tuple[str, ast.ClassDef]] = {}
    for path in paths:
        try:
            module = ast.parse((root / path).read_bytes())
        except (SyntaxError, ValueError):
            continue
        for node in module.body:
            if isinstance(node, ast.ClassDef):
                known.setdefault(node.name, (module_name(path), node))
    return Classes(known)


def shapes(target: Callee, root: Path) -> dict[str, Shape]:
    """Parameter → shape, with what the functions of the same file read that it is handed on to."""
    module = ast.parse((root / target.path).read_bytes())
    functions = {node.name: node for node in module.body if isinstance(node, FUNCTIONS)}
    return shapes_of(target.function, functions)
