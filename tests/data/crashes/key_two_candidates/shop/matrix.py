SIZES = {"m": 2, "l": 3}
COLOURS = {"blue": 1}
def price(size, colour):
    return SIZES[size] * COLOURS[colour]
