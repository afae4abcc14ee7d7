class Counter:
    def __init__(self):
        self.reqeusts = 0

    def hit(self):
        self.requests += 1

    def report(self):
        return f"{self.requests} hits"
