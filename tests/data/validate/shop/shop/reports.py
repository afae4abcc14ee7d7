"""Figures of a day."""


def largest(orders):
    """Euro of the largest order, 0 for a day without orders."""
    if not orders:
        return 0
    return max(order["amount"] for order in orders)


def average(orders):
    """Euro per order."""
    return sum(order["amount"] for order in orders) / len(orders)


def share(part, whole):
    """How much of the whole a part is."""
    return part / whole


def names(orders):
    """Names on the orders."""
    return [order["name"].title() for order in orders]


def first_amount(text):
    """The first number of a line such as `12;note`."""
    return int(text.split(";")[0])


def label(order):
    """What is printed on a parcel."""
    return "ORD-" + order["number"]
