def money(amount, currency):
    return f"{amount:.2f} {currency}"


def quote(net, currency):
    return money(net)
