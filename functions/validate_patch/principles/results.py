"""Results of calls, which come as source text: their values, parts of these, and what a call was given."""

from __future__ import annotations

import ast
import contextlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

_NUMBER = re.compile(r"\w+\(['\"]?(-?\d+(?:\.\d+)?)['\"]?\)")
"""`Decimal('0.00')` and its like: a number in a type of its own."""


@dataclass(frozen=True, slots=True)
class Unwritten:
    """A value that is no literal, known by its text alone."""

    text: str


@lru_cache(maxsize=4096)
def value_of(shown: str) -> Any:
    """The value that a text stands for, of an object what it is made of; `Unwritten` where it is neither."""
    number = _NUMBER.fullmatch(shown)
    try:
        if number:
            return float(number[1])
        node = ast.parse(shown, mode="eval").body
        made = isinstance(node, ast.Call) and node.keywords and not node.args
        if made:
            return {k.arg: value_of(ast.unparse(k.value)) for k in node.keywords}  # type: ignore[attr-defined] # a call
        return ast.literal_eval(node)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return Unwritten(re.sub(r"\b[a-z_]+\.(?=[A-Za-z]+\()", "", shown))


def leaves(value: Any) -> Iterator[Any]:
    """What a value holds in the end; an empty container stands for itself."""
    if isinstance(value, dict) and value:
        for inner in value.values():
            yield from leaves(inner)
    elif isinstance(value, list | tuple | set) and value:
        for inner in value:
            yield from leaves(inner)
    else:
        yield value


Path = tuple[str, ...]
"""Where a part stands in a value: keys of dictionaries, places in tuples, `*` for all items of a list."""


def placed(value: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """The parts of a value with their paths, from the whole inwards."""
    yield path, value
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from placed(inner, (*path, str(key)))
    elif isinstance(value, tuple):
        for number, inner in enumerate(value):
            yield from placed(inner, (*path, str(number)))
    elif isinstance(value, list | set):
        for inner in value:
            yield from placed(inner, (*path, "*"))
    elif isinstance(value, str) and value[:1] in ("{", "["):
        with contextlib.suppress(ValueError, RecursionError):
            yield from placed(json.loads(value), (*path, "json"))


def says_what_is_wrong(value: Any) -> bool:
    """Whether a result is an answer that refuses: a status of 400 or more, or an error by name."""
    if not isinstance(value, dict):
        return False
    status = next((value[key] for key in ("statusCode", "status_code", "status") if key in value), 0)
    return bool({"error", "errors"} & value.keys()) or (isinstance(status, int) and status >= 400)


@lru_cache(maxsize=4096)
def given(call: str) -> list[Any]:
    """The values that a call is given, containers before what they hold, keys included."""
    try:
        tree = ast.parse(call, mode="eval")
    except (SyntaxError, ValueError):
        return []
    found = []
    negated = {id(node.operand) for node in ast.walk(tree) if isinstance(node, ast.UnaryOp)}
    for node in ast.walk(tree):
        if id(node) in negated:
            continue
        if isinstance(node, ast.Constant | ast.UnaryOp | ast.List | ast.Dict | ast.Tuple):
            try:
                found.append(ast.literal_eval(node))
            except (ValueError, TypeError):
                continue
        elif isinstance(node, ast.Call) and node is not tree.body:
            found.append(value_of(ast.unparse(node)))
    return found


@lru_cache(maxsize=4096)
def texts_at(call: str) -> tuple[tuple[Path, str], ...]:
    """The texts that a call is given, with where: numbers and names of arguments, keys, `*` for all items."""
    try:
        tree: ast.expr = ast.parse(call, mode="eval").body
    except (SyntaxError, ValueError):
        return ()
    found: list[tuple[Path, str]] = []
    waiting: list[tuple[Path, ast.expr]] = [((), tree)]
    for path, node in waiting:
        if isinstance(node, ast.Call):
            waiting += [((*path, str(number)), value) for number, value in enumerate(node.args)]
            waiting += [((*path, keyword.arg or ""), keyword.value) for keyword in node.keywords]
            waiting += [(path, node.func)]
        elif isinstance(node, ast.Attribute):
            waiting += [((*path, "self"), node.value)]
        elif isinstance(node, ast.Dict):
            pairs = zip(node.keys, node.values, strict=True)
            waiting += [((*path, ast.unparse(k) if k else ""), value) for k, value in pairs]
        elif isinstance(node, ast.List | ast.Tuple):
            waiting += [((*path, "*"), value) for value in node.elts]
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            found.append((path, node.value))
    return tuple(found)


def shows(call: str, value: Any) -> set[Path]:
    """Where a call is given a text that its result has as a word."""
    texts = [leaf for leaf in leaves(value) if isinstance(leaf, str)]
    return {
        path
        for path, given_text in texts_at(call)
        if given_text.strip() and any(_has_word(text, given_text.strip()) for text in texts)
    }


def _has_word(text: str, word: str) -> bool:
    return word in text and re.search(rf"(?<!\w){re.escape(word)}(?!\w)", text) is not None


def function_in(call: str) -> str:
    """The function that a call is of, without what only makes it run to its end."""
    try:
        node: ast.expr = ast.parse(call, mode="eval").body
    except (SyntaxError, ValueError):
        return ""
    while isinstance(node, ast.Call):
        wraps = ast.unparse(node.func) in ("list", "asyncio.run") and len(node.args) == 1
        if not (wraps and isinstance(node.args[0], ast.Call | ast.Attribute)):
            node = node.func
            break
        node = node.args[0]
    return node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")


def same(one: Any, other: Any) -> bool:
    """Equal, and of one kind: 1 is no True, and "" no 0."""
    if isinstance(one, bool) != isinstance(other, bool) or isinstance(one, str) != isinstance(other, str):
        return False
    try:
        return bool(one == other)
    except (TypeError, ValueError):
        return False


def is_nothing(value: Any) -> bool:
    """None, zero, false, empty: what stands for there being no result."""
    return not isinstance(value, Unwritten) and not value


def shown_of(answer: Mapping[str, Any]) -> str:
    """What a call gave, as source text; "" where it gave nothing that can be shown, or raised."""
    return str(answer.get("shown") or "")


def echoes(call: str, value: Any) -> bool:
    """Whether a call gives back what it was given."""
    if is_nothing(value):
        return False
    inputs = given(call)
    held = isinstance(value, str) and any(str(v) in value for v in inputs if isinstance(v, dict | list) and v)
    return held or any(same(value, other) for other in inputs)


def within(value: Any, other: Any) -> bool:
    """Whether a value is another, or a part of its text."""
    text = isinstance(value, str) and isinstance(other, str) and bool(value)
    return same(value, other) or (text and value in other)


def text_of(value: Any) -> str:
    """How a value is shown."""
    return value.text if isinstance(value, Unwritten) else repr(value)[:120]
