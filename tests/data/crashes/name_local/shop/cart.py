def total(lines):
    subtotal = 0
    for line in lines:
        subtotal += line["price"] * line["quantity"]
    if subtotl > 100:
        return subtotl * 0.95
    return subtotal
