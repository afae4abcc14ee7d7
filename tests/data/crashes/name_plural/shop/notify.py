def notify(orders):
    print("order", order)
