class Account:
    def __init__(self, entries):
        self.entries = entries

    @property
    def balance(self):
        return sum(self.entries)


def owed():
    account = Account([5, 2.5])
    return f"{account.balance():.2f}"
