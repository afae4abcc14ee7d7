class UnknownTier(ValueError):
    pass


def discount(tier, amount):
    if tier == "gold":
        factor = 0.9
    elif tier == "silver":
        factor = 0.95
    return amount * factor
