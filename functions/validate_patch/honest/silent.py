"""Rules on silent outcomes: defaults, early returns and skipped records that nothing vouches for."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from functions.validate_patch.honest import shapes, values
from functions.validate_patch.honest.borrowed import echoes, is_borrowed, is_unrelated, names_stand_in
from functions.validate_patch.honest.documented import Silent
from functions.validate_patch.honest.support import support
from functions.validate_patch.honest.view import Function, Hit, View, dotted, functions_of

_WITH_DEFAULT = {"get": 1, "pop": 1, "setdefault": 1, "getenv": 1, "getattr": 2, "next": 1, "getlist": 1}
"""Functions and methods that take a default → the position of it."""
_FILTERS = frozenset({"filter", "filterfalse", "takewhile", "dropwhile", "compress", "dropna"})
_GROWS = frozenset({"append", "extend", "add", "update", "insert", "appendleft"})


def invented_defaults(view: View) -> Iterator[Hit]:
    """A constant in place of a value that is missing, in any spelling."""
    for node in view.walk(ast.Call, ast.IfExp, ast.BoolOp, ast.Assign, ast.AugAssign):
        for silent in _defaults(view, node):
            if silent.value is None or _collects(view, silent.node):
                continue
            result = shapes.result_of(view, silent)
            if result is None and support(view, silent):
                continue
            if _is_none(silent.value) and (
                _checked(view, silent.node) or _given_to_optional(view, silent.node)
            ):
                continue
            decides = shapes.ends_loop(view, silent.node) or shapes.asks_for_member(view, silent.node)
            if values.is_false(silent.value) and decides:
                continue
            if result is not None and support(view, Silent(silent.node, "return", result, silent.key)):
                continue
            if any(isinstance(up, ast.Raise) for up in view.ancestors(silent.node)):
                continue  # it only tells what went wrong
            shown = ast.unparse(silent.value)
            yield Hit(
                getattr(node, "lineno", 0),
                f"{view.where(node)} {ast.unparse(silent.node)[:500]}",
                f"`{_short(silent.node)}` goes on with {shown} where the value is missing; neither the code "
                "nor its documentation gives that default: use one that they give, or raise an error that "
                "says what is missing",
            )


def silent_returns(view: View) -> Iterator[Hit]:
    """A constant returned under a new condition, or in place of what the function computed."""
    for node in view.walk(ast.Return):
        if any(isinstance(up, ast.ExceptHandler) for up in view.ancestors(node)):
            continue
        function = view.function(node)
        value = node.value or ast.Constant(None)
        if function is None or not (values.is_constant(view, value) or _made_up(view, node, function)):
            continue
        if is_borrowed(view, value) and sum(isinstance(n, ast.Return) for n in ast.walk(function)) == 1:
            continue  # the function gives nothing else: this is what it is for
        if _is_predicate(function) and isinstance(value, ast.Constant) and isinstance(value.value, bool):
            continue
        kind = "end" if node.value is None and shapes.is_generator(function) else "return"
        if support(view, Silent(node, kind, value)):
            continue
        yield Hit(
            node.lineno,
            f"{view.where(node)} {ast.unparse(value)}",
            f"returns {ast.unparse(value)} early; neither the code nor its documentation gives that result "
            "for this case, so callers go on with a wrong value",
        )


def _made_up(view: View, node: ast.Return, function: Function) -> bool:
    """A text put together for the case that there is nothing, or an error's description as the result."""
    up = view.parents.get(node)
    if not isinstance(up, ast.If) or node not in up.body:
        return False
    if isinstance(node.value, ast.JoinedStr):
        absent = isinstance(up.test, ast.Compare) and isinstance(up.test.ops[0], ast.NotIn)
        return absent or values.tests_emptiness(up.test)
    if not isinstance(node.value, ast.Dict) or not values.tells(node.value) or view.before is None:
        return False
    others = [
        inner.value
        for name, old in functions_of(view.before).items()
        if name.rpartition(".")[2] == function.name
        for inner in ast.walk(old)
        if isinstance(inner, ast.Return) and inner.value is not None
    ]
    figures = ast.Subscript | ast.BinOp | ast.Constant | ast.JoinedStr | ast.Attribute | ast.Compare
    return bool(others) and all(isinstance(other, figures) for other in others)


