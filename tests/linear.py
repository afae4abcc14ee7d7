"""Counts the steps that a backtracking matcher takes, on texts that are made from the pattern itself.

A clock says how fast a machine is; steps say how a pattern grows. `re` counts none, so the pattern's own
syntax tree is walked here as `sre` walks it: greedy and lazy repeats, alternatives in order, assertions,
possessive repeats and atomic groups. What `sre` skips by looking for a literal first is counted as a step per
position.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import lru_cache
from importlib import import_module
from typing import Any

_parser: Any = import_module("re._parser")
_c: Any = import_module("re._constants")

_CHARACTERS = (_c.LITERAL, _c.NOT_LITERAL, _c.ANY, _c.IN)
_REPEATS = (_c.MAX_REPEAT, _c.MIN_REPEAT, _c.POSSESSIVE_REPEAT)
_CATEGORIES: dict[Any, Callable[[str], bool]] = {
    _c.CATEGORY_DIGIT: str.isdigit,
    _c.CATEGORY_NOT_DIGIT: lambda c: not c.isdigit(),
    _c.CATEGORY_SPACE: str.isspace,
    _c.CATEGORY_NOT_SPACE: lambda c: not c.isspace(),
    _c.CATEGORY_WORD: lambda c: c.isalnum() or c == "_",
    _c.CATEGORY_NOT_WORD: lambda c: not (c.isalnum() or c == "_"),
}
# One of each kind that patterns tell apart.
_ALPHABET = "a1A-_.:/@= '\"<>{}()[]\\\n\t#$é\u202e"
Items = tuple[tuple[Any, Any], ...]


class TooManySteps(Exception):
    """The text costs more than it may."""


class _Matcher:
    def __init__(self, pattern: re.Pattern[str], text: str, most: int) -> None:
        self.flags = pattern.flags
        self.items: Items = tuple(_parser.parse(pattern.pattern, pattern.flags & ~re.DEBUG))
        self.text = text
        self.most = most
        self.steps = 0
        self.groups: dict[int, tuple[int, int]] = {}
        self._known: dict[tuple[Any, int, str], bool] = {}

    def finditer(self) -> int:
        """The steps of finding every match."""
        at = 0
        while at <= len(self.text):
            end = next(self._sequence(self.items, 0, at), -1)
            at = end if end > at else at + 1
        return self.steps

    def _step(self) -> None:
        self.steps += 1
        if self.steps > self.most:
            raise TooManySteps

    def _sequence(self, items: Items, index: int, at: int) -> Iterator[int]:
        if index == len(items):
            yield at
            return
        for end in self._one(*items[index], at):
            yield from self._sequence(items, index + 1, end)

    def _one(self, op: Any, argument: Any, at: int) -> Iterator[int]:
        self._step()
        if op in _CHARACTERS:
            if at < len(self.text) and self._fits(op, argument, self.text[at]):
                yield at + 1
        elif op is _c.AT:
            yield from [at] if self._is_at(argument, at) else []
        elif op is _c.BRANCH:
            for branch in argument[1]:
                yield from self._sequence(tuple(branch), 0, at)
        elif op is _c.SUBPATTERN:
            for end in self._sequence(tuple(argument[3]), 0, at):
                self.groups[argument[0]] = (at, end)
                yield end
        elif op is _c.GROUPREF:
            yield from self._again(argument, at)
        elif op is _c.ATOMIC_GROUP:
            yield from _first(self._sequence(tuple(argument), 0, at))
        elif op in (_c.ASSERT, _c.ASSERT_NOT):
            direction, item = argument
            yield from [at] if self._holds(direction, item, at) is (op is _c.ASSERT) else []
        else:
            least, most, item = argument
            yield from self._repeat(op, least, most, item, at)

    def _again(self, group: Any, at: int) -> Iterator[int]:
        start, end = self.groups.get(group, (0, 0))
        if self.text.startswith(self.text[start:end], at):
            yield at + end - start

    def _repeat(self, op: Any, least: int, most: int, item: Any, at: int) -> Iterator[int]:
        inner: Items = tuple(item)
        if len(inner) == 1 and inner[0][0] in _CHARACTERS:
            ends = self._run(inner[0], least, int(most), at, lazy=op is _c.MIN_REPEAT)
        else:
            ends = self._more(inner, least, int(most), 0, at, lazy=op is _c.MIN_REPEAT)
        yield from _first(ends) if op is _c.POSSESSIVE_REPEAT else ends

    def _run(self, item: tuple[Any, Any], least: int, most: int, at: int, *, lazy: bool) -> Iterator[int]:
        """A repeat of one character: no recursion, as in `sre`."""
        count = 0
        if not lazy:
            while count < most and self._takes(item, at + count):
                count += 1
            for kept in range(count, least - 1, -1):
                self._step()
                yield at + kept
            return
        while count < least:
            if not self._takes(item, at + count):
                return
            count += 1
        yield at + count
        while count < most and self._takes(item, at + count):
            count += 1
            yield at + count

    def _takes(self, item: tuple[Any, Any], at: int) -> bool:
        self._step()
        return at < len(self.text) and self._fits(*item, self.text[at])

    def _fits(self, op: Any, argument: Any, character: str) -> bool:
        """Worked out once: a node of the tree, which `items` keeps, is known by its address."""
        key = (op, id(argument), character)
        if key not in self._known:
            self._known[key] = _is_in(op, argument, character, self.flags)
        return self._known[key]

    def _more(self, item: Items, least: int, most: int, count: int, at: int, *, lazy: bool) -> Iterator[int]:
        if lazy and count >= least:
            yield at
        if count < most:
            for end in self._sequence(item, 0, at):
                if end > at or count < least:
                    yield from self._more(item, least, most, count + 1, end, lazy=lazy)
        if not lazy and count >= least:
            yield at

    def _holds(self, direction: int, item: Any, at: int) -> bool:
        if direction < 0:
            at -= item.getwidth()[0]
        return at >= 0 and next(self._sequence(tuple(item), 0, at), None) is not None

    def _is_at(self, where: Any, at: int) -> bool:
        word = _CATEGORIES[_c.CATEGORY_WORD]
        if where in (_c.AT_BEGINNING, _c.AT_BEGINNING_STRING):
            begins_line = self.flags & re.M and where is _c.AT_BEGINNING and self.text[at - 1 : at] == "\n"
            return at == 0 or bool(begins_line)
        if where in (_c.AT_END, _c.AT_END_STRING):
            return at == len(self.text) or (where is _c.AT_END and self.text[at:] == "\n")
        before = at > 0 and word(self.text[at - 1])
        behind = at < len(self.text) and word(self.text[at])
        return (before != behind) is (where is _c.AT_BOUNDARY)


def _first(ends: Iterator[int]) -> Iterator[int]:
    end = next(ends, None)
    if end is not None:
        yield end


def _is_in(op: Any, argument: Any, character: str, flags: int) -> bool:
    variants = {character, character.lower(), character.upper()} if flags & re.I else {character}
    if op is _c.LITERAL:
        return any(len(c) == 1 and ord(c) == argument for c in variants)
    if op is _c.NOT_LITERAL:
        return all(ord(c) != argument for c in variants if len(c) == 1)
    if op is _c.ANY:
        return bool(flags & re.S) or character != "\n"
    return any(_is_in_class(_frozen(argument), c) for c in variants)


def _frozen(argument: Any) -> tuple[Any, ...]:
    return tuple((op, tuple(value) if isinstance(value, list) else value) for op, value in argument)


@lru_cache(maxsize=100_000)
def _is_in_class(members: tuple[Any, ...], character: str) -> bool:
    negated = members[0][0] is _c.NEGATE
    found = any(
        (op is _c.LITERAL and [ord(c) for c in character] == [value])
        or (op is _c.RANGE and len(character) == 1 and value[0] <= ord(character) <= value[1])
        or (op is _c.CATEGORY and _CATEGORIES[value](character))
        for op, value in members
    )
    return found is not negated


def steps(pattern: re.Pattern[str], text: str, most: int = 10_000_000) -> int:
    """How many steps it takes to find every match in a text. Raises TooManySteps beyond `most`."""
    return _Matcher(pattern, text, most).finditer()


def adversarial(pattern: re.Pattern[str], size: int) -> Iterator[str]:
    """Texts of about `size` characters that a pattern might go back and forth over.

    For each repeat: what leads there and then what repeats, on and on, with nothing to end it; what leads
    there, again and again; and both in turns. And all of what the pattern matches, again and again.
    """
    items: Items = tuple(_parser.parse(pattern.pattern, pattern.flags & ~re.DEBUG))
    yield _filled(_sample(items, pattern.flags), size)
    for lead, pump in _pumps(items, pattern.flags, ""):
        yield lead + _filled(pump, size)
        yield _filled(lead, size)
        yield _filled(lead + pump, size)
        yield _filled(pump, size)


def _filled(unit: str, size: int) -> str:
    return unit * max(1, size // len(unit)) if unit else ""


def _pumps(items: Items, flags: int, lead: str) -> Iterator[tuple[str, str]]:
    for op, argument in items:
        if op in _REPEATS:
            least, most, item = argument
            inner: Items = tuple(item)
            yield from _pumps(inner, flags, lead)
            if most > 3:
                yield from ((lead, pump) for pump in _some(inner, flags))
            lead += _sample(inner, flags) * max(least, 1)
            continue
        if op is _c.BRANCH:
            for branch in argument[1]:
                yield from _pumps(tuple(branch), flags, lead)
        elif op is _c.SUBPATTERN:
            yield from _pumps(tuple(argument[3]), flags, lead)
        lead += _sample(((op, argument),), flags)


def _some(items: Items, flags: int) -> Iterator[str]:
    """Two texts or three that a repeated part matches, as different as they can be."""
    if len(items) == 1 and items[0][0] in _CHARACTERS:
        fitting = [c for c in _ALPHABET if _is_in(*items[0], c, flags)]
        yield from dict.fromkeys((*fitting[:1], *fitting[-1:]))
    yield _sample(items, flags)


def _sample(items: Items, flags: int) -> str:
    """A short text that the items match, assertions aside."""
    text = ""
    for op, argument in items:
        if op is _c.LITERAL:
            text += chr(argument)
        elif op in _CHARACTERS:
            text += next((c for c in _ALPHABET if _is_in(op, argument, c, flags)), None) or _odd(op, argument)
        elif op is _c.BRANCH:
            text += _sample(tuple(argument[1][0]), flags)
        elif op is _c.SUBPATTERN:
            text += _sample(tuple(argument[3]), flags)
        elif op is _c.ATOMIC_GROUP:
            text += _sample(tuple(argument), flags)
        elif op in _REPEATS:
            text += _sample(tuple(argument[2]), flags) * argument[0]
    return text


def _odd(op: Any, argument: Any) -> str:
    """A member of a class that none of the usual characters is in."""
    first, value = argument[0] if op is _c.IN else (op, argument)
    return chr(value[0] if first is _c.RANGE else value)


def growth(pattern: re.Pattern[str], size: int) -> tuple[float, str]:
    """How many times more steps a text takes that is twice as long, at worst, and that text's beginning. What
    takes more than 8 times as many is not counted to its end."""
    worst, text = 0.0, ""
    for short, long in zip(adversarial(pattern, size), adversarial(pattern, 2 * size), strict=True):
        try:
            before = steps(pattern, short, most=100_000 + 1_000 * size) + 10 * size
            ratio = steps(pattern, long, most=8 * before) / before
        except TooManySteps:
            return 8.0, long[:60]
        if ratio > worst:
            worst, text = ratio, long[:60]
    return worst, text
