"""ZeroDivisionError: a mean of nothing, or a share of nothing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import libcst as cst

from infra.local.model import convention, scope
from infra.local.model.rule import Crash, Refusal, Repair, RepairExample, Rule
from infra.local.model.source import walk

_SCALAR_CALLS = {"round", "float", "int"}


@dataclass(frozen=True, slots=True)
class _Divisor:
    """What is empty when the divisor is zero; `counts` when the numerator is a sum over the very same."""

    empty: str
    what: str
    """`empty` or `zero`, for messages."""
    counts: bool
    trigger: dict[str, str]


class ZeroDivision(Rule):
    crash_class = "division by zero"
    errors = ("ZeroDivisionError",)
    precondition = (
        "one division on the failing line, and either the file shows what it does with an empty input or a "
        "zero divisor, or the function's docstring says what it gives for nothing, or it may return None, or "
        "a sum is divided by the number of what was summed"
    )
    examples = (
        RepairExample(
            before="def mean(values):\n    return sum(values) / len(values)\n",
            call="mean([])",
            after=(
                "def mean(values):\n    if not values:\n        return 0.0\n    return sum(values) / "
                "len(values)\n"
            ),
        ),
        RepairExample(
            before=(
                'def shipped(orders):\n    """Part that has shipped, 0 for a day without orders."""\n'
                "    done = [order for order in orders if order]\n    return len(done) / len(orders)\n"
            ),
            call="shipped([])",
            after=(
                'def shipped(orders):\n    """Part that has shipped, 0 for a day without orders."""\n'
                "    done = [order for order in orders if order]\n    if not orders:\n        return 0\n"
                "    return len(done) / len(orders)\n"
            ),
        ),
        RepairExample(
            before=(
                "def share(part, whole):\n    return part / whole if whole else 0.0\n\n\n"
                "def growth(new, old):\n    change = (new - old) / old\n    return change\n"
            ),
            call="growth(1, 0)",
            after=(
                "def share(part, whole):\n    return part / whole if whole else 0.0\n\n\n"
                "def growth(new, old):\n    change = (new - old) / old if old else 0.0\n    return change\n"
            ),
        ),
    )

    def candidates(self, crash: Crash) -> Iterator[Repair | Refusal]:
        divisions = [
            b
            for b in crash.failing(cst.BinaryOperation)
            if isinstance(b.operator, cst.Divide | cst.FloorDivide | cst.Modulo)
            and not isinstance(b.right, cst.Integer | cst.Float)
        ]
        if len(divisions) != 1:
            return
        division = divisions[0]
        divisor = _divisor(crash, division)
        if divisor is None:
            return
        root = (
            f"Line {crash.line} divides by `{crash.file.code(division.right)}` and does not allow for zero."
        )
        for outcome, why, confidence in self._returns(crash, division, divisor):
            statement = crash.statement_of(division)
            if statement is None or (outcome.startswith("return") and crash.in_loop(division)):
                continue
            value = outcome.removeprefix("return ")
            yield Repair(
                title=f"Handle {divisor.empty} being {divisor.what} in {crash.function_name}",
                root_cause=root,
                explanation=f"{why} Every other input gives the same result as before.",
                confidence=confidence,
                file=crash.file,
                splices=(
                    crash.file.insert_before(
                        statement, [f"if not {divisor.empty}:", f"{crash.file.indent_unit}{outcome}"]
                    ),
                ),
                trigger=divisor.trigger,
                expects=f"assert {{call}} == {value}" if value != outcome and value != "None" else "",
            )
        for value, why, confidence in self._values(crash, division, divisor):
            yield Repair(
                title=f"Handle {divisor.empty} being {divisor.what} in {crash.function_name}",
                root_cause=root,
                explanation=f"{why} Every other input gives the same result as before.",
                confidence=confidence,
                file=crash.file,
                splices=(crash.file.replace(division, _conditional(crash, division, divisor.empty, value)),),
            )

    def _returns(
        self, crash: Crash, division: cst.BinaryOperation, divisor: _Divisor
    ) -> Iterator[tuple[str, str, float]]:
        """Outcomes for a function that returns the quotient itself."""
        function = crash.function
        if function is None or not _is_returned(crash, division):
            return
        note = scope.annotation(crash.file, function)
        for outcome in convention.empty_outcomes(crash, divisor.empty):
            yield outcome, "The guard is the one that the file uses for an empty input elsewhere.", 0.85
        if scope.is_optional(note):
            yield (
                "return None",
                f"`{crash.function_name}` is declared to return `{note}`; None is its answer here.",
                0.8,
            )
        if (stated := convention.stated_for_nothing(crash)) is not None:
            yield f"return {stated}", f"The docstring of `{crash.function_name}` says so.", 0.85
        about = convention.subject(divisor.empty)
        for own in convention.domain_raises(crash, about, divisor.empty):
            yield own.statement, f"The code has `{own.error}` for this.", 0.75
        zero = convention.zero_of(note) if note else _zero(division)
        if divisor.counts and zero:
            yield f"return {zero}", "The sum of nothing is zero, and so is its mean.", 0.7

    def _values(
        self, crash: Crash, division: cst.BinaryOperation, divisor: _Divisor
    ) -> Iterator[tuple[str, str, float]]:
        """Values in place of the quotient, inside a larger expression or an assignment."""
        used = {
            crash.file.code(node.orelse)
            for node in crash.file.all(cst.IfExp)
            if isinstance(node.body, cst.BinaryOperation)
            and isinstance(node.body.operator, type(division.operator))
            and crash.file.code(node.body.right) in crash.file.code(node.test)
        }
        if len(used) == 1 and not scope.names_in(cst.parse_expression(next(iter(used)))) - scope.BUILTINS:
            value = used.pop()
            yield value, f"The file gives {value} for a zero divisor elsewhere; this line now does too.", 0.8
        elif divisor.counts and not _is_returned(crash, division) and (zero := _zero(division)):
            yield zero, "The sum of nothing is zero, and so is its mean.", 0.65


def _divisor(crash: Crash, division: cst.BinaryOperation) -> _Divisor | None:
    code, right = crash.file.code, division.right
    counted = _counted(crash, right)
    if counted is None and isinstance(right, cst.Name):
        bound = scope.binding_before(crash.file, crash.scope, right.value, crash.line)
        counted = _counted(crash, bound.value) if bound else None
    if counted is not None:
        over = code(counted)
        given = scope.parameter(crash.function, over) is not None
        return _Divisor(over, "empty", _sums(crash, division.left, over), {over: "[]"} if given else {})
    if isinstance(right, cst.Name):
        counter = right.value in _augmented(crash)
        return _Divisor(right.value, "zero", counter and _sums(crash, division.left, right.value), {})
    return _Divisor(code(right), "zero", False, {}) if scope.is_plain(right) else None


def _counted(crash: Crash, node: cst.BaseExpression) -> cst.BaseExpression | None:
    """X of `len(X)`."""
    if isinstance(node, cst.Call) and crash.file.code(node.func) == "len" and len(node.args) == 1:
        return node.args[0].value if scope.is_plain(node.args[0].value) else None
    return None


def _augmented(crash: Crash) -> set[str]:
    """Names that this function starts at zero and then adds to."""
    zero = {
        b.name for b in scope.bindings(crash.file, crash.scope) if crash.file.code(b.value) in {"0", "0.0"}
    }
    added = {a.target.value for a in walk(crash.scope, cst.AugAssign) if isinstance(a.target, cst.Name)}
    return zero & added


def _sums(crash: Crash, numerator: cst.BaseExpression, over: str) -> bool:
    """Whether the numerator is a sum (or count) over the same thing that the divisor counts."""
    if isinstance(numerator, cst.Name):
        if numerator.value in _augmented(crash):
            return _added_over(crash, numerator.value, over)
        bound = scope.binding_before(crash.file, crash.scope, numerator.value, crash.line)
        return bound is not None and not isinstance(bound.value, cst.Name) and _sums(crash, bound.value, over)
    if isinstance(numerator, cst.Call) and crash.file.code(numerator.func) in {
        "sum",
        "len",
        "math.fsum",
        "fsum",
    }:
        return over in {crash.file.code(e) for e in _operands(numerator)}
    return False


def _added_over(crash: Crash, name: str, over: str) -> bool:
    """Whether what is added to the name comes from a loop over the divisor's subject, or from the same loop
    that counts the divisor up."""
    for loop in crash.file.all(cst.For, crash.scope):
        added = {a.target.value for a in walk(loop.body, cst.AugAssign) if isinstance(a.target, cst.Name)}
        if name in added:
            return over in added or over in {crash.file.code(n) for n in _operands(loop.iter)}
    return False


def _operands(node: cst.BaseExpression) -> list[cst.BaseExpression]:
    return [*walk(node, cst.Name), *walk(node, cst.Attribute), *walk(node, cst.Subscript)]


def _is_returned(crash: Crash, division: cst.BinaryOperation) -> bool:
    """Whether the quotient, at most scaled or rounded, is what the function returns."""
    for up in crash.file.ancestors(division):
        if isinstance(up, cst.Return):
            return True
        scalar = isinstance(up, cst.Call) and crash.file.code(up.func) in _SCALAR_CALLS
        if not scalar and not isinstance(up, cst.BinaryOperation | cst.Arg):
            return False
    return False


def _zero(division: cst.BinaryOperation) -> str | None:
    return "0.0" if isinstance(division.operator, cst.Divide) else None


def _conditional(crash: Crash, division: cst.BinaryOperation, empty: str, value: str) -> str:
    text = f"{crash.file.code(division)} if {empty} else {value}"
    parent = crash.file.parent(division)
    bare = isinstance(parent, cst.Assign | cst.AnnAssign | cst.Return | cst.Arg | cst.DictElement)
    return text if bare else f"({text})"
