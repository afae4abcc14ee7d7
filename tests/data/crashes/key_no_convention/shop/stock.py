def reserve(stock, sku, quantity):
    left = stock[sku] - quantity
    if left < 0:
        raise ValueError("out of stock")
    stock[sku] = left
    return left
