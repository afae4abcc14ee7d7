from datetime import date
from decimal import Decimal

import pytest

from ledger.book import Book
from ledger.errors import Closed, UnknownAccount
from ledger.models import Account, Kind, Posting
from ledger.report import shares, statement


def posting(account="100", amount="10.00", kind=Kind.CREDIT, day=1, memo="fee"):
    return Posting(account, Decimal(amount), kind, date(2026, 3, day), memo)


@pytest.fixture
def book():
    made = Book()
    made.open("100")
    made.open("200", "USD")
    return made


def test_post_and_balance(book):
    assert book.post_all([posting(), posting(amount="4.00", kind=Kind.DEBIT)]) == 2
    assert book.find("100").balance() == Decimal("6.00")


def test_require_names_the_account(book):
    with pytest.raises(UnknownAccount, match="999"):
        book.require("999")


def test_closed_account(book):
    book.find("100").closed = date(2026, 3, 1)
    with pytest.raises(Closed):
        book.post(posting(day=2))


def test_last():
    account = Account("1", postings=[posting(day=3), posting(day=9), posting(day=5)])
    assert account.last().booked == date(2026, 3, 9)
    assert account.idle_days(date(2026, 3, 10)) == 1


def test_statement():
    account = Account("100", postings=[posting(day=2), posting(day=1, memo=" gift ")])
    assert statement(account) == [
        "100 EUR",
        "01.03.2026 gift                      10.00",
        "02.03.2026 fee                       10.00",
    ]


def test_shares():
    one = Account("1", postings=[posting(amount="30")])
    two = Account("2", postings=[posting(amount="10")])
    assert shares([one, two]) == {"1": Decimal("75.0"), "2": Decimal("25.0")}
