"""Where a default comes from. A patch may not invent one, but the code or its documentation may give it.

A silent outcome (a default value, a constant returned, a record skipped) is accepted with a source:

    the same elsewhere    another place of the repository gives the same key or the same case the same value
    documentation         a docstring, comment, README or test name says it of this very subject
    declaration           the return type allows None; a field or parameter of this name has this default
    a test                an existing test asserts this value of this function
    arithmetic            counting from zero, collecting into an empty container, the mean of nothing
    the platform          API Gateway documents these event fields as null when absent

Everything here is read from the tree as fetched: a patch cannot vouch for itself.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache

from functions.harness.names import is_test
from functions.validate_patch.candidate import parsed
from functions.validate_patch.honest import values
from functions.validate_patch.honest.documented import Silent, condition_of, documented
from functions.validate_patch.honest.view import Function, View, dotted, functions_of, names_in
from functions.validate_patch.tree import Tree

# https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-proxy-integrations.html
_PLATFORM_OPTIONAL = frozenset(
    {"body", "headers", "multiValueHeaders", "queryStringParameters", "multiValueQueryStringParameters"}
    | {"pathParameters", "stageVariables", "cookies"}
)
_ITERATING = frozenset(
    {"extend", "update", "join", "sorted", "list", "tuple", "set", "sum", "enumerate", "map", "len"}
)


def support(view: View, silent: Silent) -> str:
    """The source that vouches for an outcome, or "" when there is none."""
    function = view.function(silent.node)
    if silent.value is not None:
        if silent.kind == "return" and function is not None and _declared(function, silent.value):
            return "the declared return type"
        if silent.key and any(
            _same_default(view.candidate.before, silent.key, text) for text in _alike(silent.value)
        ):
            return "the same default elsewhere"
        if silent.key in _PLATFORM_OPTIONAL and values.is_false(silent.value):
            return "the platform's documentation"
        if silent.kind == "return" and function is not None and _asserted(view, function, silent.value):
            return "an existing test"
        if _nothing_to_iterate(view, silent, function) or _now(silent, function):
            return "an optional parameter"
        if _convention(view, silent, function):
            return "how the file treats the same case"
        if _mean_of_nothing(view, silent, function):
            return "the mean of nothing"
    if documented(view, silent):
        return "the documentation"
    return ""


def _declared(function: Function, value: ast.expr) -> bool:
    if function.returns is None:
        return False
    note = ast.unparse(function.returns)
    if isinstance(value, ast.Constant) and value.value is None:
        return bool(re.search(r"\bOptional\[|\bNone\b", note)) and note != "None"
    return isinstance(value, ast.Constant) and value.value is False and note == "bool"


@cache
def _defaults_of(text: bytes) -> frozenset[tuple[str, str]]:
    """(name, value) pairs that a file declares as defaults."""
    try:
        module = ast.parse(text)
    except (SyntaxError, ValueError):
        return frozenset()
    found: set[tuple[str, str]] = set()
    for node in ast.walk(module):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and len(node.args) == 2:
            key = node.args[0]
            if node.func.attr in ("get", "pop", "setdefault") and isinstance(key, ast.Constant):
                found.add((str(key.value), ast.unparse(node.args[1])))
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value is not None:
            found |= {(node.target.id, default) for default in _field_defaults(node.value)}
        elif isinstance(node, ast.arguments):
            positional = [*node.posonlyargs, *node.args]
            pairs = list(zip(positional[len(positional) - len(node.defaults) :], node.defaults, strict=True))
            pairs += [(a, d) for a, d in zip(node.kwonlyargs, node.kw_defaults, strict=True) if d is not None]
            found |= {(argument.arg, ast.unparse(default)) for argument, default in pairs}
        elif isinstance(node, ast.Assign) and isinstance(node.value, ast.Dict):
            named = any("default" in dotted(target).lower() for target in node.targets)
            entries = zip(node.value.keys, node.value.values, strict=True) if named else ()
            found |= {(str(k.value), ast.unparse(v)) for k, v in entries if isinstance(k, ast.Constant)}
    return frozenset(found)


def _field_defaults(value: ast.expr) -> Iterator[str]:
    """The default in `= 3`, `= field(default=3)` or `= Field(3)`; factories give their empty value."""
    if not isinstance(value, ast.Call):
        yield ast.unparse(value)
        return
    for keyword in value.keywords:
        if keyword.arg == "default":
            yield ast.unparse(keyword.value)
        elif keyword.arg in ("default_factory", "factory"):
            yield {"list": "[]", "dict": "{}", "str": "''", "int": "0", "set": "set()"}.get(
                ast.unparse(keyword.value), ""
            )
    if value.args:
        yield ast.unparse(value.args[0])


def _alike(value: ast.expr) -> tuple[str, ...]:
    """Spellings of a value; what only is iterated may be any empty container."""
    if isinstance(value, ast.List | ast.Tuple) and not value.elts:
        return "[]", "()"
    return (ast.unparse(value),)


def _same_default(tree: Tree, key: str, value: str) -> bool:
    return any((key, value) in _defaults_of(f.data) for path, f in tree.items() if path.endswith(".py"))


def _asserted(view: View, function: Function, value: ast.expr) -> bool:
    """Whether a test of the tree as fetched asserts this value of this function."""
    wanted = ast.unparse(value)
    if not values.is_false(value):  # other values are results of ordinary inputs
        return False
    for path in view.candidate.before:
        module = parsed(view.candidate.before, path) if is_test(path) and path.endswith(".py") else None
        for node in ast.walk(module) if module is not None else ():
            if isinstance(node, ast.Assert) and isinstance(node.test, ast.Compare):
                sides = [node.test.left, *node.test.comparators]
                if any(ast.unparse(s) == wanted for s in sides) and function.name in names_in(node.test):
                    return True
    return False


def _convention(view: View, silent: Silent, function: Function | None) -> bool:
    """Whether another function of the file, declared alike, treats an empty or missing input the same way."""
    if view.before is None or silent.value is None or function is None:
        return False
    wanted, note = ast.unparse(silent.value), _note(function)
    if isinstance(silent.node, ast.BoolOp) and (base := _base(silent.node.values[0])):
        alternatives = [
            n for n in ast.walk(view.before) if isinstance(n, ast.BoolOp) and isinstance(n.op, ast.Or)
        ]
        if any(_base(n.values[0]) == base and ast.unparse(n.values[-1]) == wanted for n in alternatives):
            return True
    for name, other in functions_of(view.before).items():
        if name.rpartition(".")[2] == function.name or (silent.kind == "return" and _note(other) != note):
            continue
        for node in ast.walk(other):
            if silent.kind == "return" and isinstance(node, ast.If) and len(node.body) == 1:
                inner = node.body[0]
                value = inner.value or ast.Constant(None) if isinstance(inner, ast.Return) else None
                if value is not None and values.tests_emptiness(node.test) and ast.unparse(value) == wanted:
                    return True
            if (
                isinstance(node, ast.IfExp)
                and ast.unparse(node.orelse) == wanted
                and values.tests_emptiness(node.test)
            ):
                return True
    return False


def _base(node: ast.expr) -> str:
    """`form` of `form["discount"]` or `form.discount`: fields of one record are treated alike."""
    return ast.unparse(node.value) if isinstance(node, ast.Subscript | ast.Attribute) else ""


def _note(function: Function) -> str:
    return ast.unparse(function.returns) if function.returns is not None else ""


def _nothing_to_iterate(view: View, silent: Silent, function: Function | None) -> bool:
    """`for x in given or []` where `given` is a parameter that may be left out."""
    node, parent = silent.node, view.parents.get(silent.node)
    if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and function is not None:
        empty = isinstance(silent.value, ast.List | ast.Dict | ast.Tuple | ast.Call)
        return empty and node.targets[0].id in _may_be_left_out(function)
    iterated = isinstance(parent, ast.For | ast.comprehension | ast.Starred) or (
        isinstance(parent, ast.Call) and dotted(parent.func).rpartition(".")[2] in _ITERATING
    )
    if not iterated or function is None or silent.value is None or not values.is_false(silent.value):
        return False
    if not isinstance(node, ast.BoolOp) or not isinstance(node.values[0], ast.Name):
        return False
    return node.values[0].id in _may_be_left_out(function)


def _now(silent: Silent, function: Function | None) -> bool:
    """`today or date.today()` where `today` is a parameter that may be left out."""
    node = silent.node
    if function is None or not isinstance(node, ast.BoolOp | ast.IfExp | ast.Assign):
        return False
    names = {dotted(t) for t in node.targets} if isinstance(node, ast.Assign) else names_in(node)
    return isinstance(silent.value, ast.Call) and bool(names & _may_be_left_out(function))


def _may_be_left_out(function: Function) -> set[str]:
    """Parameters whose default is None."""
    positional = [*function.args.posonlyargs, *function.args.args]
    given = list(zip(reversed(positional), reversed(function.args.defaults), strict=False))
    given += [(a, d) for a, d in zip(function.args.kwonlyargs, function.args.kw_defaults, strict=True) if d]
    return {argument.arg for argument, default in given if ast.unparse(default) == "None"}


def _mean_of_nothing(view: View, silent: Silent, function: Function | None) -> bool:
    """A sum divided by the number of what was summed, for none of it: zero, as the sum of nothing is."""
    value = silent.value
    if function is None or not (isinstance(value, ast.Constant) and type(value.value) in (int, float)):
        return False
    test = condition_of(view, silent.node)
    if value.value != 0 or test is None:
        return False
    grown = {
        node.target.id
        for node in ast.walk(function)
        if isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Name)
    }
    for node in ast.walk(function):
        if not isinstance(node, ast.BinOp) or not isinstance(node.op, ast.Div | ast.FloorDiv):
            continue
        right = node.right
        if isinstance(right, ast.Call) and dotted(right.func) == "len" and len(right.args) == 1:
            counted = ast.unparse(right.args[0])
            summed = _sums_over(function, node.left, counted, grown)
        else:
            counted = right.id if isinstance(right, ast.Name) else ""
            summed = counted in grown and bool(names_in(node.left) & grown)
        if summed and re.search(rf"\b{re.escape(counted)}\b", ast.unparse(test)):
            return True
    return False


def _sums_over(function: Function, numerator: ast.expr, counted: str, grown: set[str]) -> bool:
    """Whether a numerator is a sum over the very thing that the divisor counts."""
    parts = [numerator]
    assignments = [node for node in ast.walk(function) if isinstance(node, ast.Assign)]
    parts += [a.value for a in assignments if {dotted(t) for t in a.targets} & names_in(numerator)]
    for call in (inner for part in parts for inner in ast.walk(part) if isinstance(inner, ast.Call)):
        adds = dotted(call.func).rpartition(".")[2] in ("sum", "fsum", "total", "len")
        if adds and re.search(rf"\b{re.escape(counted)}\b", ast.unparse(call)):
            return True
    return bool(names_in(numerator) & grown)
