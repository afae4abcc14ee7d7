"""TypeError: a number, date or id joined to text without being turned into text."""

from __future__ import annotations

from collections.abc import Iterator

import libcst as cst

from infra.local.model import scope
from infra.local.model.rule import Crash, Refusal, Repair, RepairExample, Rule

_PRINTABLE = {
    "int",
    "float",
    "decimal.Decimal",
    "Decimal",
    "UUID",
    "datetime.date",
    "date",
    "datetime.datetime",
}
_PRINTABLE |= {"Fraction", "fractions.Fraction", "uuid.UUID", "PosixPath", "bool", "datetime"}
"""Types whose `str()` is what a reader expects to see in a text. None and bytes are not among them."""


class TextConcatenation(Rule):
    crash_class = "text + number"
    errors = ("TypeError",)
    message = "concatenate str|unsupported operand type|expected str instance"
    precondition = (
        "the sum contains a text literal, so a text is what is meant, and what is added is a number, date "
        "or id; for "
        "`join`, the separator is joined with such elements"
    )
    examples = (
        RepairExample(
            before='def label(count):\n    return "items: " + count\n',
            call="label(3)",
            after='def label(count):\n    return "items: " + str(count)\n',
        ),
        RepairExample(
            before='def line(ids):\n    return ", ".join(ids)  # shown to users\n',
            call="line([1, 2])",
            after='def line(ids):\n    return ", ".join(map(str, ids))  # shown to users\n',
        ),
    )

    def candidates(self, crash: Crash) -> Iterator[Repair | Refusal]:
        if (match := crash.matches(r"can only concatenate str \(not \"([\w.]+)\"\) to str")) or (
            match := crash.matches(r"unsupported operand type\(s\) for \+=?: '([\w.]+)' and 'str'")
        ):
            yield from self._sum(crash, match.group(1))
        elif match := crash.matches(r"sequence item \d+: expected str instance, ([\w.]+) found"):
            yield from self._join(crash, match.group(1))

    def _sum(self, crash: Crash, kind: str) -> Iterator[Repair]:
        if kind not in _PRINTABLE:
            return
        sums = [b for b in crash.failing(cst.BinaryOperation) if isinstance(b.operator, cst.Add)]
        outer = [_outermost(crash, b) for b in sums]
        if len({id(b) for b in outer}) != 1:
            augmented = crash.the_failing(cst.AugAssign)
            if outer or augmented is None or not isinstance(augmented.operator, cst.AddAssign):
                return
            operands = [augmented.value]
            start = [
                b
                for b in scope.bindings(crash.file, crash.scope)
                if crash.file.code(augmented.target) == b.name
            ]
            textual = bool(start) and _is_text(crash, start[0].value)
        else:
            operands = list(_operands(outer[0]))
            textual = any(isinstance(o, cst.FormattedString) or _is_wording(o) for o in operands)
        others = [o for o in operands if not _is_text(crash, o)]
        if not textual or not others or (len(others) > 1 and any(isinstance(o, cst.Call) for o in others)):
            return
        names = ", ".join(f"`{crash.file.code(o)}`" for o in others)
        yield Repair(
            title=f"Turn {crash.file.code(others[0])} into text before joining it"[:72],
            root_cause=(
                f"Line {crash.line} adds text and {names}, which can be {_a(kind)}; Python does not "
                "convert it."
            ),
            explanation=f"{names} goes through `str`. Where it is text already, `str` returns it as it is.",
            confidence=0.9 if len(others) == 1 else 0.7,
            file=crash.file,
            splices=tuple(crash.file.replace(o, f"str({crash.file.code(o)})") for o in others),
        )

    def _join(self, crash: Crash, kind: str) -> Iterator[Repair]:
        calls = [
            c
            for c in crash.failing(cst.Call)
            if isinstance(c.func, cst.Attribute) and c.func.attr.value == "join" and len(c.args) == 1
        ]
        if kind not in _PRINTABLE or len(calls) != 1:
            return
        elements = calls[0].args[0].value
        if isinstance(elements, cst.GeneratorExp | cst.ListComp):
            splice = crash.file.replace(elements.elt, f"str({crash.file.code(elements.elt)})")
        elif isinstance(elements, cst.List | cst.Tuple):
            return
        else:
            splice = crash.file.replace(elements, f"map(str, {crash.file.code(elements)})")
        yield Repair(
            title=f"Join the elements as text in {crash.function_name}",
            root_cause=(
                f"`join` on line {crash.line} takes texts only; `{crash.file.code(elements)}` holds "
                f"{_a(kind)}."
            ),
            explanation="Each element goes through `str` first; texts stay as they are.",
            confidence=0.9,
            file=crash.file,
            splices=(splice,),
        )


def _is_wording(node: cst.BaseExpression) -> bool:
    """A text literal that is not a number in quotes."""
    text = scope.literal(node)
    return text is not None and not text.strip().isdigit()


def _a(kind: str) -> str:
    name = kind.rsplit(".", 1)[-1]
    return f"an {name}" if name[0] in "aeiou" else f"a {name}"


def _outermost(crash: Crash, node: cst.BinaryOperation) -> cst.BinaryOperation:
    parent = crash.file.parent(node)
    if isinstance(parent, cst.BinaryOperation) and isinstance(parent.operator, cst.Add):
        return _outermost(crash, parent)
    return node


def _operands(node: cst.BaseExpression) -> Iterator[cst.BaseExpression]:
    if isinstance(node, cst.BinaryOperation) and isinstance(node.operator, cst.Add) and not node.lpar:
        yield from _operands(node.left)
        yield from _operands(node.right)
    else:
        yield node


def _is_text(crash: Crash, node: cst.BaseExpression) -> bool:
    if isinstance(node, cst.SimpleString | cst.FormattedString | cst.ConcatenatedString):
        return True
    if isinstance(node, cst.Call):
        method = node.func.attr.value if isinstance(node.func, cst.Attribute) else ""
        texts = {"upper", "lower", "strip", "title", "join", "format", "replace", "isoformat", "strftime"}
        return crash.file.code(node.func) in {"str", "repr"} or method in texts
    if isinstance(node, cst.Name):
        given = scope.parameter(crash.function, node.value)
        if given is not None:
            return scope.annotation(crash.file, given) == "str"
        bound = scope.binding_before(crash.file, crash.scope, node.value, crash.line)
        bound = bound or scope.constants(crash.file).get(node.value)
        return bound is not None and not isinstance(bound.value, cst.Name) and _is_text(crash, bound.value)
    return False
