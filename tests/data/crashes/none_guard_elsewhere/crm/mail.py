from crm.store import CustomerNotFound, find_customer


def address(customer_id):
    customer = find_customer(customer_id)
    if customer is None:
        raise CustomerNotFound(customer_id)
    return f"{customer.name} <{customer.email}>"


def greeting(recipient):
    person = find_customer(recipient)
    return f"Dear {person.name.title()}"
