"""The result is stated: what a call that failed now gives is what the repository says it should."""

from __future__ import annotations

import ast
import itertools
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from functions.core.source.syntax_tree import Function, nodes_of
from functions.core.untrusted.redaction import redact
from functions.harness.proof import Proof
from functions.validate_patch.candidate import Candidate
from functions.validate_patch.principles.brought import BroughtValues
from functions.validate_patch.principles.finding import Example, Finding, Principle, Severity
from functions.validate_patch.principles.loops import endings, leaves_early
from functions.validate_patch.principles.mended import MendedCall, value_in
from functions.validate_patch.principles.results import (
    Path,
    Unwritten,
    echoes,
    function_in,
    given,
    is_nothing,
    leaves,
    placed,
    same,
    shows,
    text_of,
    texts_at,
    within,
)
from functions.validate_patch.principles.sentences import spellings

_NONE = re.compile(r"(?<![a-z])none(?![a-z])", re.IGNORECASE)
_BLANK = re.compile(r"\b(?:blank|empty)\b")
_ENDS = re.compile(r"\b(?:until|stops?|ends? (?:at|with)|up to|first)\b")
_RARELY, _MOSTLY, _FEW = 0.1, 0.8, 2
_SHOWN = 3


def judge(candidate: Candidate, proof: Proof) -> Iterator[Finding]:
    """At most one finding of each kind of result."""
    if not candidate.places:
        return
    judged = _Judged(candidate, proof)
    if not judged.answers and not judged.raises and not judged.refusals:
        yield from judged.unseen()
        return
    yield from _first(judged.texts_of_none())
    yield from _first(
        itertools.chain(
            judged.promised(),
            judged.documented(),
            judged.let_through(),
            judged.fixed(),
            judged.borrowed(),
            judged.echoed(),
            judged.passed_over(),
            judged.stood_in(),
            judged.figures(),
            judged.by_chance(),
            judged.cut_short(),
        )
    )
    yield from _first(judged.special())


def _first(findings: Iterator[Finding]) -> Iterator[Finding]:
    yield from itertools.islice(findings, 1)


