"""What of a patch is executed, on every Python: statements, and parts of expressions, down to one arm."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from functions.harness import tracer
from functions.harness.interpreters import available, find

ROOT = Path(tracer.__file__).parents[2]
# Each piece stands between marks: «executed», ‹not executed›, ⟦that which cannot be executed⟧.
CASES = {
    "statements": "def f(x):\n    «a = 1»\n    if x:\n        «return a»\n    ‹return 2›\n\n\nf(1)\n",
    "arms of a conditional": "x = True\ny = «1» if x else ‹2›\n",
    "operands of a condition": "y = 0 or «1» or ‹2›\nz = 1 and «0» and ‹2›\n",
    "nested arms": "x = 1\ny = (‹1› if x > 1 else «2») if x else ‹3›\n",
    "comprehensions": "a = [«x» for x in (1,)]\nb = {‹x› for x in ()}\nc = {k: «v» for k, v in ((1, 2),)}\n",
    "lambdas": "f = lambda: «1»\ng = lambda: ‹2›\nf()\n",
    "decorators": "def d(f):\n    «return f»\n\n\n@d\ndef f():\n    ‹return 1›\n",
    "a docstring": '"""M"""\n\n\ndef f():\n    """D"""\n    «return 1»\n\n\nassert f.__doc__ == "D"\nf()\n',
    "the future": "«x = 1»\n",
    "exceptions": "try:\n    «x = 1 / 0»\n    ‹y = 2›\nexcept ZeroDivisionError:\n    «z = 3»\n",
    "loops": "for x in (1,):\n    «y = x»\nelse:\n    «z = 1»\nwhile False:\n    ‹w = 1›\n",
    "umlauts before it": "ä = 'ö'; «b = 1»\n",
    "several lines": "x = (\n    «[\n        1,\n    ]»\n    if True\n    else ‹2›\n)\n",
    "awaiting": "import asyncio\n\n\nasync def f():\n    «await asyncio.sleep(0)»\n\n\nasyncio.run(f())\n",
    "what only declares": "x: int\n\n\ndef f():\n    global x\n    «x = 1»\n\n\nf()\n",
}
NEWER = {
    "match": ((3, 10), "match 1:\n    case 1:\n        «x = 1»\n    case _:\n        ‹x = 2›\n"),
    "except*": ((3, 11), "try:\n    «x = 1»\nexcept* ValueError:\n    ‹y = 1›\n"),
    "type statements": ((3, 12), "«type X = int»\n\n\ndef f[T](x: T) -> T:\n    «return x»\n\n\nf(1)\n"),
    "nested text": ((3, 12), "x = 1\ny = f'{«\"a\"» if x else ‹\"b\"›}'\n"),
}  # fmt: skip
PROGRAM = """
import json, os, sys

sys.path[:0] = [{root!r}, {folder!r}]
from functions.harness.tracer import Tracer

tracing = Tracer({folder!r}, 1, json.loads(sys.argv[1]))
tracing.start()
import traced
tracing.stop()
"""


def marked(text: str) -> tuple[str, list[Any], set[int]]:
    """The source without its marks, the pieces, and the numbers of those that are executed."""
    source, pieces, executed, line, column, opened = "", [], set(), 1, 0, []
    for char in text:
        if char in "«‹":
            opened.append((line, column))
        elif char in "»›":
            pieces.append(["traced.py", [*opened.pop(), line, column]])
            executed |= {len(pieces) - 1} if char == "»" else set()
        else:
            source += char
            line, column = (line + 1, 0) if char == "\n" else (line, column + len(char.encode()))
    return source, pieces, executed


def test_marks_are_read_as_pieces() -> None:
    assert marked("ä «b»\n‹c›") == ("ä b\nc", [["traced.py", [1, 3, 1, 4]], ["traced.py", [2, 0, 2, 1]]], {0})


@pytest.mark.parametrize("version", available())
def test_what_is_executed_is_told_and_nothing_else(version: str, tmp_path: Path) -> None:
    found = find(version)
    assert found is not None
    number = tuple(map(int, version.split(".")))
    cases = {**CASES, **{name: text for name, (since, text) in NEWER.items() if number >= since}}
    for name, text in cases.items():
        source, pieces, executed = marked(text)
        if name == "the future":
            source = "from __future__ import annotations\n" + source
            pieces = [["traced.py", [1, 0, 1, 34]], ["traced.py", [2, 0, 2, 5]]]
            executed = {1}
        (tmp_path / "traced.py").write_text(source)
        program = PROGRAM.format(root=str(ROOT), folder=str(tmp_path))
        done = subprocess.run(
            [found.executable, "-B", "-c", program, json.dumps(pieces)],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, (name, done.stderr)
        lines = [json.loads(line) for line in done.stdout.splitlines()]
        expected = {1} if name == "the future" else set(range(len(pieces)))
        assert tracer.executed(lines, "executable") == expected, name
        assert tracer.executed(lines, "executed") == executed, name


def test_a_line_that_is_none_of_the_tracers_counts_for_nothing() -> None:
    assert tracer.executed([{"executed": ["1", None, 2]}, {"other": [3]}], "executed") == {2}
