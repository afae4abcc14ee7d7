"""Numbers of things as people are told them."""

from __future__ import annotations


def counted(number: int, one: str, more: str = "") -> str:
    """A number with what it counts: `1 file`, `1,200 files`. more: the word for several, where it is not
    `one` with an s."""
    return f"{number:,} {one if number == 1 else more or f'{one}s'}"


def often(number: int) -> str:
    """How often: `once`, `2 times`."""
    return "once" if number == 1 else counted(number, "time")