class _Judged(BroughtValues):
    """What speaks against them."""

    def _question(self, answer: MendedCall, text: str, answers: Sequence[MendedCall] = ()) -> Finding:
        calls = tuple(a.call for a in (answers or [answer]))[:_SHOWN]
        said = f"{answer.call[:160]} failed, and gives {text_of(answer.value)} after the patch: {text}"
        words = [w for part in _all(answer.value) for w in spellings(part, self._names_of(part))]
        return Finding(Severity.QUESTION, redact(said), self.where, tuple(map(redact, calls)), tuple(words))

    def promised(self) -> Iterator[Finding]:
        """Something else than the docstring gives for the case, or an error where it gives a value."""
        values, sentence = self.sources.promised
        if not values:
            return
        several = len({repr(answer.value) for answer in self.answers}) > _FEW
        if several and not all(map(_only_given, self.answers)):
            return  # it depends on the input: the sentence speaks of another case
        other = [a for a in self.answers if not any(same(p, v) for p in _all(a.value) for v in values)]
        if 2 * len(other) > len(self.answers):
            yield self._question(other[0], f"its docstring says: {sentence}", other)
        elif not self.answers and self.raises:
            call, now = self.raises[0]
            error = now["raised"]["type"]
            text = f"{call['call']} failed, and raises {error} after the patch; its docstring says: "
            yield Finding(
                Severity.QUESTION, redact(text[:300] + sentence), self.where, (redact(str(call["call"])),)
            )

    def documented(self) -> Iterator[Finding]:
        """A result where the documentation speaks of an error that nothing raises yet."""
        raised = {str(now["raised"]["type"]).rpartition(".")[2] for _, now in self.raises}
        for name, sentence in self.sources.errors.items():
            if self.answers and name not in raised:
                yield self._question(self.answers[0], f"the documentation says: {sentence}", self.answers)

    def cut_short(self) -> Iterator[Finding]:
        """A loop over what is given that newly ends at what failed: what comes after it is lost."""
        old, new = self._functions
        if old is None or new is None or self.sources.speaks_of(_ENDS):
            return
        loops = [node for node in nodes_of(old) if isinstance(node, ast.For | ast.AsyncFor)]
        known = {ast.dump(loop.iter) for loop in loops}
        had = sum(len(list(endings(loop, old))) for loop in loops)
        after = (node for node in nodes_of(new) if isinstance(node, ast.For | ast.AsyncFor))
        found = [end for loop in after if ast.dump(loop.iter) in known for end in endings(loop, new)]
        if len(found) > had:
            text = "the patch ends the loop at what failed, so that what comes after it is left out"
            yield Finding(Severity.QUESTION, text, f"{self._place.path}:{found[-1].lineno}")

    def let_through(self) -> Iterator[Finding]:
        """A result for what the code refused on purpose."""
        inner = self._candidate.places[-1]
        if inner.code.startswith(("raise ", "assert ")):
            for answer in self.answers:
                if function_in(answer.call) == inner.function:
                    yield self._question(answer, f"the code refused it on purpose (`{inner.code[:80]}`)")

    def texts_of_none(self) -> Iterator[Finding]:
        """`str(None)` and its like, which then goes on as if it were data."""
        if not _NONE.search(self._message.replace("NoneType", "None")):
            return
        exact = [answer for answer in self.answers if answer.call in self._exact]
        held = [answer for answer in exact if _holds_none(answer)]
        if held and 2 * len(held) >= len(exact):
            call = held[0].call
            text = f"{call[:160]} gives {text_of(held[0].value)} after the patch: None has become text"
            yield Finding(Severity.REFUSE, redact(text), self.where, (redact(call),))

    def fixed(self) -> Iterator[Finding]:
        """Nothing, or a constant, in place of a result."""
        for answer in self.answers:
            for path, part in placed(answer.value):
                if isinstance(part, list | dict | tuple | set) and part:
                    continue
                alike = [
                    a for a in self.answers if any(p == path and same(part, x) for p, x in placed(a.value))
                ]
                words = isinstance(part, str) and self._holds(path, part, given(answer.call))
                ends = len(self.answers) + len(self.raises)
                few = 3 * len(alike) < ends and not words
                if few or not self._is_invented(answer, path, part):
                    continue
                if not path and self._as_of_nothing(part):
                    continue
                said = self._stated(part) or ("stated" if self._parts_stated(part) else "")
                acts = bool(answer.left) and "nothing happens" in said
                if not said or acts or self._speaks_of_blanks_alone(said, answer):
                    nothing = "nothing in the repository states that this is its result then"
                    yield self._question(answer, nothing, alike)

    def _as_of_nothing(self, value: Any) -> bool:
        """Whether an empty result is what the code as fetched gives for an empty input."""
        empty = isinstance(value, list | dict | tuple) and not value
        inputs = (v for a in self.worked if same(a.value, value) for v in given(a.call))
        return empty and any(isinstance(v, list | dict | tuple) and not v for v in inputs)

    def _speaks_of_blanks_alone(self, sentence: str, answer: MendedCall) -> bool:
        """Whether a sentence lets blank input be left out, and this one is not blank."""
        texts = [text for text in given(answer.call) if isinstance(text, str)]
        spoken = _BLANK.search(sentence) and re.search(r"\b(?:skip|ignor|left out)", sentence)
        return bool(spoken) and bool(texts) and all(text.strip() for text in texts)

    def _is_invented(self, answer: MendedCall, path: Path, part: Any) -> bool:
        """Whether a part of a result comes from no input and is not what such calls give."""
        constant = not path and self._constant_here(answer)
        if self._is_usual(path, part) and not constant:
            return False
        item = "*" in path or (path and not is_nothing(part))
        if item and any(same(part, other) for other in given(answer.call)):
            return False
        counted = (
            bool(path) and isinstance(part, int | float) and not any(same(part, c) for c in self._constants)
        )
        if constant or (is_nothing(part) and not counted):
            return True
        if any(same(part, other) for other in given(answer.call)):
            return False
        constants = [c for c in self._constants if c is not None]
        return any(same(part, c) for c in constants) or (
            isinstance(part, str) and self._holds(path, part, given(answer.call))
        )

    def _parts_stated(self, part: Any) -> bool:
        """Whether what is constant in a text is stated."""
        if not isinstance(part, str):
            return False
        held = [c for c in self._constants if isinstance(c, str) and c and c in part and c != part]
        return bool(held) and all(self._stated(constant) for constant in held)

    def _constant_here(self, answer: MendedCall) -> bool:
        """Whether every failing call gives this, whatever it is given, and not every call does."""
        inputs = {repr(given(a.call)) for a in self.answers}
        alike = all(same(answer.value, a.value) for a in self.answers)
        usual = bool(self.worked) and all(same(answer.value, a.value) for a in self.worked)
        held = all(
            any(within(a.value, v) for v in given(a.call)) or shows(a.call, a.value) for a in self.answers
        )
        chosen = any(same(answer.value, c) for c in self._constants) or bool(self._names_of(answer.value))
        known = chosen or is_nothing(answer.value) or isinstance(answer.value, str | Unwritten)
        return len(inputs) > 1 and alike and not usual and known and (not held or is_nothing(answer.value))

    def _holds(self, path: Path, text: str, inputs: Sequence[Any]) -> bool:
        """Whether a text holds words that the patch adds, which no text that worked holds."""
        seen = [v.lower() for p, v in self._usual if p == path and isinstance(v, str)]
        seen += [v.lower() for v in inputs if isinstance(v, str)]
        words = [c.lower() for c in self._constants if isinstance(c, str) and c.strip()]
        return any(word in text.lower() and not any(word in other for other in seen) for word in words)

    def borrowed(self) -> Iterator[Finding]:
        """The value of another key of a table."""
        for answer, (table, key, held) in itertools.product(self.answers, self._entries):
            name, inputs = ast.unparse(key), given(answer.call)
            if not same(answer.value, value_in(held)) or is_nothing(answer.value):
                continue
            own = any(name == repr(v) for v in inputs if not isinstance(v, list | dict | tuple))
            if not (own or any(same(v, answer.value) for v in inputs) or self._stated(answer.value)):
                text = f"that is what {table} has for {name}, and nothing states that it stands in for others"
                yield self._question(answer, text)

    def echoed(self) -> Iterator[Finding]:
        """An input in place of a result."""
        if self.sources.keeping():
            return
        gives_back = sum(echoes(answer.call, answer.value) for answer in self.worked)
        something = [answer for answer in self.answers if not is_nothing(answer.value)]
        told = [answer for answer in something if echoes(answer.call, answer.value)]
        if self.sources.leaving_out():  # what is left of a container is a part of it
            told = [answer for answer in told if not isinstance(answer.value, list | dict)]
        told = told if self.worked else [answer for answer in told if isinstance(answer.value, str)]
        ends = len(something) + len(self.raises)
        usual = gives_back > _MOSTLY * len(self.worked)
        if told and 2 * len(told) >= ends and not usual and not self._field_named(told):
            text = "it gives back what it was given, which calls that worked do not"
            if not self._stated(told[0].value):
                yield self._question(told[0], text, told)
        for path in self._newly_shown(something):
            told = [answer for answer in something if path in shows(answer.call, answer.value)]
            if 2 * len(told) >= ends and not self.sources.naming(path[-1:]):
                text = "it has what it was given in a place where results of calls that worked do not have it"
                yield self._question(told[0], text, told)

    def _field_named(self, answers: Sequence[MendedCall]) -> bool:
        """Whether documentation names the part of the input that these give back."""
        parts = [
            {path[-1] for path, text in texts_at(a.call) if a.value in (text, text.strip())} for a in answers
        ]
        return bool(self.sources.naming(set.intersection(*parts)))

    def _newly_shown(self, answers: Sequence[MendedCall]) -> list[Path]:
        """Where calls are given a text that shows in what they give now, and did in nothing that worked."""
        given_there = Counter(path for a in self.worked for path in {p for p, _ in texts_at(a.call)})
        shown = Counter(path for a in self.worked for path in shows(a.call, a.value))
        now = Counter(path for a in answers for path in shows(a.call, a.value))
        return [
            path for path in now if given_there[path] > _FEW and shown[path] <= _RARELY * given_there[path]
        ]

    def passed_over(self) -> Iterator[Finding]:
        """A loop that newly leaves out, or ends at, what failed, without an error in the end."""
        old, new = self._functions
        texts = [v for a in self.answers for v in given(a.call) if isinstance(v, str)]
        blank = not texts or any(not text.strip() for text in texts)
        if old is None or new is None or self.sources.leaving_out(blank):
            return
        raises = isinstance(new, Function) and isinstance(new.body[-1], ast.Raise)
        if leaves_early(new, old) > leaves_early(old, old) and not raises:
            text = "the patch passes over what failed, and nothing in the repository says that it may"
            yield Finding(Severity.QUESTION, text, self.where)


