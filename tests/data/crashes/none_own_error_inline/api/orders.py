class OrderNotFound(Exception):
    """No order has this id."""


class Order:
    def __init__(self, state):
        self.state = state


ORDERS = {"o-1": Order("open")}


def find_order(order_id):
    return ORDERS.get(order_id)


def status(order_id):
    """The order's state in capitals."""
    return find_order(order_id).state.upper()
