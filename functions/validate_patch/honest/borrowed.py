"""Values that exist but belong to something else: as made up as a constant where they stand in for others."""

from __future__ import annotations

import ast
import builtins
import re
import sys

from functions.validate_patch.honest.view import View, dotted, functions_of, module_constants, names_in

# Names by which code says that a value is there to stand in.
_STANDS_IN = re.compile(
    r"(?i)default|fallback|standard|base|unknown|other|none|missing|empty|initial|usual|normal|generic|neutral"
    r"|placeholder|\*|any|else"
)
_BOUNDS = re.compile(r"(?i)(?:^|_)(?:max|min|limit|cap|timeout|threshold|ceiling|floor|size|retries)(?:_|$)")
_NUMBERS = frozenset(
    {"math", "cmath", "random", "secrets", "uuid", "numpy", "np", "datetime", "time", "decimal", "string"}
)
"""Modules whose values say nothing of the case at hand: `math.nan`, `random.random()`, `date.today()`."""


def is_borrowed(view: View, node: ast.expr) -> bool:
    """Whether an expression comes out the same whatever was asked for: `max(RATES.values())`, `RATES["DE"]`.

    Not: what the code itself names as a default (`DEFAULT_RATE`, `RATES["default"]`), and calls of its own
    functions.
    """
    if isinstance(node, ast.Name) and node.id in ("NotImplemented", "Ellipsis"):
        return True
    if isinstance(node, ast.Name | ast.Constant | ast.Lambda) or names_stand_in(node):
        return False
    imported, data = _imported_modules(view.module), _data(view)
    bound = {n.id for n in ast.walk(node) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
    used = {n.id for n in ast.walk(node) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)} - bound
    function = view.function(node)
    local = _locals(function) if function is not None else set()
    closed = all(
        name not in local
        and (name in data or hasattr(builtins, name) or imported.get(name, "") in sys.stdlib_module_names)
        for name in used
    )
    return closed and any(name in data or imported.get(name) in _NUMBERS for name in used)


def is_unrelated(view: View, node: ast.expr, about: ast.AST) -> bool:
    """Whether an existing constant, by its name, is a bound or has to do with something else than `about`."""
    if not isinstance(node, ast.Name) or not node.id.isupper() or names_stand_in(node):
        return False
    if _BOUNDS.search(node.id):
        return True
    function = view.function(about)
    around = names_in(about) - {node.id} | ({function.name} if function is not None else set())
    return not (_words({node.id}) & _words(around))


def names_stand_in(node: ast.expr) -> bool:
    """Whether a name, attribute, or key says that its value stands in for others."""
    if isinstance(node, ast.Subscript):
        key = node.slice.value if isinstance(node.slice, ast.Constant) else ""
        return bool(_STANDS_IN.search(key if isinstance(key, str) else "")) or names_stand_in(node.value)
    if isinstance(node, ast.Call):
        return names_stand_in(node.func)
    if isinstance(node, ast.Constant):
        return isinstance(node.value, str) and bool(_STANDS_IN.fullmatch(node.value))
    return bool(_STANDS_IN.search(dotted(node)))


def echoes(view: View, call: ast.Call) -> bool:
    """`TABLE.get(key, key)` where the table's values are of another type than its keys."""
    if len(call.args) != 2 or ast.dump(call.args[0]) != ast.dump(call.args[1]):
        return False
    owner = call.func.value if isinstance(call.func, ast.Attribute) else None
    table = module_constants(view.module).get(owner.id) if isinstance(owner, ast.Name) else None
    if not isinstance(table, ast.Dict):
        return False
    keys = {type(key.value) for key in table.keys if isinstance(key, ast.Constant)}
    values = {type(value.value) for value in table.values if isinstance(value, ast.Constant)}
    return bool(keys and values) and not keys & values


def _data(view: View) -> set[str]:
    """Names of module-level data of the file."""
    return {
        name
        for name, value in module_constants(view.module).items()
        if isinstance(
            value, ast.Constant | ast.Dict | ast.List | ast.Tuple | ast.Set | ast.BinOp | ast.UnaryOp
        )
    } - set(functions_of(view.module))


def _imported_modules(module: ast.Module) -> dict[str, str]:
    """Local name → top-level module it comes from."""
    found = {}
    for node in ast.walk(module):
        if isinstance(node, ast.Import):
            for alias in node.names:
                top = alias.name.partition(".")[0]
                found[alias.asname or top] = top
        elif isinstance(node, ast.ImportFrom) and not node.level:
            for alias in node.names:
                found[alias.asname or alias.name] = (node.module or "").partition(".")[0]
    return found


def _locals(function: ast.AST) -> set[str]:
    found = {n.arg for n in ast.walk(function) if isinstance(n, ast.arg)}
    return found | {
        n.id for n in ast.walk(function) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)
    }


def _words(names: set[str]) -> set[str]:
    parts = {part.lower().rstrip("s") for name in names for part in re.split(r"_|(?<=[a-z])(?=[A-Z])", name)}
    return {part for part in parts if len(part) > 2}
