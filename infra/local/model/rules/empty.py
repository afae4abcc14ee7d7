"""The first, last or largest of nothing: IndexError, ValueError of max and min, StopIteration of next."""

from __future__ import annotations

from collections.abc import Iterator

import libcst as cst

from infra.local.model import convention, scope
from infra.local.model.rule import Crash, Refusal, Repair, RepairExample, Rule


class EmptySequence(Rule):
    crash_class = "element of an empty sequence"
    errors = ("IndexError", "ValueError", "StopIteration")
    message = "index out of range|empty|^$"
    precondition = (
        "the failing line takes the first, last, largest or smallest of one named sequence, or `next` of a "
        "search, and the code says what an empty one means: a guard elsewhere, an own exception, or a "
        "return type "
        "that allows None"
    )
    repair = "guards the empty sequence with that outcome"
    examples = (
        RepairExample(
            before="def latest(events) -> dict | None:\n    return events[-1]\n",
            call="latest([])",
            after=(
                "def latest(events) -> dict | None:\n    if not events:\n        return None\n    return "
                "events[-1]\n"
            ),
        ),
        RepairExample(
            before="def find(rows, key) -> int | None:\n    return next(r for r in rows if r == key)\n",
            call="find([], 1)",
            after=(
                "def find(rows, key) -> int | None:\n    return next((r for r in rows if r == key), None)\n"
            ),
        ),
    )

    def candidates(self, crash: Crash) -> Iterator[Repair | Refusal]:
        if crash.error == "StopIteration":
            yield from self._search(crash)
            return
        empty = self._sequence(crash)
        if empty is None or (statement := crash.statement_of(empty)) is None:
            return
        text = crash.file.code(empty)
        note = scope.annotation(crash.file, crash.function) if crash.function else ""
        outcomes = [
            (o, "the file does so for an empty input elsewhere", 0.8)
            for o in convention.empty_outcomes(crash, text)
        ]
        outcomes += [
            (own.statement, f"the code has `{own.error}` for this", 0.75)
            for own in convention.domain_raises(crash, convention.words_of(crash.file, empty), text)
        ]
        if scope.is_optional(note) and crash.file.enclosing(empty, cst.Return):
            outcomes.append(("return None", f"the function is declared to return `{note}`", 0.8))
        if crash.in_loop(empty):
            outcomes = [o for o in outcomes if not o[0].startswith("return")]
        given = {text: "[]"} if scope.parameter(crash.function, text) else {}
        for outcome, why, confidence in outcomes:
            expects = "assert {call} is None" if outcome == "return None" else ""
            yield Repair(
                title=f"Handle an empty {text} in {crash.function_name}",
                root_cause=f"Line {crash.line} takes an element of `{text}`, which can be empty.",
                explanation=(
                    f"With an empty `{text}` it now does `{outcome}`: {why}. Otherwise nothing changes."
                ),
                confidence=confidence,
                file=crash.file,
                splices=(
                    crash.file.insert_before(
                        statement, [f"if not {text}:", f"{crash.file.indent_unit}{outcome}"]
                    ),
                ),
                trigger=given,
                expects=expects,
            )

    def _sequence(self, crash: Crash) -> cst.BaseExpression | None:
        """The one named sequence on the failing line whose emptiness explains the message."""
        found: list[cst.BaseExpression] = []
        if crash.error == "IndexError" and crash.matches("pop from empty"):
            calls = [c.func for c in crash.failing(cst.Call)]
            found = [f.value for f in calls if isinstance(f, cst.Attribute) and f.attr.value == "pop"]
        elif crash.error == "IndexError":
            for node in crash.failing(cst.Subscript):
                index = scope.index_of(node)
                if index is not None and crash.file.code(index) in {"0", "-1"}:
                    found.append(node.value)
                elif index is not None and scope.literal(index) is None:
                    return None
        elif crash.matches(r"(max|min)\(\) .*empty"):
            calls_ = [c for c in crash.failing(cst.Call) if crash.file.code(c.func) in {"max", "min"}]
            found = [c.args[0].value for c in calls_ if c.args]
        plain = {crash.file.code(e): e for e in found if scope.is_plain(e)}
        return (
            next(iter(plain.values()))
            if len(plain) == 1 and len(found) == len([e for e in found if scope.is_plain(e)])
            else None
        )

    def _search(self, crash: Crash) -> Iterator[Repair]:
        calls = [c for c in crash.failing(cst.Call) if crash.file.code(c.func) == "next" and len(c.args) == 1]
        if len(calls) != 1 or crash.function is None:
            return
        call, argument = calls[0], calls[0].args[0].value
        text = crash.file.code(argument)
        if isinstance(argument, cst.GeneratorExp) and not text.startswith("("):
            text = f"({text})"
        elif isinstance(argument, cst.GeneratorExp) and crash.file.code(call) == f"next{text}":
            text = f"({text[1:-1]})"
        note = scope.annotation(crash.file, crash.function)
        parent = crash.file.parent(call)
        if scope.is_optional(note) and isinstance(parent, cst.Return):
            yield Repair(
                title=f"Return None from {crash.function_name} when nothing matches",
                root_cause=f"`next` on line {crash.line} has no default, so it raises when nothing matches.",
                explanation=(
                    f"The function is declared to return `{note}`; None is now its answer when nothing "
                    "matches."
                ),
                confidence=0.9,
                file=crash.file,
                splices=(crash.file.replace(call, f"next({text}, None)"),),
            )
        statement = crash.file.statement(call)
        if (
            not isinstance(parent, cst.Assign)
            or statement is None
            or not isinstance(parent.targets[0].target, cst.Name)
        ):
            return
        name = parent.targets[0].target.value
        compared = [
            c.comparisons[0].comparator for c in crash.failing(cst.Comparison) if len(c.comparisons) == 1
        ]
        keys = [crash.file.code(c) for c in compared if isinstance(c, cst.Name)]
        for own in convention.domain_raises(
            crash, convention.words_of(crash.file, call) | {name}, (keys or [name])[-1]
        ):
            yield Repair(
                title=f"Raise {own.error} when no {name} matches",
                root_cause=f"`next` on line {crash.line} has no default, so it raises when nothing matches.",
                explanation=f"When nothing matches, `{own.error}` is raised, the code's own error for this.",
                confidence=0.75,
                file=crash.file,
                splices=(
                    crash.file.replace(call, f"next({text}, None)"),
                    crash.file.insert_after(
                        statement, [f"if {name} is None:", f"{crash.file.indent_unit}{own.statement}"]
                    ),
                ),
            )
