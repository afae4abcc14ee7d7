def per_person(amount, people):
    """What each pays."""
    return amount / people
