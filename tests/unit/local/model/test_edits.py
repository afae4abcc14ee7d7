"""Changes become search-and-replace edits whose search text occurs exactly once in what is shown."""

from __future__ import annotations

import pytest

from infra.local.model.edits import NotUnique, to_edits
from infra.local.model.source import SourceFile, Splice


def _file(text: str, *, hidden: range = range(0)) -> SourceFile:
    lines = {n: line for n, line in enumerate(text.splitlines(), 1) if n not in hidden}
    return SourceFile("a.py", lines)


def test_a_line_that_occurs_once_is_enough() -> None:
    (edit,) = to_edits(_file("a = 1\nb = 2\nc = 3\n"), [Splice((2, 4), (2, 5), "5")])

    assert (edit.search, edit.replace) == ("b = 2", "b = 5")


def test_a_repeated_line_takes_in_its_neighbours() -> None:
    text = "x = 1\nb = 2\ny = 1\nb = 2\nz = 1\n"

    (edit,) = to_edits(_file(text), [Splice((4, 4), (4, 5), "5")])

    assert text.count(edit.search) == 1
    assert text.replace(edit.search, edit.replace) == "x = 1\nb = 2\ny = 1\nb = 5\nz = 1\n"


def test_inserted_lines_are_anchored_to_a_line_that_stays() -> None:
    file = _file("import os\n\n\nprint(os)\n")

    (edit,) = to_edits(file, [file.insert_line(1, ["import json"])])

    assert (edit.search, edit.replace) == ("import os", "import json\nimport os")


def test_two_places_become_two_edits() -> None:
    edits = to_edits(
        _file("a = 1\nb = 2\nc = 3\n"), [Splice((1, 4), (1, 5), "7"), Splice((3, 4), (3, 5), "8")]
    )

    assert [edit.replace for edit in edits] == ["a = 7", "c = 8"]


def test_insertions_at_one_place_keep_their_order() -> None:
    file = _file("a = 1\n")

    (edit,) = to_edits(file, [file.insert_line(1, ["x = 1"]), file.insert_line(1, ["y = 2"])])

    assert edit.replace == "x = 1\ny = 2\na = 1"


def test_more_context_is_taken_when_parts_of_the_file_are_hidden() -> None:
    (edit,) = to_edits(
        _file("a = 1\nb = 2\nc = 3\nd = 4\ne = 5\n", hidden=range(5, 6)), [Splice((2, 4), (2, 5), "9")]
    )
    (hidden,) = to_edits(
        _file("a = 1\n\n\n\nb = 2\nc = 3\nd = 4\n", hidden=range(2, 5)), [Splice((6, 4), (6, 5), "9")]
    )

    assert edit.search == "b = 2"
    assert hidden.search == "b = 2\nc = 3\nd = 4"


def test_hidden_lines_are_never_part_of_the_search() -> None:
    with pytest.raises(NotUnique):
        to_edits(_file("a = 1\nx\na = 1\n", hidden=range(2, 3)), [Splice((3, 4), (3, 5), "9")])


def test_a_change_that_breaks_the_file_is_refused() -> None:
    with pytest.raises(SyntaxError):
        to_edits(_file("a = 1\n"), [Splice((1, 4), (1, 5), "(")])
