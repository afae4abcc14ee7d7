"""What has left the warehouses, which are asked at once."""

import asyncio


async def _has_shipped(order):
    await asyncio.sleep(0)
    return bool(order.get("shipped"))


async def fill_rate(orders):
    """Part of the orders that have shipped, 0 for a day without orders."""
    shipped = await asyncio.gather(*(_has_shipped(order) for order in orders))
    return sum(shipped) / len(orders)
