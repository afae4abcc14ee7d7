"""What no call can be made up for, the repository's own tests lead to, with one literal changed."""

from __future__ import annotations

import ast
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from functions.harness import changed_test
from functions.harness.experiment import replay
from functions.harness.proof import Proof
from functions.harness.regression import NotACall
from functions.harness.search.literals import literals_in
from infra.local.runner import LocalRunner
from tests.jobs import asked, job, outcomes_of

LOANS = """import sqlite3


def where(conn, book):
    row = conn.execute("select shelf from books where id = ?", (book,)).fetchone()
    return row[0].upper()
"""
LOANS_TEST = """import sqlite3

import pytest

from app import where


@pytest.fixture
def conn(tmp_path):
    conn = sqlite3.connect(tmp_path / "books.db")
    conn.execute("create table books (id integer primary key, shelf text)")
    yield conn
    conn.close()


def test_where(conn):
    book = conn.execute("insert into books (shelf) values (?)", ("a3",)).lastrowid
    assert where(conn, book) == "A3"


def test_of_something_else():
    assert where
"""
METERS = """import csv


def readings(path):
    with open(path) as file:
        for row in csv.DictReader(file):
            yield float(row["value"])
"""
METERS_TEST = """import pytest

from app import readings


@pytest.mark.parametrize("name", ["a.csv"])
def test_readings(tmp_path, name):
    path = tmp_path / name
    path.write_text("room,value\\nbath,2\\n")
    assert list(readings(str(path))) == [2.0]
"""
BOT = """def make_bot(directory):
    def hello(message):
        return "Hello " + directory.find(message["user"])["name"].title()

    return hello
"""
BOT_TEST = """import unittest
from unittest.mock import Mock

from app import make_bot

USER = {"name": "ann"}


class BotTest(unittest.TestCase):
    def setUp(self):
        self.directory = Mock()
        self.directory.find.return_value = USER

    def test_hello(self):
        self.assertEqual(make_bot(self.directory)({"user": "u1"}), "Hello Ann")
"""
CLIENT = """async def page(session, number):
    async with session.get(number) as response:
        return (await response.json())["votes"]
"""
CLIENT_TEST = """import asyncio
import contextlib

from app import page


class Session:
    def __init__(self, data):
        self.data = data

    @contextlib.asynccontextmanager
    async def get(self, number):
        yield self

    async def json(self):
        return self.data


def test_page():
    assert asyncio.run(page(Session({"votes": [1], "next": 2}), 1)) == [1]
"""


@dataclass(frozen=True)
class Story:
    """A repository of one module and one test, and an incident in it that the patch mends."""

    code: str
    test: str
    error: str
    function: str
    failing: str
    """The line that fails, and what the patch makes of it."""
    mended: str
    written: str
    """What the regression test has, which is the repository's with one literal changed."""
    others: dict[str, str] = field(default_factory=dict)

    @property
    def incident(self) -> dict[str, Any]:
        lines = [line.strip() for line in self.code.splitlines()]
        place = {"path": "app.py", "function": self.function, "code": self.failing}
        kind, _, message = self.error.partition(": ")
        return {
            "type": kind,
            "message": message,
            "places": [{**place, "line": lines.index(self.failing) + 1}],
        }

    def proof(self, tests: list[str] | None = None) -> Proof:
        before = {"app.py": self.code, "test_app.py": self.test, **self.others}
        after = {**before, "app.py": self.code.replace(self.failing, self.mended)}
        search = {"kind": "search", **self.incident, "tests": [*before], "files": ["app.py"], "calls": 300}
        search.update(constants=[], helpers=[])
        nothing = {**search, "places": []}
        parts: dict[str, Any] = {
            "incident": self.incident,
            "search": search,
            "survey": search,
            "changed": nothing,
            "tests": tests or [],
            "in_tests": {"files": {"test_app.py": self.test}, "fetched": [], "left_out": []},
        }
        own = frozenset({"app.py"})
        outcomes = outcomes_of(LocalRunner().run(job(before, after, **parts)).report)
        return replay(asked(**parts), own, outcomes, pytest=True, cut=False)


