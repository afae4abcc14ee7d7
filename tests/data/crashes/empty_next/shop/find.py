class ItemNotFound(Exception):
    def __init__(self, sku):
        super().__init__(f"no item {sku}")
        self.sku = sku


def item(items, sku):
    item = next(i for i in items if i["sku"] == sku)
    return item["price"]
