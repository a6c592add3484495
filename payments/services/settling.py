"""A provider has paid out what a payment came to."""

from datetime import date

from django.db import transaction

from core.errors import Conflict
from core.money import Money
from events.transitions import record
from payments.models import Payment
from payments.providers.base import ReceiptKind
from payments.services import posting
from payments.services.locking import lock_attempt


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
