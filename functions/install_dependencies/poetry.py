"""Versions as Poetry and Pipfiles write them, in the words of PEP 440.

https://python-poetry.org/docs/dependency-specification/
"""

from __future__ import annotations

import re

_OPERATOR = re.compile(r"(?P<operator>\^|~(?!=)|[<>=!~]=?=?)? ?v?(?P<version>[0-9][\w.*+!-]*)")


def specifier(version: str) -> str:
    """`^1.2` as `>=1.2,<2`; "" for any version. Of alternatives (`||`) the last one, which is the newest."""
    chosen = " ".join(version.rpartition("||")[2].split())
    if chosen in ("", "*"):
        return ""
    return ",".join(_one(match["operator"] or "", match["version"]) for match in _OPERATOR.finditer(chosen))


def _one(operator: str, version: str) -> str:
    match operator:
        case "^":
            return f">={version},<{_next(version, _caret_at(version))}"
        case "~":
            return f">={version},<{_next(version, min(1, version.count('.')))}"
        case "" | "=":
            return f"=={version}"
    return f"{operator}{version}"


def _numbers(version: str) -> list[int]:
    found = re.match(r"\d+(?:\.\d+)*", version)
    return [int(part) for part in found[0].split(".")] if found else [0]


def _caret_at(version: str) -> int:
    """Which number must not change: the first that is not zero."""
    numbers = _numbers(version)
    return next((at for at, number in enumerate(numbers) if number), len(numbers) - 1)


def _next(version: str, at: int) -> str:
    numbers = _numbers(version)
    return ".".join(map(str, [*numbers[:at], numbers[at] + 1]))
