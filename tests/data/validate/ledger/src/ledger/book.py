"""The book: accounts by number."""

from __future__ import annotations

import logging
from collections.abc import Iterable

from ledger.errors import Closed, UnknownAccount
from ledger.models import Account, Posting

log = logging.getLogger(__name__)


class Book:
    def __init__(self) -> None:
        self._accounts: dict[str, Account] = {}

    def open(self, number: str, currency: str = "EUR") -> Account:
        account = Account(number, currency)
        self._accounts[number] = account
        return account

    def find(self, number: str) -> Account | None:
        """The account of that number, None if it was never opened."""
        return self._accounts.get(number)

    def require(self, number: str) -> Account:
        """The account of that number. Raises UnknownAccount."""
        account = self.find(number)
        if account is None:
            raise UnknownAccount(number)
        return account

    def post(self, posting: Posting) -> None:
        """Book one posting. Raises UnknownAccount and Closed."""
        account = self.find(posting.account)
        if account.closed and posting.booked > account.closed:
            raise Closed(posting.account)
        account.postings.append(posting)
        log.info("posted %s to %s", posting.amount, posting.account)

    def post_all(self, postings: Iterable[Posting]) -> int:
        """Book all of them; how many there were."""
        count = 0
        for posting in postings:
            self.post(posting)
            count += 1
        return count
