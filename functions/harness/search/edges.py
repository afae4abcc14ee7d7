"""Values at the edges of what code was written for.

Code is compared before and after a patch by calls, and what a patch changes on the side shows where the code
itself draws a line: just below, at and just above its numbers; where its characters begin or end a text, or a
part of one; at magnitudes and halves that nobody wrote down.
"""

from __future__ import annotations

import ast
import itertools
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Union

from functions.harness.search.values import New, Value, in_turn

Number = Union[int, float]
Constant = Union[int, float, str]

_LARGEST = 10**30
_MOST_NUMBERS, _MOST_TEXTS = 14, 10
_MOST_PARTS, _MOST_ITEMS = 6, 1000
_MAGNITUDES = (2, 99, 10**4)
_HALVES = ("0.005", "0.015", "0.125", "2.665", "51.50", "10000.995", "99999999.995")
"""Amounts that rounding to cents decides about, some of them only after a tax or a discount."""
_SIGNS = ("=", "@", "\t", "'", "%", "{", "<")
"""What begins a formula, or ends a text's being one, where the code names no characters."""


def constants_in(code: ast.AST) -> list[Constant]:
    """Numbers and short texts in code, each once; sums, products and powers of numbers are worked out."""
    found: list[Constant] = []
    seen: set[int] = set()
    for node in ast.walk(code):
        if id(node) in seen:
            continue
        value: Constant | None = _number(node)
        if value is not None:
            seen.update(id(inner) for inner in ast.walk(node))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and len(node.value) <= 40:
            value = node.value
        if value is not None and not any(type(value) is type(one) and value == one for one in found):
            found.append(value)
    return found


def _number(node: ast.AST) -> Number | None:
    if isinstance(node, ast.Constant):
        value = node.value
        return value if isinstance(value, (int, float)) and not isinstance(value, bool) else None
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        inner = _number(node.operand)
        return None if inner is None else -inner
    if isinstance(node, ast.BinOp):
        left, right = _number(node.left), _number(node.right)
        return None if left is None or right is None else _worked_out(node.op, left, right)
    return None


def _worked_out(operator: ast.operator, left: Number, right: Number) -> Number | None:
    if isinstance(operator, ast.Pow):
        small = abs(left) <= 1024 and isinstance(right, int) and 0 <= right <= 30
        return left**right if small else None
    if max(abs(left), abs(right)) > _LARGEST:
        return None
    if isinstance(operator, ast.Mult):
        return left * right
    if isinstance(operator, ast.Add):
        return left + right
    return left - right if isinstance(operator, ast.Sub) else None


@dataclass(frozen=True)
class Edges:
    """Where the code draws lines, those that are likeliest to tell first."""

    numbers: tuple[Number, ...]
    texts: tuple[str, ...]
    """Characters, or short words."""

    @classmethod
    def of(cls, constants: Iterable[Constant]) -> Edges:
        """Of constants in code, as `constants_in` gives them."""
        numbers: list[Number] = []
        texts: list[str] = []
        for value in constants:
            if isinstance(value, str):
                number = _decimal(value)
                numbers += [float(number)] if number is not None else []
                # A text of signs is a set of them, as in `text[:1] in "=+-@"`.
                signs = not any(map(str.isalnum, value)) and len(value) <= 12
                texts += list(value) if signs else [value] if len(value) <= 3 else []
                numbers += map(int, re.findall(r"\{(?:\d+,)?(\d{1,4})\}", value))  # of a pattern
            elif not isinstance(value, bool) and abs(value) <= _LARGEST:
                numbers.append(value)
        signs_first = sorted(dict.fromkeys([*texts, *_SIGNS]), key=lambda text: text.isalnum())
        return cls(tuple(dict.fromkeys(numbers))[:_MOST_NUMBERS], tuple(signs_first)[:_MOST_TEXTS])

    def beside(self, value: Value) -> Iterator[Value]:
        """Values of the same kind that lie at an edge; those in containers change one place."""
        if isinstance(value, bool):
            yield not value
        elif isinstance(value, int):
            yield from self._integers()
        elif isinstance(value, float):
            yield from (float(one) for one in self._integers())
            yield from map(float, _HALVES)
        elif isinstance(value, str):
            yield from self._written(value)
        elif isinstance(value, New) and value.name == "Decimal":
            yield from (New("Decimal", {}, (text,)) for text in self._decimals())
        elif isinstance(value, New):
            for name, other in in_turn((name, self.beside(v)) for name, v in value.arguments.items()):
                yield New(value.name, {**value.arguments, name: other}, value.positional)
            for i, other in in_turn((i, self.beside(v)) for i, v in enumerate(value.positional)):
                yield New(
                    value.name, value.arguments, (*value.positional[:i], other, *value.positional[i + 1 :])
                )
        elif isinstance(value, dict):
            for key, other in in_turn((key, self.beside(v)) for key, v in value.items()):
                yield {**value, key: other}
        elif isinstance(value, (list, tuple)):
            yield from (type(value)([*value[:1]] * (count + 1)) for count in self._counts())
            for i, other in in_turn((i, self.beside(v)) for i, v in enumerate(value)):
                yield type(value)([*value[:i], other, *value[i + 1 :]])

    def _integers(self) -> Iterator[int]:
        around = [int(number) + step for number in self.numbers for step in (1, 0, -1)]
        yield from dict.fromkeys([*around, *_MAGNITUDES])

    def _counts(self) -> list[int]:
        """How many of something there may be."""
        return [number for number in self.numbers if isinstance(number, int) and 1 < number <= _MOST_ITEMS][
            :2
        ]

    def _decimals(self) -> Iterator[str]:
        for number in self.numbers:
            at = _decimal(str(number)) or Decimal(0)
            yield from map(str, (at + Decimal("0.01"), at, at - Decimal("0.01")))
        yield from _HALVES

    def _written(self, text: str) -> Iterator[str]:
        """The text with a sign before or behind it, and before each of its parts; and in capitals."""
        parts = list(itertools.islice(re.finditer(r"\w+", text), 1, _MOST_PARTS))
        for sign in self.texts:
            yield sign + text
        for part in parts:
            for sign in self.texts[:4]:
                yield text[: part.start()] + sign + text[part.start() :]
        for sign in self.texts[:4]:
            yield text + sign
            yield f" {sign}{text}"
            yield sign + text[:1]
        if text.swapcase() != text:
            yield text.swapcase()
        for count in self._counts():
            yield from ("x" * count, "x" * (count + 1))


def _decimal(text: str) -> Decimal | None:
    """The number that a text spells, "1_000.5" aside."""
    if not re.fullmatch(r"-?\d{1,20}(?:\.\d{1,10})?(?:e\+?\d\d?)?", text, re.ASCII):
        return None
    try:
        return Decimal(text)
    except InvalidOperation:
        return None
