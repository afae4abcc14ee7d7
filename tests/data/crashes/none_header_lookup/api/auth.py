def token(headers: dict[str, str]) -> str | None:
    """The bearer token, if there is one."""
    value = headers.get("Authorization")
    scheme, _, credentials = value.partition(" ")
    return credentials if scheme == "Bearer" else None
