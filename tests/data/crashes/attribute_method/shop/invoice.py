class Invoice:
    """An invoice and its state."""

    def __init__(self, number):
        self.number = number
        self.state = "open"

    def mark_paid(self):
        self.state = "paid"


def pay():
    invoice = Invoice(1)
    invoice.mark_paied()
    return invoice.state
