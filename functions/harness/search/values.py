"""Input values as the search builds them: Python literals, and objects written as constructor calls.

A value is data that can be changed in one place at a time and written into a test as source text.
"""

from __future__ import annotations

import builtins
import itertools
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

Value = Any
"""None, bool, int, float, str, bytes, list, tuple, dict of values, or `New`."""


Key = TypeVar("Key")


@dataclass(frozen=True)
class New:
    """An object: `name(keyword=value, …)`. `name` is bound by an import in the test."""

    name: str
    arguments: dict[str, Value]
    positional: tuple[Value, ...] = ()


@dataclass(frozen=True)
class EnumMember:
    """A member of an enumeration: `owner.name`."""

    owner: str
    name: str


@dataclass(frozen=True)
class Builtin:
    """A builtin type, given as a function: `int`."""

    name: str


@dataclass(frozen=True)
class Lookup:
    """A function that looks its argument up, and gives None for others: `{…}.get`."""

    table: dict[Any, Value]


_BESIDE, _LONG = 25, 40
BUILTINS = ("int", "str", "float", "bool", "list", "dict")

STANDARD = {
    "SimpleNamespace": "types",
    "date": "datetime",
    "datetime": "datetime",
    "timedelta": "datetime",
    "Decimal": "decimal",
    "StringIO": "io",
    "BytesIO": "io",
}
"""Classes of the standard library that inputs are made of → their modules."""

SAMPLES: dict[str, tuple[New, ...]] = {
    "date": tuple(
        New("date", {}, day) for day in ((2024, 2, 29), (2023, 12, 31), (2024, 1, 31), (2023, 12, 1))
    ),
    "datetime": tuple(
        New("datetime", {}, at) for at in ((2024, 2, 29, 12, 30), (2023, 12, 31, 23, 59), (2024, 1, 1))
    ),
    "timedelta": tuple(New("timedelta", {}, (days,)) for days in (1, 0, -1)),
    "Decimal": tuple(New("Decimal", {}, (text,)) for text in ("2.50", "0", "-1", "0.1", "1000")),
}
"""Values at the edges of what these classes hold, a usual one first."""


