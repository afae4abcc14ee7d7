"""Hidden characters are spelled out or gone; words of several alphabets are named; terminal colours go."""

from __future__ import annotations

import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.core.untrusted.hidden import (
    characters,
    disguised_names,
    disguises,
    mixed_words,
    spelled_out,
    without,
    words_alike,
)

# General category Cf, and drawn: signs that stand above or around what follows.
DRAWN = {*range(0x600, 0x606), 0x6DD, 0x70F, 0x890, 0x891, 0x8E2, 0x110BD, 0x110CD}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain\n\ttext ä 漢 🙂", "plain\n\ttext ä 漢 🙂"),
        ("a\u202eb", "a⟨U+202E⟩b"),
        ("a\u200bb", "a⟨U+200B⟩b"),
        ("a\x00b\x7f", "a⟨U+0000⟩b⟨U+007F⟩"),
        ("a\udcffb", "a⟨U+DCFF⟩b"),
        ("tag\U000e0041", "tag⟨U+E0041⟩"),
        ("filler\u3164 \u115f \uffa0", "filler⟨U+3164⟩ ⟨U+115F⟩ ⟨U+FFA0⟩"),
        ("line\u2028paragraph\u2029", "line⟨U+2028⟩paragraph⟨U+2029⟩"),
        ("form\x0cfeed", "form⟨U+000C⟩feed"),
        ("a\ufe0fb\U000e0100", "a⟨U+FE0F⟩b⟨U+E0100⟩"),
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b]0;title\x07", "⟨U+001B⟩]0;title⟨U+0007⟩"),
        ("a\r\nb\rc", "a\r\nb⟨U+000D⟩c"),
        ("⚠\ufe0f 👩\u200d💻 ❤\ufe0f\u200d🔥", "⚠\ufe0f 👩\u200d💻 ❤\ufe0f\u200d🔥"),
        ("🙂\ufe0f\ufe0e\ufe0f", "🙂\ufe0f⟨U+FE0E⟩⟨U+FE0F⟩"),
    ],
)
def test_what_eyes_would_miss_is_spelled_out(text: str, expected: str) -> None:
    assert spelled_out(text) == expected


def test_hidden_characters_are_listed_once_each() -> None:
    assert characters("a\u202eb\u200bc\u202e") == ("U+202E", "U+200B")
    assert characters("nothing ⚠\ufe0f\r\n") == ()
    assert without("a\u202eb\x1b[1mc", "_") == "a_bc"


@pytest.mark.parametrize("category", ["Cc", "Cf", "Cs", "Zl", "Zp"])
def test_every_character_that_formats_or_controls_is_on_the_list(category: str) -> None:
    of_it = [c for c in map(chr, range(sys.maxunicode + 1)) if unicodedata.category(c) == category]
    assert of_it
    assert [c for c in of_it if not characters(c) and ord(c) not in {*DRAWN, 9, 10}] == []


def test_no_character_that_is_drawn_is_on_the_list() -> None:
    drawn = (
        c for c in map(chr, range(sys.maxunicode + 1)) if unicodedata.category(c)[0] in "NPS" or c.isupper()
    )
    assert [c for c in drawn if characters(c)] == ["\u2800", "\ufffc"][:1]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("p\u0430ypal and pаypal again", ("p\u0430ypal",)),
        ("\u0395ngine", ("\u0395ngine",)),
        ("ordinary naïve Größe 10µs 2ª", ()),
        ("привет μέγεθος", ()),
        ("データbase 東京Tower 한글abc", ()),
        ("snake_\u0441ase", ("\u0441ase",)),
    ],
)
def test_words_of_several_alphabets_are_named(text: str, words: tuple[str, ...]) -> None:
    assert mixed_words(text) == words


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("if \u0441\u043e\u0440\u0443 == other", ("\u0441\u043e\u0440\u0443",)),
        ("\u0391\u0399", ("\u0391\u0399",)),
        ("copy, привет, μέγεθος", ()),
    ],
)
def test_words_that_only_look_latin_are_named(text: str, words: tuple[str, ...]) -> None:
    assert words_alike(text) == words


def test_all_of_it_is_one_list() -> None:
    assert list(disguises("a\u200b p\u0430y \u0441\u043e\u0440\u0443 ｅｖａｌ").values()) == [
        ("U+200B",),
        ("p\u0430y",),
        ("\u0441\u043e\u0440\u0443",),
        ("ｅｖａｌ",),
    ]
    assert disguises("copy größe привет") == {}


def test_names_that_python_reads_otherwise_are_named() -> None:
    assert disguised_names("ℯ𝓿𝒶𝓁(x) ｅｖａｌ größe") == ("ℯ𝓿𝒶𝓁", "ｅｖａｌ")


@given(st.text())
def test_nothing_that_formats_or_controls_is_left(text: str) -> None:
    shown = spelled_out(text).replace("\r\n", "\n")
    categories = {unicodedata.category(character) for character in shown if character not in "\n\t"}
    assert not categories & {"Cc", "Cs", "Zl", "Zp"}
    assert not [character for character in shown if unicodedata.bidirectional(character) in _OVERRIDES]
    shown.encode()


_OVERRIDES = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}
