"""Edits match exactly once, keep encodings and line endings, and leave every other byte alone."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from functions.core.workflow.proposal import Proposal
from functions.validate_patch.edits import apply
from functions.validate_patch.tree import EXECUTABLE, File

LATIN_1 = "# -*- coding: latin-1 -*-\nx = '{}'\n"


@pytest.mark.parametrize(
    ("before", "search", "replace", "after"),
    [
        pytest.param(b"a = 1\nb = 2\n", "b = 2", "b = 3", b"a = 1\nb = 3\n", id="LF"),
        pytest.param(b"a\r\nb\r\n", "a\nb", "a\nc\nd", b"a\r\nc\r\nd\r\n", id="CRLF"),
        pytest.param(b"a\r\nb\nc\r\n", "b\nc", "x\ny\nz", b"a\r\nx\ny\nz\r\n", id="that of the place"),
        pytest.param(b"a = 1", "a = 1", "a = 2", b"a = 2", id="no newline at the end"),
        pytest.param(b"\xef\xbb\xbfa = 1\n", "a = 1", "a = 2", b"\xef\xbb\xbfa = 2\n", id="byte order mark"),
        pytest.param(
            LATIN_1.format("é").encode("latin-1"),
            "x = 'é'",
            "x = 'è'",
            LATIN_1.format("è").encode("latin-1"),
            id="latin-1",
        ),
        pytest.param("x = '日本'\n".encode(), "日本", "東京", "x = '東京'\n".encode(), id="UTF-8"),
    ],
)
def test_edit_keeps_the_files_form(
    before: bytes, search: str, replace: str, after: bytes, propose: Callable[..., Proposal]
) -> None:
    applied = apply({"a.py": File(before)}, propose(("a.py", search, replace)))
    assert applied.findings == ()
    assert applied.tree["a.py"].data == after


@pytest.mark.parametrize(
    ("edits", "why"),
    [
        pytest.param([("a.py", "z = 9", "z = 8")], "does not occur", id="no match"),
        pytest.param([("a.py", "x = ", "y = ")], "occurs 2 times (lines 1, 2)", id="two matches"),
        pytest.param([("a.py", "aa", "b")], "occurs 2 times", id="overlapping matches"),
        pytest.param([("many.py", "a", "b")], "occurs 100 times or more", id="very many matches"),
        pytest.param([("b.py", "x = 1", "x = 2")], "no such file", id="no file"),
        pytest.param([("a.py", "", "x = 2")], "the file exists", id="creates what exists"),
        pytest.param([("a.py", "x = 1\nx", "y"), ("a.py", "x = 2", "z")], "overlap", id="overlapping edits"),
        pytest.param([("a.py", "x = 1", "x = 1")], "change nothing", id="nothing changes"),
        pytest.param([("n.py", "", "a"), ("n.py", "a", "b")], "must be the only one", id="create and edit"),
        pytest.param([("l.py", "x", "é東")], "does not fit the file's encoding", id="not in the encoding"),
        pytest.param([("hex.py", "x", "y")], "is not text in hex", id="no encoding of text"),
        pytest.param([("bin.py", "x", "y")], "bin.py: cannot be read", id="not text"),
    ],
)
def test_edit_that_does_not_apply_says_why(
    edits: list[tuple[str, str, str]], why: str, propose: Callable[..., Proposal]
) -> None:
    tree = {
        "a.py": File(b"x = 1\nx = 2\naaa\n"),
        "many.py": File(b"a" * 1_000_000),
        "l.py": File(b"# coding: latin-1\nx\n"),
        "hex.py": File(b"# coding: hex\nx\n"),
        "bin.py": File(b"x\xff\xfe\n"),
    }
    applied = apply(tree, propose(*edits))
    assert any(why in finding for finding in applied.findings), applied.findings


def test_mismatch_names_the_line_that_was_probably_meant(propose: Callable[..., Proposal]) -> None:
    tree = {"a.py": File(b"def f():\n    return total(order)\n")}
    (finding,) = apply(tree, propose(("a.py", "    return totals(order)", ""))).findings
    assert "'return total(order)' at line 2" in finding


def test_edits_match_the_file_as_fetched_not_each_others_results(propose: Callable[..., Proposal]) -> None:
    tree = {"a.py": File(b"one\ntwo\n")}
    applied = apply(tree, propose(("a.py", "two", "one"), ("a.py", "one", "two")))
    assert applied.tree["a.py"].data == b"two\none\n"


def test_mode_stays_and_new_files_end_in_a_newline(propose: Callable[..., Proposal]) -> None:
    tree = {"run.py": File(b"a = 1\n", EXECUTABLE)}
    applied = apply(tree, propose(("run.py", "1", "2"), ("new.py", "", "b = 1"), test="def test(): pass"))
    assert applied.tree["run.py"].mode == EXECUTABLE
    assert applied.tree["new.py"].data == b"b = 1\n"
    assert applied.tree["tests/test_regression.py"].data == b"def test(): pass\n"


def test_regression_test_never_overwrites(propose: Callable[..., Proposal]) -> None:
    tree = {"a.py": File(b"1\n"), "tests/test_a.py": File(b"old\n")}
    applied = apply(tree, propose(("a.py", "1", "2"), test="new", path="tests/test_a.py"))
    assert "exists already" in applied.findings[0]
    assert applied.tree["tests/test_a.py"].data == b"old\n"


@pytest.mark.parametrize("place", ["path", "search", "replace", "test"])
def test_half_a_character_is_in_no_file(propose: Callable[..., Proposal], place: str) -> None:
    half = "\ud800"
    edit = ("a.py", "1", "2" + half * (place == "replace"))
    edit = (edit[0] + half * (place == "path"), edit[1] + half * (place == "search"), edit[2])
    applied = apply({"a.py": File(b"1\n")}, propose(edit, test=half if place == "test" else ""))
    assert "half of a character" in applied.findings[0]
    assert applied.findings[0].isascii()