def _all(value: Any) -> Iterator[Any]:
    yield value
    yield from leaves(value)
    yield from value if isinstance(value, dict) else ()


def _holds_none(answer: MendedCall) -> bool:
    """Whether a result has the word None in a text, which no text has that the call is given."""
    inputs = " ".join(text for text in given(answer.call) if isinstance(text, str))
    texts = [leaf for leaf in leaves(answer.value) if isinstance(leaf, str)]
    return not _NONE.search(inputs) and any(_NONE.search(text) for text in texts)


def _only_given(answer: MendedCall) -> bool:
    """Whether a result is made of nothing but what the call is given."""
    inputs = given(answer.call)
    return all(is_nothing(leaf) or any(same(leaf, v) for v in inputs) for leaf in leaves(answer.value))


_RATES = """RATES = {"DE": 4.9, "FR": 6.5}
DEFAULT_RATE = 19.5


def rate(country):
    return RATES[country]
"""
_FAILS = "KeyError: 'NZ'"
_WORKS = {'rate("DE")': ("4.9", "4.9"), 'rate("FR")': ("6.5", "6.5")}
_EXAMPLES = (
    Example(
        _RATES,
        _RATES.replace("RATES[country]", "RATES.get(country, DEFAULT_RATE)"),
        _FAILS,
        {'rate("NZ")': "19.5", 'rate("x")': "19.5"},
        _WORKS,
    ),
    Example(
        _RATES,
        _RATES.replace("RATES[country]", "RATES.get(country, 7.5)"),
        _FAILS,
        {'rate("NZ")': "7.5", 'rate("x")': "7.5"},
        _WORKS,
        Severity.QUESTION,
    ),
    Example(
        _RATES,
        _RATES.replace("RATES[country]", "RATES.get(country, max(RATES.values()))"),
        _FAILS,
        {'rate("NZ")': "6.5", 'rate("x")': "6.5"},
        _WORKS,
        Severity.QUESTION,
    ),
    Example(
        "def dial(phone):\n    return phone.strip()\n",
        "def dial(phone):\n    return str(phone).strip()\n",
        "AttributeError: 'NoneType' object has no attribute 'strip'",
        {"dial(None)": '"None"'},
        {'dial(" 1")': ('"1"', '"1"')},
        Severity.REFUSE,
    ),
)

RESULT_IS_STATED = Principle(
    "result_stated",
    "What a call that failed now gives is stated by the repository, or depends on the call as others do.",
    judge,
    _EXAMPLES,
)
