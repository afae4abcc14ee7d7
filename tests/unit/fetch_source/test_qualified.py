"""The source names the function that failed, and where another one of that name may fail alike."""

from __future__ import annotations

import pytest

from functions.core.incidents.incident import Frame
from functions.fetch_source.qualified import Named, named

SOURCE = """\
class Invoice:
    def total(self):
        return sum(self.lines)

    class Draft:
        async def total(self):
            return sum(self.lines)


class Receipt:
    @property
    def total(self):
        def each():
            return sum(self.lines)

        return sum(self.lines)


def total(lines):
    return sum(lines)
"""
TWINS = {"3": "Invoice.total", "7": "Invoice.Draft.total", "16": "Receipt.total"}


def name(line: int, code: str, function: str = "total", source: str | None = SOURCE) -> Named:
    frames = (
        Frame("/app/billing/total.py", line, function, code, True),
        Frame("/usr/lib/python3.12/x.py", 1, "f"),
    )
    path = "billing/total.py"
    return named(frames, [path], lambda asked: source.encode() if source and asked == path else None, {})


@pytest.mark.parametrize("line", [3, 7, 16])
def test_a_line_that_stands_in_three_methods_has_two_twins(line: int) -> None:
    found = name(line, "return sum(self.lines)")
    assert found.qualified == TWINS[str(line)]
    assert found.twins == {other: twin for other, twin in TWINS.items() if other != str(line)}


@pytest.mark.parametrize(
    ("line", "code", "function", "qualified"),
    [
        (14, "return sum(self.lines)", "each", "Receipt.total.<locals>.each"),
        (20, "return sum(lines)", "total", "total"),
        (19, "return sum(lines)", "total", ""),  # another revision
        (20, "", "total", ""),
        (20, "return sum(lines)", "<lambda>", ""),
    ],
)
def test_a_name_is_told_only_where_the_line_reads_so(
    line: int, code: str, function: str, qualified: str
) -> None:
    assert name(line, code, function) == Named(qualified)


@pytest.mark.parametrize("source", [None, "def total(:", "\0"])
def test_source_that_cannot_be_read_names_nothing(source: str | None) -> None:
    assert name(3, "return sum(self.lines)", source=source) == Named()
