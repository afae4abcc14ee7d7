"""Inputs are made up from how the code uses its parameters, and from what is declared of them."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import pytest

from functions.harness.search.explore import _calls, _Further
from functions.harness.search.targets import classes_of, targets_of
from functions.harness.search.values import render

CODE = """
import base64, json
from dataclasses import dataclass
from typing import Callable, ClassVar, Literal, Optional, TypedDict

import attr
from attrs import define, field
from pydantic import BaseModel, Field

Graph = dict[str, list[str]]


class Base(BaseModel):
    kind: Literal["a", "b"]
    limit: ClassVar[int] = 3


class Model(Base):
    count: int = Field(..., gt=0)
    size: int = Field(3)
    tags: list[str] = Field(default_factory=list)
    note: Optional[str] = Field(default=None)


@attr.s
class Classic:
    x = attr.ib()
    y = attr.ib(default=3)
    z = attr.ib(factory=list)


@define
class Modern:
    x: int
    z: list[int] = field()
    y: str = field(default="a")


class Row(TypedDict):
    id: int
    name: str
"""


@pytest.mark.parametrize(
    ("name", "made"),
    [
        ("Model", 'Model(kind="a", count=1)'),
        ("Classic", 'Classic(x="x")'),
        ("Modern", "Modern(x=1, z=[1])"),
        ("Row", '{"id": 1, "name": "x"}'),
    ],
)
def test_models_are_made_with_what_they_require(tmp_path: Path, name: str, made: str) -> None:
    (tmp_path / "app.py").write_text(CODE)
    assert render(classes_of(tmp_path, ["app.py"]).example(name)) == made


def calls(folder: Path, function: str, **task: Any) -> list[str]:
    """The first calls that are made up for the last function."""
    code = f"{CODE}\n\n{function}\n"
    (folder / "app.py").write_text(code)
    line = code.rstrip().split("\n")[-1].strip()
    place = {"path": "app.py", "function": "f", "line": len(code.rstrip().split("\n")), "code": line}
    search = {"places": [place], "tests": [], "message": "", "type": "KeyError", **task}
    (target,) = targets_of(folder, [place])
    found = _calls(target, classes_of(folder, ["app.py"]), search, folder, _Further())
    return [call["call"] for call in itertools.islice(found, 400)]


@pytest.mark.parametrize(
    ("function", "call"),
    [
        ("def f(event):\n    return json.loads(event['body'])['id']", 'f({"body": \'{"id": "x"}\'})'),
        ("def f(event):\n    return json.loads(event['body'])['id']", 'f({"body": "{}"})'),
        ("def f(data):\n    return json.loads(base64.b64decode(data))['id']", 'f("eyJpZCI6ICJ4In0=")'),
        ("def f(text):\n    return int(text.strip()) + 1", 'f("1")'),
        ("def f(graph: Graph):\n    return [n for n in graph]", 'f({"x": ["x"]})'),
        ("def f(rows: list[Row]):\n    return rows[0]['id']", 'f([{"id": 1, "name": "x"}])'),
        ("def f(source: Callable[[int], str | None]):\n    return source(3).strip()", 'f({1: "x"}.get)'),
        ("def f(source: Callable[[int], str | None]):\n    return source(3).strip()", "f({}.get)"),
        ("def f(rows):\n    return sorted(rows, key=lambda row: row['date'])", 'f([{"date": "x"}])'),
        (
            "def f(rows):\n    return sorted(rows, key=lambda row: row['date'])",
            'f([{"date": None}, {"date": "x"}])',
        ),
        ("def f(data):\n    return json.loads(data.decode())['id']", 'f(b\'{"id": "x"}\')'),
        ("def f(file):\n    return file.read().upper()", 'f(StringIO("x"))'),
        ("def f(pairs):\n    return [a + 1 for a, b in pairs]", 'f([(1, "x")])'),
        ("def f(stock):\n    return [n + 1 for item, n in stock.items()]", 'f({"x": 1})'),
        # None of the places waits for another.
        (
            "def f(row):\n    return row['a'] + row['b'] + row['c']",
            'f({"c": None, "a": 1, "b": 1})',
        ),
    ],
)
def test_calls_are_made_of_what_the_code_reads(tmp_path: Path, function: str, call: str) -> None:
    assert call in calls(tmp_path, function)


def test_a_stand_in_may_hold_the_error_that_it_raises(tmp_path: Path) -> None:
    function = "def f(answers):\n    answer = answers['a']\n    raise answer"
    found = calls(tmp_path, function, type="TimeoutError", message="too late")
    assert 'f({"a": TimeoutError("too late")})' in found
