"""Lines of an invoice."""


def line_label(line):
    discount = line.get("discount", 0)
    return f"{line['name']} (-{discount})" if discount else line["name"]


def line_total(line):
    gross = line["price"] * line["quantity"]
    return gross - line["discount"]
