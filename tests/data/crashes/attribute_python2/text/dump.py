def dump(values):
    return ";".join(f"{key}={value}" for key, value in values.iteritems())
