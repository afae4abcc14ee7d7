"""Who the customers are and how to reach them."""

from dataclasses import dataclass


class UnknownCustomer(LookupError):
    """No customer has this id."""


@dataclass(frozen=True)
class Customer:
    id: str
    name: str
    email: str


_CUSTOMERS = {
    customer.id: customer
    for customer in (
        Customer("c-1", "Ada", "ada@shop.example"),
        Customer("c-2", "Grace", "grace@shop.example"),
    )
}


def find_customer(customer_id) -> Customer | None:
    """The customer with this id, or None."""
    return _CUSTOMERS.get(customer_id)


def greeting(customer_id):
    """How a letter begins."""
    customer = find_customer(customer_id)
    if customer is None:
        raise UnknownCustomer(customer_id)
    return f"Dear {customer.name},"


def receipt_address(customer_id):
    """Where the receipt goes."""
    customer = find_customer(customer_id)
    return f"{customer.name} <{customer.email}>"
