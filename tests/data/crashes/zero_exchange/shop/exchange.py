def invert(rates):
    return {currency: 1 / rate for currency, rate in rates.items()}
