def limit(quantity):
    if quantity < 0:
        raise ValueError(f"negative quantity: {quantity}")
    return quantity
