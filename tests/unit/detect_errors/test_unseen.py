"""Texts in the kinds of public reports: what the rules were written with, and what they had never seen."""

from __future__ import annotations

from itertools import chain
from typing import Any

import pytest

from functions.core.incidents.incident import ErrorClass
from functions.detect_errors.classify import _table
from functions.detect_errors.read import read_errors
from tests.log_texts import HALVES, confused, operational, rows, wrong
from tests.unit.detect_errors.test_classify import traceback

LOOKED_AT, COUNTED = HALVES


def misread(texts: list[dict[str, Any]], half: str) -> tuple[int, list[str]]:
    mine = [row for row in texts if row["half"] == half]
    return len(mine), [row["id"] for row in mine if wrong(row)]


@pytest.mark.parametrize("name", ["reports", "reports_2", "reports_3", "reports_4"])
@pytest.mark.parametrize(("half", "share"), [(LOOKED_AT, 0.99), (COUNTED, 0.97)])
def test_reports_are_read(name: str, half: str, share: float) -> None:
    count, bad = misread(rows(name), half)
    assert len(bad) <= (1 - share) * count, bad if half == LOOKED_AT else len(bad)


@pytest.mark.parametrize(
    ("name", "wrong_share", "healed_share"),
    [
        ("operational", 0.05, 0),
        ("operational_2", 0.05, 0),
        ("operational_3", 0.05, 0),
        # No table knows every library: of those that it does not name, some say nothing that tells.
        ("operational_4", 0.06, 0.02),
        ("operational_5", 0.24, 0.15),
    ],
)
@pytest.mark.parametrize("half", HALVES)
def test_operational_exceptions_are_classed_and_none_is_healed_as_code(
    name: str, half: str, wrong_share: float, healed_share: float
) -> None:
    texts = operational(name)
    assert len({row["library"] for row in texts}) >= 40
    count, bad = misread(texts, half)
    assert len(bad) <= wrong_share * count, bad if half == LOOKED_AT else len(bad)
    healed = [row for row in texts if row["half"] == half and "code" not in row["right"]["class"]]
    taken = [row["id"] for row in healed if read_errors(row["text"])[-1].error_class is ErrorClass.CODE]
    assert len(taken) <= healed_share * count, taken


@pytest.mark.parametrize("name", ["pairs", "pairs_2"])
@pytest.mark.parametrize("half", HALVES)
def test_pairs_are_one_error_or_two(name: str, half: str) -> None:
    assert not [pair["id"] for pair in rows(name) if pair["half"] == half and confused(pair)]


EXAMPLES = list(
    chain.from_iterable(
        ((name, kind, last) for kind, last in row["example"].items()) for name, row in _table().rows.items()
    )
)


@pytest.mark.parametrize(("library", "kind", "last"), EXAMPLES)
def test_a_library_s_row_is_right_about_its_examples(library: str, kind: str, last: str) -> None:
    error = read_errors(traceback(last))[-1]
    assert error.error_class == kind, error.reason
