def names(full):
    first, last = full.split(" ")
    return {"first": first, "last": last}
