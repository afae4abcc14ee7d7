"""Orders as partners send them: one line of text each, such as `ada-1 x 3`."""


class LineInvalid(ValueError):
    """A line that is no order."""


def _quantity(text):
    return int(text.split(" x ")[1])


def read_line(text):
    """SKU and quantity of a line."""
    try:
        return {"sku": text.split(" ")[0], "quantity": _quantity(text)}
    except IndexError as error:
        raise LineInvalid(f"line {text!r} names no quantity") from error
