"""AttributeError and TypeError on None: a value that may be missing is used as if it were there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import libcst as cst

from infra.local.model import convention, naming, scope
from infra.local.model.rule import Crash, Refusal, Repair, RepairExample, Rule
from infra.local.model.source import SourceFile, Splice, Statement


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a guard goes: the expression to test, the changes that make room, and how to add the guard."""

    tested: str
    splices: tuple[Splice, ...]
    before: Statement | None = None
    after: Statement | None = None


class NoneValue(Rule):
    crash_class = "value that is None"
    errors = ("AttributeError", "TypeError")
    message = "NoneType"
    precondition = (
        "one expression on the failing line can be None, and the code says what that means: another function "
        "guards the same call, an exception of its own exists for it, or the function may return None"
    )
    examples = (
        RepairExample(
            before=(
                "USERS = {1: 'ann'}\n\n\ndef find_user(user_id):\n    return USERS.get(user_id)\n\n\n"
                "def shout(user_id) -> str | None:\n    user = find_user(user_id)\n    return user.upper()\n"
            ),
            call="shout(2)",
            after=(
                "USERS = {1: 'ann'}\n\n\ndef find_user(user_id):\n    return USERS.get(user_id)\n\n\n"
                "def shout(user_id) -> str | None:\n    user = find_user(user_id)\n"
                "    if user is None:\n        return None\n    return user.upper()\n"
            ),
        ),
        RepairExample(
            before="def total(prices=None):\n    return sum(p for p in prices)\n",
            call="total()",
            after="def total(prices=None):\n    return sum(p for p in prices or [])\n",
        ),
    )

    def candidates(self, crash: Crash) -> Iterator[Repair | Refusal]:
        found = none_expressions(crash)
        if len({crash.file.code(e) for e in found}) != 1:
            return
        value = found[0]
        yield from self._nothing_given(crash, value)
        yield from self._usual_default(crash, value)
        source = _origin(crash, value)
        place = _place(crash, value, source)
        if place is None:
            return
        for statement, why, confidence in self._outcomes(crash, value, source, place.tested):
            if statement.startswith("return") and crash.in_loop(value):
                continue
            lines = [f"if {place.tested} is None:", f"{crash.file.indent_unit}{statement}"]
            splices = list(place.splices)
            if place.after is not None:
                splices.append(crash.file.insert_after(place.after, lines))
            elif place.before is not None:
                splices.append(crash.file.insert_before(place.before, lines))
            origin = f"`{crash.file.code(source)}`" if source else f"`{place.tested}`"
            yield Repair(
                title=(
                    f"Handle a missing {naming.phrase(place.tested.rsplit('.', 1)[-1])} in "
                    f"{crash.function_name}"
                ),
                root_cause=f"{origin} can be None, and line {crash.line} uses it without checking.",
                explanation=f"{why} When there is a value nothing changes.",
                confidence=confidence,
                file=crash.file,
                splices=tuple(splices),
            )

    def _nothing_given(self, crash: Crash, value: cst.BaseExpression) -> Iterator[Repair]:
        """Iterating over a parameter whose default is None, or over a `.get` without default."""
        if not _is_iterated(crash.file, value):
            return
        code = crash.file.code(value)
        source = _origin(crash, value)
        given = scope.parameter(crash.function, code)
        optional = (
            given is not None and given.default is not None and crash.file.code(given.default) == "None"
        )
        if optional and not any(n.value == code for n in scope.stores(crash.scope)):
            why = (
                f"The parameter `{code}` defaults to None, so leaving it out means that there is nothing "
                "to go over."
            )
        elif isinstance(source, cst.Call) and _is_get(source) and len(source.args) == 1:
            why = (
                f"`{crash.file.code(source)}` allows for a missing entry, and then there is nothing to go "
                "over."
            )
        else:
            return
        yield Repair(
            title=f"Treat a missing {naming.phrase(code.split('(')[0].rsplit('.', 1)[-1])} as empty",
            root_cause=f"Line {crash.line} iterates over `{code}`, which is None when nothing was given.",
            explanation=f"{why} The loop is then empty; with a value nothing changes.",
            confidence=0.7,
            file=crash.file,
            splices=(crash.file.replace(value, f"{code} or []"),),
        )

    def _usual_default(self, crash: Crash, value: cst.BaseExpression) -> Iterator[Repair]:
        """`(value or default)` as the file writes it for the same value elsewhere."""
        code = crash.file.code(value)
        used = {
            crash.file.code(node)
            for node in crash.file.all(cst.BooleanOperation)
            if isinstance(node.operator, cst.Or) and crash.file.code(node.left) == code
        }
        texts = {text.strip("()") for text in used}
        if len(texts) == 1:
            text = texts.pop()
            yield Repair(
                title=f"Use {text} in {crash.function_name} as elsewhere",
                root_cause=f"`{code}` can be None, and line {crash.line} uses it without the usual default.",
                explanation=(
                    f"The file writes `{text}` where it reads the same value elsewhere; this line now does "
                    "too."
                ),
                confidence=0.8,
                file=crash.file,
                splices=(crash.file.replace(value, f"({text})"),),
            )

    def _outcomes(
        self, crash: Crash, value: cst.BaseExpression, source: cst.BaseExpression | None, tested: str
    ) -> Iterator[tuple[str, str, float]]:
        if isinstance(source, cst.Call):
            for text, where in _copied_guards(crash, source, tested):
                yield text, f"The guard is the one that `{where}` has after the same call.", 0.85
        about = convention.words_of(crash.file, value, *([source] if source else []))
        for own in convention.domain_raises(crash, about, _key(crash, source, tested)):
            yield (
                own.statement,
                f"A missing value now raises `{own.error}`, the code's own error for it.",
                0.75,
            )
        note = scope.annotation(crash.file, crash.function) if crash.function else ""
        if scope.is_optional(note):
            yield (
                "return None",
                f"`{crash.function_name}` is declared to return `{note}`; None is its answer here.",
                0.7,
            )


