"""Xendit's payments and refunds, for tests to compare with ours."""

from __future__ import annotations

from simulators.ledger import LedgerEntry
from simulators.xendit.books import Books, Code, Invoice, Refund, status_of


def ledger_of(books: Books) -> list[LedgerEntry]:
    """Codes, invoices, refunds; each oldest first."""
    with books.lock:
        codes = [_code(row, [payment.id for payment in books.payments_of(row)]) for row in books.codes.rows()]
        invoices = [_invoice(row) for row in books.invoices.rows()]
        return codes + invoices + [_refund(row) for row in books.refunds.rows()]


def _code(code: Code, receipts: list[str]) -> LedgerEntry:
    return LedgerEntry(
        id=code.id,
        kind="payment",
        reference=code.reference,
        idempotency_key=None,
        amount=code.amount or 0,
        unit="whole",
        currency="IDR",
        state="paid" if code.paid else code.status.lower(),
        receipt=receipts[0] if receipts else None,
        payment=None,
        account=code.business,
        detail=None,
        references={code.reference, *receipts},
    )


def _invoice(invoice: Invoice) -> LedgerEntry:
    return LedgerEntry(
        id=invoice.id,
        kind="payment",
        reference=invoice.reference,
        idempotency_key=None,
        amount=invoice.amount,
        unit="whole",
        currency="IDR",
        state=status_of(invoice).lower(),
        receipt=invoice.id if invoice.paid else None,
        payment=None,
        account=invoice.business,
        detail=None,
        references={invoice.reference},
    )


def _refund(refund: Refund) -> LedgerEntry:
    return LedgerEntry(
        id=refund.id,
        kind="refund",
        reference=refund.reference,
        idempotency_key=refund.key or None,
        amount=refund.amount,
        unit="whole",
        currency="IDR",
        state=refund.status.lower(),
        receipt=refund.id,
        payment=refund.payment,
        account=refund.business,
        detail=refund.failure or None,
        references={refund.reference} - {""},
    )