def render(value: Value) -> str:
    """Source text of a value."""
    if isinstance(value, New):
        parts = [render(v) for v in value.positional]
        parts += [f"{key}={render(v)}" for key, v in value.arguments.items()]
        return f"{value.name}({', '.join(parts)})"
    if isinstance(value, EnumMember):
        return f"{value.owner}.{value.name}"
    if isinstance(value, Builtin):
        return value.name
    if isinstance(value, Lookup):
        return f"{render(value.table)}.get"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_literal(k)}: {render(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(render, value)) + "]"
    if isinstance(value, tuple):
        return "(" + ", ".join(map(render, value)) + ("," if len(value) == 1 else "") + ")"
    return _literal(value)


def _literal(value: Value) -> str:
    """A literal with double quotes where Python's repr has single ones, as formatters write it."""
    text = repr(value)
    if isinstance(value, str) and '"' not in text and text.startswith("'"):
        return f'"{text[1:-1]}"'
    return text


def names_used(value: Value) -> set[str]:
    """Names of the constructors in a value."""
    if isinstance(value, New):
        inner: list[Value] = [*value.arguments.values(), *value.positional]
        return {value.name}.union(*(names_used(v) for v in inner))
    if isinstance(value, EnumMember):
        return {value.owner}
    if isinstance(value, Lookup):
        return names_used(value.table)
    if isinstance(value, dict):
        return set().union(*(names_used(v) for v in value.values()))
    if isinstance(value, (list, tuple)):
        return set().union(*(names_used(v) for v in value))
    return set()


def variants(value: Value, pool: list[Value]) -> Iterator[Value]:
    """The value with one place changed, shallow changes first: replaced, left out, emptied, doubled."""
    yield from _of_kind(value, pool)
    yield from (other for other in pool if other != value or type(other) is not type(value))


def _of_kind(value: Value, pool: list[Value]) -> Iterator[Value]:
    """Changes within a value, by what it is."""
    if isinstance(value, dict):
        yield from ({k: v for k, v in value.items() if k != key} for key in value)
        for key, other in in_turn((key, variants(inner, pool)) for key, inner in value.items()):
            yield {**value, key: other}
        yield {}
    elif isinstance(value, New) and value.name in SAMPLES:
        yield from (other for other in SAMPLES[value.name] if other != value)
    elif isinstance(value, New):
        for key, other in in_turn((key, variants(inner, pool)) for key, inner in value.arguments.items()):
            yield New(value.name, {**value.arguments, key: other}, value.positional)
        for i, inner in enumerate(value.positional):
            for other in variants(inner, pool):
                positional = (*value.positional[:i], other, *value.positional[i + 1 :])
                yield New(value.name, value.arguments, positional)
    elif isinstance(value, Lookup):
        yield from (Lookup(other) for other in variants(value.table, []) if isinstance(other, dict))
    elif isinstance(value, (list, tuple)):
        yield from _of_items(value, pool)
    else:
        yield from _of_scalar(value, pool)


def _of_scalar(value: Value, pool: list[Value]) -> Iterator[Value]:
    if isinstance(value, str):
        yield from _of_text(value, pool)
    elif isinstance(value, bytes):
        texts = _of_text(value.decode(errors="replace"), pool)
        yield from (text.encode() for text in itertools.chain(texts, ("", "x", "\xe9")))
    elif isinstance(value, int) and not isinstance(value, bool):
        yield from (value + 1, value - 1)


def _of_items(value: Value, pool: list[Value]) -> Iterator[Value]:
    """Fewer items, one changed, and one more beside a usual one, before it and after it.

    Of equal ones in a row, which an edge may make a thousand of, the first and the last are changed.
    """
    kind, beside, last = type(value), 0, len(value) - 1
    told_apart = [
        i for i in range(last + 1) if i in (0, last) or not value[i - 1] == value[i] == value[i + 1]
    ]
    yield kind()
    if len(value) > 1:
        yield value[:1]
    if value:
        yield kind([*value, value[0]])
    for i, other in in_turn((i, variants(value[i], pool)) for i in told_apart):
        yield kind([*value[:i], other, *value[i + 1 :]])
        if len(value) == 1 and beside < _BESIDE:
            beside += 1
            yield kind([other, *value])
            yield kind([*value, other])


def _of_text(value: str, pool: list[Value]) -> Iterator[Value]:
    """What JSON holds is changed as what it is; other text is written in another case."""
    if value[:1] in ("{", "["):
        try:
            held = json.loads(value)
        except ValueError:
            return
        yield from (json.dumps(other) for other in variants(held, pool) if _is_json(other))
    elif "\n" in value.strip("\n"):
        yield from _of_lines(value.split("\n"), pool)
    elif 1 < len(value) < _LONG:
        yield from (other for other in (value.upper(), value.lower()) if other != value)


def _of_lines(lines: list[str], pool: list[Value]) -> Iterator[Value]:
    """Text with a line left out, blank, cut short, or with another field."""
    texts = [text for text in pool if isinstance(text, str) and len(text) < _LONG]
    for i, line in enumerate(lines):
        yield "\n".join([*lines[:i], *lines[i + 1 :]])
        fields = [field.span() for field in re.finditer(r"[^,;|\t]+", line)]
        others = ["", line[: len(line) // 2], *(line[:start].rstrip(",;|\t") for start, _ in fields[-1:])]
        others += [line[:start] + text + line[end:] for text in ("", *texts) for start, end in fields]
        yield from ("\n".join([*lines[:i], other, *lines[i + 1 :]]) for other in others[:_BESIDE])


def _is_json(value: Value) -> bool:
    if isinstance(value, dict):
        return all(isinstance(key, str) for key in value) and all(map(_is_json, value.values()))
    if isinstance(value, list):
        return all(map(_is_json, value))
    return value is None or isinstance(value, (str, int, float))


def in_turn(streams: Iterable[tuple[Key, Iterator[Value]]]) -> Iterator[tuple[Key, Value]]:
    """One of each stream, then the next of each, so that none has to wait for another: (whose, what)."""
    left = list(streams)
    while left:
        going = []
        for key, stream in left:
            for value in itertools.islice(stream, 1):
                yield key, value
                going.append((key, stream))
        left = going


def is_error(name: str) -> bool:
    """Whether an exception is one of the language's own, which needs no import."""
    kind = getattr(builtins, name, None)
    return isinstance(kind, type) and issubclass(kind, Exception)


def size(value: Value) -> int:
    """How much there is to read in a value: smaller inputs make better tests."""
    return len(render(value))
