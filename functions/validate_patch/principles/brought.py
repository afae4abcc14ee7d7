"""What a patch brings of its own: values that results may be made of, whatever the runs showed."""

from __future__ import annotations

import builtins
import re
from collections.abc import Iterator
from functools import cached_property
from typing import Any

from functions.core.untrusted.redaction import redact
from functions.harness.test_runs import same_type
from functions.validate_patch import pieces
from functions.validate_patch.principles.fallbacks import fallbacks
from functions.validate_patch.principles.finding import Finding, Severity
from functions.validate_patch.principles.mended import MendedCalls
from functions.validate_patch.principles.results import is_nothing, same

_CHANCE = frozenset({"now", "today", "utcnow", "random", "uuid4", "randint", "token_hex"})
_PRESENT = re.compile(r"\b(?:now|today|present|current|random)\b")
_SMALL = 2
"""Numbers up to this count, halve or negate; larger ones are figures that somebody has to state."""
_PLAIN = frozenset({"get", "strip", "lower", "upper", *dir(builtins)})
"""Names that bring no value of their own."""


class BroughtValues(MendedCalls):
    """What speaks against them."""

    def stood_in(self) -> Iterator[Finding]:
        """A constant in the place of what is missing, of which results are made, and that nobody stated."""
        if self.answers and all(is_nothing(a.value) or self._is_constant(a.value) for a in self.answers):
            return  # it is seen as a result
        if self.refusals and not self.answers:
            return  # it says what is wrong
        for item in fallbacks(self._candidate):
            named = [item.value] if isinstance(item.value, str) else []
            if not self.sources.of(item.value, [*named, *self._names_of(item.value)]):
                text = f"the patch goes on with {item.value!r} for what is missing, which nothing states"
                yield Finding(Severity.QUESTION, redact(text), f"{item.path}:{item.line}")

    def _is_constant(self, value: Any) -> bool:
        return any(same(value, constant) for constant in self._constants)

    def figures(self) -> Iterator[Finding]:
        """A number that is stated nowhere, in what is reckoned."""
        for item in self.added:
            number = isinstance(item.value, int | float) and not isinstance(item.value, bool)
            small = number and abs(item.value) <= _SMALL and item.value == int(item.value)
            if not number or not item.reckoned or small:
                continue
            refuses = self.refusals and 400 <= item.value < 600  # a status
            if refuses or re.search(rf"(?<![\w.]){re.escape(f'{item.value:g}')}(?![\w.])", self._all_text):
                continue
            text = f"the patch reckons with {item.value!r}, which is stated nowhere in the repository"
            yield Finding(Severity.QUESTION, text, f"{item.path}:{item.line}")

    @cached_property
    def _all_text(self) -> str:
        before = self._candidate.before
        own = before[self._place.path].data.decode(errors="replace")
        documents = (
            f.data.decode(errors="replace") for p, f in before.items() if p.endswith((".md", ".rst", ".txt"))
        )
        return "\n".join((own, *documents, self._message))

    def special(self) -> Iterator[Finding]:
        """The very value that the incident was reported for, written into the code."""
        quoted = re.findall(r"'([^']{1,60})'", self._message)
        if not same_type(self._candidate.context.incident.error_type, "KeyError") and not quoted:
            return
        for item in self.added:
            reported = isinstance(item.value, str) and item.value in quoted
            if reported and item.value not in self._place.code and not self.sources.of(item.value):
                text = f"the patch names {item.value!r}, the value of the reported call, and no other"
                yield Finding(Severity.QUESTION, redact(text), f"{item.path}:{item.line}")

    def by_chance(self) -> Iterator[Finding]:
        """A result that hangs on the clock, or on chance, which nobody spoke of."""
        if self.sources.speaks_of(_PRESENT):
            return
        for item in self.added:
            if item.name in _CHANCE:
                text = f"what the patch gives depends on `{item.name}`; nothing in the repository says so"
                yield Finding(Severity.QUESTION, text, f"{item.path}:{item.line}")

    def unseen(self) -> Iterator[Finding]:
        """Nothing that failed was run again, so nobody has seen what the patch gives for it."""
        brought = pieces.added(self._candidate)
        if brought and all(piece.only_raises for piece in brought):
            return  # an error that says what is wrong invents nothing
        results = [item for item in self.added if item.name or not item.reckoned]
        constants = [item for item in results if not item.name]
        unstated = next((item for item in constants if not self._stated(item.value)), None)
        if constants and unstated is None and all(item.name in _PLAIN for item in results if item.name):
            return  # all that it can give is stated
        brings = f", such as {unstated.value!r}, which nothing in the repository states" if unstated else ""
        seen = f"so what the patch gives then{brings} was not seen"
        made = "no call that fails as the incident did could be made up"
        if self.failing:
            made = "the calls that failed as the incident did still fail, or give what cannot be shown"
        text = f"{made}, {seen}"
        line = f"{unstated.path}:{unstated.line}" if unstated else self.where
        yield Finding(Severity.QUESTION, redact(text), line)
