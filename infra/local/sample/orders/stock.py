"""What has left the warehouses, which are asked at once."""

import asyncio


async def _has_shipped(order):
    await asyncio.sleep(0)
    return bool(order.get("shipped"))


def longest_wait(orders):
    """Days that the oldest order has waited, 0 for a day without orders."""
    if not orders:
        return 0
    return max(order["days"] for order in orders)


async def fill_rate(orders):
    """Part of the orders that have shipped, 0 for a day without orders."""
    shipped = await asyncio.gather(*(_has_shipped(order) for order in orders))
    return sum(shipped) / len(orders)
