"""What it costs to ship an order."""

# Euro per started kilogram.
RATES = {
    "DE": 4.9,
    "FR": 6.5,
    "US": 14.0,
    "default": 19.5,
}

# Days until delivery.
TRANSIT_DAYS = {
    "DE": 2,
    "FR": 3,
    "default": 14,
}


def transit_days(country):
    """Days until an order arrives."""
    return TRANSIT_DAYS.get(country, TRANSIT_DAYS["default"])


def rate_for(country):
    """Euro per started kilogram."""
    return RATES[country]


def quote(order):
    """Cost and days for an order of `{"country", "weight_kg"}`."""
    kilograms = max(1, -(-order["weight_kg"] // 1))
    return {
        "cost": round(rate_for(order["country"]) * kilograms, 2),
        "days": transit_days(order["country"]),
    }
