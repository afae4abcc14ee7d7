"""None from a method that works in place: `items = items.sort()`."""

from __future__ import annotations

from collections.abc import Iterator

import libcst as cst

from infra.local.model import scope
from infra.local.model.rule import Crash, Refusal, Repair, RepairExample, Rule
from infra.local.model.rules.none_value import none_expressions

_IN_PLACE = {"sort", "append", "extend", "reverse", "insert", "add", "update", "clear"}
_COPIES = {"sort": "sorted({base}{args})", "reverse": "list(reversed({base}))"}


class InPlaceResult(Rule):
    crash_class = "result of an in-place method"
    errors = ("AttributeError", "TypeError")
    message = "NoneType"
    precondition = "the value that is None was assigned from an in-place method of a list, set or dictionary"
    repair = "calls the method for its effect, or takes a sorted copy when the name is a new one"
    examples = (
        RepairExample(
            before="def best(scores):\n    ranked = scores.sort()\n    return ranked[0]\n",
            call="best([3, 1])",
            after="def best(scores):\n    ranked = sorted(scores)\n    return ranked[0]\n",
        ),
        RepairExample(
            before="def add(tags, tag):\n    tags = tags.append(tag)\n    return len(tags)\n",
            call="add(['a'], 'b')",
            after="def add(tags, tag):\n    tags.append(tag)\n    return len(tags)\n",
        ),
    )

    def candidates(self, crash: Crash) -> Iterator[Repair | Refusal]:
        missing = {e.value if isinstance(e, cst.Name) else "" for e in none_expressions(crash)}
        for bound in scope.bindings(crash.file, crash.scope):
            call = bound.value
            if missing != {bound.name} or crash.file.start(bound.statement)[0] >= crash.line:
                continue
            if not isinstance(call, cst.Call) or not isinstance(call.func, cst.Attribute):
                continue
            method, base = call.func.attr.value, crash.file.code(call.func.value)
            if method not in _IN_PLACE:
                continue
            if base == bound.name:
                new = crash.file.code(call)
            elif (
                method in _COPIES
                and isinstance(call.func.value, cst.Name)
                and not _read_later(crash, base, bound)
            ):
                args = "".join(f", {crash.file.code(a).rstrip(', ')}" for a in call.args)
                new = f"{bound.name} = {_COPIES[method].format(base=base, args=args)}"
            else:
                continue
            yield Repair(
                title=f"Do not use the result of {base}.{method}()",
                root_cause=(
                    f"`{crash.file.code(call)}` changes `{base}` in place and returns None, so "
                    f"`{bound.name}` is "
                    f"None on line {crash.line}."
                ),
                explanation=f"`{new}` gives `{bound.name}` the list that the following lines expect.",
                confidence=0.9,
                file=crash.file,
                splices=(crash.file.replace(bound.statement.body[0], new),),
            )


def _read_later(crash: Crash, name: str, bound: scope.Binding) -> bool:
    """Whether the original is used after it should have been sorted, so that a copy would not do."""
    after = crash.file.end(bound.statement)
    return any(n.value == name and crash.file.start(n) > after for n in crash.file.all(cst.Name, crash.scope))
