def money(amount, currency):
    return f"{amount:.2f} {currency}"


def bill(net):
    return money(net)
