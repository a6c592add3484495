"""A provider has paid out what a payment came to."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from django.db import transaction
from django.db.models import QuerySet

from core.errors import Conflict
from core.money import Money
from events.transitions import record
from ledger.facts import Fact
from ledger.posting import Books, post
from payments.models import Payment
from payments.providers.base import ReceiptKind
from payments.services import posting
from payments.services.locking import lock_attempt

_AT_ONCE = 1000


def settle_payment(payment: Payment, *, reference: str, on: date) -> Money:
    """Write down that the payment's net has arrived, and post it; what arrived. `reference` is the settlement's.

    Raises Conflict for a payment that holds no money, is settled already, or whose fee is still only expected.
    """
    attempt = payment.attempts.filter(receipts__kind=ReceiptKind.CAPTURE).first()
    if attempt is None:
        raise Conflict(f"{payment.pk} is {payment.state} and holds no money: nothing of it can be settled.")
    with transaction.atomic():
        attempt = lock_attempt(attempt)
        locked = attempt.payment
        if locked.is_settled:
            raise Conflict(f"{locked.pk} was settled by {locked.settlement_reference} on {locked.settles_on}.")
        if locked.fee_amount is not None and not locked.fee_is_final:
            raise Conflict(f"The fee of {locked.pk} is only expected. Settle it when the provider has told the fee.")
        net = _net(locked)
        posting.post_settlement(locked, attempt, net)
        record(locked, settlement_reference=reference, settles_on=on, is_settled=True)
    return net


def _net(payment: Payment) -> Money:
    """What the captures came to without their fees; refunds are settled by lines of their own."""
    if payment.net_amount is None:
        return Money(payment.captured_amount, payment.currency)
    return Money(payment.net_amount, payment.settlement_currency)


@dataclass(frozen=True, slots=True)
class Payout:
    """A payout of a provider, all of whose lines are settled by it. `source` is the id of the row that is the fact."""

    source: str
    books: Books
    number: str
    on: date


def payments_of(account: str, numbers: "QuerySet[Any, Any]") -> list[str]:
    """The payments whose captures have these numbers at the provider, in the order of their ids.

    `numbers` is a query of them: a payout may have more lines than a statement takes as parameters.
    """
    found = Payment.objects.filter(
        attempts__receipts__account=account,
        attempts__receipts__provider_money_id__in=numbers,
        attempts__receipts__kind=ReceiptKind.CAPTURE,
    )
    return sorted(set(found.order_by().values_list("pk", flat=True)))


def settle_payout(payout: Payout, *, payments: Sequence[str], net: Money) -> None:
    """Post what has come at the bank, `net`, less than nothing where it has gone; and mark the payments as settled.

    Once for each source; in the caller's transaction, which has locked the payments (`lock_payments`).
    """
    for some in _in_parts(payments):
        Payment.objects.filter(pk__in=some, is_settled=False).update(
            is_settled=True, settlement_reference=payout.number, settles_on=payout.on
        )
    fact = Fact.SETTLEMENT_PAID if net.amount >= 0 else Fact.SETTLEMENT_COLLECTED
    post(fact, Money(abs(net.amount), net.currency), books=payout.books, source=payout.source, cause=payout.source)


def lock_payments(payments: Sequence[str]) -> None:
    """In the order that they are given in, so that no two settlements wait for each other."""
    for some in _in_parts(payments):
        list(Payment.objects.select_for_update().filter(pk__in=some).order_by("pk").values_list("pk"))


def _in_parts(payments: Sequence[str]) -> Iterator[Sequence[str]]:
    return (payments[first : first + _AT_ONCE] for first in range(0, len(payments), _AT_ONCE))
