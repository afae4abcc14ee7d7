"""Constants: values that do not depend on what went wrong."""

from __future__ import annotations

import ast

from functions.validate_patch.honest.borrowed import is_borrowed
from functions.validate_patch.honest.view import View, dotted, module_constants

# Constructors whose result is as constant as their arguments.
_CONSTRUCTORS = frozenset(
    {
        "dict",
        "list",
        "set",
        "tuple",
        "str",
        "int",
        "float",
        "bytes",
        "bool",
        "frozenset",
        "Decimal",
        "Fraction",
    }
    | {"OrderedDict", "defaultdict", "Counter", "date", "datetime", "timedelta", "SimpleNamespace", "object"}
)
_MODULES = frozenset({"datetime", "decimal", "fractions", "collections", "types", "builtins", "dt"})
# Keys of a response that says what went wrong: such a constant is an answer, not a default.
_TELLS = frozenset(
    {"error", "errors", "status", "statusCode", "status_code", "message", "ok", "success", "detail"}
)


def is_constant(view: View, node: ast.expr, seen: frozenset[str] = frozenset()) -> bool:
    """Whether an expression is a constant that the patch chose.

    A name that the file already had is not: it is the code's own value. A name that the patch binds to a
    constant is, however it is called; so is a value borrowed from something else (see `borrowed`).
    """
    if isinstance(node, ast.Constant):
        return True
    if isinstance(node, ast.UnaryOp):
        return is_constant(view, node.operand, seen)
    if isinstance(node, ast.BinOp):
        return is_constant(view, node.left, seen) and is_constant(view, node.right, seen)
    if isinstance(node, ast.JoinedStr):
        return not any(isinstance(part, ast.FormattedValue) for part in node.values)
    if isinstance(node, ast.List | ast.Tuple | ast.Set):
        return all(is_constant(view, element, seen) for element in node.elts)
    if isinstance(node, ast.Dict):
        return not tells(node) and all(is_constant(view, value, seen) for value in node.values)
    if isinstance(node, ast.Call):
        arguments = [*node.args, *(keyword.value for keyword in node.keywords)]
        constant = all(is_constant(view, argument, seen) for argument in arguments)
        if constant and (_constructs(node) or _stands_for_a_record(node, arguments)):
            return True
    if isinstance(node, ast.Lambda):
        return is_constant(view, node.body, seen)
    if isinstance(node, ast.Name) and node.id not in seen:
        seen |= {node.id}
        local = _local_values(view, node)
        if local:
            return all(value is not None and is_constant(view, value, seen) for value in local)
        old = module_constants(view.before) if view.before is not None else {}
        bound = module_constants(view.module).get(node.id)
        if node.id not in old and bound is not None and is_constant(view, bound, seen):
            return True
    return is_borrowed(view, node)


def tells(node: ast.Dict) -> bool:
    """Whether a dictionary is an answer that says what went wrong."""
    return bool(_TELLS & {key.value for key in node.keys if isinstance(key, ast.Constant)})


def _local_values(view: View, name: ast.Name) -> list[ast.expr | None]:
    """What the function binds a name to; None for what is not a plain assignment, such as a parameter."""
    function = view.function(name)
    if function is None:
        return []
    found: list[ast.expr | None] = [
        None for arg in ast.walk(function.args) if isinstance(arg, ast.arg) and arg.arg == name.id
    ]
    for node in ast.walk(function):
        grows = isinstance(node, ast.Attribute) and node.attr in (
            "append",
            "extend",
            "add",
            "update",
            "insert",
        )
        if isinstance(node, ast.Attribute) and grows and dotted(node.value) == name.id:
            found.append(None)
        if isinstance(node, ast.Assign) and any(
            isinstance(t, ast.Name) and t.id == name.id for t in node.targets
        ):
            found.append(node.value)
        elif isinstance(node, ast.Name) and node.id == name.id and not isinstance(node.ctx, ast.Load):
            plain = isinstance(view.parents.get(node), ast.Assign)
            found += [] if plain else [None]
    return found


def is_false(node: ast.expr) -> bool:
    """Whether an expression is a literal that Python takes as false, or the constructor of one."""
    if isinstance(node, ast.Constant):
        return not node.value
    if isinstance(node, ast.List | ast.Tuple | ast.Set):
        return not node.elts
    if isinstance(node, ast.Dict):
        return not node.keys
    if isinstance(node, ast.Call):
        return _constructs(node) and all(is_false(a) or number(a) == 0 for a in node.args)
    return False


def is_none(node: ast.expr | None) -> bool:
    return isinstance(node, ast.Constant) and node.value is None


def _stands_for_a_record(call: ast.Call, arguments: list[ast.expr]) -> bool:
    """An object made of constants alone: not an answer that says what went wrong."""
    name = dotted(call.func).rpartition(".")[2]
    tells = {keyword.arg for keyword in call.keywords} & _TELLS
    refuses = any(isinstance(a, ast.Constant) and a.value in range(400, 600) for a in arguments)
    record = name[:1].isupper() and not name.isupper() and not name.endswith(("Error", "Exception"))
    return record and bool(arguments) and not tells and not refuses


def _constructs(call: ast.Call) -> bool:
    """A constructor by its name or a module's attribute; `stamp.date()` is a method of some value."""
    name, plain = dotted(call.func), isinstance(call.func, ast.Name | ast.Attribute)
    owner = call.func.value if isinstance(call.func, ast.Attribute) else None
    last = name.rpartition(".")[2]
    return plain and last in _CONSTRUCTORS and (owner is None or dotted(owner) in _MODULES)


def number(node: ast.expr) -> float | None:
    """The number that a literal is or spells, as in `Decimal("0.00")`."""
    if isinstance(node, ast.UnaryOp):
        node = node.operand
    value = node.value if isinstance(node, ast.Constant) else None
    if isinstance(value, str | int | float):
        try:
            return float(value)
        except ValueError:
            return None
    return None


def spellings(node: ast.expr) -> tuple[str, ...]:
    """How documentation would write a value."""
    text = ast.unparse(node)
    if isinstance(node, ast.Call) and _constructs(node) and len(node.args) == 1:
        spelt = number(node.args[0])
        if spelt is not None:
            return (text.lower(), *spellings(ast.Constant(spelt)))
    if isinstance(node, ast.Attribute):
        return (text.lower(), node.attr.lower())
    if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant):
        return (text.lower(), str(node.slice.value).lower())
    if isinstance(node, ast.Constant) and node.value is None:
        return ("none", "null", "nothing")
    if isinstance(node, ast.Constant) and node.value is False:
        return ("false", "off")
    if isinstance(node, ast.Constant) and node.value is True:
        return ("true", "on")
    if isinstance(node, ast.Constant) and isinstance(node.value, int | float):
        words = ("zero", "nothing", "free") if node.value == 0 else ()
        digits = f"{node.value:g}"
        return (text.lower(), digits, *words)
    if is_false(node):
        return ("empty", "blank", "nothing", text.lower())
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        # A word alone may just be the subject; in quotes it is the value.
        return tuple(f"{mark}{node.value.lower()}{mark}" for mark in ("'", '"', "`"))
    return (text.lower(),)


def tests_emptiness(test: ast.expr) -> bool:
    """`not x`, `x`, `x is None`, `len(x) == 0` and their like."""
    if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
        return True
    if isinstance(test, ast.Name | ast.Attribute):
        return True
    if isinstance(test, ast.Compare) and len(test.ops) == 1:
        right = test.comparators[0]
        return isinstance(right, ast.Constant) and right.value in (None, 0, "")
    return False
