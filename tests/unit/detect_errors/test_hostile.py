"""Random, cut and mangled texts: nothing raises, what is whole is found, and time grows with size only."""

from __future__ import annotations

import json
import random
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from functions.core.apps.app import App
from functions.detect_errors import platform_lines
from functions.detect_errors.events import Batch, LogEvent, read_events
from functions.detect_errors.grammar import exception_line
from functions.detect_errors.model import ParsedError, PrintedException
from functions.detect_errors.read import read_errors
from functions.detect_errors.sightings import occurrences, sightings

HEADER = "Traceback (most recent call last):"
GROUP = f"  + Exception Group {HEADER}\n"
DURING = "During handling of the above exception, another exception occurred:"
FRAME = '  File "/app/x.py", line 3, in f\n'
WHOLE = f"""\
{HEADER}
  File "/app/whole/one.py", line 14, in entry
    step(1)
  File "/app/whole/two.py", line 3, in step
    raise WholeError('kept')
whole.WholeError: kept
"""


def mangle(text: str, texts: list[str], dice: random.Random) -> str:
    for _ in range(dice.randint(1, 4)):
        at, lines = dice.randrange(len(text) + 1), text.split("\n")
        match dice.randrange(10):
            case 0:
                text = text[:at]
            case 1:
                text = text[at:]
            case 2:
                noise = (chr(dice.choice([dice.randrange(128), dice.randrange(0x2100)])) for _ in range(20))
                text = text[:at] + "".join(noise) + text[at:]
            case 3:
                text = "\n".join(dice.sample(lines, len(lines)))
            case 4:
                text += dice.choice(texts)
            case 5:
                text = text.encode()[:at].decode("utf-8", "replace")
            case 6:
                text = json.dumps(text)[: at + 10]
            case 7:
                text = json.dumps({"level": "ERROR", "message": text})
            case 8:
                text = dice.randbytes(at % 300).decode("latin-1")
            case _:
                text = "\n".join(lines + lines[-3:])
    return text


def every(
    errors: list[ParsedError] | tuple[PrintedException, ...],
) -> Iterator[ParsedError | PrintedException]:
    for error in errors:
        yield error
        yield from every(error.chain)
        yield from every(error.members)


def test_no_text_raises_and_no_whole_traceback_is_lost(tracebacks: list[dict[str, Any]]) -> None:
    texts = [one["text"] for one in tracebacks]
    dice = random.Random(20261120)
    for _ in range(1500):
        before, behind = (mangle(dice.choice(texts), texts, dice) for _ in range(2))
        record = dice.choice(["", "2026-01-01 00:00:00,000 INFO next\n"])
        found = read_errors(before.rstrip("\n") + "\n" + record + WHOLE + behind)
        kept = [one for one in every(found) if (one.type or "").endswith("WholeError")]
        assert any([frame.line for frame in one.frames] == [14, 3] for one in kept), (before, behind)


