"""TypeError: a call whose arguments do not fit the function that the source shows."""

from __future__ import annotations

from collections.abc import Iterator

import libcst as cst

from infra.local.model import naming, scope
from infra.local.model.rule import Crash, Refusal, Repair, RepairExample, Rule
from infra.local.model.source import SourceFile, Splice


class WrongArguments(Rule):
    crash_class = "argument that does not fit"
    errors = ("TypeError",)
    message = "argument"
    precondition = (
        "the called function is shown, and a keyword is a misspelling of exactly one free parameter, or "
        "the missing "
        "argument is a local of the same name, or the method uses `self` without declaring it"
    )
    repair = "spells the keyword right, passes the local, or declares `self`"
    examples = (
        RepairExample(
            before=(
                "def pay(amount, currency='EUR'):\n    return amount\n\n\ndef run():\n    return pay(1, "
                "curency='USD')\n"
            ),
            call="run()",
            after=(
                "def pay(amount, currency='EUR'):\n    return amount\n\n\ndef run():\n    return pay(1, "
                "currency='USD')\n"
            ),
        ),
        RepairExample(
            before=(
                "class Cart:\n    lines = ()\n\n    def size():\n        return len(self.lines)\n\n\n"
                "def run():\n    return Cart().size()\n"
            ),
            call="run()",
            after=(
                "class Cart:\n    lines = ()\n\n    def size(self):\n        return len(self.lines)\n\n\n"
                "def run():\n    return Cart().size()\n"
            ),
        ),
    )

    def candidates(self, crash: Crash) -> Iterator[Repair | Refusal]:
        if match := crash.matches(r"([\w.]+)\(\) got an unexpected keyword argument '(\w+)'"):
            yield from self._keyword(crash, match.group(1), match.group(2))
        elif match := crash.matches(
            r"([\w.]+)\(\) missing 1 required (?:positional|keyword-only) argument: '(\w+)'"
        ):
            yield from self._missing(crash, match.group(1), match.group(2))
        elif match := crash.matches(
            r"([\w.]+)\(\) takes (\d+) positional arguments? but (\d+) (?:was|were) given"
        ):
            yield from self._self(crash, match.group(1), int(match.group(2)), int(match.group(3)))

    def _keyword(self, crash: Crash, called: str, unknown: str) -> Iterator[Repair]:
        found = _callee(crash, called)
        arguments = [
            a for c in _calls(crash, called) for a in c.args if a.keyword and a.keyword.value == unknown
        ]
        if found is None or len(arguments) != 1:
            return
        call = crash.file.enclosing(arguments[0], cst.Call)
        taken = {a.keyword.value for a in call.args if a.keyword} if call else set()
        meant = naming.closest(unknown, set(_parameter_names(found)) - taken, number=True)
        if meant is None or arguments[0].keyword is None:
            return
        yield Repair(
            title=f"Pass {meant} instead of {unknown} to {called}",
            root_cause=f"`{called}` has no parameter `{unknown}` (line {crash.line}); it has `{meant}`.",
            explanation="The keyword is spelt as the function declares it; the value passed is the same.",
            confidence=0.95,
            file=crash.file,
            splices=(crash.file.replace(arguments[0].keyword, meant),),
        )

    def _missing(self, crash: Crash, called: str, parameter: str) -> Iterator[Repair]:
        calls = _calls(crash, called)
        found = _callee(crash, called)
        if len(calls) != 1 or found is None or any(a.star for a in calls[0].args) or crash.function is None:
            return
        call = calls[0]
        own = {p.name.value for p in scope.parameters(crash.function)}
        bound = scope.binding_before(crash.file, crash.scope, parameter, crash.line)
        passed = any(scope.names_in(a.value) & {parameter} for a in call.args)
        if (parameter not in own and bound is None) or passed or not call.args:
            return
        last = call.args[-1].value
        end = crash.file.end(last)
        yield Repair(
            title=f"Pass {parameter} on to {called}",
            root_cause=f"`{called}` requires `{parameter}`, and the call on line {crash.line} leaves it out.",
            explanation=f"`{crash.function_name}` has a `{parameter}` of its own, which it now passes on.",
            confidence=0.75,
            file=crash.file,
            splices=(Splice(end, end, f", {parameter}={parameter}"),),
        )

    def _self(self, crash: Crash, called: str, takes: int, given: int) -> Iterator[Repair]:
        class_name, _, method = called.rpartition(".")
        for file in crash.files.values():
            owner = scope.definition(file, class_name) if class_name else None
            function = scope.methods(owner).get(method) if isinstance(owner, cst.ClassDef) else None
            if function is None or given != takes + 1 or function.decorators:
                continue
            names = [p.name.value for p in scope.parameters(function)]
            if len(names) != takes or names[:1] == ["self"] or "self" not in scope.names_in(function.body):
                continue
            yield Repair(
                title=f"Declare self in {called}",
                root_cause=(
                    f"`{called}` uses `self` but does not declare it, so the instance has no parameter to "
                    "go to."
                ),
                explanation="`self` becomes the first parameter; callers stay as they are.",
                confidence=0.95,
                file=file,
                splices=(_first_parameter(file, function),),
            )


def _first_parameter(file: SourceFile, function: cst.FunctionDef) -> Splice:
    line, column = file.end(function.name)
    start = (line, column + 1 + len(function.whitespace_after_name.value))
    return Splice(start, start, "self, " if scope.parameters(function) else "self")


def _calls(crash: Crash, called: str) -> list[cst.Call]:
    """Calls on the failing line of a function or method of that name, or of the class for `__init__`."""
    parts = called.split(".")
    name = parts[-2] if parts[-1] == "__init__" and len(parts) > 1 else parts[-1]
    return [c for c in crash.failing(cst.Call) if crash.file.code(c.func).rsplit(".", 1)[-1] == name]


def _callee(crash: Crash, called: str) -> cst.FunctionDef | cst.ClassDef | None:
    """The function that the message names; for a dataclass, the class."""
    owner, _, name = called.rpartition(".")
    for file in crash.files.values():
        if not owner:
            found = scope.definition(file, name)
            if found is not None:
                return found
        else:
            definition = scope.definition(file, owner)
            if isinstance(definition, cst.ClassDef):
                return scope.methods(definition).get(name, definition if name == "__init__" else None)
    return None


def _parameter_names(callee: cst.FunctionDef | cst.ClassDef) -> list[str]:
    if isinstance(callee, cst.FunctionDef):
        return [p.name.value for p in scope.parameters(callee)]
    return [
        small.target.value
        for statement in callee.body.body
        if isinstance(statement, cst.SimpleStatementLine)
        for small in statement.body
        if isinstance(small, cst.AnnAssign) and isinstance(small.target, cst.Name)
    ]
