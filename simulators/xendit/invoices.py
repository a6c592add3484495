"""Invoices: a page with every way to pay. Source: docs.xendit.co (invoice) and the models of xendit-python."""

from __future__ import annotations

import re
import time
import uuid

from simulators.callbacks import Sender
from simulators.ledger import Conflict
from simulators.xendit.books import JSON, Books, Invoice, is_open, new_id
from simulators.xendit.documents import invoice_callback, invoice_document
from simulators.xendit.errors import XenditError, invalid, unknown_invoice
from simulators.xendit.fields import Call, currency, reference, whole
from simulators.xendit.settings import XenditSettings
from simulators.xendit.webhooks import Webhooks
from simulators.xendit.words import APPROVE, EXPIRED, LATE_SUCCESS, NOTHING, PAID, PENDING, SETTLED

WAYS = (
    "QRIS",
    "BCA",
    "BNI",
    "BRI",
    "MANDIRI",
    "PERMATA",
    "DANA",
    "OVO",
    "SHOPEEPAY",
    "LINKAJA",
    "ALFAMART",
    "CREDIT_CARD",
)
LONGEST_SECONDS = 31_536_000


class Invoices:
    def __init__(self, books: Books, settings: XenditSettings, sender: Sender, webhooks: Webhooks) -> None:
        self._books, self._settings, self._sender, self._webhooks = books, settings, sender, webhooks

    def create(self, call: Call) -> JSON:
        invoice = self._asked(call)
        with self._books.lock:
            self._books.invoices.put(invoice.id, invoice)
        self._expire_later(invoice)
        if invoice.mode == "before_answer":
            self.act(invoice, APPROVE)
        elif self._settings.auto_approve:
            self._sender.timer.later(self._settings.approve_seconds, lambda: self._if_open(invoice.id, PAID))
        return invoice_document(invoice, call.request.origin)

    def _asked(self, call: Call) -> Invoice:
        asked, now = call.document, time.time()
        name = reference(asked, "external_id")
        currency(asked, required=False)
        amount = whole(asked.get("amount"), "amount", most=10**12)
        if amount > self._settings.max_invoice_amount:
            raise XenditError(400, "MAXIMUM_TRANSFER_AMOUNT_ERROR", "The amount is above the maximum")
        _check_email(asked.get("payer_email"))
        _check_ways(asked.get("payment_methods"))
        life = asked.get("invoice_duration", self._settings.invoice_seconds)
        if isinstance(life, bool) or not isinstance(life, int | float) or not 0 < life <= LONGEST_SECONDS:
            raise invalid("invoice_duration", "must be a number of seconds")
        return Invoice(
            id=uuid.uuid4().hex[:24],
            business=call.business,
            reference=name,
            amount=amount,
            made=now,
            updated=now,
            expires=now + life,
            asked=asked,
            mode=call.request.callback_mode,
        )

    def find(self, call: Call) -> Invoice:
        found = self._books.invoices.get(call.id)
        if found is None or found.business != call.business:
            raise unknown_invoice()
        return found

    def show(self, call: Call) -> JSON:
        with self._books.lock:
            return invoice_document(self.find(call), call.request.origin)

    def search(self, call: Call) -> list[JSON]:
        """A bare array; a reference may stand on several."""
        wanted = dict(call.request.query).get("external_id")
        with self._books.lock:
            ours = [row for row in self._books.invoices.newest_first() if row.business == call.business]
            kept = [row for row in ours if wanted in (None, row.reference)]
            return [invoice_document(row, call.request.origin) for row in kept]

    def end(self, call: Call) -> JSON:
        """For the merchant: `expire!`. One that has ended already stays so."""
        with self._books.lock:
            invoice = self.find(call)
            if invoice.status in (PAID, SETTLED):
                raise XenditError(400, "INVOICE_ALREADY_PAID_ERROR", "The invoice has been paid")
            is_news = invoice.status == PENDING
            if is_news:
                self._move(invoice, EXPIRED)
            told = invoice_document(invoice, call.request.origin)
        if is_news:
            self._tell(invoice)
        return told

    def act(self, invoice: Invoice, outcome: str, mode: str = "") -> None:
        """As the payer, or the clock. Conflict when the invoice has ended."""
        if outcome == NOTHING:
            return
        with self._books.lock:
            is_late = outcome == LATE_SUCCESS and invoice.status in (PENDING, EXPIRED)
            if not is_late and not is_open(invoice):
                raise Conflict(f"{invoice.id} is {invoice.status}")
            self._move(invoice, PAID if outcome in (APPROVE, LATE_SUCCESS) else EXPIRED)
        self._tell(invoice, mode)
        if invoice.status == PAID:
            self._settle_later(invoice)

    def _move(self, invoice: Invoice, status: str) -> None:
        invoice.status, invoice.updated = status, time.time()
        if status == PAID:
            invoice.paid, invoice.payment = invoice.updated, new_id("qrpy")
        self._books.invoices.put(invoice.id, invoice)

    def _tell(self, invoice: Invoice, mode: str = "") -> None:
        if invoice.status == EXPIRED and not self._settings.expired_callback:
            return
        self._webhooks.send(invoice_callback(invoice), mode or invoice.mode, about=invoice.id)

    def _if_open(self, id: str, status: str) -> None:
        """What the clock does: a payer, a merchant or a reset may have been faster."""
        with self._books.lock:
            invoice = self._books.invoices.get(id)
            if invoice is None or invoice.status != PENDING:
                return
            self._move(invoice, status)
        self._tell(invoice)
        if status == PAID:
            self._settle_later(invoice)

    def _settle_later(self, invoice: Invoice) -> None:
        self._sender.timer.later(self._settings.settle_seconds, lambda: self.settle(invoice.id))

    def settle(self, id: str) -> None:
        """Paid out as well: nobody is told."""
        with self._books.lock:
            invoice = self._books.invoices.get(id)
            if invoice is not None and invoice.status == PAID:
                self._move_settled(invoice)

    def _move_settled(self, invoice: Invoice) -> None:
        invoice.status, invoice.updated = SETTLED, time.time()
        self._books.invoices.put(invoice.id, invoice)

    def _expire_later(self, invoice: Invoice) -> None:
        self._sender.timer.later(max(invoice.expires - time.time(), 0.0), lambda: self._if_open(invoice.id, EXPIRED))

    def resume(self) -> None:
        """After a restart what is pending still has the rest of its life, and what is paid is settled."""
        for invoice in self._books.invoices.rows():
            if invoice.status == PENDING:
                self._expire_later(invoice)
            elif invoice.status == PAID:
                self._settle_later(invoice)


def _check_email(value: object) -> None:
    if value is not None and (not isinstance(value, str) or not re.fullmatch(r"[^@\s]+@[^@\s]+\.[^@\s]+", value)):
        raise XenditError(400, "EMAIL_FORMAT_ERROR", "payer_email is no email address")


def _check_ways(value: object) -> None:
    if value is None:
        return
    if not isinstance(value, list) or not all(way in WAYS for way in value):
        raise XenditError(400, "UNAVAILABLE_PAYMENT_METHOD_ERROR", "A payment method is not available")
