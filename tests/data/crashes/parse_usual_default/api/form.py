def shipping(form):
    return float(form["shipping"] or 0)


def discount(form):
    return float(form["discount"])
