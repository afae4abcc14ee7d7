"""A budget that needs no table."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from functions.core.model.budget import Commitment, OverBudget


class Purse:
    """Pays for a number of calls, and writes down the worst case and the cost of each."""

    def __init__(self, calls: int = 9) -> None:
        self._calls = calls
        self.paid: list[tuple[float, float]] = []

    @contextmanager
    def commit(self, worst_usd: float) -> Iterator[Commitment]:
        if len(self.paid) >= self._calls:
            raise OverBudget("the budget is used up")
        commitment = Commitment(0.0)
        yield commitment
        self.paid.append((worst_usd, commitment.cost_usd))
