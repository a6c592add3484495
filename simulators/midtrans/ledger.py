"""Midtrans' payments and refunds, for tests to compare with ours."""

from __future__ import annotations

from simulators.ledger import LedgerEntry
from simulators.midtrans.books import Books, Refund, Transaction
from simulators.midtrans.words import ENDED_UNPAID


def known_as(transaction: Transaction) -> set[str]:
    """What the caller may know a payment by, also when the answer with its id was lost."""
    return {transaction.id, transaction.order_id, transaction.key} - {""}


def ledger_of(books: Books) -> list[LedgerEntry]:
    """Oldest first, payments before refunds."""
    with books.lock:
        payments = [_payment(row) for row in books.transactions.rows()]
        return payments + [_refund(row) for row in books.refunds.rows()]


def _payment(transaction: Transaction) -> LedgerEntry:
    return LedgerEntry(
        id=transaction.id,
        kind="payment",
        reference=transaction.order_id,
        idempotency_key=transaction.key or None,
        amount=transaction.amount,
        unit="whole",
        currency="IDR",
        state=transaction.status,
        receipt=transaction.id if transaction.settled else None,
        payment=None,
        account=transaction.merchant,
        detail=transaction.status if transaction.status in ENDED_UNPAID else None,
        references=known_as(transaction),
    )


def _refund(refund: Refund) -> LedgerEntry:
    return LedgerEntry(
        id=str(refund.id),
        kind="refund",
        reference=refund.key,
        idempotency_key=refund.idempotency_key or None,
        amount=refund.amount,
        unit="whole",
        currency="IDR",
        state="succeeded",
        receipt=str(refund.id),
        payment=refund.transaction,
        account=refund.merchant,
        detail="confirmed" if refund.confirmed else None,
        references={refund.key},
    )
