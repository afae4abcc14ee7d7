def label(value):
    return value.upper()
