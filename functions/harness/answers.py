"""What a worker of the search reported, a stranger's word: answers to numbered calls, and executed pieces."""

from __future__ import annotations

import ast
import json
from collections.abc import Sequence
from typing import Any

from functions.harness.outcome import RunOutcome
from functions.harness.tracer import executed


def lines_of(outcome: RunOutcome) -> list[dict[str, Any]]:
    """The report's lines; the last may be cut when the search was stopped, and nothing hangs on that."""
    found = []
    for text in outcome.report.splitlines():
        try:
            line = json.loads(text)
        except ValueError:
            continue
        if isinstance(line, dict):
            found.append(line)
    return found


def answered(
    calls: Sequence[dict[str, Any]], outcome: RunOutcome
) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """The calls that were answered, each with its answer."""
    return [(calls[number], answer) for number, answer in sorted(numbered(calls, outcome).items())]


def numbered(calls: Sequence[Any], outcome: RunOutcome) -> dict[int, dict[str, Any]]:
    """Number of the call → its answer. Raises ValueError for answers that belong to none, or to one twice."""
    found: dict[int, dict[str, Any]] = {}
    for answer in lines_of(outcome):
        if "value" in answer or "raised" in answer:
            number = answer["n"]
            if type(number) is not int or number in found or not 0 <= number < len(calls):
                raise ValueError("an answer to no call")
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
