"""Books to look at, for tests: a merchant with an account, and facts posted for them."""

from django.db import transaction

from core import ids
from core.money import Money
from ledger.chart import Kind
from ledger.facts import Fact
from ledger.models import Account
from ledger.posting import Books, post


def new_books(*, livemode: bool = False) -> Books:
    return Books(merchant=ids.new_id("mer"), account=ids.new_id("acct"), livemode=livemode)


def booked(
    books: Books,
    amount: int,
    fact: Fact = Fact.PAYMENT_CAPTURED,
    *,
    currency: str = "KES",
    source: str = "",
    cause: str = "pay_1",
) -> str:
    """Post a fact, and answer its source."""
    source = source or ids.new_id("rcpt")
    with transaction.atomic():
        post(fact, Money(amount, currency), books=books, source=source, cause=cause)
    return source


def account_of(books: Books, kind: Kind = Kind.MERCHANT_PAYABLE, currency: str = "KES") -> Account:
    found = Account.objects.with_balance()
    return found.get(owner=books.owner(kind), kind=kind, currency=currency, livemode=books.livemode)
