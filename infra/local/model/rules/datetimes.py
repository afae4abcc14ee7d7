"""TypeError: a naive and an aware datetime in one subtraction or comparison."""

from __future__ import annotations

from collections.abc import Iterator

import libcst as cst

from infra.local.model import scope
from infra.local.model.rule import Crash, Refusal, Repair, RepairExample, Rule
from infra.local.model.rules.missing_import import add_import
from infra.local.model.source import Splice, walk


class NaiveDatetime(Rule):
    crash_class = "naive and aware datetime"
    errors = ("TypeError",)
    message = "offset-naive and offset-aware"
    precondition = (
        "exactly one side is `datetime.utcnow()` or `datetime.now()`, directly or through a local, and so "
        "is the "
        "naive one"
    )
    repair = "asks for the current time in UTC, with its zone"
    examples = (
        RepairExample(
            before=(
                "from datetime import datetime\n\n\ndef age(then):\n"
                "    return datetime.utcnow() - datetime.fromisoformat(then)\n"
            ),
            call="age('2024-01-01T00:00:00+00:00')",
            after=(
                "from datetime import datetime, timezone\n\n\ndef age(then):\n"
                "    return datetime.now(timezone.utc) - datetime.fromisoformat(then)\n"
            ),
        ),
        RepairExample(
            before=(
                "import datetime\n\n\ndef expired(until):\n    now = datetime.datetime.now()\n"
                "    return now > datetime.datetime.fromisoformat(until)\n"
            ),
            call="expired('2024-01-01T00:00:00+00:00')",
            after=(
                "import datetime\n\n\ndef expired(until):\n    now = "
                "datetime.datetime.now(datetime.timezone.utc)\n"
                "    return now > datetime.datetime.fromisoformat(until)\n"
            ),
        ),
    )

    def candidates(self, crash: Crash) -> Iterator[Repair | Refusal]:
        line: list[cst.CSTNode] = [*crash.failing(cst.BinaryOperation), *crash.failing(cst.Comparison)]
        calls = {id(c): c for node in line for c in walk(node, cst.Call) if _naive(crash, c)}
        read = {n.value for node in line for n in walk(node, cst.Name)}
        for name in read:
            bound = scope.binding_before(crash.file, crash.scope, name, crash.line)
            if bound and isinstance(bound.value, cst.Call) and _naive(crash, bound.value):
                if _compared_elsewhere(crash, name):
                    return
                calls[id(bound.value)] = bound.value
        if len(calls) != 1:
            return
        call = next(iter(calls.values()))
        base = crash.file.code(call.func).rsplit(".", 1)[0]
        zone, change = _utc(crash, base)
        if zone is None:
            return
        splices = [crash.file.replace(call, f"{base}.now({zone})")]
        if change:
            splices.append(change)
        yield Repair(
            title=f"Use an aware current time in {crash.function_name}",
            root_cause=(
                f"`{crash.file.code(call)}` has no time zone; the other side on line {crash.line} has one."
            ),
            explanation=(
                f"`{base}.now({zone})` is the same instant with its zone, so the two can be compared."
            ),
            confidence=0.9,
            file=crash.file,
            splices=tuple(splices),
        )


def _compared_elsewhere(crash: Crash, name: str) -> bool:
    """Whether another line computes with the name: that one may need it as it is."""
    nodes: list[cst.CSTNode] = [*crash.file.all(cst.BinaryOperation, crash.scope)]
    nodes += crash.file.all(cst.Comparison, crash.scope)
    return any(name in scope.names_in(n) and crash.file.start(n)[0] != crash.line for n in nodes)


def _naive(crash: Crash, call: cst.Call) -> bool:
    text = crash.file.code(call.func)
    return not call.args and text in {
        "datetime.utcnow",
        "datetime.now",
        "datetime.datetime.utcnow",
        "datetime.datetime.now",
        "dt.datetime.utcnow",
        "dt.datetime.now",
    }


def _utc(crash: Crash, base: str) -> tuple[str | None, Splice | None]:
    """How UTC is written here, and the import that it needs."""
    names = scope.imported(crash.file)
    if base != "datetime":
        return f"{base.removesuffix('.datetime')}.timezone.utc", None
    if names.get("UTC") == "datetime.UTC":
        return "UTC", None
    if "timezone" in names:
        return ("timezone.utc", None) if names["timezone"] == "datetime.timezone" else (None, None)
    change = add_import(crash, "timezone", "datetime")
    return ("timezone.utc", change) if change else (None, None)
