"""What can go wrong."""


class LedgerError(Exception):
    """Base of all errors of this package."""


class UnknownAccount(LedgerError):
    """The account was never opened."""


class Closed(LedgerError):
    """The account takes no more postings."""
