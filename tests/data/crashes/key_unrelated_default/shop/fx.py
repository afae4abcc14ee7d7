DEFAULT_CURRENCY = "EUR"
DEFAULT_TIMEOUT = 3
RATES = {"EUR": 1.0, "USD": 1.1}


class DuplicateRate(Exception):
    """The same currency twice in one import."""


def convert(amount, currency):
    return amount * RATES[currency]
