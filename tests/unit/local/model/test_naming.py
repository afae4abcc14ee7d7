"""Which names are misspellings of each other, and which are other names."""

from __future__ import annotations

import pytest

from infra.local.model.naming import closest, phrase, words


@pytest.mark.parametrize(
    ("unknown", "known", "meant"),
    [
        ("subtotl", ["subtotal", "total"], "subtotal"),
        ("reqeust", ["request"], "request"),
        ("userName", ["user_name"], "user_name"),
        ("normalize_sku", ["normalise_sku"], "normalise_sku"),
        ("itm", ["item", "items"], "item"),
        ("order", ["orders"], None),
        ("max_price", ["min_price"], None),
        ("customer", ["customer_id"], None),
        ("value_c", ["value_a", "value_b"], None),
        ("rate", ["date"], None),
        ("row", ["now"], None),
        ("total2", ["total1"], None),
        ("printer", ["print"], None),
        ("x", ["y"], None),
        ("app", ["App"], None),
        ("rules", ["RULES"], None),
        ("report", ["_reporter"], None),
    ],
)
def test_only_a_slip_of_one_known_name_is_a_misspelling(
    unknown: str, known: list[str], meant: str | None
) -> None:
    assert closest(unknown, known) == meant


def test_words_of_a_name_are_singular_and_lower_case() -> None:
    assert words("TAX_RATES") == ["tax", "rate"]
    assert words("companiesByAddress") == ["company", "by", "address"]
    assert phrase("UnknownTaxRegion") == "unknown tax region"
