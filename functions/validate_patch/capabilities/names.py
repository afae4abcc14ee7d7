"""What names in a file stand for, through imports, aliases, `getattr` and the repository's own modules."""

from __future__ import annotations

import ast
import builtins
from collections.abc import Iterator
from functools import cached_property

from functions.core.source.syntax_tree import Function, Imported, functions_of, imports_of, nodes_of
from functions.harness.search.targets import module_name
from functions.validate_patch.candidate import parsed
from functions.validate_patch.capabilities import library
from functions.validate_patch.tree import Tree

_ROUNDS = 3
"""How many names a name may have been handed on by."""
UNKNOWN = "?"
OWN = "own:"
"""Leads the dotted name of something that the repository defines."""


class ModuleIndex:
    """A tree's modules by the name that they are imported by."""

    def __init__(self, tree: Tree) -> None:
        self.tree = tree
        self._paths = {module_name(path): path for path in tree if path.endswith(".py")}
        self._names: dict[str, ResolvedNames | None] = {}

    @cached_property
    def tops(self) -> frozenset[str]:
        return frozenset(name.partition(".")[0] for name in self._paths)

    @cached_property
    def _packages(self) -> frozenset[str]:
        parts = [name.split(".") for name in self._paths]
        return frozenset(".".join(name[:end]) for name in parts for end in range(1, len(name)))

    def path(self, module: str) -> str | None:
        return self._paths.get(module)

    def is_module(self, dotted: str) -> bool:
        """Whether an own module or package has this name."""
        return dotted in self._paths or dotted in self._packages

    def names(self, path: str) -> ResolvedNames | None:
        """None for a file that is not there or does not parse."""
        if path not in self._names:
            module = parsed(self.tree, path)
            self._names[path] = ResolvedNames(module, path, self) if module is not None else None
        return self._names[path]

    def resolved(self, dotted: str, depth: int = 8) -> str:
        """`reports.shell.subprocess.run` is `subprocess.run`; what is defined there is `own:…`."""
        parts = dotted.split(".")
        if parts[0] not in self.tops:
            return library.resolved(dotted) if library.is_standard(parts[0]) else dotted
        for end in range(len(parts), 0, -1):
            path = self.path(".".join(parts[:end]))
            names = self.names(path) if path is not None else None
            if names is None:
                continue
            rest = parts[end:]
            inner = names.aliases.get(rest[0], "") if rest and rest[0] not in names.defined else ""
            if inner and depth:
                return self.resolved(".".join((inner, *rest[1:])), depth - 1)
            break
        return f"{OWN}{dotted}"


class ResolvedNames:
    """The names of one file."""

    def __init__(self, module: ast.Module, path: str, repository: ModuleIndex) -> None:
        self.module, self.path = module, path
        self._repository = repository
        self._own = module_name(path)
        self.defined = frozenset(
            node.name
            for node in module.body
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
        )

    @cached_property
    def aliases(self) -> dict[str, str]:
        """Local name → dotted name, for what is imported anywhere in the file, or handed on under a name."""
        found = {one.local: self.absolute(one) for one in imports_of(self.module)}
        bindings = [pair for node in nodes_of(self.module) for pair in _bindings(node)]
        for _ in range(_ROUNDS):
            for local, value in bindings:
                chain = _chain(value)
                if not chain or local in found or local == chain[0]:
                    continue
                first = found.get(chain[0]) or self._plain(chain[0])
                if first != UNKNOWN:
                    found[local] = ".".join((first, *chain[1:]))
        return found

    def of(self, node: ast.expr) -> str:
        """What an expression stands for: dotted, with what the repository defines as `own:…`; else `?`, or
        `?` and the attributes that are read of it."""
        chain = _chain(node)
        if not chain:
            return self._attributes(node)
        first = self.aliases.get(chain[0])
        if first is None:
            first = self._plain(chain[0])
            if first == UNKNOWN:
                return ".".join((UNKNOWN, *chain[1:]))
        dotted = ".".join((first, *chain[1:]))
        found = dotted if dotted.startswith(OWN) else self._repository.resolved(dotted)
        return UNKNOWN if found == "string.Formatter" and id(node) in self._parsing else found

    @cached_property
    def _parsing(self) -> frozenset[int]:
        """`id` of what is only made to `parse`: `Formatter().parse(text)` takes text apart, that is all."""
        parses = (
            n.value for n in nodes_of(self.module) if isinstance(n, ast.Attribute) and n.attr == "parse"
        )
        return frozenset(id(made.func) for made in parses if isinstance(made, ast.Call))

    @cached_property
    def methods(self) -> dict[int, str]:
        """`id` of `self.method` → what it is, for the methods of the file's own classes."""
        found = {}
        for owner in self.module.body:
            if isinstance(owner, ast.ClassDef):
                names = {n.name for n in owner.body if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)}
                for node in nodes_of(owner):
                    if isinstance(node, ast.Attribute) and node.attr in names and _is_self(node.value):
                        found[id(node)] = f"{OWN}{self._own}.{owner.name}.{node.attr}"
        return found

    @cached_property
    def format_parsers(self) -> frozenset[int]:
        """`id` of each `string.Formatter` of which only `().parse` is taken: it splits a format and fills in
        nothing, so that it reaches nothing."""
        calls = [
            node.value.func
            for node in nodes_of(self.module)
            if isinstance(node, ast.Attribute) and node.attr == "parse" and isinstance(node.value, ast.Call)
        ]
        return frozenset(id(called) for called in calls if self.of(called) == "string.Formatter")

    def imports(self) -> Iterator[tuple[str, int]]:
        """Top-level modules that are imported, with the line."""
        for one in imports_of(self.module):
            if not one.level:
                yield one.module.partition(".")[0], one.node.lineno

    def resolved(self, dotted: str) -> str:
        return self._repository.resolved(dotted)

    def is_module(self, dotted: str) -> bool:
        """Whether a resolved name is a module's, of the repository or of the standard library."""
        if dotted.startswith(OWN):
            return self._repository.is_module(dotted.removeprefix(OWN))
        return library.is_standard(dotted) and library.is_module(dotted)

    def _plain(self, name: str) -> str:
        if name in self.defined:
            return f"{OWN}{self._own}.{name}"
        return name if name in _BUILTINS else UNKNOWN

    def absolute(self, imported: Imported) -> str:
        """What an imported name stands for, a relative one resolved."""
        if not imported.level:
            return imported.dotted
        package = self._own.split(".")
        above = package[: len(package) - imported.level + self.path.endswith("__init__.py")]
        return ".".join((*above, imported.dotted))

    def _attributes(self, node: ast.expr) -> str:
        """Attributes of a value that has no name: `open(x).read` is `?.read`."""
        if isinstance(node, ast.Attribute):
            return (
                f"{self.of(node.value) if _chain(node.value) else self._attributes(node.value)}.{node.attr}"
            )
        return UNKNOWN


