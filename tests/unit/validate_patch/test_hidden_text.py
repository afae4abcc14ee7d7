"""Text on added lines that reads otherwise than it runs."""

from __future__ import annotations

import pytest

from functions.validate_patch import hidden_text
from functions.validate_patch.tree import Change, File

_CYRILLIC = "\u0441\u043e\u0440\u0443"


@pytest.mark.parametrize(
    ("before", "added", "found"),
    [
        ("x = 1\n", f"{_CYRILLIC} = 2\n", True),
        ("x = 1\n", "copy = 2\n", False),
        ("# \u0446\u0435\u043d\u0430\n", f"{_CYRILLIC} = 2\n", False),
    ],
    ids=["looks-latin", "is-latin", "in-a-file-of-that-script"],
)
def test_a_word_that_only_looks_latin_is_found(before: str, added: str, found: bool) -> None:
    change = Change("app.py", File(before.encode()), File((before + added).encode()))
    assert bool(list(hidden_text.findings(change))) is found
