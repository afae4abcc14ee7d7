"""What the books are made of."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from enum import Enum


class Kind(Enum):
    DEBIT = "debit"
    CREDIT = "credit"


@dataclass(frozen=True)
class Posting:
    account: str
    amount: Decimal
    kind: Kind
    booked: date
    memo: str | None = None

    @property
    def signed(self) -> Decimal:
        return self.amount if self.kind is Kind.CREDIT else -self.amount


@dataclass
class Account:
    number: str
    currency: str = "EUR"
    postings: list[Posting] = field(default_factory=list)
    closed: date | None = None

    def balance(self) -> Decimal:
        """Credits less debits."""
        return sum((posting.signed for posting in self.postings), Decimal(0))

    def last(self) -> Posting | None:
        """The newest posting; None for an account without any."""
        return max(self.postings, key=lambda posting: posting.booked)

    def idle_days(self, today: date) -> int | None:
        """Days since the newest posting; None for an account without any."""
        newest = self.last()
        return (today - newest.booked).days if newest else None
