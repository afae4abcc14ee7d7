"""Shapes of code in which a silent outcome is none: it decides, ends a loop, or was asked for before."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable

from functions.validate_patch.honest import values
from functions.validate_patch.honest.documented import Silent
from functions.validate_patch.honest.handlers import raises_always
from functions.validate_patch.honest.support import support
from functions.validate_patch.honest.view import Function, View, dotted, functions_of

_ARITHMETIC: dict[type[ast.operator], Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
}


def ends_loop(view: View, node: ast.AST) -> bool:
    """Whether a value is bound to the name that a `while` around it asks for: a false one ends the loop."""
    parent = view.parents.get(node)
    target = parent.targets[0] if isinstance(parent, ast.Assign) else None
    loops = [up for up in view.ancestors(node) if isinstance(up, ast.While)]
    return target is not None and any(ast.dump(_load(target)) == ast.dump(loop.test) for loop in loops)


def asks_for_member(view: View, node: ast.AST) -> bool:
    """`if state not in MOVES.get(now, ()): raise …`: what is missing allows nothing."""
    parent = view.parents.get(node)
    asked = isinstance(parent, ast.Compare) and isinstance(parent.ops[-1], ast.In | ast.NotIn)
    branch = view.parents.get(parent) if parent is not None else None
    return asked and isinstance(branch, ast.If) and raises_always(branch.body)


def _load(node: ast.expr) -> ast.expr:
    return ast.parse(ast.unparse(node), mode="eval").body


def result_of(view: View, silent: Silent) -> ast.expr | None:
    """What a default comes to in the constant arithmetic around it: 1 in `1 + max(depths, default=0)`."""
    number = silent.value.value if isinstance(silent.value, ast.Constant) else None
    node, parent = silent.node, view.parents.get(silent.node)
    if not isinstance(number, int | float) or not isinstance(parent, ast.BinOp):
        return None
    while isinstance(parent, ast.BinOp) and isinstance(number, int | float):
        other = parent.left if parent.right is node else parent.right
        apply = _ARITHMETIC.get(type(parent.op))
        if apply is None or not isinstance(other, ast.Constant) or not isinstance(other.value, int | float):
            return None
        sides = (other.value, number) if parent.right is node else (number, other.value)
        number = apply(*sides)
        node, parent = parent, view.parents.get(parent)
    return ast.Constant(number) if isinstance(parent, ast.Return) else None


def is_generator(function: Function) -> bool:
    return any(isinstance(node, ast.Yield | ast.YieldFrom) for node in ast.walk(function))


def does_more(view: View, last: ast.Continue) -> bool:
    """Whether something is done for a record before `continue`: that is judged by what it does."""
    parent = view.parents.get(last)
    block = parent.body if isinstance(parent, ast.If) else []
    return any(isinstance(s, ast.Assign | ast.AugAssign) for s in block if s is not last)


def asked_before(view: View, condition: ast.expr) -> bool:
    """Whether a filter finds something, or the function asked the same as fetched, in another form."""
    function = view.function(condition)
    owner = view.parents.get(view.parents[view.parents[condition]])
    if isinstance(owner, ast.Call) and dotted(owner.func) in ("next", "any", "all"):
        return True  # it looks for one
    if function is None or view.before is None:
        return False
    return any(
        any(_reading(test) == _reading(condition) for test in _tests(node))
        for name, old in functions_of(view.before).items()
        if name.rpartition(".")[2] == function.name
        for node in ast.walk(old)
    )


def _tests(node: ast.AST) -> list[ast.expr]:
    return [node.test] if isinstance(node, ast.If) else getattr(node, "ifs", [])


def _reading(condition: ast.expr) -> str:
    """A condition, with `row.get(key)` and `row[key]` alike: the default is judged by itself."""
    return ast.dump(_Plain().visit(_load(condition)))


class _Plain(ast.NodeTransformer):
    def visit_Call(self, node: ast.Call) -> ast.AST:
        self.generic_visit(node)
        if isinstance(node.func, ast.Attribute) and node.func.attr == "get" and node.args:
            return ast.Subscript(node.func.value, node.args[0], ast.Load())
        return node


def drops_blanks(view: View, comprehension: ast.comprehension, condition: ast.expr) -> bool:
    """`for word in text.split(" ") if word` where the incident is that an empty piece has no first letter."""
    pieces = isinstance(comprehension.iter, ast.Call) and dotted(comprehension.iter.func).endswith("split")
    if isinstance(condition, ast.Call) and dotted(condition.func).rpartition(".")[2] == "strip":
        condition = condition.func.value if isinstance(condition.func, ast.Attribute) else condition
    bare = isinstance(condition, ast.Name) and ast.unparse(comprehension.target) == condition.id
    return pieces and bare and view.candidate.facts.incident.error_type == "IndexError"


def nothing_to_loop_over(view: View, node: ast.If) -> bool:
    """`if "rows" in page: for row in page["rows"]`: no more than a default of nothing for the loop."""
    test, loop = node.test, node.body[0]
    present = isinstance(test, ast.Compare) and len(test.ops) == 1 and isinstance(test.ops[0], ast.In)
    if not isinstance(test, ast.Compare) or not present or not isinstance(loop, ast.For):
        return False
    read = loop.iter
    if len(node.body) != 1 or not isinstance(read, ast.Subscript) or not isinstance(test.left, ast.Constant):
        return False
    same = ast.dump(read.slice) == ast.dump(test.left) and ast.dump(read.value) == ast.dump(
        test.comparators[0]
    )
    nothing = Silent(node, "value", ast.List([], ast.Load()), str(test.left.value))
    return same and bool(support(view, nothing))


def only_read(view: View, node: ast.BoolOp) -> bool:
    """`(row or {}).get(key)`: what goes on is what `get` gives, which is judged by itself."""
    parent = view.parents.get(node)
    empty = isinstance(node.values[-1], ast.Dict) and values.is_false(node.values[-1])
    return empty and isinstance(parent, ast.Attribute) and parent.attr == "get"
