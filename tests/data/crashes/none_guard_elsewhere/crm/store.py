from dataclasses import dataclass


class CustomerNotFound(LookupError):
    pass


@dataclass
class Customer:
    name: str
    email: str


_CUSTOMERS = {1: Customer("ann", "ann@example.org")}


def find_customer(customer_id):
    return _CUSTOMERS.get(customer_id)
