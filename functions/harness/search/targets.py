"""What the search may call: the functions of the traceback, innermost first, as a test could reach them."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from functions.harness.names import is_test
from functions.harness.search.shapes import Function, Shape, attributes_of, shapes_of
from functions.harness.search.values import SAMPLES, STANDARD, Builtin, EnumMember, Lookup, New, Value

_FIELDS = frozenset({"field", "ib", "attrib"})
_ATTRS = frozenset({"attr.ib", "attr.attrib", "attrs.field", "attrib", "ib"})
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
    aliases: dict[str, ast.expr] = field(default_factory=dict)
    """Names that stand for types: name → the type."""
    whole: bool = False
    """Whether examples have a value for what has a default, too."""
    helpers: dict[str, tuple[str, dict[str, Value]]] = field(default_factory=dict)
    """Functions of tests that make inputs: name → (module, parameters with their defaults)."""

    def parameters(self) -> dict[str, list[str]]:
        own = {name: [a.arg for a in self._constructor(node)] for name, (_, node) in self.known.items()}
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
        if any(ast.unparse(base).endswith("TypedDict") for base in node.bases):
            return {a.arg: self.of_annotation(a, None, depth + 1) for a, _ in self._fields(node)}
        kept = attributes_of(node)
        given = self._constructor(node, whole=self.whole)
        used = {a.arg: kept.get(a.arg) or kept.get(f"_{a.arg}") for a in given}
        return New(name, {a.arg: self.of_annotation(a, used[a.arg], depth + 1) for a in given})

    def of_annotation(self, argument: ast.arg, shape: Shape | None, depth: int = 0) -> Value:
        """A value for a parameter: by its annotation, else by how it is used, else text."""
        note = ast.unparse(argument.annotation).strip("'\"") if argument.annotation is not None else ""
        head, _, rest = note.partition("[")
        head = head.split("|")[0].strip().rpartition(".")[2]
        if head == "Optional":
            head, rest = rest.rstrip("]").partition("[")[0], ""
        if head in self.aliases and depth < _DEPTH:
            return self.of_annotation(ast.arg(argument.arg, self.aliases[head]), shape, depth + 1)
        if head in SAMPLES:
            return SAMPLES[head][0]
        if head == "Literal" and rest:
            return ast.literal_eval(f"[{rest[:-1]}]")[0]
        if head == "Callable" and rest:
            return self._lookup(note, depth)
        used = shape is not None and (shape.keys or shape.attributes or shape.element)
        if head in self.known and depth < _DEPTH:
            return self.example(head, depth)
        if head in ("list", "List", "Sequence", "Iterable", "tuple", "Tuple") and rest:
            inner = ast.arg(arg="", annotation=_annotation(rest.rstrip("]").split(",")[0]))
            return [self.of_annotation(inner, shape.element if shape else None, depth + 1)]
        if head in ("dict", "Dict", "Mapping") and rest and not (shape is not None and shape.keys):
            kinds = [ast.arg(arg="", annotation=_annotation(part)) for part in rest.rstrip("]").split(",", 1)]
            key, *value = [self.of_annotation(kind, None, depth + 1) for kind in kinds]
            return {key if isinstance(key, (str, int)) else "x": value[0] if value else "x"}
        if shape is not None and used:
            return shape.example()
        if head in _TYPES:
            return _TYPES[head]
        return shape.example() if shape is not None else "x"

    def _lookup(self, note: str, depth: int) -> Value:
        """`{argument: result}.get` for `Callable[[argument], result]`."""
        found = re.fullmatch(r"[\w.]*Callable\[\[([^\],]*)\], (.*)\]", note)
        if found is None:
            return Builtin("int")
        kinds = (ast.arg("", _annotation(part)) for part in found.groups())
        key, value = (self.of_annotation(kind, None, depth + 1) for kind in kinds)
        return Lookup({key: value} if isinstance(key, (str, int)) else {})

    def _constructor(self, node: ast.ClassDef, *, whole: bool = False) -> list[ast.arg]:
        """Required parameters of a class: of `__init__`, or the fields without a default.

        `whole`: with what has a default, of fields only those that are None by default.
        """
        for statement in node.body:
            if isinstance(statement, ast.FunctionDef) and statement.name == "__init__":
                target = Callee("", statement, node)
                return target.parameters() if whole else target.required()
        return [
            argument
            for argument, value in self._fields(node)
            if value is None or (whole and isinstance(value, ast.Constant) and value.value is None)
        ]

    def _fields(self, node: ast.ClassDef, depth: int = 0) -> list[tuple[ast.arg, ast.expr | None]]:
        """What a dataclass, or a model of attrs or pydantic, declares, with defaults; inherited first."""
        found: dict[str, tuple[ast.arg, ast.expr | None]] = {}
        for base in node.bases if depth < _DEPTH else ():
            name = ast.unparse(base).rpartition(".")[2]
            inherited = self._fields(self.known[name][1], depth + 1) if name in self.known else ()
            found.update((argument.arg, (argument, value)) for argument, value in inherited)
        for s in node.body:
            if isinstance(s, ast.AnnAssign) and isinstance(s.target, ast.Name):
                kept = not ast.unparse(s.annotation).startswith(("ClassVar", "typing.ClassVar"))
                name, note, value = s.target.id, s.annotation, _default(s.value)
            elif isinstance(s, ast.Assign) and isinstance(s.targets[0], ast.Name):
                # Of attrs: `x = attr.ib()`. Any other assignment declares nothing.
                kept = isinstance(s.value, ast.Call) and ast.unparse(s.value.func) in _ATTRS
                name, note, value = s.targets[0].id, None, _default(s.value)
            else:
                continue
            if kept:
                found[name] = ast.arg(name, note), value
        return list(found.values())

    def constructors(self, target: Callee) -> list[Value]:
        """How to make the object that a method is called on."""
        return [] if target.owner is None else [self.example(target.owner.name)]


def _annotation(text: str) -> ast.expr | None:
    try:
        return ast.parse(text.strip(), mode="eval").body
    except SyntaxError:
        return None


def _default(value: ast.expr | None) -> ast.expr | None:
    """What a field is by default: `= 3`, or what `field`, `Field`, `ib` and their like are given."""
    if not isinstance(value, ast.Call) or ast.unparse(value.func).rpartition(".")[2].lower() not in _FIELDS:
        return value
    given = [k.value for k in value.keywords if k.arg in ("default", "default_factory", "factory")]
    given += [v for v in value.args[:1] if ast.unparse(v) != "..."]
    return given[0] if given else None


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
    aliases: dict[str, ast.expr] = {}
    for path in paths:
        try:
            module = ast.parse((root / path).read_bytes())
        except (SyntaxError, ValueError):
            continue
        for node in module.body:
            if isinstance(node, ast.ClassDef):
                known.setdefault(node.name, (module_name(path), node))
            elif isinstance(node, ast.Assign) and isinstance(node.value, ast.Subscript):
                aliases.update({t.id: node.value for t in node.targets if isinstance(t, ast.Name)})
    return Classes(known, aliases)


def shapes(target: Callee, root: Path) -> dict[str, Shape]:
    """Parameter → shape, with what the functions of the same file read that it is handed on to."""
    module = ast.parse((root / target.path).read_bytes())
    functions = {node.name: node for node in module.body if isinstance(node, FUNCTIONS)}
    return shapes_of(target.function, functions)


def data_of(target: Callee, root: Path) -> ast.Module:
    """The assignments at module level of the target's file, and of those of the repository that it imports
    from: tables that its functions look things up in."""
    module = ast.parse((root / target.path).read_bytes())
    kept: list[ast.stmt] = [s for s in module.body if isinstance(s, (ast.Assign, ast.AnnAssign))]
    for node in module.body:
        name = (node.module or "").replace(".", "/") if isinstance(node, ast.ImportFrom) else ""
        for path in (root / f"{name}.py", root / "src" / f"{name}.py") if name else ():
            if path.is_file():
                body = ast.parse(path.read_bytes()).body
                kept += [s for s in body if isinstance(s, (ast.Assign, ast.AnnAssign))]
    return ast.Module(body=kept, type_ignores=[])
