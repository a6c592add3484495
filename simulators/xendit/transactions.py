"""Transactions, with what Xendit keeps of each, and the balance. Source: the models of xendit-python."""

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
    def __init__(self, books: Books, settings: XenditSettings) -> None:
        self._books, self._settings = books, settings

    def search(self, call: Call) -> JSON:
        wanted = [(name, value) for name, value in call.request.query if name in ("reference_id", "product_id")]
        types = [value for name, value in call.request.query if name == "types"]
        told = [item for item in self._all(call.business) if all(item[name] == value for name, value in wanted)]
        kept = [item for item in told if not types or item["type"] in types]
        return {"has_more": False, "data": kept, "links": []}

    def show(self, call: Call) -> JSON:
        for item in self._all(call.business):
            if item["id"] == call.id:
                return item
        raise not_found("The transaction")

    def balance(self, call: Call) -> JSON:
        items = self._all(call.business)
        signed = [item["amount"] if item["cashflow"] == "MONEY_IN" else -item["amount"] for item in items]
        return {"balance": sum(signed)}

    def _all(self, business: str) -> list[JSON]:
        with self._books.lock:
            return [*self._of_codes(business), *self._of_invoices(business), *self._of_refunds(business)]

    def _of_codes(self, business: str) -> Iterator[JSON]:
        for payment in self._books.payments.rows():
            code = self._books.codes.get(payment.code)
            if code is not None and code.business == business:
                yield self._document(business, payment.id, code.reference, payment.amount, payment.made)

    def _of_invoices(self, business: str) -> Iterator[JSON]:
        for invoice in self._books.invoices.rows():
            if invoice.paid and invoice.business == business:
                yield self._document(business, invoice.id, invoice.reference, invoice.amount, invoice.paid)

    def _of_refunds(self, business: str) -> Iterator[JSON]:
        for refund in self._books.refunds.rows():
            if refund.business == business:
                told = self._document(business, refund.id, refund.reference, refund.amount, refund.made)
                fee = {"xendit_fee": 0, "value_added_tax": 0, "status": "NOT_APPLICABLE"}
                status = STATUSES.get(refund.status, "SUCCESS")
                yield told | {"type": "REFUND", "cashflow": "MONEY_OUT", "fee": fee, "status": status}

    def _document(self, business: str, product: str, reference: str, amount: int, at: float) -> JSON:
        fee = round(amount * self._settings.fee_thousandths / 1000, 2)
        is_final = time.time() >= at + self._settings.fee_seconds
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
            "cashflow": "MONEY_IN",
            "settlement_status": "PENDING",
            "estimated_settlement_time": stamp(at + 2 * DAY),
            "business_id": business,
            "fee": {
                "xendit_fee": fee,
                "value_added_tax": round(fee * self._settings.tax_hundredths / 100, 2),
                "xendit_withholding_tax": 0,
                "third_party_withholding_tax": 0,
                "status": "COMPLETED" if is_final else "PENDING",
            },
            "created": stamp(at),
            "updated": stamp(at),
        }


def _id(product: str) -> str:
    """The same each time, and of the kind of UUID that the published models insist on."""
    return f"txn_{uuid.UUID(bytes=hashlib.sha256(product.encode()).digest()[:16], version=4)}"
