"""Logs of any length are read whole, and no error twice."""

from __future__ import annotations

import pytest

from functions.detect_errors.read import MAX_LENGTH, reader
from infra.trial.log import read_whole

NOISE = "2026-11-20 10:00:00 INFO request 7f1e took 12 ms\n"


def crash(number: int) -> str:
    return (
        "Traceback (most recent call last):\n"
        f'  File "/var/task/shop/a.py", line {number}, in f\n    x()\nKeyError: {number}\n'
    )


@pytest.mark.parametrize("shift", [-400, -150, -50, 0, 50, 400])
def test_an_error_at_the_seam_of_two_pieces_is_read_once(shift: int) -> None:
    noise = MAX_LENGTH - 128 * 1024 + shift
    before = (NOISE * (noise // len(NOISE) + 1))[-noise:]
    before = before[before.index("\n") + 1 :]
    text = before + crash(1) + crash(2) + NOISE * 30_000 + crash(3)
    errors = read_whole(reader(), text)
    assert [error.title for error in errors] == ["KeyError: 1", "KeyError: 2", "KeyError: 3"]
    lines = text.split("\n")
    assert {lines[error.line] for error in errors} == {"Traceback (most recent call last):"}


def test_a_log_of_one_endless_line_ends() -> None:
    assert read_whole(reader(), "x" * (3 * MAX_LENGTH)) == []
    (error,) = read_whole(reader(), "x" * (2 * MAX_LENGTH) + "\n" + crash(1))
    assert error.title == "KeyError: 1"


def test_what_the_reader_takes_at_once_is_read_as_it_reads_it() -> None:
    text = NOISE + crash(1) + NOISE + crash(2)
    assert read_whole(reader(), text) == reader().read(text)
    assert read_whole(reader(), "") == []
