"""Values that the code, its objects and the incident itself name: the first to try."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import Any

from functions.harness.search.values import New, Value, is_error


def quoted(message: str) -> list[Value]:
    """Values that the message quotes."""
    found: list[Value] = []
    for text in re.findall(r"'[^']{0,80}'|\"[^\"]{0,80}\"|-?\d+(?:\.\d+)?", message):
        try:
            value = ast.literal_eval(text)
        except (SyntaxError, ValueError):
            continue
        if value not in found and "redacted" not in str(value):
            found.append(value)
    try:
        whole = ast.literal_eval(message)
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        return found
    return [whole, *(value for value in found if value != whole)]


def raised_as_given(task: dict[str, Any]) -> Iterator[Value]:
    """The incident's error, where the code raises what a stand-in, or a caller, gave it."""
    raises = re.fullmatch(r"raise [\w.]+", task["places"][-1]["code"]) if task["places"] else None
    if raises and is_error(task["type"]):
        yield New(task["type"], {}, (task["message"],))


def literals(code: ast.AST, limit: int) -> list[Value]:
    """Constants in code: values it compares with, keys it looks up, formats it expects."""
    found: list[Value] = []
    for node in ast.walk(code):
        value = node.value if isinstance(node, ast.Constant) else None
        short = isinstance(value, (int, float)) or (isinstance(value, str) and len(value) <= 40)
        if short and value not in found:
            found.append(value)
    return found[:limit]


def keys_in(value: Value) -> Iterator[str]:
    """Keys of what objects are made of: their methods take such names."""
    if isinstance(value, New):
        yield from keys_in([*value.positional, *value.arguments.values()])
    elif isinstance(value, dict):
        yield from value
        yield from keys_in(list(value.values()))
    elif isinstance(value, (list, tuple)):
        for inner in value:
            yield from keys_in(inner)