NONE = "AttributeError: 'NoneType' object has no attribute '{}'"
STORIES = {
    "a connection that a fixture opens": Story(
        LOANS, LOANS_TEST, NONE.format("upper"), "where",
        "return row[0].upper()", 'return (row[0] or "cellar").upper()', "(None,)",
    ),
    "a file that the test writes": Story(
        METERS, METERS_TEST, "ValueError: could not convert string to float: ''", "readings",
        'yield float(row["value"])', 'yield float(row["value"] or 0)', "bath,\\n",
    ),
    "a stand-in, a closure and a constant of the test's module": Story(
        BOT, BOT_TEST, NONE.format("title"), "hello",
        'return "Hello " + directory.find(message["user"])["name"].title()',
        'return "Hello " + (directory.find(message["user"])["name"] or "friend").title()', "{'name': None}",
    ),
    "a coroutine that is given an object of the test's": Story(
        CLIENT, CLIENT_TEST, "KeyError: 'votes'", "page",
        'return (await response.json())["votes"]', 'return (await response.json()).get("votes", [])',
        "{'next': 2}",
    ),
    "an error that says what is wrong": Story(
        LOANS, LOANS_TEST, NONE.format("upper"), "where",
        "return row[0].upper()",
        'if row[0] is None:\n        raise LookupError("no shelf")\n    return row[0].upper()',
        "with pytest.raises(LookupError):",
    ),
}  # fmt: skip


@pytest.mark.parametrize("story", STORIES.values(), ids=STORIES)
def test_a_test_with_one_literal_changed_reproduces_what_no_made_up_call_does(story: Story) -> None:
    shown = story.proof().reproduction
    assert shown is not None and shown.verdict.names, shown
    [text] = shown.tests.values()
    assert text is not None and story.written in text and "test_of_something_else" not in text


def test_the_calls_that_failed_and_that_worked_are_compared() -> None:
    calls = STORIES["a connection that a fixture opens"].proof().calls
    assert calls is not None
    [(call, now)] = calls.mended[:1]
    assert call["call"].startswith('where(Connection((None,), "books.db", ') and now["shown"] == '"CELLAR"'
    assert ('"A3"', '"A3"') in [(now["shown"], was["shown"]) for now, was in calls.worked]


def test_a_regression_test_of_the_patch_tells_the_call_that_failed() -> None:
    story = STORIES["a connection that a fixture opens"]
    brought = LOANS_TEST.replace('"a3"', "None").replace('"A3"', '"CELLAR"')
    proof = replace(story, others={"test_new.py": brought}).proof(["test_new.py"])
    assert proof.calls is not None and [now["shown"] for _, now in proof.calls.mended][:1] == ['"CELLAR"']


@pytest.mark.parametrize(
    ("within", "objection"),
    [
        (["test_app.py::test_where", ["test_app.py", 99, "None"], ["where", 0]], "no such literal"),
        (["test_app.py::test_where", ["test_app.py", 0, "exec('x')"], ["where", 0]], "more than"),
        (["other.py::test_where", ["other.py", 0, "None"], ["where", 0]], "no test of the repository"),
        (["test_app.py::test_x", ["test_app.py", 0, "None"], ["where", 0]], "there is no test"),
    ],
)  # fmt: skip
def test_nothing_is_written_that_is_not_understood(within: list[Any], objection: str) -> None:
    incident = STORIES["a connection that a fixture opens"].incident
    with pytest.raises(NotACall, match=objection):
        changed_test.code_of(incident, {"test_app.py": LOANS_TEST}, {}, within, {})


def test_literals_are_those_that_make_inputs_and_not_those_that_are_expected() -> None:
    text = (
        '"""Doc."""\nROWS = [1, {"a": 2}]\n\n\ndef test_x(tmp_path, n=3):\n    """Doc."""\n'
        '    x = f(ROWS, {"a": g("in"), "b": 4}, f"{5}")\n    assert f(x, 6) == 7\n    assert not h(8)\n'
    )
    found = [ast.unparse(node) for node in literals_in(ast.parse(text))]
    assert found == ["[1, {'a': 2}]", "{'a': g('in'), 'b': 4}", "'a'", "'b'", "'in'", "4", "6", "8"]
