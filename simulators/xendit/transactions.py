"""Transactions, with what Xendit keeps of each, and the balance.

Source: docs.xendit.co (list-transactions, get-transaction) and the models of xendit-python.
"""

from __future__ import annotations

import hashlib
import time
import uuid
from collections.abc import Iterator

from simulators.xendit.books import JSON, Books, stamp
from simulators.xendit.errors import not_found
from simulators.xendit.fields import Call
from simulators.xendit.settings import XenditSettings
from simulators.xendit.words import FAILED, PENDING

DAY = 86_400
STATUSES = {PENDING: "PENDING", FAILED: "FAILED"}


class Transactions:
    """Of codes, invoices and refunds. The money of an invoice goes by the payment behind it, not by the invoice."""

    def __init__(self, books: Books, settings: XenditSettings) -> None:
        self._books, self._settings = books, settings

    def show(self, call: Call) -> JSON:
        for item in self.all(call.business):
            if item["id"] == call.id:
                return item
        raise not_found("The transaction")

    def balance(self, call: Call) -> JSON:
        items = self.all(call.business)
        signed = [item["amount"] if item["cashflow"] == "MONEY_IN" else -item["amount"] for item in items]
        return {"balance": sum(signed)}

    def all(self, business: str) -> list[JSON]:
        """Oldest first."""
        with self._books.lock:
            found = [*self._of_codes(business), *self._of_invoices(business), *self._of_refunds(business)]
        return [item for _, item in sorted(found, key=lambda each: each[0])]

    def _of_codes(self, business: str) -> Iterator[tuple[float, JSON]]:
        for payment in self._books.payments.rows():
            code = self._books.codes.get(payment.code)
            if code is not None and code.business == business:
                told = self._document(business, payment.id, code.reference, payment.amount, payment.made)
                yield payment.made, told

    def _of_invoices(self, business: str) -> Iterator[tuple[float, JSON]]:
        for invoice in self._books.invoices.rows():
            if invoice.paid and invoice.business == business:
                told = self._document(business, invoice.payment, invoice.reference, invoice.amount, invoice.paid)
                yield invoice.paid, told

    def _of_refunds(self, business: str) -> Iterator[tuple[float, JSON]]:
        for refund in self._books.refunds.rows():
            if refund.business == business:
                told = self._document(business, refund.id, refund.reference, refund.amount, refund.made)
                fee = {"xendit_fee": 0, "value_added_tax": 0, "status": "NOT_APPLICABLE"}
                status = STATUSES.get(refund.status, "SUCCESS")
                out = {"type": "REFUND", "cashflow": "MONEY_OUT", "fee": fee, "status": status}
                never = {"settlement_status": None, "estimated_settlement_time": None, "net_amount": refund.amount}
                yield refund.made, told | out | never

    def _document(self, business: str, product: str, reference: str, amount: int, at: float) -> JSON:
        fee = round(amount * self._settings.fee_thousandths / 1000, 2)
        tax = round(fee * self._settings.tax_hundredths / 100, 2)
        is_final, settles = time.time() >= at + self._settings.fee_seconds, at + 2 * DAY
        told_at = at + self._settings.clock_ahead_seconds
        return {
            "id": _id(product),
            "product_id": product,
            "type": "PAYMENT",
            "status": "SUCCESS",
            "channel_category": "QR_CODE",
            "channel_code": "QRIS",
            "account_identifier": None,
            "reference_id": reference,
            "currency": "IDR",
            "amount": amount,
            "net_amount": round(amount - fee - tax, 2),
            "net_amount_currency": "IDR",
            "cashflow": "MONEY_IN",
            "settlement_status": "SETTLED" if time.time() >= settles else "PENDING",
            "estimated_settlement_time": stamp(settles),
            "business_id": business,
            "fee": {
                "xendit_fee": fee,
                "value_added_tax": tax,
                "xendit_withholding_tax": 0,
                "third_party_withholding_tax": 0,
                "status": "COMPLETED" if is_final else "PENDING",
            },
            "created": stamp(told_at),
            "updated": stamp(told_at),
        }


def _id(product: str) -> str:
    """The same each time, and of the kind of UUID that the published models insist on."""
    return f"txn_{uuid.UUID(bytes=hashlib.sha256(product.encode()).digest()[:16], version=4)}"
