"""iPaymu's payments, for tests to compare with ours."""

from __future__ import annotations

from simulators.ipaymu.books import DIRECT, Books, Payment
from simulators.ipaymu.words import DESCRIPTIONS, ENDED_UNPAID
from simulators.ledger import LedgerEntry


def known_as(payment: Payment) -> set[str]:
    """What the caller may know a payment by, also when the answer with its id was lost."""
    return {payment.session, payment.reference, str(payment.transaction or "")} - {""}


def ledger_of(books: Books) -> list[LedgerEntry]:
    """Oldest first."""
    with books.lock:
        return [_payment(row) for row in books.payments.rows()]


def _payment(payment: Payment) -> LedgerEntry:
    word = DESCRIPTIONS[payment.status]
    return LedgerEntry(
        id=str(payment.transaction) if payment.kind == DIRECT else payment.session,
        kind="payment",
        reference=payment.reference,
        idempotency_key=None,
        amount=payment.total,
        unit="whole",
        currency="IDR",
        state=word.lower(),
        receipt=str(payment.transaction) if payment.paid else None,
        payment=None,
        account=payment.va,
        detail=word if payment.status in ENDED_UNPAID else None,
        references=known_as(payment),
    )