def definition(
    names: ResolvedNames, node: ast.expr, repository: ModuleIndex, *, by_name: bool = True
) -> Function | None:
    """The repository's function that an expression stands for. by_name: of a method of an unknown object, one
    of that name in the same file or in those that it imports from, unless containers and texts have it."""
    name = names.methods.get(id(node)) or names.of(node)
    parts = name.removeprefix(OWN).split(".")
    if name.startswith(OWN):
        for end in range(len(parts) - 1, 0, -1):
            path = repository.path(".".join(parts[:end]))
            inner = repository.names(path) if path else None
            if inner is not None:
                return functions_of(inner.module).get(".".join(parts[end:]))
    if (
        not by_name
        or not isinstance(node, ast.Attribute)
        or not name.startswith(UNKNOWN)
        or node.attr in _OF_DATA
    ):
        return None
    around = {
        names.path,
        *filter(None, (repository.path(d.rpartition(".")[0]) for d in names.aliases.values())),
    }
    for inner in filter(None, map(repository.names, sorted(around))):
        for own, function in functions_of(inner.module).items():
            if own.endswith(f".{node.attr}"):
                return function
    return None


_OF_DATA = frozenset(name for kind in (list, dict, set, str, bytes) for name in dir(kind))
_BUILTINS = frozenset(dir(builtins)) | {"__file__", "__builtins__", "__loader__", "__spec__"}


def _chain(node: ast.expr) -> list[str]:
    """`a.b.c` and `getattr(a, "b").c` as names; [] for anything else."""
    if isinstance(node, ast.Name):
        return [node.id]
    if isinstance(node, ast.NamedExpr):
        return _chain(node.value)
    if isinstance(node, ast.Attribute):
        inner = _chain(node.value)
        return [*inner, node.attr] if inner else []
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "getattr":
        name = node.args[1] if len(node.args) > 1 else None
        if isinstance(name, ast.Constant) and isinstance(name.value, str):
            inner = _chain(node.args[0])
            return [*inner, name.value] if inner else []
    return []


def is_chained(node: ast.AST) -> bool:
    return isinstance(node, ast.expr) and bool(_chain(node))


def _bindings(node: ast.AST) -> Iterator[tuple[str, ast.expr]]:
    """(name, value) of what hands a value on as it is."""
    if isinstance(node, ast.Assign):
        for target in node.targets:
            yield from _paired(target, node.value)
    elif isinstance(node, ast.AnnAssign | ast.NamedExpr) and node.value is not None:
        yield from _paired(node.target, node.value)
    elif isinstance(node, ast.withitem) and node.optional_vars is not None:
        yield from _paired(node.optional_vars, node.context_expr)
    elif isinstance(node, ast.For) and isinstance(node.iter, ast.List | ast.Tuple | ast.Set):
        for value in node.iter.elts:
            yield from _paired(node.target, value)
    elif isinstance(node, ast.arguments):
        given = [*node.posonlyargs, *node.args]
        yield from (
            (a.arg, d) for a, d in zip(given[len(given) - len(node.defaults) :], node.defaults, strict=True)
        )
        yield from (
            (a.arg, d) for a, d in zip(node.kwonlyargs, node.kw_defaults, strict=True) if d is not None
        )


def _paired(target: ast.expr, value: ast.expr) -> Iterator[tuple[str, ast.expr]]:
    if isinstance(target, ast.Name):
        yield target.id, value
    elif isinstance(target, ast.Tuple | ast.List) and isinstance(value, ast.Tuple | ast.List):
        for one, other in zip(target.elts, value.elts, strict=False):
            yield from _paired(one, other)


def _is_self(node: ast.expr) -> bool:
    return isinstance(node, ast.Name) and node.id in ("self", "cls")