def skipped_records(view: View) -> Iterator[Hit]:
    """`continue`, or a filter in a comprehension, that leaves records out without a reason."""
    for node in view.walk(ast.Continue):
        if any(isinstance(up, ast.ExceptHandler) for up in view.ancestors(node)) or shapes.does_more(
            view, node
        ):
            continue
        if not support(view, Silent(node, "skip", None)):
            yield Hit(
                node.lineno,
                view.where(node),
                "skips records without a reason that the code or its documentation gives",
            )
    for call in view.walk(ast.Call):
        if dotted(call.func).rpartition(".")[2] in _FILTERS and not support(view, Silent(call, "skip", None)):
            yield Hit(
                call.lineno,
                f"{view.where(call)} {ast.unparse(call)[:500]}",
                f"`{_short(call)}` leaves records out without a reason that the code or its documentation "
                "gives",
            )
    for comprehension in view.walk(ast.comprehension):
        for condition in comprehension.ifs:
            known = shapes.asked_before(view, condition) or shapes.drops_blanks(
                view, comprehension, condition
            )
            if not known and not support(view, Silent(condition, "skip", None)):
                yield Hit(
                    condition.lineno,
                    f"{view.where(condition)} {ast.unparse(condition)}",
                    f"`if {_short(condition)}` leaves records out without a reason that the code or its "
                    "documentation gives",
                )


def guarded_away(view: View) -> Iterator[Hit]:
    """The failing statement under a new condition without an `else`: it is just not done."""
    for place in view.places:
        for node in view.walk(ast.If):
            if node.orelse or view.where(node).rpartition(".")[2] != place.function:
                continue
            held = [s for s in node.body if place.code and place.code in ast.unparse(s) + _text(view, s)]
            if not held or any(isinstance(s, ast.Raise) for s in held) or _bounds_check(node.test):
                continue
            if any(isinstance(s, ast.Return) for s in held) and not _falls_off(view, node):
                continue
            if support(view, Silent(node.body[0], "skip", None)) or _optional_subject(view, node.test):
                continue
            if shapes.nothing_to_loop_over(view, node):
                continue
            yield Hit(
                node.lineno,
                f"{view.where(node)} {ast.unparse(node.test)}",
                f"`if {_short(node.test)}` just leaves out the line that failed, and nobody learns of it",
            )


def _falls_off(view: View, node: ast.If) -> bool:
    """Whether a function ends, with None, when this condition does not hold, and does not declare to."""
    function = view.function(node)
    if function is None or (function.returns is not None and _allows_none(ast.unparse(function.returns))):
        return False
    return function.body[-1] is node


def _given_default(view: View, call: ast.Call, position: int) -> ast.expr | None:
    """The constant among a call's arguments from a position on, or behind a star."""
    starred = [a.value for a in call.args if isinstance(a, ast.Starred)]
    packed = [p.elts[-1] for p in starred if isinstance(p, ast.List | ast.Tuple) and p.elts]
    given = [*call.args[position:], *packed, *starred]
    return next((value for value in given if values.is_constant(view, value)), None)


