"""Hidden characters are spelled out; terminal colours go."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.decide_approval.text import hidden_characters, visible


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain\n\ttext ä 漢 🙂", "plain\n\ttext ä 漢 🙂"),
        ("a\u202eb", "a⟨U+202E⟩b"),
        ("a\u200bb", "a⟨U+200B⟩b"),
        ("a\x00b\x7f", "a⟨U+0000⟩b⟨U+007F⟩"),
        ("a\udcffb", "a⟨U+DCFF⟩b"),
        ("tag\U000e0041", "tag⟨U+E0041⟩"),
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b]0;title\x07", "⟨U+001B⟩]0;title⟨U+0007⟩"),
        ("a\r\nb\rc", "a\nb⟨U+000D⟩c"),
    ],
)
def test_what_eyes_would_miss_is_spelled_out(text: str, expected: str) -> None:
    assert visible(text) == expected


def test_hidden_characters_are_listed_once_each() -> None:
    assert hidden_characters("a\u202eb\u200bc\u202e") == ("U+202E", "U+200B")
    assert hidden_characters("nothing") == ()


@given(st.text())
def test_nothing_that_formats_or_controls_is_left(text: str) -> None:
    shown = visible(text)
    categories = {unicodedata.category(character) for character in shown if character not in "\n\t"}
    assert not categories & {"Cc", "Cs", "Zl", "Zp"}
    assert not [character for character in shown if unicodedata.bidirectional(character) in _OVERRIDES]
    shown.encode()


_OVERRIDES = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}
