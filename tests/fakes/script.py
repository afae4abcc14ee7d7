"""A model that has its answers beforehand."""

from __future__ import annotations

import copy
from typing import Any


class Script:
    """Answers in this order, raises what is an exception, and remembers what it was asked."""

    def __init__(self, *answers: dict[str, Any] | Exception) -> None:
        self.answers = list(answers)
        self.requests: list[dict[str, Any]] = []

    def count(self, request: dict[str, Any]) -> int | None:
        """It counts nothing beforehand."""
        return None

    def converse(self, request: dict[str, Any]) -> dict[str, Any]:
        self.requests.append(copy.deepcopy(request))
        given = self.answers.pop(0)
        if isinstance(given, Exception):
            raise given
        return given
