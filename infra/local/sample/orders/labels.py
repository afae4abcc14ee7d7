"""What is printed on a parcel."""


def order_reference(order):
    """The reference that customers quote, such as `ORD-17`."""
    return "ORD-" + order["number"]


def shipping_label(order):
    """The label's lines."""
    lines = [order_reference(order), order["name"], order["street"], order["city"].upper()]
    return "\n".join(lines)
