def cost(method):
    if method == "post":
        price = 4
    elif method == "courier":
        price = 9
    return price
