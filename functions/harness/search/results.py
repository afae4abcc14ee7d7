"""What one call gave: its value or exception, told as text that is the same for equal results."""

from __future__ import annotations

import contextlib
import hashlib
import importlib
import itertools
import linecache
import logging
import signal
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from functions.harness.report import describe, frames_of
from functions.harness.search.calls import taken_apart
from functions.harness.search.values import Value, render

_CALL_SECONDS, _IMPORT_SECONDS = 0.5, 5.0
_DEPTH = 2
"""Of objects in objects that are shown by their attributes."""
_MOST_LOGGED, _LONGEST_LOGGED = 5, 120
_LONGEST, _LARGE, _MOST, _DEEPEST = 400, 2000, 50_000, 50
"""Characters of a result that are told, of a longer one its digest; items of a container, and characters of a
text, that counts by its ends; values in a result that are looked at, and how deep they may lie: it may hold
itself."""


@dataclass
class CallOutcome:
    """What a call gave."""

    value: Value = None
    error: BaseException | None = None
    left: str = ""
    """What it left of its arguments, and of its object, if it changed them."""
    logged: tuple[str, ...] = ()


def outcome(call: dict[str, Any]) -> CallOutcome:
    """Run one call with fresh inputs."""
    signal.setitimer(signal.ITIMER_REAL, _IMPORT_SECONDS)
    given: dict[str, Any] = {}
    before, found = "", CallOutcome()
    try:
        scope: dict[str, Any] = {}
        for module, name in call["imports"]:
            scope[name] = (
                getattr(importlib.import_module(module), name) if module else importlib.import_module(name)
            )
        signal.setitimer(signal.ITIMER_REAL, _CALL_SECONDS)
        code, parts = taken_apart(call["call"])
        given = {name: eval(part, scope) for name, part in parts.items()}  # noqa: S307 - as below
        before = _inputs(given)
        _heard.clear()
        found.value = eval(code, {**scope, **given})  # noqa: S307 - text that this search wrote, in the sandbox
    except BaseException as raised:  # noqa: BLE001 - whatever a stranger's code raises is the result
        found.error = raised
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
    after = _inputs(given)
    found.left = after if after != before else ""
    found.logged = tuple(_heard[:_MOST_LOGGED])
    return found


_heard: list[str] = []


def listen() -> None:
    """Hear what is logged, whatever handlers the code has: one more of these would keep `basicConfig` from
    doing what it does."""
    handled = logging.Logger.callHandlers

    def heard(logger: logging.Logger, record: logging.LogRecord) -> None:
        with contextlib.suppress(Exception):  # as logging itself treats what cannot be formatted
            _heard.append(f"{record.levelname} {record.getMessage()}"[:_LONGEST_LOGGED])
        handled(logger, record)

    setattr(logging.Logger, handled.__name__, heard)  # for the life of this process


def _inputs(given: dict[str, Any]) -> str:
    """What is in the arguments, and in the object that a method is called on."""
    shown = []
    for value in given.values():
        kept = getattr(value, "__dict__", None)
        shown.append(_shown(kept if isinstance(kept, dict) else value))
    return ", ".join(filter(None, shown))[:400]


def answer(of: CallOutcome, root: str) -> dict[str, Any]:
    """The value, if a test can state it, and as shown; or the exception, and whether code raised it; what is
    left of the arguments, and what was logged, where there is any."""
    beside: dict[str, Any] = {"left": of.left} if of.left else {}
    if of.logged:
        beside["logged"] = of.logged
    return {**_given(of.value, of.error, root), **beside}


def _given(value: Value, error: BaseException | None, root: str) -> dict[str, Any]:
    if error is None:
        value = _bounded(value)
        text = render(value) if _plain(value) else ""
        shown = text or _shown(value)
        if len(shown) > _LONGEST:
            return {
                "value": "",
                "shown": "",
                "long": hashlib.sha256(shown.encode(errors="replace")).hexdigest(),
            }
        return {"value": text, "shown": shown}
    frames = [f for f in frames_of(error.__traceback__, root) if not f[0].startswith(("/", "<"))]
    line = linecache.getline(str(Path(root, frames[-1][0])), frames[-1][1]).strip() if frames else ""
    return {"raised": describe(error, root), "deliberate": line.startswith("raise ")}


def _bounded(value: Value) -> Value:
    """A result of which each part that is too large is its size and its ends: a million numbers somewhere in
    it take as long to tell as a second of calls takes."""
    left = _MOST

    def bounded(value: Value, depth: int = 0) -> Value:
        nonlocal left
        left -= 1
        sized = type(value) in (list, tuple, dict, str)
        if sized and (left < 0 or depth > _DEEPEST):
            return ...  # which no test can state
        if type(value) is dict:
            return {k: bounded(kept, depth + 1) for k, kept in itertools.islice(value.items(), max(left, 0))}
        if sized and len(value) > _LARGE:
            value = (len(value), value[: _LARGE // 2], value[-_LARGE // 2 :])
        if type(value) in (list, tuple):
            return type(value)(bounded(kept, depth + 1) for kept in value)
        return value

    return bounded(value)


def _plain(value: Value) -> bool:
    """Whether a value is made of literals alone, so that a test can state it."""
    if isinstance(value, float):
        return value == value and value not in (float("inf"), float("-inf"))
    if value is None or type(value) in (bool, int, str):
        return True
    if type(value) in (list, tuple):
        return all(map(_plain, value))
    return type(value) is dict and all(_plain(k) and _plain(v) for k, v in value.items())


def _shown(value: Value, depth: int = 0) -> str:
    """A value that tests cannot state, as text that is the same for equal ones; "" where there is none."""
    try:
        if isinstance(value, (set, frozenset)):
            value = sorted(value)
        kind = next((kind for kind in (dict, list, tuple) if isinstance(value, kind)), None)
        # A Counter is no other result than a dict.
        plain = _bounded(kind(value)) if kind is not None else value
        text = render(plain) if _plain(plain) else repr(value)
        if " at 0x" in text and depth < _DEPTH and kind is None:
            return _made_of(value, depth)
    except Exception:  # noqa: BLE001 - a stranger's __repr__ may raise anything
        return ""
    return "" if " at 0x" in text or text.startswith("<") else text


def _made_of(value: Value, depth: int) -> str:
    """An object that does not say what it is, as a call with its attributes."""
    kept = {name: _shown(inner, depth + 1) for name, inner in vars(value).items()}
    if not all(kept.values()) or callable(value):
        return ""
    return f"{type(value).__name__}({', '.join(f'{name}={text}' for name, text in kept.items())})"
