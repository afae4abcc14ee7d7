LIMITS = {"free": 10, "pro": 1000}
DEFAULT_LIMIT = 10


def allowed(plan: str, used: int) -> bool:
    """Whether a customer on the plan may make another request."""
    return used < LIMITS[plan]
