"""PayPal's payments and refunds, for tests to compare with ours."""

from __future__ import annotations

from typing import Any

from simulators.ledger import LedgerEntry
from simulators.paypal.amounts import units_of
from simulators.paypal.books import Books
from simulators.paypal.buyer import known_as

JSON = dict[str, Any]
MOVED = ("COMPLETED", "PARTIALLY_REFUNDED", "REFUNDED")


def ledger_of(books: Books) -> list[LedgerEntry]:
    """Oldest first, payments before refunds. A payment's amount is what was captured, else what was asked."""
    with books.lock:
        refunds = [row for row in books.payments.rows() if row["kind"] == "refund"]
        return [_payment(books, row) for row in books.orders.rows()] + [_refund(books, row) for row in refunds]


def _payment(books: Books, order: JSON) -> LedgerEntry:
    captures = books.of(order["id"], "capture")
    held = books.of(order["id"], "authorization")
    moved = [row for row in captures if row["document"]["status"] in MOVED]
    latest = (captures or held or [order])[-1]["document"]
    asked = order["document"]["units"]
    amounts = [row["document"]["amount"] for row in moved] or [unit["amount"] for unit in asked]
    return LedgerEntry(
        id=order["id"],
        kind="payment",
        reference=str(asked[0].get("custom_id", "")),
        idempotency_key=order["key"] or None,
        amount=sum(units_of(amount) for amount in amounts),
        unit="minor",
        currency=asked[0]["amount"]["currency_code"],
        state=_state(latest["status"]),
        receipt=moved[0]["id"] if moved else None,
        payment=None,
        account=order["app"],
        detail=order["refuses"] or None,
        references=known_as(order) | {row["key"] for row in captures},
    )


def _refund(books: Books, refund: JSON) -> LedgerEntry:
    document, order = refund["document"], books.orders.get(refund["order"]) or {"document": {}, "key": ""}
    return LedgerEntry(
        id=refund["id"],
        kind="refund",
        reference=str(document.get("custom_id", "")),
        idempotency_key=refund["key"] or None,
        amount=units_of(document["amount"]),
        unit="minor",
        currency=document["amount"]["currency_code"],
        state=_state(document["status"]),
        receipt=refund["id"] if document["status"] == "COMPLETED" else None,
        payment=refund["order"],
        account=refund["app"],
        references=known_as(refund) | known_as(order) | {refund["order"], refund["parent"]},
    )


def _state(status: str) -> str:
    return "succeeded" if status in MOVED else status.lower()
