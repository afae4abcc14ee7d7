"""Rules on fallbacks in roundabout spellings: clamps, choices from displays, defaults that come first."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from functions.harness.names import is_test
from functions.validate_patch.honest import values
from functions.validate_patch.honest.documented import Silent
from functions.validate_patch.honest.handlers import says_or_does_nothing
from functions.validate_patch.honest.support import support
from functions.validate_patch.honest.view import Function, Hit, View, dotted, functions_of, module_constants

_SHIFTS = ast.Constant | ast.Compare | ast.UnaryOp
_CHAINS = frozenset({"ChainMap", "dict", "update"})


def made_up(view: View) -> Iterator[Hit]:
    """A constant that steps in for a value without `get`, `or` or `else`."""
    for silent in (
        *_displays(view),
        *_clamps(view),
        *_offsets(view),
        *_bound_first(view),
        *_bound_last(view),
    ):
        if silent.value is None or support(view, silent):
            continue
        text = " ".join(ast.unparse(silent.node).split())
        # A clamp that was there may come to stand around another expression.
        yield Hit(
            getattr(silent.node, "lineno", 0),
            f"{view.where(silent.node)} {text[:500]}",
            f"`{text[:80]}` puts {ast.unparse(silent.value)} in place of the value that failed; neither the "
            "code nor its documentation gives that value: use one that they give, or raise an error",
        )


def stringified_none(view: View) -> Iterator[Hit]:
    """`str(x)` of the very None that was in the way: the text "None" then goes on as data."""
    if "NoneType" not in view.candidate.facts.incident.title:
        return
    code = [place.code.replace('"', "'") for place in view.places]
    for node in view.walk(ast.Call, ast.FormattedValue):
        inner: ast.expr | None = None
        if isinstance(node, ast.FormattedValue):
            inner = node.value
        elif isinstance(node, ast.Call) and dotted(node.func) in ("str", "repr", "format") and node.args:
            inner = node.args[0]
        if not isinstance(inner, ast.Name | ast.Attribute | ast.Subscript):
            continue
        text = ast.unparse(inner)
        if any(f"{text}." in line or f"{text}[" in line for line in code):
            yield Hit(
                node.lineno,
                f"{view.where(node)} {ast.unparse(node)}",
                f"`{ast.unparse(node)}` turns None into the text 'None', which goes on as if it were data",
            )


def given_defaults(before: View | None, after: View) -> Iterator[Hit]:
    """Parameters that callers had to give and now need not: the default is as invented as any other."""
    if before is None or is_test(after.path):
        return
    old = functions_of(before.module)
    for name, function in functions_of(after.module).items():
        had = _parameter_defaults(old[name]) if name in old else {}
        for parameter, value in _parameter_defaults(function).items():
            required = parameter in had and (had[parameter] is None or _is_none(had[parameter]))
            if value is None or _is_none(value) or not required or not values.is_constant(after, value):
                continue
            if not support(after, Silent(value, "value", value, parameter)):
                yield Hit(
                    function.lineno,
                    f"{name} {parameter}",
                    f"`{parameter}` becomes {ast.unparse(value)} when a caller does not give it; neither "
                    "the code nor its documentation gives that default",
                )


def given_fields(before: View | None, after: View) -> Iterator[Hit]:
    """Fields that were None unless given, and now are something: the None was the truth."""
    if before is None or is_test(after.path):
        return
    old, new = module_constants(before.module), module_constants(after.module)
    for name in old.keys() & new.keys():
        filled = _is_none(old[name]) and not _is_none(new[name]) and values.is_constant(after, new[name])
        if filled and not support(after, Silent(new[name], "value", new[name], name)):
            yield Hit(
                new[name].lineno,
                f"field {name}",
                f"`{name}` is {ast.unparse(new[name])} where it was None; neither the code nor its "
                "documentation gives that default",
            )


def _is_none(node: ast.expr | None) -> bool:
    return isinstance(node, ast.Constant) and node.value is None


def _parameter_defaults(function: Function) -> dict[str, ast.expr | None]:
    """Parameter → its default, None for a required one."""
    arguments = function.args
    positional = [*arguments.posonlyargs, *arguments.args]
    missing = len(positional) - len(arguments.defaults)
    found: dict[str, ast.expr | None] = {a.arg: None for a in positional[:missing]}
    found |= {a.arg: d for a, d in zip(positional[missing:], arguments.defaults, strict=True)}
    return found | {a.arg: d for a, d in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)}


def _displays(view: View) -> Iterator[Silent]:
    """`[1, whole][bool(whole)]`, `{True: whole, False: 1}[…]`, `{country: 9.9, **RATES}[country]`."""
    for node in view.walk(ast.Subscript):
        chosen = node.value
        if isinstance(chosen, ast.List | ast.Tuple) and not isinstance(node.slice, ast.Constant):
            parts = chosen.elts
        elif isinstance(chosen, ast.Dict) and (
            None in chosen.keys or not isinstance(node.slice, ast.Constant)
        ):
            parts = chosen.values
        elif isinstance(chosen, ast.BinOp) and isinstance(chosen.op, ast.Add):
            sides = (chosen.left, chosen.right)
            parts = [s for s in sides if not isinstance(s, ast.Constant)]
        else:
            continue
        constants = [part for part in parts if values.is_constant(view, part)]
        if constants and len(constants) < len(parts):
            key = str(node.slice.value) if isinstance(node.slice, ast.Constant) else ""
            yield Silent(node, "value", constants[0], key)
    for table in view.walk(ast.Dict):
        parent = view.parents.get(table)
        joined = isinstance(parent, ast.BinOp) and isinstance(parent.op, ast.BitOr)
        passed = isinstance(parent, ast.Call) and dotted(parent.func).rpartition(".")[2] in _CHAINS
        for entry, value in zip(table.keys, table.values, strict=True):
            open_key = entry is not None and not isinstance(entry, ast.Constant)
            mixed_in = joined or passed or isinstance(parent, ast.keyword)
            if mixed_in and open_key and values.is_constant(view, value):
                yield Silent(table, "value", value)


def emptied(view: View) -> Iterator[Hit]:
    """`sum(prices[-1:])` where `prices[-1]` failed: of a slice there is nothing, and nobody learns of it."""
    if view.candidate.facts.incident.error_type.rpartition(".")[2] != "IndexError":
        return
    for node in view.walk(ast.Subscript):
        parent = view.parents.get(node)
        base = ast.unparse(node.value)
        used = isinstance(node.slice, ast.Slice) and isinstance(parent, ast.Call) and node in parent.args
        if used and support(view, Silent(node, "return", ast.Constant(0))):
            continue  # a sum over nothing is what is documented
        if parent is not None and used and any(f"{base}[" in place.code for place in view.places):
            yield Hit(
                node.lineno,
                f"{view.where(node)} {ast.unparse(parent)}",
                f"`{ast.unparse(parent)}` gives a result for nothing where the index failed",
            )


def skipped_work(before: View | None, after: View) -> Iterator[Hit]:
    """What a loop did for each record, now under a new condition without an `else`."""
    if before is None or is_test(after.path):
        return
    always = {
        ast.dump(statement)
        for loop in before.walk(ast.For, ast.AsyncFor, ast.While)
        if isinstance(loop, ast.For | ast.AsyncFor | ast.While)
        for statement in loop.body
        if isinstance(statement, ast.Expr | ast.AugAssign)
    }
    for node in after.walk(ast.If):
        held = [s for s in node.body if ast.dump(s) in always]
        if held and not node.orelse and not support(after, Silent(node.body[0], "skip", None)):
            yield Hit(
                node.lineno,
                f"{after.where(node)} {ast.unparse(node.test)}",
                f"`{ast.unparse(held[0])[:80]}` was done for every record, and now only if "
                f"`{ast.unparse(node.test)}`; neither the code nor its documentation gives a reason",
            )


def _clamps(view: View) -> Iterator[Silent]:
    """`max(whole, 1)`: the constant where the value is too small, or none."""
    for node in view.walk(ast.Call):
        if dotted(node.func) in ("max", "min") and len(node.args) > 1:
            constants = [a for a in node.args if values.is_constant(view, a)]
            clamps = bool(constants) and len(constants) < len(node.args)
            domain = "math domain error" in view.candidate.facts.incident.title
            if domain and clamps and abs(values.number(constants[0]) or 0) in (0, 1):
                continue  # what the function is defined for
            if clamps and not _clamped_before(view, node, constants[0]):
                yield Silent(node, "value", constants[0])


def _clamped_before(view: View, node: ast.Call, bound: ast.expr) -> bool:
    """Whether the function had this clamp as fetched, around whatever it was."""
    function = view.function(node)
    if view.before is None or function is None or view.before is view.module:
        return False
    return any(
        isinstance(call, ast.Call)
        and dotted(call.func) == dotted(node.func)
        and any(ast.dump(argument) == ast.dump(bound) for argument in call.args)
        for name, old in functions_of(view.before).items()
        if name.rpartition(".")[2] == function.name
        for call in ast.walk(old)
    )


def _offsets(view: View) -> Iterator[Silent]:
    """`part / (whole + 1e-9)`, and text or items added to what could not be read as it came."""
    for node in view.walk(ast.BinOp):
        right = node.right
        divides = isinstance(node.op, ast.Div | ast.FloorDiv | ast.Mod)
        shifted = isinstance(right, ast.BinOp) and isinstance(right.op, ast.Add)
        if divides and isinstance(right, ast.BinOp) and shifted and isinstance(right.right, _SHIFTS):
            yield Silent(right, "value", right.right)
        unreadable = view.candidate.facts.incident.error_type.rpartition(".")[2] in (
            "ValueError",
            "IndexError",
        )
        left = ast.unparse(node.left) if isinstance(node.left, ast.Name | ast.Attribute) else ""
        if unreadable and left and isinstance(node.op, ast.Add) and values.is_constant(view, right):
            text = not isinstance(right, ast.Constant) or isinstance(right.value, str | bytes)
            if text and any(left in place.code for place in view.places):
                yield Silent(node, "value", right)


def _bound_first(view: View) -> Iterator[Silent]:
    """`rate = 9.9`, then `if country in RATES: rate = RATES[country]`."""
    for node in view.walk(ast.If):
        block = getattr(view.parents.get(node), "body", [])
        at = block.index(node) if node in block else 0
        first, bound = block[at - 1] if at else None, node.body[-1]
        if node.orelse or not isinstance(first, ast.Assign) or not isinstance(bound, ast.Assign):
            continue
        same = ast.unparse(first.targets[0]) == ast.unparse(bound.targets[0])
        tried = any(
            isinstance(n, ast.Subscript | ast.Attribute | ast.Call) and ast.unparse(n) in place.code
            for n in ast.walk(bound.value)
            for place in view.places
        )
        if same and tried and values.is_constant(view, first.value):
            yield Silent(node, "value", first.value, dotted(first.targets[0]).rpartition(".")[2])


def _bound_last(view: View) -> Iterator[Silent]:
    """A constant bound where a value is missing, in a branch that else only logs, or in a `match`."""
    for node in view.walk(ast.Assign):
        parent = view.parents.get(node)
        if not isinstance(parent, ast.If | ast.match_case) or not values.is_constant(view, node.value):
            continue
        others = [s for s in parent.body if s is not node and not says_or_does_nothing(s)]
        alone = isinstance(parent, ast.If) and (len(parent.body) == 1 or bool(parent.orelse))
        if node in parent.body and not others and not alone:
            yield Silent(node, "value", node.value, dotted(node.targets[0]).rpartition(".")[2])
