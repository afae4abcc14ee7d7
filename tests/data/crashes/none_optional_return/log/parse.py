import re

_LEVEL = re.compile(r"^([A-Z]+):")


def level(line: str) -> str | None:
    match = _LEVEL.match(line)
    return match.group(1)
