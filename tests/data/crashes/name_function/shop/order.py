def normalise_sku(sku):
    return sku.strip().lower()


def place(sku):
    return {"sku": normalize_sku(sku), "state": "new"}
