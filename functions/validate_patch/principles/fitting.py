"""Whether a made-up call is one that annotations allow: of others, nothing that worked has to stay."""

from __future__ import annotations

import ast
from collections.abc import Mapping

from functions.core.source.syntax_tree import Function, dotted, functions_of, module_constants
from functions.validate_patch.candidate import Candidate, parsed
from functions.validate_patch.principles.results import function_in

_KINDS: dict[str, tuple[type, ...]] = {
    "str": (str,),
    "bytes": (bytes,),
    "bool": (bool,),
    "int": (int,),
    "float": (int, float),
    "None": (type(None),),
    **dict.fromkeys(("list", "List"), (list,)),
    **dict.fromkeys(("tuple", "Tuple"), (tuple,)),
    **dict.fromkeys(("Sequence", "Iterable", "Collection"), (list, tuple, str)),
    **dict.fromkeys(("dict", "Dict", "Mapping", "MutableMapping"), (dict,)),
}
_DEPTH = 4


class Fitting:
    """The annotations of the files of the traceback, as fetched."""

    def __init__(self, candidate: Candidate) -> None:
        modules = [parsed(candidate.before, path) for path in {place.path for place in candidate.places}]
        self._functions: dict[str, Function] = {}
        self._aliases: dict[str, ast.expr] = {}
        for module in filter(None, modules):
            found = functions_of(module).items()
            self._functions.update({name.rpartition(".")[2]: function for name, function in found})
            self._aliases.update(module_constants(module))

    def allows(self, text: str) -> bool:
        """Whether no literal argument of the call is of another kind than its parameter is annotated with."""
        function = self._functions.get(function_in(text))
        try:
            node: ast.expr = ast.parse(text, mode="eval").body
        except (SyntaxError, ValueError):
            return True
        while isinstance(node, ast.Call) and function and _name(node.func) != function.name and node.args:
            node = node.args[0]  # `list(f(…))`
        if function is None or not isinstance(node, ast.Call):
            return True
        parameters = [*function.args.posonlyargs, *function.args.args]
        parameters = parameters[int(bool(parameters) and parameters[0].arg in ("self", "cls")) :]
        notes: Mapping[str, ast.expr | None] = {
            a.arg: a.annotation for a in (*parameters, *function.args.kwonlyargs)
        }
        given = [(notes[p.arg], value) for p, value in zip(parameters, node.args, strict=False)]
        given += [(notes.get(k.arg), k.value) for k in node.keywords if k.arg]
        return all(self._fits(value, note) for note, value in given if note is not None)

    def _fits(self, value: ast.expr, note: ast.expr, depth: int = 0) -> bool:
        if depth > _DEPTH:
            return True
        if isinstance(note, ast.Constant) and isinstance(note.value, str):
            try:
                note = ast.parse(note.value, mode="eval").body
            except SyntaxError:
                return True
        if isinstance(note, ast.BinOp):
            return self._fits(value, note.left, depth + 1) or self._fits(value, note.right, depth + 1)
        parts = _parts(note)
        name = "None" if isinstance(note, ast.Constant) else _name(note)
        if name in self._aliases:
            return self._fits(value, self._aliases[name], depth + 1)
        if name in ("Optional", "Union"):
            none = name == "Optional" and isinstance(value, ast.Constant) and value.value is None
            return none or any(self._fits(value, part, depth + 1) for part in parts)
        kind = _kind(value)
        if kind is None or name not in _KINDS:
            return True
        if not issubclass(kind, _KINDS[name]) or (kind is bool and name != "bool"):
            return False
        items, depth = _items(value, parts), depth + 1
        return all(self._fits(item, part, depth) for item, part in items)


def _name(note: ast.expr) -> str:
    return dotted(note.value if isinstance(note, ast.Subscript) else note).rpartition(".")[2]


def _parts(note: ast.expr) -> list[ast.expr]:
    """What stands in the brackets of an annotation."""
    inner = note.slice if isinstance(note, ast.Subscript) else None
    return list(inner.elts) if isinstance(inner, ast.Tuple) else [inner] if inner is not None else []


def _kind(value: ast.expr) -> type | None:
    if isinstance(value, ast.UnaryOp):
        value = value.operand
    if isinstance(value, ast.Constant):
        return type(value.value)
    return {ast.List: list, ast.Tuple: tuple, ast.Dict: dict}.get(type(value))


def _items(value: ast.expr, parts: list[ast.expr]) -> list[tuple[ast.expr, ast.expr]]:
    """What a container holds, each with its annotation."""
    if isinstance(value, ast.Dict) and len(parts) == 2:
        held = [(k, parts[0]) for k in value.keys if k is not None]
        return [*held, *((inner, parts[1]) for inner in value.values)]
    single = isinstance(value, ast.List) and len(parts) == 1
    return [(inner, parts[0]) for inner in value.elts] if single else []  # type: ignore[attr-defined] # a list