def repeated(part: str, size: int) -> str:
    return part * (size // len(part) + 1)


HOSTILE = {
    "frames": (f"{HEADER}\n", FRAME, "KeyError: 1\n"),
    "headers": ("", f"{HEADER}\n", ""),
    "headers in one line": ("", HEADER, ""),
    "headers with a frame": ("", f"{HEADER}\n{FRAME}", ""),
    "headers behind a prefix": ("", f"app-1 | {HEADER}\n", ""),
    "blanks": ("", " ", ""),
    "empty lines": ("", "\n", ""),
    "dots": ("", "a.", ": x"),
    "line numbers in a file name": (f'{HEADER}\n  File "', '", line 1', "\n"),
    "digits": (f'{HEADER}\n  File "a", line ', "1", "x\n"),
    "library directories": (f'{HEADER}\n  File "', "/lib/python3", '/x.py", line 1, in f\nX: y\n'),
    "directories": (f'{HEADER}\n  File "/', "a/", 'x.py", line 1, in f\nX: y\n'),
    "quotes in a message": (f'{HEADER}\n  File "<x>", line 1, in f\nX: ', "'a1 ", "\n"),
    "brackets in a message": (f'{HEADER}\n  File "<x>", line 1, in f\nX: ', "[a,{", "\n"),
    "hexadecimals in a message": (f'{HEADER}\n  File "<x>", line 1, in f\nX: ', "abcdef", "\n"),
    "lines of a message": (f"{HEADER}\n{FRAME}X: ", "more\n", ""),
    "backslashes": (f'x="{HEADER}', "\\", 'n  File "'),
    "escapes": (f'x="{HEADER}', '\\n  File \\"a\\", line 1, in f', '"'),
    "syslog newlines": (HEADER, '#012  File "a", line 1, in f', ""),
    "nested json": ("", '{"a":', "1"),
    "json lines": ("", '{"log": "Traceback (most recent call last):"}\n', ""),
    "broken json": ("", '{"log": }\n', ""),
    "gutters": (GROUP, "  | x\n", ""),
    "members": (f"{GROUP}  | G: x\n  +-+--------- 1 -----\n", "    | K: x\n    +------- 2 ----\n", ""),
    "chain": ("", f"{HEADER}\n{FRAME}K: x\n\n{DURING}\n\n", ""),
    "chain sentences": ("", f"{DURING}\n\n", ""),
    "error lines": ("", "ERROR x\n", ""),
    "heads": ("", "[ERROR] KeyError: x\n", ""),
    "flush left": (f"{HEADER}\n", 'File "/app/a.py", line 1, in f\ncode\n', ""),
    "source without end": (f'{HEADER}\nFile "/app/a.py", line 1, in f\n', "code\n", ""),
    "colours": ("", "\x1b[31", ""),
    "carriage returns": ("", "\r", ""),
    "times": ("", "2024-01-01 ", HEADER),
    "records in a stack": (f"{HEADER}\n{FRAME}", "INFO x\n", ""),
    "stacks without a header": ("", FRAME + "\n", ""),
    "inverted chain": (
        "",
        f"{HEADER}\n{FRAME}K: x\n\nThe above exception was caused by the following\n\n",
        "",
    ),
    "objects one behind the other": ("", '{"a": 1}', ""),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_steps_are_linear_in_size(name: str) -> None:
    start, part, end = HOSTILE[name]
    few, many = (steps(start + repeated(part, size) + end) for size in (4_000, 16_000))
    # Four times the size: a quadratic reader needs sixteen times as many.
    assert many < max(6 * few, 2_000), (few, many)


def test_a_line_is_looked_at_once_however_many_heads_it_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []

    def counted(line: str) -> tuple[str, str] | None:
        seen.append(len(line))
        return exception_line(line)

    monkeypatch.setattr(platform_lines, "exception_line", counted)
    read_errors("[ERROR] " * 1_000)
    assert sum(seen) <= 3 * 8_000


def test_the_text_of_an_event_is_redacted_once_however_many_errors_it_holds() -> None:
    lengths: list[int] = []

    def counted(text: str) -> str:
        lengths.append(len(text))
        return text

    frame = '  File "/var/task/a.py", line 1, in f{0}\n    x{0}()\n'
    text = "".join(f"{HEADER}\n{frame.format(n)}KeyError: 1\n" for n in range(50))
    batch = Batch("/aws/lambda/orders", "s", "1", (LogEvent("1", 1, text),))
    app = App("orders", ("/aws/lambda/orders",), "https://github.com/acme/orders")
    assert len(sightings(occurrences(read_events(batch.events), batch.events), batch, app, counted)) == 50
    assert sum(lengths) < 2 * len(text)


def steps(text: str) -> int:
    """Lines of Python that reading a text takes; the patterns' own steps are counted by test_linear.py."""
    count = 0

    def trace(_frame: Any, event: str, _argument: Any) -> Any:
        nonlocal count
        count += event == "line"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        read_errors(text)
    finally:
        sys.settrace(before)
    return count
