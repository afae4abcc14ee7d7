"""Who buys."""

from dataclasses import dataclass


class UnknownCustomer(LookupError):
    """No customer has this id."""


@dataclass(frozen=True)
class Customer:
    id: str
    name: str
    phone: str | None = None


CUSTOMERS = {"c-1": Customer("c-1", "Ada", "+1"), "c-2": Customer("c-2", "Grace")}


def find(customer_id) -> Customer | None:
    """The customer, or None."""
    return CUSTOMERS.get(customer_id)


def greeting(customer_id):
    """How a letter begins."""
    return f"Dear {find(customer_id).name},"


def dial(customer_id):
    """The digits to dial."""
    return find(customer_id).phone.lstrip("+")
