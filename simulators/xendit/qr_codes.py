"""QR codes and their payments. Source: docs.xendit.co/qr-codes."""

from __future__ import annotations

import time
from dataclasses import replace

from simulators.callbacks import Sender
from simulators.ledger import Conflict
from simulators.xendit.books import JSON, Books, Code, CodePayment, is_payable, new_id
from simulators.xendit.codes import CHANNELS, qr_text
from simulators.xendit.documents import code_document, first_version_callback, payment_document
from simulators.xendit.errors import XenditError, by_code, invalid, not_found, not_in_test_mode
from simulators.xendit.fields import VERSION, Call, choice, currency, moment, reference, whole
from simulators.xendit.settings import XenditSettings
from simulators.xendit.webhooks import Webhooks, envelope
from simulators.xendit.words import APPROVE, LATE_SUCCESS, NOTHING, REFUSED_CODES

KINDS = ("DYNAMIC", "STATIC")
WALK_IN = 1_000


class QrCodes:
    def __init__(self, books: Books, settings: XenditSettings, sender: Sender, webhooks: Webhooks) -> None:
        self._books, self._settings, self._sender, self._webhooks = books, settings, sender, webhooks

    def create(self, call: Call) -> JSON:
        """The version in the header chooses the fields, the answer, and what is called back."""
        is_second = call.request.header("api-version") == VERSION
        with self._books.lock:
            code = self._second_version(call) if is_second else self._first_version(call)
            code.mode = call.request.callback_mode
            self._books.codes.put(code.id, code)
        if code.mode == "before_answer":
            self.act(code, APPROVE)
        elif self._settings.auto_approve:
            self._sender.timer.later(self._settings.approve_seconds, lambda: self._pay_if_open(code))
        return code_document(code)

    def _second_version(self, call: Call) -> Code:
        asked, now = call.document, time.time()
        kind = choice(asked, "type", KINDS)
        currency(asked, required=True)
        channel = choice(asked, "channel_code", tuple(CHANNELS), "ID_DANA")
        expires = asked.get("expires_at")
        return self._issued(
            call,
            reference(asked, "reference_id"),
            self._amount(asked) if kind == "DYNAMIC" else None,
            channel,
            moment(expires, "expires_at", now) if expires is not None else now + self._settings.code_seconds,
            asked.get("metadata"),
        )

    def _first_version(self, call: Call) -> Code:
        asked = call.request.document or dict(call.request.form)
        if asked is not call.request.document and str(asked.get("amount", "")).isdigit():
            asked["amount"] = int(asked["amount"])
        kind = choice(asked, "type", KINDS)
        name = reference(asked, "external_id")
        amount = self._amount(asked) if kind == "DYNAMIC" else None
        url = asked.get("callback_url")
        if not isinstance(url, str) or not url.startswith("http"):
            raise invalid("callback_url", "is required")
        issued = self._issued(call, name, amount, "ID_DANA", time.time() + self._settings.code_seconds)
        return replace(issued, version=1, callback_url=url)

    def _amount(self, asked: JSON) -> int:
        amount = whole(asked.get("amount"), "amount", most=self._settings.max_qr_amount)
        if amount in REFUSED_CODES:
            raise by_code(*REFUSED_CODES[amount])
        return amount

    def _issued(
        self, call: Call, name: str, amount: int | None, channel: str, expires: float, metadata: JSON | None = None
    ) -> Code:
        has_static = any(row.amount is None and row.business == call.business for row in self._books.codes.rows())
        if amount is None and channel == "ID_DANA" and has_static:
            message = "ID_DANA only allows 1 static QR code for each merchant"
            raise XenditError(409, "DUPLICATE_ERROR", message)
        id = new_id("qr")
        text = qr_text(amount=amount, business=call.business, reference=id, channel=channel)
        return Code(id, call.business, name, amount, channel, text, time.time(), expires, metadata=metadata)

    def find(self, call: Call) -> Code:
        found = self._books.codes.get(call.id)
        if found is None or found.business != call.business:
            raise not_found("The QR code")
        return found

    def show(self, call: Call) -> JSON:
        with self._books.lock:
            return code_document(self.find(call))

    def list_payments(self, call: Call) -> JSON:
        with self._books.lock:
            code, most = self.find(call), self._settings.payments_listed
            told = [payment_document(code, row) for row in self._books.payments_of(code)]
            return {"data": told[:most], "has_more": len(told) > most}

    def simulate(self, call: Call) -> JSON:
        """Xendit's own simulation, for keys of the test mode."""
        if not call.is_test:
            raise not_in_test_mode()
        asked = call.document
        with self._books.lock:
            code = self.find(call)
            amount = whole(asked.get("amount", code.amount), "amount", most=self._settings.max_qr_amount)
            if code.amount not in (None, amount):
                raise invalid("amount", "is not that of the QR code")
            if not is_payable(code):
                raise XenditError(400, "API_VALIDATION_ERROR", "The QR code is not active")
        return self._pay(code, amount)

    def act(self, code: Code, outcome: str, mode: str = "", amount: int = 10_000) -> None:
        """As the payer, who types the amount of a static code, or the clock. Conflict when the code has ended."""
        with self._books.lock:
            if outcome == LATE_SUCCESS and code.paid:
                raise Conflict(f"{code.id} is paid")
            if outcome != LATE_SUCCESS and not is_payable(code):
                raise Conflict(f"{code.id} is {code.status}")
        if outcome in (APPROVE, LATE_SUCCESS):
            self._pay(code, code.amount or amount, mode)
        elif outcome != NOTHING:
            with self._books.lock:
                code.expires = time.time()
                self._books.codes.put(code.id, code)

    def walk_in(self, business: str) -> None:
        """Somebody pays a code that the merchant has made elsewhere, and nobody is told."""
        id, now = new_id("qr"), time.time()
        text = qr_text(amount=WALK_IN, business=business, reference=id, channel="ID_DANA")
        with self._books.lock:
            code = Code(id, business, f"WALK-IN-{id[-12:]}", WALK_IN, "ID_DANA", text, now, now + 60, paid=True)
            self._books.codes.put(id, code)
            payment = CodePayment(new_id("qrpy"), id, WALK_IN, now)
            self._books.payments.put(payment.id, payment)

    def _pay_if_open(self, code: Code) -> None:
        if self._books.codes.get(code.id) is code and is_payable(code):
            self._pay(code, code.amount or 10_000)

    def _pay(self, code: Code, amount: int, mode: str = "") -> JSON:
        with self._books.lock:
            payment = CodePayment(new_id("qrpy"), code.id, amount, time.time())
            self._books.payments.put(payment.id, payment)
            code.paid = code.amount is not None
            self._books.codes.put(code.id, code)
            told = payment_document(code, payment)
        if code.version == 1:
            news, url = first_version_callback(code, payment), code.callback_url
        else:
            news, url = envelope("qr.payment", code.business, payment.made, told, api_version=VERSION), ""
        self._webhooks.send(news, mode or code.mode, about=code.id, url=url)
        return told
