"""Functions that tell their calls, as text that a person understands, and how each ends."""

from __future__ import annotations

import ast
import functools
import inspect
import itertools
import tempfile
from collections.abc import Generator
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Callable

from functions.harness.search.results import CallOutcome, is_plain
from functions.harness.search.values import Builtin, EnumMember, New, Value, render

WATCHED = "__self_heal_watched__"
"""The name of the decorator in an instrumented file: `WATCHED(name, whether it is a method)`."""
_LONGEST, _DEPTH, _ITEMS, _MOST_INSIDE = 300, 3, 12, 6


@dataclass
class WatchedCall:
    """A call of a watched function."""

    function: str
    text: str
    """Source text; what cannot be written is a call of its class, with literals of the test."""
    number: int
    """Of the calls of this function in one run."""
    outcome: CallOutcome = field(default_factory=CallOutcome)


class WatchedCalls:
    """The calls of one run. met: literals that the test has met so far."""

    def __init__(self, met: Callable[[], list[Value]], most: int) -> None:
        self._met, self._most = met, most
        self.made: list[WatchedCall] = []

    def add(
        self,
        function: Callable[..., Any],
        name: str,
        owned: bool,
        given: tuple[Any, ...],
        named: dict[str, Any],
    ) -> WatchedCall:
        """A call that is made now."""
        try:
            text = _Writer(self._met()).call(function, name, owned, given, named)
        except Exception:  # noqa: BLE001 - a stranger's object may raise anything
            text = f"{name}()"
        call = WatchedCall(name, text, sum(other.function == name for other in self.made))
        if len(self.made) < self._most:
            self.made.append(call)
        return call


def mark(module: ast.Module, line: int) -> ast.AST | None:
    """Have the function that holds a line tell its calls: its innermost decorator does. None if it does
    already, or there is none."""
    nodes = [node for node in ast.walk(module) if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))]
    holding = [node for node in nodes if node.lineno <= line <= (node.end_lineno or 0)]
    if not holding:
        return None
    node = max(holding, key=lambda one: one.lineno)
    if any(isinstance(d, ast.Call) and getattr(d.func, "id", "") == WATCHED for d in node.decorator_list):
        return None
    of_class = any(node in other.body for other in ast.walk(module) if isinstance(other, ast.ClassDef))
    static = any(isinstance(d, ast.Name) and d.id == "staticmethod" for d in node.decorator_list)
    given: list[ast.expr] = [ast.Constant(node.name), ast.Constant(of_class and not static)]
    decorator = ast.Call(ast.Name(WATCHED, ast.Load()), given, [])
    node.decorator_list.append(ast.fix_missing_locations(ast.copy_location(decorator, node.body[0])))
    return node


def watched(
    function: Callable[..., Any], name: str, owned: bool, calls: Callable[[], WatchedCalls]
) -> Callable[..., Any]:
    """The function, whose calls are added to those of the run that goes on."""
    if inspect.iscoroutinefunction(function):

        @functools.wraps(function)
        async def waited(*given: Any, **named: Any) -> Any:
            call = calls().add(function, name, owned, given, named)
            try:
                call.outcome.value = await function(*given, **named)
            except BaseException as error:
                call.outcome.error = error
                raise
            return call.outcome.value

        return waited
    if inspect.isgeneratorfunction(function):

        @functools.wraps(function)
        def yielded(*given: Any, **named: Any) -> Generator[Any, Any, Any]:
            call = calls().add(function, name, owned, given, named)
            call.outcome.value = []
            try:
                return (yield from _kept(function(*given, **named), call.outcome.value))
            except Exception as error:
                call.outcome.error = error
                raise

        return yielded

    @functools.wraps(function)
    def plain(*given: Any, **named: Any) -> Any:
        call = calls().add(function, name, owned, given, named)
        try:
            call.outcome.value = function(*given, **named)
        except BaseException as error:
            call.outcome.error = error
            raise
        return call.outcome.value

    return plain


def _kept(inner: Generator[Any, Any, Any], items: list[Any]) -> Generator[Any, Any, Any]:
    """What a generator yields, kept as well."""
    sent = None
    while True:
        try:
            value = inner.send(sent)
        except StopIteration as end:
            return end.value
        if len(items) < 1000:
            items.append(value)
        sent = yield value


class _Writer:
    """Writes calls. met: literals that a test has met."""

    def __init__(self, met: list[Value]) -> None:
        self._met = met

    def call(
        self,
        function: Callable[..., Any],
        name: str,
        owned: bool,
        given: tuple[Any, ...],
        named: dict[str, Any],
    ) -> str:
        parameters = [*inspect.signature(function).parameters]
        parameters += ["value"] * len(given)
        parts = [self._text(value, other) for value, other in zip(given, parameters)]
        with_names = [f"{key}={self._text(value, key)}" for key, value in named.items()]
        base = f"{parts.pop(0)}." if owned and parts else ""
        return f"{base}{name}({', '.join([*parts, *with_names])})"

    def _text(self, value: Any, otherwise: str) -> str:
        text = render(self._value(value, 0))
        try:
            ast.parse(text, mode="eval")
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return otherwise
        return text if len(text) <= _LONGEST else otherwise

    def _value(self, value: Any, depth: int) -> Value:
        kind = type(value)
        if isinstance(value, str) and value.startswith(tempfile.gettempdir()):
            return New("file", {}, (value.rpartition("/")[2], *self._inside()))
        if value is None or kind in (bool, int, float, str, bytes):
            return value
        if depth > _DEPTH:
            return Builtin("...")
        if kind in (list, tuple):
            return kind(self._value(inner, depth + 1) for inner in value[:_ITEMS])
        if isinstance(value, dict):
            pairs = itertools.islice(value.items(), _ITEMS)
            return {key: self._value(inner, depth + 1) for key, inner in pairs if is_plain(key)}
        if isinstance(value, Enum):
            return EnumMember(kind.__name__, value.name)
        return self._of_object(value, depth)

    def _of_object(self, value: Any, depth: int) -> Value:
        name = type(value).__name__
        if callable(value) and hasattr(value, "__name__"):
            return Builtin(value.__name__ if value.__name__.isidentifier() else "function")
        if type(value).__module__ in ("datetime", "decimal"):
            return Builtin(repr(value).replace("datetime.", "", 1).replace("'", '"'))
        kept = getattr(value, "__dict__", None)
        if not isinstance(kept, dict) or not kept or type(value).__module__.startswith("unittest"):
            return New(name, {}, self._inside())
        attributes = itertools.islice(((k, v) for k, v in kept.items() if k.isidentifier()), 8)
        return New(name, {key.lstrip("_"): self._value(inner, depth + 1) for key, inner in attributes})

    def _inside(self) -> tuple[Value, ...]:
        """What may be in a file, a connection or a stand-in: what the test has named so far."""
        known = [value for value in self._met if is_plain(value) and len(render(value)) <= _LONGEST // 3]
        return tuple(known[:_MOST_INSIDE])
