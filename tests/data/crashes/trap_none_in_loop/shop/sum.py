PRICES = {}


def find_price(item):
    return PRICES.get(item)


def total(items) -> float | None:
    result = 0.0
    for item in items:
        price = find_price(item)
        result += price.amount
    return result
