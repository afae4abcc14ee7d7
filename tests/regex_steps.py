"""Counts the steps that backtracking takes, and makes up the texts that cost a pattern most, from the
pattern itself.

The matcher walks what `re` parses and tries what `re` tries, in the same order, without its shortcuts: so it
takes at least as many steps. Bounds above CLIP count as CLIP: what is left to grow with a text is what has
no bound.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable, Iterator
from typing import Any

_parser = importlib.import_module("re._parser")
_constants = importlib.import_module("re._constants")
_MAXREPEAT = _constants.MAXREPEAT
CLIP = 8
MOST = 40_000
"""Steps after which a search is given up."""
_SAMPLES = "1a A.-:\"'\\[({=|/_,x\tF\n"

Then = Callable[[int], bool]


class Steps:
    """One pattern's matcher. `count` grows by one with each node that is tried."""

    def __init__(self, pattern: str, flags: int) -> None:
        self.tree = _parser.parse(pattern, flags & ~re.DEBUG)
        self.flags = flags
        self.count = 0
        self.text = ""
        self._classes: dict[str, re.Pattern[str]] = {}

    def search(self, text: str, *, anchored: bool = False) -> int:
        """Steps until a match, or until there is none at any place (anchored: at the first)."""
        self.text, self.count = text, 0
        for start in range(1 if anchored else len(text) + 1):
            if self._sequence(list(self.tree), 0, start, lambda _: True) or self.count > MOST:
                break
        return self.count

    def _sequence(self, nodes: list[Any], index: int, at: int, then: Then) -> bool:
        if index == len(nodes):
            return then(at)
        return self._node(nodes[index], at, lambda end: self._sequence(nodes, index + 1, end, then))

    def _node(self, node: Any, at: int, then: Then) -> bool:
        self.count += 1
        if self.count > MOST:
            return False
        name, value = str(node[0]), node[1]
        if name in ("LITERAL", "NOT_LITERAL", "ANY", "IN"):
            return at < len(self.text) and self._is(node, self.text[at]) and then(at + 1)
        if name == "BRANCH":
            return any(self._sequence(list(branch), 0, at, then) for branch in value[1])
        if name == "SUBPATTERN":
            return self._sequence(list(value[3]), 0, at, then)
        if name in ("MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT"):
            return self._repeat(name, value, at, then)
        if name == "ATOMIC_GROUP":
            return self._atomic(list(value), at, then)
        if name in ("ASSERT", "ASSERT_NOT"):
            width = value[1].getwidth()[1] if value[0] < 0 else 0
            held = at >= width and self._sequence(list(value[1]), 0, at - width, lambda _: True)
            return held is (name == "ASSERT") and then(at)
        if name == "AT":
            return self._at(str(value), at) and then(at)
        if name == "FAILURE":
            return False
        raise AssertionError(f"a node that is not counted: {name}")

    def _is(self, node: Any, character: str) -> bool:
        key = repr(node)
        if key not in self._classes:
            self._classes[key] = _compiled(node, self.flags)
        return self._classes[key].match(character) is not None

    def _at(self, where: str, at: int) -> bool:
        multiline = bool(self.flags & re.MULTILINE)
        before, after = self.text[at - 1 : at] if at else "", self.text[at : at + 1]
        if where in ("AT_BEGINNING", "AT_BEGINNING_STRING"):
            return at == 0 or (multiline and before == "\n")
        if where in ("AT_END", "AT_END_STRING"):
            return at == len(self.text) or (multiline and after == "\n") or self.text[at:] == "\n"
        boundary = bool(re.match(r"\w", before)) is not bool(re.match(r"\w", after))
        return boundary is (where == "AT_BOUNDARY")

    def _atomic(self, nodes: list[Any], at: int, then: Then) -> bool:
        end = self._end(nodes, at)
        return end is not None and then(end)

    def _end(self, nodes: list[Any], at: int) -> int | None:
        """Where the first match of the nodes ends, whatever follows."""
        ends: list[int] = []

        def keep(end: int) -> bool:
            ends.append(end)
            return True

        return ends[0] if self._sequence(nodes, 0, at, keep) else None

    def _repeat(self, name: str, value: Any, at: int, then: Then) -> bool:
        low, high, body = min(value[0], CLIP), value[1], list(value[2])
        high = CLIP if high is not _MAXREPEAT and high > CLIP else high
        single = len(body) == 1 and str(body[0][0]) in ("LITERAL", "NOT_LITERAL", "ANY", "IN")
        if name == "POSSESSIVE_REPEAT" or (single and name == "MAX_REPEAT"):
            ends = [at]
            while high is _MAXREPEAT or len(ends) <= high:
                end = self._end(body, ends[-1])
                if end is None or end == ends[-1]:
                    break
                ends.append(end)
            if name == "POSSESSIVE_REPEAT":
                return len(ends) > low and then(ends[-1])
            return any(then(end) for end in reversed(ends[low:]))
        if single:
            for times in range(CLIP + 1 if high is not _MAXREPEAT else len(self.text) + 1):
                if times >= low and then(at):
                    return True
                self.count += 1
                if (
                    (high is not _MAXREPEAT and times >= high)
                    or at >= len(self.text)
                    or not self._is(body[0], self.text[at])
                ):
                    return False
                at += 1
            return False
        return self._group(name == "MAX_REPEAT", low, high, body, at, 0, then)

    def _group(
        self, greedy: bool, low: int, high: Any, body: list[Any], at: int, times: int, then: Then
    ) -> bool:
        def again() -> bool:
            more = high is _MAXREPEAT or times < high
            return more and self._sequence(
                body,
                0,
                at,
                lambda end: (
                    (end > at or times < low) and self._group(greedy, low, high, body, end, times + 1, then)
                ),
            )

        if times < low:
            return again()
        return (again() or then(at)) if greedy else (then(at) or again())


