def headers(values: dict[str, str]) -> list[str]:
    return [f"{name}: {value}" for name, value in values]
