"""IndexError: a loop or an index that runs one past the end."""

from __future__ import annotations

from collections.abc import Iterator

import libcst as cst

from infra.local.model import scope
from infra.local.model.rule import Crash, Refusal, Repair, RepairExample, Rule
from infra.local.model.source import walk


class OffByOne(Rule):
    crash_class = "index one past the end"
    errors = ("IndexError",)
    message = "index out of range"
    precondition = (
        "the failing index is `len(x)`, or the variable of a loop over `range(len(x) + 1)`, "
        "`range(len(x))` with "
        "`x[i + 1]`, failing in the loop's first statement, or `while i <= len(x)`"
    )
    repair = "ends the loop, or the index, at the last element"
    examples = (
        RepairExample(
            before="def show(rows):\n    for i in range(len(rows) + 1):\n        print(rows[i])\n",
            call="show([1])",
            after="def show(rows):\n    for i in range(len(rows)):\n        print(rows[i])\n",
        ),
        RepairExample(
            before="def last(rows):\n    return rows[len(rows)]\n",
            call="last([1])",
            after="def last(rows):\n    return rows[-1]\n",
        ),
    )

    def candidates(self, crash: Crash) -> Iterator[Repair | Refusal]:
        code = crash.file.code
        for failed in crash.failing(cst.Subscript):
            index = scope.index_of(failed)
            if index is None:
                continue
            base = code(failed.value)
            end = f"len({base})"
            if code(index) == end:
                yield self._candidate(crash, index, "-1", f"`{code(failed)}` reads one past the last element")
                return
            for up in crash.file.ancestors(failed):
                if isinstance(up, cst.For) and isinstance(up.target, cst.Name):
                    yield from self._for(crash, up, up.target.value, failed, index, end)
                if isinstance(up, cst.While):
                    yield from self._while(crash, up, index, end)
                if isinstance(up, cst.FunctionDef):
                    break

    def _for(
        self,
        crash: Crash,
        loop: cst.For,
        name: str,
        failed: cst.Subscript,
        index: cst.BaseExpression,
        end: str,
    ) -> Iterator[Repair]:
        code = crash.file.code
        if not isinstance(loop.iter, cst.Call) or code(loop.iter.func) != "range" or len(loop.iter.args) > 2:
            return
        stop = loop.iter.args[-1].value
        text = code(stop).replace(" ", "")
        starts_at_zero = len(loop.iter.args) == 1 or code(loop.iter.args[0].value) == "0"
        if not _in_first_statement(crash, loop, failed):
            return
        if text == f"{end}+1" and code(index) == name and starts_at_zero:
            yield self._candidate(
                crash, stop, end, f"The loop's last index is `{end}`, one past the last element"
            )
        ahead = code(index).replace(" ", "") in {f"{name}+1", f"1+{name}"}
        if text == end and ahead:
            why = f"Each round reads one element ahead, so the last round, with index `{end} - 1`, finds none"
            yield self._candidate(crash, stop, f"{end} - 1", why)

    def _while(self, crash: Crash, loop: cst.While, index: cst.BaseExpression, end: str) -> Iterator[Repair]:
        for test in walk(loop.test, cst.Comparison):
            if len(test.comparisons) != 1 or crash.file.code(test.left) != crash.file.code(index):
                continue
            target = test.comparisons[0]
            if isinstance(target.operator, cst.LessThanEqual) and crash.file.code(target.comparator) == end:
                new = f"{crash.file.code(test.left)} < {end}"
                yield self._candidate(crash, test, new, f"The loop also runs with the index `{end}`")

    def _candidate(self, crash: Crash, node: cst.CSTNode, new: str, why: str) -> Repair:
        old = crash.file.code(node)
        return Repair(
            title=f"Stop at the last element in {crash.function_name}",
            root_cause=f"{why}; line {crash.line} fails there.",
            explanation=f"`{old}` becomes `{new}`, so that only elements that exist are read.",
            confidence=0.85,
            file=crash.file,
            splices=(crash.file.replace(node, new),),
        )


def _in_first_statement(crash: Crash, loop: cst.For, failed: cst.Subscript) -> bool:
    """Whether the last round fails before it has done anything, so that leaving it out loses nothing."""
    first = loop.body.body[0] if loop.body.body else None
    inside = first.test if isinstance(first, cst.If) else first
    if inside is None or (isinstance(inside, cst.BaseCompoundStatement)):
        return False
    return any(node is failed for node in walk(inside, cst.Subscript))
