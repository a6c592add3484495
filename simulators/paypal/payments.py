"""What is held and what was paid: captures, voids and refunds. Source: PayPal's OpenAPI file payments_payment_v2."""

from __future__ import annotations

from typing import Any

from simulators.paypal import amounts
from simulators.paypal.books import Books, Cause
from simulators.paypal.errors import invalid, refused
from simulators.paypal.magic import MAGIC_AMOUNTS
from simulators.paypal.orders import Orders

JSON = dict[str, Any]
UNCAPTURABLE = {
    "VOIDED": "AUTHORIZATION_VOIDED",
    "CAPTURED": "AUTHORIZATION_ALREADY_CAPTURED",
    "DENIED": "AUTHORIZATION_DENIED",
    "EXPIRED": "AUTHORIZATION_EXPIRED",
}
UNVOIDABLE = {"VOIDED": "PREVIOUSLY_VOIDED", "CAPTURED": "PREVIOUSLY_CAPTURED", "DENIED": "CANNOT_BE_VOIDED"}
REFUNDABLE = ("COMPLETED", "PARTIALLY_REFUNDED")
LIVING = ("PENDING", "COMPLETED")
LENGTHS = {"invoice_id": 127, "custom_id": 127, "note_to_payer": 255}


class Payments:
    def __init__(self, books: Books, orders: Orders) -> None:
        self._books, self._orders = books, orders

    def capture(self, cause: Cause, held: JSON, body: JSON) -> JSON:
        """Take all or a part of what is held. With `final_capture` the rest is released."""
        document = held["document"]
        if document["status"] in UNCAPTURABLE:
            raise refused(UNCAPTURABLE[document["status"]])
        left = amounts.units_of(document["amount"]) - self._captured(held)
        units = self._asked(body, left, document["amount"], "AUTH_CAPTURE_CURRENCY_MISMATCH")
        if units > left:
            raise refused("MAX_CAPTURE_AMOUNT_EXCEEDED", field="/amount/value")
        if cause.mock_issue:
            raise refused(cause.mock_issue)
        order, final = self._books.orders.get(held["order"]) or {}, bool(body.get("final_capture"))
        taken = self._orders.take(cause, order, held["id"], units, final=final)
        if taken["document"]["status"] != "DECLINED":
            document["status"] = "CAPTURED" if final or units == left else "PARTIALLY_CAPTURED"
            self._books.keep(held)
        return taken

    def _captured(self, held: JSON) -> int:
        taken = self._books.under(held, "capture")
        return sum(amounts.units_of(row["document"]["amount"]) for row in taken if row["document"]["status"] in LIVING)

    def void(self, cause: Cause, held: JSON) -> JSON:
        status = held["document"]["status"]
        if status in UNVOIDABLE:
            raise refused(UNVOIDABLE[status])
        held["document"]["status"] = "VOIDED"
        self._books.keep(held)
        cause.events.append(("PAYMENT.AUTHORIZATION.VOIDED", "authorization", held))
        return held

    def refund(self, cause: Cause, paid: JSON, body: JSON) -> JSON:
        """Give back all that is left, or a part."""
        document = paid["document"]
        _check_texts(body)
        if document["status"] == "PENDING":
            raise refused("PENDING_CAPTURE")
        if paid.get("disputed"):
            raise refused("TRANSACTION_DISPUTED")
        left = amounts.units_of(document["amount"]) - self._given_back(paid)
        if document["status"] == "REFUNDED" or left <= 0:
            raise refused("CAPTURE_FULLY_REFUNDED")
        if document["status"] not in REFUNDABLE:
            raise refused("REFUND_NOT_ALLOWED")
        units = self._asked(body, left, document["amount"], "REFUND_CAPTURE_CURRENCY_MISMATCH")
        if units > left:
            raise refused("REFUND_AMOUNT_EXCEEDED", field="/amount/value")
        if cause.mock_issue:
            raise refused(cause.mock_issue)
        return self._give_back(cause, paid, units, body)

    def _give_back(self, cause: Cause, paid: JSON, units: int, body: JSON) -> JSON:
        currency = paid["document"]["amount"]["currency_code"]
        word = MAGIC_AMOUNTS.get(amounts.hundredths(paid["document"]["amount"]) or 0, "")
        waits = word in ("refund_pending", "refund_fails")
        document: JSON = {
            "status": "PENDING" if waits else "COMPLETED",
            "amount": amounts.money(units, currency),
            "unit": paid["document"].get("unit", "0"),
            **{name: body[name] for name in LENGTHS if body.get(name)},
            "seller_payable_breakdown": {
                "gross_amount": amounts.money(units, currency),
                "paypal_fee": amounts.money(0, currency),
                "net_amount": amounts.money(units, currency),
                "total_refunded_amount": amounts.money(self._given_back(paid) + units, currency),
            },
        }
        if waits:
            document["status_details"] = {"reason": "ECHECK"}
        order = self._books.orders.get(paid["order"]) or {}
        made = self._books.add("refund", cause, order, paid["id"], document)
        cause.events.append(("PAYMENT.REFUND.PENDING" if waits else "PAYMENT.CAPTURE.REFUNDED", "refund", made))
        self.count(paid)
        return made

    def _given_back(self, paid: JSON) -> int:
        given = self._books.under(paid, "refund")
        return sum(amounts.units_of(row["document"]["amount"]) for row in given if row["document"]["status"] in LIVING)

    def count(self, paid: JSON) -> None:
        """Let the capture say how much of it was given back."""
        given = self._given_back(paid)
        whole = given >= amounts.units_of(paid["document"]["amount"])
        paid["document"]["status"] = "REFUNDED" if whole else "PARTIALLY_REFUNDED" if given else "COMPLETED"
        self._books.keep(paid)

    def _asked(self, body: JSON, left: int, amount: JSON, mismatch: str) -> int:
        if body.get("amount") is None:
            return left
        units, currency = amounts.read(body["amount"], "/amount", decimals_issue=amounts.PAYING)
        if currency != amount["currency_code"]:
            raise refused(mismatch, field="/amount/currency_code")
        return units


def _check_texts(body: JSON) -> None:
    for name, longest in LENGTHS.items():
        value = body.get(name)
        if value is not None and (not isinstance(value, str) or not 1 <= len(value) <= longest):
            raise invalid(f"/{name}", "INVALID_STRING_LENGTH")