def _compiled(node: Any, flags: int) -> re.Pattern[str]:
    """One node that matches one character, as a pattern of its own."""
    state = _parser.State()
    state.flags = flags
    tree = _parser.SubPattern(state, [node])
    return importlib.import_module("re._compiler").compile(tree, flags & (re.IGNORECASE | re.DOTALL))  # type: ignore[no-any-return]


def adversarial(pattern: str, flags: int, size: int) -> Iterator[str]:
    """Texts of about `size` that lead up to each repetition of the pattern, repeat it, and then break off."""
    tree = _parser.parse(pattern, flags)
    for before, body in _repetitions(list(tree), "", flags):
        for piece in dict.fromkeys(body):
            if piece:
                repeated = piece * (size // len(piece) + 1)
                yield before + repeated + "\0"
                yield before + repeated + "\n" + before + repeated
    whole = _example(list(tree), flags)
    if whole:
        yield (whole[:-1] or whole) * (size // len(whole) + 1)


def _repetitions(nodes: list[Any], before: str, flags: int) -> Iterator[tuple[str, list[str]]]:
    for node in nodes:
        name, value = str(node[0]), node[1]
        if name in ("MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT"):
            yield before, _pieces(list(value[2]), flags)
            yield from _repetitions(list(value[2]), before, flags)
        elif name == "SUBPATTERN":
            yield from _repetitions(list(value[3]), before, flags)
        elif name == "BRANCH":
            for branch in value[1]:
                yield from _repetitions(list(branch), before, flags)
        elif name == "ATOMIC_GROUP":
            yield from _repetitions(list(value), before, flags)
        before += _example([node], flags)


def _pieces(body: list[Any], flags: int) -> list[str]:
    if len(body) == 1 and str(body[0][0]) in ("LITERAL", "NOT_LITERAL", "ANY", "IN"):
        matcher = _compiled(body[0], flags)
        return [character for character in _SAMPLES if matcher.match(character)][:5]
    example = _example(body, flags)
    return [example, example[:1]]


def _example(nodes: list[Any], flags: int) -> str:
    """A short text that the nodes match, or nearly."""
    text = ""
    for node in nodes:
        name, value = str(node[0]), node[1]
        if name == "LITERAL":
            text += chr(value)
        elif name in ("NOT_LITERAL", "ANY", "IN"):
            matcher = _compiled(node, flags)
            text += next((character for character in _SAMPLES if matcher.match(character)), "")
        elif name == "BRANCH":
            text += _example(list(value[1][0]), flags)
        elif name == "SUBPATTERN":
            text += _example(list(value[3]), flags)
        elif name in ("MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT"):
            text += _example(list(value[2]), flags) * min(max(value[0], 1), CLIP)
        elif name == "ATOMIC_GROUP":
            text += _example(list(value), flags)
    return text
