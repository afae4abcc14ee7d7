"""Numbers of things, as people are told them."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from functions.core.notify.counts import counted, often

ROOT = Path(__file__).parents[4]
PLURAL = re.compile(
    r" (?:more )?(?:[a-z]+ )?(?!is\b|was\b|has\b|as\b|this\b|its\b|does\b|less\b)[a-z]*[^\Ws]s\b"
)


@pytest.mark.parametrize(
    ("number", "words", "said"),
    [
        (0, ("file",), "0 files"),
        (1, ("file",), "1 file"),
        (1_200, ("file",), "1,200 files"),
        (1, ("heal is", "heals are"), "1 heal is"),
        (2, ("retry", "retries"), "2 retries"),
    ],
)
def test_a_number_takes_the_word_that_goes_with_it(number: int, words: tuple[str, ...], said: str) -> None:
    assert counted(number, *words) == said


def test_once_is_not_one_times() -> None:
    assert [often(number) for number in (1, 2)] == ["once", "2 times"]


def test_no_text_of_ours_puts_a_count_before_a_plural_that_it_may_not_have() -> None:
    """Of lengths and of what is written with thousands set apart it is certain that they count."""
    found = [
        f"{file.relative_to(ROOT)}:{value.lineno}: {{{ast.unparse(value.value)}}}{plural[0]}"
        for top in ("functions", "infra")
        for file in sorted((ROOT / top).rglob("*.py"))
        for text in ast.walk(ast.parse(file.read_text()))
        if isinstance(text, ast.JoinedStr)
        for value, after in zip(text.values, text.values[1:], strict=False)
        if isinstance(value, ast.FormattedValue) and counts(value)
        if isinstance(after, ast.Constant) and (plural := PLURAL.match(str(after.value)))
    ]
    assert not found


def counts(value: ast.FormattedValue) -> bool:
    code = ast.unparse(value.value)
    spec = ast.unparse(value.format_spec) if value.format_spec else ""
    return code.startswith("len(") or (spec == "f','" and not code.isupper())
