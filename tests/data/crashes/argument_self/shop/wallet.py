class Wallet:
    balance = 10

    def spend(amount):
        self.balance -= amount
        return self.balance


def spend(amount):
    return Wallet().spend(amount)
