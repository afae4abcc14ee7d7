"""Untrusted text in pull requests shows exactly its characters and does nothing else."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from functions.create_pull_request.markdown import code, fenced, prose

GITHUB_LIKE = MarkdownIt("gfm-like", {"html": True, "linkify": False})

HOSTILE = [
    "# Heading",
    "**bold** _it_",
    "[click](https://evil.example)",
    "![img](https://evil.example/x.png)",
    "<script>alert(1)</script>",
    "<!-- hidden -->",
    "- list\n- list",
    "1) one",
    "a | b\n--|--\n1 | 2",
    "``code``",
    "`not closed",
    "~~~\nfence",
    "> quote",
    "&lt;b&gt;",
    "text\\",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_prose_renders_as_plain_text_only(text: str) -> None:
    html = GITHUB_LIKE.render("word " + prose(text))
    assert html.startswith("<p>")
    assert html.count("<") == 2, html


def test_names_stay_inline_code_and_nothing_in_them_counts() -> None:
    html = GITHUB_LIKE.render(prose("`find(x)` and `<b>[a](https://evil.example)</b>`"))
    assert html.count("<code>") == 2
    assert "<b>" not in html
    assert "href" not in html


def test_prose_neither_notifies_nor_links() -> None:
    shown = prose("@octocat closes #12 see https://evil.example")
    assert "@octocat" not in shown
    assert "#12" not in shown
    assert "https://" not in shown


@pytest.mark.parametrize("shape", [prose, fenced, code, lambda text: prose(f"`{text}`")])
def test_nothing_comes_alive_here_or_in_the_message_of_a_squashed_commit(shape: Callable[[str], str]) -> None:
    shown = shape("@octocat closes #12, GH-3 and a/b#4 [skip ci] www.evil.example mailto:x@evil.example")
    assert not re.search(r"@\w|#\d|GH-\d|\[skip ci|www\.\w|mailto:\w", shown.replace("\\", ""))


def test_what_is_hidden_is_spelled_out() -> None:
    assert prose("a\u202eb") == "a⟨U\\+202E⟩b"
    assert "⟨U+3164⟩" in fenced("a\u3164")


@given(st.text(max_size=300))
def test_a_fence_cannot_be_closed_from_within(text: str) -> None:
    tokens = MarkdownIt().parse(fenced(text, "text"))
    assert [token.type for token in tokens] == ["fence"]


@given(st.text(min_size=1, max_size=80))
def test_inline_code_stays_inline_code(text: str) -> None:
    if not code(text).strip("` "):
        return
    tokens = MarkdownIt().parse("x " + code(text))
    children = tokens[1].children or []
    assert [token.type for token in tokens] == ["paragraph_open", "inline", "paragraph_close"]
    assert [child.type for child in children if child.type != "text"] == ["code_inline"]


@pytest.mark.parametrize(
    "text", ["/merge", "  /approve", "\n\n/label ~a\n/close", "/assign @me", "\x1b[31m/merge"]
)
def test_no_paragraph_is_an_order(text: str) -> None:
    assert not prose(text).lstrip().startswith("/")
    assert "\n" not in prose(text)