def _defaults(view: View, node: ast.AST) -> Iterator[Silent]:
    """The constants that an expression falls back to."""
    if isinstance(node, ast.Call):
        name = node.func.attr if isinstance(node.func, ast.Attribute) else dotted(node.func)
        position = _WITH_DEFAULT.get(name)
        key = node.args[1 if name == "getattr" else 0] if len(node.args) > (name == "getattr") else None
        text = (
            str(key.value) if isinstance(key, ast.Constant) else (ast.unparse(key) if key is not None else "")
        )
        default = None if position is None else _given_default(view, node, position)
        if default is not None:
            yield Silent(node, "value", default, text)
        elif position is not None and len(node.args) == position + 1:
            if echoes(view, node) or is_unrelated(view, node.args[position], node):
                yield Silent(node, "value", node.args[position], text)
        elif name in ("get", "getenv") and len(node.args) == 1 and not node.keywords and _mapping(view, node):
            yield Silent(node, "value", ast.Constant(None), text)
        for keyword in node.keywords:
            if keyword.arg in ("default", "fill_value", "fillvalue") and values.is_constant(
                view, keyword.value
            ):
                yield Silent(node, "value", keyword.value, text if position is not None else "")
        if name == "defaultdict" and node.args and not _accumulates(view, node):
            yield Silent(node, "value", node.args[0])
    elif isinstance(node, ast.IfExp):
        for branch in (node.orelse, node.body):
            if isinstance(view.parents.get(node), ast.Subscript) and names_stand_in(branch):
                continue
            if values.is_constant(view, branch) and not values.is_constant(view, _other(node, branch)):
                yield Silent(node, "value", branch, _key_of(_other(node, branch)))
    elif (
        isinstance(node, ast.BoolOp)
        and isinstance(node.op, ast.Or)
        and values.is_constant(view, node.values[-1])
    ):
        if not _is_condition(view, node) and not shapes.only_read(view, node):
            yield Silent(node, "value", node.values[-1], _key_of(node.values[0]))
    elif isinstance(node, ast.BoolOp) and not _is_condition(view, node):
        yield Silent(node, "value", ast.Constant(None), _key_of(node.values[-1]))
    elif isinstance(node, ast.Assign) and values.is_constant(view, node.value):
        parent = view.parents.get(node)
        rest = (
            [s for s in parent.body if not isinstance(s, ast.Continue)] if isinstance(parent, ast.If) else []
        )
        if isinstance(parent, ast.If) and len(rest) == 1 and not parent.orelse:
            yield Silent(node, "value", node.value, dotted(node.targets[0]).rpartition(".")[2])


def _other(node: ast.IfExp, branch: ast.expr) -> ast.expr:
    return node.body if branch is node.orelse else node.orelse


def _key_of(node: ast.expr) -> str:
    """The key or attribute that an expression reads last."""
    if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant):
        return str(node.slice.value)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args:
        first = node.args[0]
        return str(first.value) if isinstance(first, ast.Constant) else node.func.attr
    if isinstance(node, ast.Call) and len(node.args) == 1:  # a conversion
        return _key_of(node.args[0])
    return dotted(node).rpartition(".")[2]


def _mapping(view: View, node: ast.Call) -> bool:
    """Not a client's `get(url)` or a queue's: one argument that is a key."""
    if isinstance(view.parents.get(node), ast.Await):
        return False
    key = node.args[0]
    if isinstance(key, ast.Constant):
        return isinstance(key.value, str | int) and "/" not in str(key.value)
    return isinstance(key, ast.Name | ast.Attribute | ast.Subscript | ast.Tuple | ast.JoinedStr | ast.Call)


def _collects(view: View, node: ast.AST) -> bool:
    """Counting from zero, collecting into an empty container: `n[k] = n.get(k, 0) + 1`."""
    parent = view.parents.get(node)
    start = node.targets[0] if isinstance(node, ast.Assign) else None
    if isinstance(start, ast.Subscript):
        return _grown(view, node, ast.unparse(start.value), ast.unparse(start.slice))
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        if node.func.attr == "setdefault" and isinstance(parent, ast.Attribute):
            return parent.attr in _GROWS
        if node.func.attr == "setdefault" and isinstance(parent, ast.Expr) and node.args:
            return _grown(view, node, ast.unparse(node.func.value), ast.unparse(node.args[0]))
        statement = next((up for up in view.ancestors(node) if isinstance(up, ast.stmt)), None)
        if isinstance(statement, ast.Assign) and node.func.attr == "get":
            target = statement.targets[0]
            base = ast.unparse(node.func.value)
            return (
                isinstance(target, ast.Subscript)
                and ast.unparse(target.value) == base
                and ast.unparse(target.slice) == ast.unparse(node.args[0])
                and isinstance(parent, ast.BinOp)
            )
    return False


def _grown(view: View, node: ast.AST, base: str, key: str) -> bool:
    """Whether the function adds to `base[key]`: then an empty start is what adding needs."""
    entry = f"{base}[{key}]"
    for inner in ast.walk(view.function(node) or view.module):
        if isinstance(inner, ast.AugAssign) and ast.unparse(inner.target) == entry:
            return True
        if isinstance(inner, ast.Attribute) and inner.attr in _GROWS and ast.unparse(inner.value) == entry:
            return True
        added = inner.value if isinstance(inner, ast.Assign) else None
        if isinstance(added, ast.BinOp) and ast.unparse(added.left) == entry:
            return True
    return False


