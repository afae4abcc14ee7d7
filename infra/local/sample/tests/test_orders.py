import json

import pytest
from orders import customers, labels, reports, shipping
from orders.handler import handler


def test_quote_charges_each_started_kilogram():
    assert shipping.quote({"country": "FR", "weight_kg": 1.2}) == {"cost": 13.0, "days": 3}


def test_unlisted_countries_take_longest():
    assert shipping.transit_days("NZ") == 14


def test_report_of_a_busy_day():
    assert reports.daily_report([{"amount": 10}, {"amount": 20}]) == {
        "total": 30,
        "average": 15,
        "largest": 20,
    }


def test_label_of_an_imported_order():
    order = {"number": "17", "name": "Ada", "street": "Main St 1", "city": "Bonn"}
    assert labels.shipping_label(order) == "ORD-17\nAda\nMain St 1\nBONN"


def test_receipt_goes_to_the_customer():
    assert customers.receipt_address("c-1") == "Ada <ada@shop.example>"


def test_letters_to_nobody_are_refused():
    with pytest.raises(customers.UnknownCustomer):
        customers.greeting("c-9")


def test_handler_answers_json():
    answer = handler({"operation": "quote", "body": {"country": "DE", "weight_kg": 1}}, None)
    assert json.loads(answer["body"]) == {"cost": 4.9, "days": 2}


def test_handler_refuses_unknown_operations():
    assert handler({"operation": "destroy"}, None)["statusCode"] == 404
