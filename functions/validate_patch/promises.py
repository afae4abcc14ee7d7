"""What the documentation of the failing function promises for the case that failed.

A docstring such as "the newest posting; None for an account without any" says what the calls that failed were
to give. A patch that makes them give something else, or that only spares a caller, breaks the promise.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from functions.core.redaction import redact
from functions.validate_patch.candidate import Candidate, parsed
from functions.validate_patch.honest.view import functions_of, module_constants

_CASE = re.compile(
    r"\b(?:without|missing|absent|none|nothing|no|empty|unless|otherwise|else|not given|either end)\b"
    r"|\bwhere\b.*\bzero\b",
    re.IGNORECASE,
)
_RAISES = re.compile(r"\b(?:raises?|errors?)\b", re.IGNORECASE)
_VALUE = re.compile(
    r"(?P<none>\b(?:None|null)\b)|(?P<zero>\bzero\b)|(?P<empty>\bempty\b)|(?P<number>(?<![\w.])-?\d+(?:\.\d+)?\b)"
    r"|(?P<text>\"[^\"]+\"|(?<!\w)'[^']+')|(?P<name>\b[A-Z][A-Z0-9_]+\b)"
)

Calls = Sequence[tuple[Mapping[str, Any], Mapping[str, Any]]]
"""Calls that failed as the incident did (see `explore.explore`), each with what it does after the patch."""


def broken(candidate: Candidate, calls: Calls) -> list[str]:
    """At most one finding: the failing function mostly gives something else than it promises, or fails."""
    inner = candidate.places[-1].function if candidate.places else ""
    direct = [(call, now) for call, now in calls if call["function"] == inner]
    promised, sentence = _promised(candidate)
    given = [(call, now) for call, now in direct if now.get("shown")]
    other = [(call, now) for call, now in given if not _is_one_of(now["shown"], promised)]
    if promised and 2 * len(other) > len(given):
        call, now = other[0]
        text = f"{call['call']} gives {now['shown']} after the patch; its docstring says: {sentence}"
        return [redact(text[:400])]
    error_type = candidate.facts.incident.error_type
    still = [call for call, now in direct if now.get("raised", {}).get("type") == error_type]
    if promised and still and len(still) == len(direct):
        text = f"{still[0]['call']} still raises {error_type} after the patch; its docstring says: {sentence}"
        return [redact(text[:400])]
    return []


def _promised(candidate: Candidate) -> tuple[list[Any], str]:
    """Values that the failing function's docstring gives for a missing case, and the sentence that does."""
    place = candidate.places[-1] if candidate.places else None
    module = parsed(candidate.before, place.path) if place is not None else None
    if place is None or module is None:
        return [], ""
    constants = module_constants(module)
    for name, function in functions_of(module).items():
        if name.rpartition(".")[2] != place.function:
            continue
        for clause in re.split(r"(?<=[.;!?])\s+|\n\s*\n", ast.get_docstring(function) or ""):
            clause = " ".join(clause.split())
            if _CASE.search(clause) and not _RAISES.search(clause):
                found = [v for match in _VALUE.finditer(clause) for v in _values(match, constants)]
                if found:
                    return found, clause
    return [], ""


def _values(match: re.Match[str], constants: dict[str, ast.expr]) -> list[Any]:
    kind, text = match.lastgroup, match[0]
    if kind == "empty":
        return ["", [], {}, ()]
    if kind == "name":
        return [bound.value] if isinstance(bound := constants.get(text), ast.Constant) else []
    if kind == "text":
        return [text[1:-1]]
    return [{"none": None, "zero": 0}[kind] if kind in ("none", "zero") else float(text)]


def _is_one_of(shown: str, promised: list[Any]) -> bool:
    """Whether a result, as source text, is or holds one of the values."""
    number = re.fullmatch(r"\w+\(\W?(-?\d+(?:\.\d+)?)\W?\)", shown)
    try:
        value = float(number[1]) if number else ast.literal_eval(shown)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return any(value not in (None, "", [], {}, ()) and str(value) in shown for value in promised) or (
            "(0" in shown or "'0" in shown if 0 in promised else False
        )
    return any(part == wanted for part in _parts(value) for wanted in promised)


def _parts(value: Any) -> Iterator[Any]:
    yield value
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list | tuple | set):
        for inner in value:
            yield from _parts(inner)