def _accumulates(view: View, node: ast.Call) -> bool:
    """Whether what a defaultdict is bound to is only ever added to: `d[k] += 1`, `d[k].append(x)`."""
    parent = view.parents.get(node)
    if not isinstance(parent, ast.Assign):
        return False
    name = dotted(parent.targets[0])
    for inner in ast.walk(view.module):
        target: ast.expr | None = inner.target if isinstance(inner, ast.AugAssign) else None
        if isinstance(inner, ast.Attribute) and inner.attr in _GROWS:
            target = inner.value
        if isinstance(target, ast.Subscript) and dotted(target.value) == name:
            return True
    return False


def _checked(view: View, node: ast.AST) -> bool:
    """Whether a possible None is looked at: in a condition itself, or by the name it is bound to."""
    if _is_condition(view, node):
        return True
    parent = view.parents.get(node)
    if isinstance(parent, ast.BoolOp | ast.Compare):
        return True
    function = view.function(node)
    if isinstance(parent, ast.Return) and function is not None and function.returns is not None:
        return _allows_none(ast.unparse(function.returns))
    target = parent.targets[0] if isinstance(parent, ast.Assign) else getattr(parent, "target", None)
    if not isinstance(target, ast.Name) or function is None:
        return False
    for inner in ast.walk(function):
        test = inner.test if isinstance(inner, ast.If | ast.IfExp | ast.While | ast.Assert) else None
        if test is not None and any(isinstance(n, ast.Name) and n.id == target.id for n in ast.walk(test)):
            return True
    return False


def _is_condition(view: View, node: ast.AST) -> bool:
    """Whether an expression only decides something."""
    for up in view.ancestors(node):
        if isinstance(up, ast.If | ast.While | ast.Assert):
            return True
        if isinstance(up, ast.IfExp):
            return node is up.test or node in ast.walk(up.test)
        if isinstance(up, ast.comprehension):
            return any(node in ast.walk(condition) for condition in up.ifs)
        if isinstance(up, ast.stmt):
            return False
    return False


def _bounds_check(test: ast.expr) -> bool:
    """A comparison of an index with a length: `i + 1 < len(rows)`."""
    if not isinstance(test, ast.Compare):
        return False
    sides = [test.left, *test.comparators]
    measured = any(isinstance(s, ast.Call) and dotted(s.func) == "len" for s in sides)
    return measured and not any(isinstance(s, ast.Constant) for s in sides)


def _optional_subject(view: View, test: ast.expr) -> bool:
    """Whether the attribute that a condition tests is declared to be None at times."""
    return _may_be_none(view, {n.attr for n in ast.walk(test) if isinstance(n, ast.Attribute)})


def _given_to_optional(view: View, node: ast.AST) -> bool:
    """Whether an expression is the value of a field or parameter that is declared to be None at times."""
    parent = view.parents.get(node)
    return isinstance(parent, ast.keyword) and parent.arg is not None and _may_be_none(view, {parent.arg})


def _may_be_none(view: View, names: set[str]) -> bool:
    """Whether a field or parameter of one of these names is declared to be None at times."""
    for file in view.candidate.before.values():
        if not any(name.encode() in file.data for name in names):
            continue
        try:
            module = ast.parse(file.data)
        except (SyntaxError, ValueError):
            continue
        for node in ast.walk(module):
            if isinstance(node, ast.AnnAssign):
                name = dotted(node.target)
            else:
                name = node.arg if isinstance(node, ast.arg) else ""
            note = node.annotation if isinstance(node, ast.AnnAssign | ast.arg) else None
            if name in names and note is not None and _allows_none(ast.unparse(note)):
                return True
    return False


def _allows_none(annotation: str) -> bool:
    return "None" in annotation or "Optional" in annotation


def _is_predicate(function: Function) -> bool:
    note = ast.unparse(function.returns) if function.returns is not None else ""
    return note == "bool" or function.name.lstrip("_").startswith(
        ("is_", "has_", "can_", "should_", "needs_")
    )


def _is_none(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is None


def _short(node: ast.AST) -> str:
    text = " ".join(ast.unparse(node).split())
    return text if len(text) <= 80 else text[:77] + "..."


def _text(view: View, statement: ast.stmt) -> str:
    return ast.get_source_segment(view.source, statement) or ""
