"""What a deployment has to set."""

import os


def currency():
    """The currency in which the shop sells."""
    value = os.environ.get("SHOP_CURRENCY")
    if not value:
        raise RuntimeError("environment variable SHOP_CURRENCY is not set")
    return value
