def check(quantity):
    assert quantity > 0, "quantity must be positive"
    return quantity
