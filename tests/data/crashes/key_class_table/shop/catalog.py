class UnknownProduct(LookupError):
    pass


class Catalog:
    """What we sell."""

    def __init__(self):
        self.products = {"tea": 3}

    def remove(self, product):
        if product not in self.products:
            raise UnknownProduct(f"no product {product}")
        del self.products[product]

    def price(self, product):
        return self.products[product]
