"""What documentation states for a case in which something is missing."""

from __future__ import annotations

import ast

import pytest

from functions.core.source.stated_values import stated_values

CONSTANTS = {"DEFAULT_RATE": ast.parse("0.25", mode="eval").body}


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("Part that has shipped, 0 for a day without orders.", ["0"]),
        ("Mean delay in days.\n\nIt is -1.5 where nothing was sent.", ["-1.5"]),
        ("The rate; None for an unknown country.", ["None"]),
        ("The rate, DEFAULT_RATE where none is listed.", ["0.25"]),
        ("The name, 'unknown' for a guest without one.", ["'unknown'"]),
        ("Least and most, (0, 0) for no orders.", ["(0, 0)"]),
        ("An empty result if nothing matches.", ["''", "[]", "{}", "()"]),
        ("OTHER_RATE where none is listed.", []),
        ("Raises an error and gives 0 for no orders.", []),
        ("Euro per order, of 3 kinds.", []),
        (r"The name, '\N{no such}' for none.", []),
        ("", []),
    ],
)
def test_the_first_sentence_about_such_a_case_gives_its_values(text: str, values: list[str]) -> None:
    found, sentence = stated_values(text, CONSTANTS)

    assert [ast.unparse(value) for value in found] == values
    assert bool(sentence) == bool(values)
