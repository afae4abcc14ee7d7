"""Figures of a day."""


def total(orders):
    """Euro of all orders."""
    return sum(order["amount"] for order in orders)


def largest(orders):
    """Euro of the largest order, 0 for a day without orders."""
    if not orders:
        return 0
    return max(order["amount"] for order in orders)


def average(orders):
    """Euro per order."""
    return sum(order["amount"] for order in orders) / len(orders)


def daily_report(orders):
    """Total, average and largest order of a day."""
    return {
        "total": total(orders),
        "average": average(orders),
        "largest": largest(orders),
    }
