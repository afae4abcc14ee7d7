class OrderError(Exception):
    """Base of what is wrong with an order."""


class UnknownRegion(OrderError):
    """A region without a tax rate."""
