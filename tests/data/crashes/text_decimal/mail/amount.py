CURRENCY = "EUR"


def amount_line(order):
    # shown at the foot of the mail
    line = "Total: " + order["total"] + " " + CURRENCY
    return line
