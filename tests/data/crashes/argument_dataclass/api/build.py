from api.line import Line


def build(row):
    return Line(sku=row["sku"], quanity=row["qty"])
