"""What people get to see."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from ledger.models import Account, Posting


def line(posting: Posting) -> str:
    """One line of a statement: day, memo and amount."""
    memo = posting.memo.strip()
    return f"{posting.booked:%d.%m.%Y} {memo:<20} {posting.signed:>10}"


def statement(account: Account) -> list[str]:
    """Head and lines of an account's statement, in order of booking."""
    head = f"{account.number} {account.currency}"
    return [head, *(line(posting) for posting in sorted(account.postings, key=lambda p: p.booked))]


def shares(accounts: Iterable[Account]) -> dict[str, Decimal]:
    """Each account's part of the total in percent, one decimal; 0 for each where the total is zero."""
    balances = {account.number: account.balance() for account in accounts}
    total = sum(balances.values(), Decimal(0))
    return {
        number: (balance / total * 100).quantize(Decimal("0.1"))
        for number, balance in balances.items()
    }
