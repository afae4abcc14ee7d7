from collections.abc import Iterable


def by_customer(orders: Iterable[tuple[str, int]]) -> dict[str, list[int]]:
    grouped: dict[str, list[int]] = {}
    for customer, order_id in orders:
        # newest last
        grouped[customer].append(order_id)
    return grouped
