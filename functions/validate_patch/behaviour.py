"""The behaviour table: a few calls, what they did before the patch and what they do after it."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from functions.core.untrusted.redaction import redact
from functions.core.workflow.evidence import Behaviour
from functions.harness.experiment import Calls
from functions.validate_patch.candidate import Candidate
from functions.validate_patch.principles.results import function_in

_OF_EACH = {"incident": 2, "like it": 2, "changed": 3, "refused": 1, "worked": 2}
_LONGEST = 200

Pair = tuple[Mapping[str, Any], Mapping[str, Any]]
"""A call with what it does after the patch, and what it did before."""


def rows(candidate: Candidate, calls: Calls | None) -> tuple[Behaviour, ...]:
    """The incident's own input first, then calls like it, what changed, what is still refused, what works.

    Calls of the function that failed come before those of its callers; then those whose arguments are of the
    kinds that calls which worked have, since an empty text where a list belongs convinces nobody; then short
    ones.
    """
    if calls is None:
        return ()
    incident = candidate.context.incident
    inner = candidate.places[-1].function if candidate.places else ""
    failed = [(_raising(call, incident.title), now) for call, now in calls.mended]
    changed = [(_called(was, now), now) for now, was in calls.differing]
    kinds: dict[str, list[Pair]] = {
        "incident": [pair for pair in failed if pair[0].get("exact")],
        "like it": [pair for pair in failed if not pair[0].get("exact")],
        "changed": changed,
        "refused": [(was, now) for now, was in calls.refused],
        "worked": [
            ({**was, "call": now["call"], "imports": now["imports"]}, now) for now, was in calls.worked
        ],
    }
    usual = {_kinds(str(was["call"])) for was, _ in kinds["worked"]}

    def order(pair: Pair) -> tuple[bool, bool, int, str]:
        call = str(pair[0]["call"])
        return function_in(call) != inner, _kinds(call) not in usual, len(call), call

    found: list[Behaviour] = []
    for why, pairs in kinds.items():
        found += _distinct(sorted(pairs, key=order), why)
    return tuple(found)


def _kinds(call: str) -> str:
    """The call with the kind of each argument in its place: `mean([1])` and `mean([])` are alike."""
    try:
        made = ast.parse(call, mode="eval").body
    except SyntaxError:
        return call
    if not isinstance(made, ast.Call):
        return call
    values = [*made.args, *(keyword.value for keyword in made.keywords)]
    kinds = (type(value.value if isinstance(value, ast.Constant) else value).__name__ for value in values)
    return f"{ast.unparse(made.func)}({', '.join(kinds)})"


def _called(answer: Mapping[str, Any], call: Mapping[str, Any]) -> Mapping[str, Any]:
    return {**answer, "call": call["call"], "imports": call["imports"]}


def _raising(call: Mapping[str, Any], title: str) -> Mapping[str, Any]:
    """A call that failed; of one that the search found, what it raised is the incident."""
    kind, _, message = title.partition(": ")
    return call if "raised" in call else {**call, "raised": {"type": kind, "message": message}}


def _distinct(pairs: Sequence[Pair], why: str) -> Iterator[Behaviour]:
    """Rows that differ in what they show: one is enough of calls that end alike."""
    left, seen = _OF_EACH[why], set()
    for was, now in pairs:
        before, after = _ended(was), _ended(now)
        key = (function_in(str(was["call"])), before if why != "worked" else "", after)
        if left and key not in seen and before and after:
            seen.add(key)
            left -= 1
            imports = tuple((str(module), str(name)) for module, name in was.get("imports", ()))
            yield Behaviour(_short(str(was["call"])), _short(before), _short(after), why, imports)


def _ended(answer: Mapping[str, Any]) -> str:
    """What a call gave, or raised; "" for what cannot be shown."""
    raised = answer.get("raised")
    if isinstance(raised, Mapping):
        name, message = str(raised["type"]).rpartition(".")[2], " ".join(str(raised["message"]).split())
        return f"{name}: {message}" if message else name
    return str(answer.get("shown") or "")


def _short(text: str) -> str:
    text = redact(text)
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
