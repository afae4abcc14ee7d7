import pytest

from shop import customers, pricing, reports


def test_rates():
    assert pricing.rate_for("DE") == 4.9


def test_shipping():
    assert pricing.shipping({"country": "FR", "weight": 2}) == 13.0


def test_weightless_orders_are_refused():
    with pytest.raises(ValueError):
        pricing.shipping({"country": "FR", "weight": 0})


def test_discount():
    assert pricing.discounted({"price": 10, "discount": 3}) == 7


def test_greeting():
    assert customers.greeting("c-1") == "Dear Ada,"


def test_dial():
    assert customers.dial("c-1") == "1"


def test_nobody_is_found():
    assert customers.find("c-9") is None


def test_largest():
    assert reports.largest([{"amount": 3}, {"amount": 5}]) == 5
    assert reports.largest([]) == 0


def test_average():
    assert reports.average([{"amount": 2}, {"amount": 4}]) == 3


def test_share():
    assert reports.share(1, 4) == 0.25


def test_names():
    assert reports.names([{"name": "ada"}]) == ["Ada"]


def test_first_amount():
    assert reports.first_amount("12;note") == 12


def test_label():
    assert reports.label({"number": "17"}) == "ORD-17"
