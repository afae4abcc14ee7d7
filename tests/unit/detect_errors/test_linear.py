"""Every pattern that meets strangers' text takes steps in proportion to the text: counted, not timed."""

from __future__ import annotations

import dataclasses
import importlib
import pkgutil
import re
import sys
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

import functions.detect_errors
from functions.detect_errors.classify import _table
from functions.detect_errors.platform_lines import read_heads, read_lines, read_node, read_platform
from functions.detect_errors.transport import prefix_pattern
from tests.counted import Counted
from tests.regex_steps import Steps, adversarial

SIZES = (40, 80)
# Twice the text may take twice the steps, and a little for what starts anew with each line.
GROWTH = 2.4
PREFIXES = (
    "2026-01-01T10:00:00.123Z stderr F ",
    "[  812.001] app[7]: ",
    "1718098221 ",
    "10:00:00,1 12:00 13:00 web.1 | ",
)


def _within(value: Any, name: str) -> Iterator[tuple[str, re.Pattern[str]]]:
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        value = value._asdict()
    if isinstance(value, re.Pattern):
        yield name, value
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _within(inner, f"{name}.{key}")
    elif isinstance(value, tuple | list):
        for index, inner in enumerate(value):
            yield from _within(inner, f"{name}[{index}]")
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        for field in dataclasses.fields(value):
            yield from _within(getattr(value, field.name), f"{name}.{field.name}")


def patterns() -> dict[str, re.Pattern[str]]:
    """All patterns of the package, wherever they stand, and those that it makes of prefixes."""
    found: dict[str, re.Pattern[str]] = {}
    for module in pkgutil.iter_modules(functions.detect_errors.__path__, "functions.detect_errors."):
        if not module.name.endswith(".handler"):
            for name, value in vars(importlib.import_module(module.name)).items():
                found |= dict(_within(value, f"{module.name.rpartition('.')[2]}.{name}"))
    found |= dict(_within(vars(_table()), "classes"))
    found |= {f"prefix {prefix!r}": re.compile(prefix_pattern(prefix)) for prefix in PREFIXES}
    return found


PATTERNS = patterns()
SOURCE = "\n".join(
    path.read_text(encoding="utf-8") for path in Path(functions.detect_errors.__path__[0]).glob("*.py")
)


def _in_a_deep_thread(work: Any) -> Any:
    """The matcher recurses once per repetition of a group."""
    out: list[Any] = []
    old = threading.stack_size(256 * 1024 * 1024), sys.getrecursionlimit()
    sys.setrecursionlimit(200_000)
    thread = threading.Thread(target=lambda: out.append(work()))
    thread.start()
    thread.join()
    threading.stack_size(old[0])
    sys.setrecursionlimit(old[1])
    return out[0]


def is_anchored(name: str) -> bool:
    """Whether the package only ever matches the pattern at a place that it names, and searches for it
    nowhere."""
    last = name.rpartition(".")[2].partition("[")[0]
    used = set(
        re.findall(rf"\b{re.escape(last)}\.(match|fullmatch|search|sub|split|findall|finditer)\(", SOURCE)
    )
    return name.startswith("prefix ") or (bool(used) and used <= {"match", "fullmatch"})


def growth(pattern: re.Pattern[str], *, anchored: bool = False) -> tuple[float, str]:
    """The most that twice the text takes of the steps for the text, and the text that takes it."""
    steps = Steps(pattern.pattern, pattern.flags)
    worst = (0.0, "")
    for short, long in zip(
        *(adversarial(pattern.pattern, pattern.flags, size) for size in SIZES), strict=True
    ):
        few, many = (steps.search(text, anchored=anchored) for text in (short, long))
        if many > 12 * len(long):  # below that, it is not the text that costs
            worst = max(worst, (many / few, long[:60]))
    return worst


@pytest.mark.parametrize("name", PATTERNS)
def test_steps_grow_with_the_text_and_no_faster(name: str) -> None:
    ratio, text = _in_a_deep_thread(lambda: growth(PATTERNS[name], anchored=is_anchored(name)))
    assert ratio <= GROWTH, text


@pytest.mark.parametrize(
    "hostile", [r"^(a+)+$", r"\d[\d:]*\d:\d[\d:]*", r"(?:a|a)*b", r"x*x*x*y", r".*.*=.*"]
)
def test_a_pattern_that_is_not_linear_is_told(hostile: str) -> None:
    with_limit = re.compile(hostile)
    assert _in_a_deep_thread(lambda: bounded(with_limit)) > GROWTH


def bounded(pattern: re.Pattern[str]) -> float:
    """As `growth`, over texts so short that an exponential pattern ends."""
    steps = Steps(pattern.pattern, pattern.flags)
    short, long = (list(adversarial(pattern.pattern, pattern.flags, size)) for size in (8, 16))
    return max(steps.search(b) / steps.search(a) for a, b in zip(short, long, strict=True))


HEADS = (
    *(
        "[ERROR] ",
        "[ERROR] x",
        "[ERROR] KeyError: ",
        "[ERROR] KeyError: \n",
        "a [ERROR] KeyError: x ",
        "[ERROR] a.b",
    ),
    *(
        "\n[ERROR] KeyError: x\n a",
        "[ERROR] KeyError: x\nb c\n",
        "Status: timeout ",
        "    at f (/a.js:1:2)\n",
    ),
    *("Error: y\n    at f (/a.js:1:2)\n", "level=error ", "ERROR KeyError: ", "ValueError: x\n", "\n"),
)


@pytest.mark.parametrize("read", [read_platform, read_heads, read_node, read_lines])
@pytest.mark.parametrize("unit", HEADS)
def test_what_is_read_without_a_stack_looks_at_each_character_as_often(read: Any, unit: str) -> None:
    def looked_at(length: int) -> int:
        text = Counted((unit * length)[:length])
        read(text)
        return text.tally[0]

    assert looked_at(16_000) <= GROWTH * looked_at(8_000) + 1_000
