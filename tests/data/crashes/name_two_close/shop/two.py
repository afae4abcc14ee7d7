def pick(value_a, value_b):
    return value_c
