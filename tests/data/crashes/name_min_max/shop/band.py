def in_band(price, min_price, upper):
    return min_price <= price <= max_price
