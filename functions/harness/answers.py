"""What a worker reported, a stranger's word: calls, answers to numbered calls, and executed pieces.

Each line's form is checked here, once: whoever reads on may rely on it, and an error there is our own.
"""

from __future__ import annotations

import ast
import json
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

from functions.harness.outcome import RunOutcome
from functions.harness.proof import Nonsense
from functions.harness.tracer import executed

_DEEPEST = 100
"""How deep the parts of a call lie in one another at most: what is made up is far from it."""


def lines_of(outcome: RunOutcome) -> list[dict[str, Any]]:
    """The report's lines; the last may be cut when the search was stopped, and nothing hangs on that. Raises
    Nonsense."""
    found = []
    for text in outcome.report.splitlines():
        try:
            line = json.loads(text)
        except (ValueError, RecursionError):
            continue
        if isinstance(line, dict):
            found.append(_checked(_whole(line) if "\\u" in text else line))
    return found


def _whole(line: dict[str, Any]) -> dict[str, Any]:
    """Without halves of characters, which JSON can hold and nothing can write."""
    whole: dict[str, Any] = json.loads(json.dumps(line, ensure_ascii=False).encode("utf-8", "replace"))
    return whole


def _checked(line: dict[str, Any]) -> dict[str, Any]:
    for name, needs in _NEEDS.items():
        if name in line and not all(other in line for other in needs):
            raise Nonsense(f"a line with {name} alone")
    for name, holds in _FORMS.items():
        if name in line and not holds(line[name]):
            raise Nonsense(f"{name} is in no form that is written")
    return line


def _list_of(holds: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, list) and all(map(holds, value))


def _of(*kinds: type) -> Callable[[Any], bool]:
    return lambda value: type(value) in kinds


_is_text, _is_number = _of(str), _of(int)


def _is_raised(value: Any) -> bool:
    known = isinstance(value, dict) and value.keys() == {"type", "message", "frames"}
    return known and _is_text(value["type"]) and _is_text(value["message"]) and _are_frames(value["frames"])


def _is_frame(value: Any) -> bool:
    return isinstance(value, list) and [type(part) for part in value] in (
        [str, int, str],
        [str, type(None), str],
    )


def _is_import(value: Any) -> bool:
    return isinstance(value, list) and [type(part) for part in value] == [str, str]


def _is_source(value: Any) -> bool:
    return isinstance(value, str) and (not value or _parses(value))


@lru_cache(maxsize=4096)
def _parses(text: str) -> bool:
    """Whether a text is an expression that can be walked without a thought to its depth."""
    try:
        left: list[ast.AST] = [ast.parse(text, mode="eval")]
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        return False
    for _ in range(_DEEPEST):
        left = [inner for node in left for inner in ast.iter_child_nodes(node)]
    return not left


_are_frames, _are_numbers = _list_of(_is_frame), _list_of(_is_number)
_NEEDS = {"call": ("imports", "exact"), "value": ("shown",), "deliberate": ("raised",), "likeness": ("call",)}
"""Field → others that come with it; see `search/explore.py` for all of them."""
_FORMS: dict[str, Callable[[Any], bool]] = {
    **dict.fromkeys(("call", "value"), _is_source),
    **dict.fromkeys(("shown", "long", "left", "problem", "function"), _is_text),
    **dict.fromkeys(("n", "likeness"), _is_number),
    **dict.fromkeys(("exact", "deliberate", "end"), _of(bool)),
    **dict.fromkeys(("executable", "executed"), _are_numbers),
    "imports": _list_of(_is_import),
    "logged": _list_of(_is_text),
    "raised": _is_raised,
}


def surveyed(outcome: RunOutcome) -> list[dict[str, Any]]:
    """The calls that a survey made, each with its answer. Raises Nonsense."""
    lines = [line for line in lines_of(outcome) if "value" in line or "raised" in line]
    if any("call" not in line for line in lines):
        raise Nonsense("an answer to no call")
    return lines


def answered(
    calls: Sequence[dict[str, Any]], outcome: RunOutcome
) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """The calls that were answered, each with its answer, which says what it answers."""
    found = sorted(numbered(calls, outcome).items())
    return [
        (call := calls[number], {**answer, "call": call["call"], "imports": call["imports"]})
        for number, answer in found
    ]


def numbered(calls: Sequence[Any], outcome: RunOutcome) -> dict[int, dict[str, Any]]:
    """Number of the call → its answer. Raises Nonsense for answers that belong to none, or to one twice."""
    found: dict[int, dict[str, Any]] = {}
    for answer in lines_of(outcome):
        if "value" in answer or "raised" in answer:
            number = answer.get("n", -1)
            if number in found or not 0 <= number < len(calls):
                raise Nonsense("an answer to no call")
            found[number] = answer
    return found


def ended(outcome: RunOutcome) -> bool:
    return not outcome.stopped and any(line.get("end") is True for line in lines_of(outcome))


def pieces(outcome: RunOutcome, what: str) -> set[int]:
    return executed(lines_of(outcome), what)


def equal(one: str, other: str) -> bool:
    """Whether two results, as source text, are to be taken for equal: as Python compares them (1 is 1.0), but
    text that became the number it names is no other result. What cannot be written is "", and not compared.
    """
    if not one or not other:
        return True
    try:
        old, new = ast.literal_eval(one), ast.literal_eval(other)
        return bool(old == new) or float(old) == float(new)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError, OverflowError):
        return one == other
