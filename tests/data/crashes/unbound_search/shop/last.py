def last_paid(orders) -> int | None:
    for order in orders:
        if order["paid"]:
            found = order["id"]
    return found
