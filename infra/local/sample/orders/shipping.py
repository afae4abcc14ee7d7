"""What it costs to ship an order."""

REST_OF_WORLD = "*"

# Euro per started kilogram.
RATES = {
    "DE": 4.9,
    "FR": 6.5,
    "US": 14.0,
    REST_OF_WORLD: 19.5,
}

# Days until delivery.
TRANSIT_DAYS = {
    "DE": 2,
    "FR": 3,
    REST_OF_WORLD: 14,
}


def transit_days(country):
    """Days until an order arrives."""
    return TRANSIT_DAYS.get(country, TRANSIT_DAYS[REST_OF_WORLD])


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