def none_expressions(crash: Crash) -> list[cst.BaseExpression]:
    """The expressions on the failing line that, being None, give exactly this message."""
    if match := crash.matches(r"has no attribute '(\w+)'"):
        return [a.value for a in crash.failing(cst.Attribute) if a.attr.value == match.group(1)]
    if crash.matches("not subscriptable"):
        return [s.value for s in crash.failing(cst.Subscript) if not crash.file.enclosing(s, cst.Annotation)]
    if crash.matches("has no len"):
        calls = [c for c in crash.failing(cst.Call) if crash.file.code(c.func) == "len" and c.args]
        return [c.args[0].value for c in calls]
    if crash.matches("argument of type"):
        pairs = [t for c in crash.failing(cst.Comparison) for t in c.comparisons]
        return [t.comparator for t in pairs if isinstance(t.operator, cst.In | cst.NotIn)]
    if crash.matches("not iterable"):
        return [f.iter for f in crash.failing(cst.For)] + [f.iter for f in crash.failing(cst.CompFor)]
    return []


def _is_iterated(file: SourceFile, value: cst.BaseExpression) -> bool:
    parent = file.parent(value)
    return isinstance(parent, cst.For | cst.CompFor) and parent.iter is value


def _is_get(call: cst.Call) -> bool:
    return isinstance(call.func, cst.Attribute) and call.func.attr.value == "get"


def _origin(crash: Crash, value: cst.BaseExpression) -> cst.BaseExpression | None:
    """The call that gave the value: itself, or the only one assigned to its name in the function."""
    if isinstance(value, cst.Call):
        return value
    if isinstance(value, cst.Name):
        bound = scope.binding_before(crash.file, crash.scope, value.value, crash.line)
        if bound and isinstance(bound.value, cst.Call | cst.Attribute | cst.Subscript):
            return bound.value
    return None


def _place(crash: Crash, value: cst.BaseExpression, source: cst.BaseExpression | None) -> _Place | None:
    statement = crash.statement_of(value)
    if statement is None:
        return None
    if isinstance(value, cst.Name):
        bound = scope.binding_before(crash.file, crash.scope, value.value, crash.line)
        if bound and crash.file.parent(bound.statement) is crash.file.parent(statement):
            return _Place(value.value, (), after=bound.statement)
    if isinstance(value, cst.Call) and value is source:
        name = naming.words(crash.file.code(value.func).rsplit(".", 1)[-1])[-1:]
        taken = scope.visible_names(crash.file, crash.function)
        if not name or not name[0].isidentifier() or name[0] in taken | scope.BUILTINS | {"get", "match"}:
            return None
        lines = [f"{name[0]} = {crash.file.code(value)}"]
        splices = (crash.file.insert_before(statement, lines), crash.file.replace(value, name[0]))
        return _Place(name[0], splices, before=statement)
    return _Place(crash.file.code(value), (), before=statement) if scope.is_plain(value) else None


def _key(crash: Crash, source: cst.BaseExpression | None, tested: str) -> str:
    """What a "not found" error should name: the last plain argument of the lookup, else the value."""
    if isinstance(source, cst.Call):
        plain = [a.value for a in source.args if not a.star and scope.is_plain(a.value)]
        if plain:
            return crash.file.code(plain[-1])
    return tested


def _copied_guards(crash: Crash, source: cst.Call, tested: str) -> Iterator[tuple[str, str]]:
    """Outcomes of guards after the same call in other functions of the file, in this function's names."""
    file = crash.file
    here = scope.annotation(file, crash.function) if crash.function else ""
    for guard in convention.none_guards(file):
        if guard.function is crash.function or not isinstance(guard.tested, cst.Name):
            continue
        line = file.start(guard.tested)[0]
        bound = scope.binding_before(file, guard.function, guard.tested.value, line)
        if bound is None or not isinstance(bound.value, cst.Call):
            continue
        if file.code(bound.value.func) != file.code(source.func):
            continue
        if isinstance(guard.outcome, cst.Continue):
            continue
        if isinstance(guard.outcome, cst.Return) and (
            not here or scope.annotation(file, guard.function) != here
        ):
            continue
        mapping = {guard.tested.value: tested}
        for theirs, ours in zip(bound.value.args, source.args, strict=False):
            if isinstance(theirs.value, cst.Name):
                mapping[theirs.value.value] = file.code(ours.value)
        free = scope.names_in(guard.outcome) - scope.module_names(file) - scope.BUILTINS - set(mapping)
        if not free:
            yield convention.renamed(file, guard.outcome, mapping), guard.function.name.value
