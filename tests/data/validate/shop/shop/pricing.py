"""What an order costs."""

import logging

DEFAULT_RATE = 19.5

RATES = {"DE": 4.9, "FR": 6.5}

logger = logging.getLogger(__name__)


class UnknownCountry(LookupError):
    """We do not deliver there."""


def check_weight(order):
    if order["weight"] <= 0:
        raise ValueError("an order weighs something")


def rate_for(country):
    """Euro per started kilogram."""
    return RATES[country]


def shipping(order):
    """Euro for an order."""
    check_weight(order)
    return rate_for(order["country"]) * order["weight"]


def discounted(order):
    """The price after the discount."""
    return order["price"] - order["discount"]
