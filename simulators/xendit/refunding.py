"""Refunds: pending first, done or failed a little later. Source: docs.xendit.co (refunds, qr-codes/test-scenarios)."""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass

from simulators.callbacks import Sender
from simulators.memory import Memory, Table
from simulators.xendit.books import JSON, Books, Refund, new_id, status_of
from simulators.xendit.documents import refund_document
from simulators.xendit.errors import XenditError, by_code, not_found
from simulators.xendit.fields import REASONS, VERSION, Call, choice, currency, whole
from simulators.xendit.settings import XenditSettings
from simulators.xendit.webhooks import Webhooks, envelope
from simulators.xendit.words import FAILED, FAILING_REFUNDS, PAID, PENDING, REFUSED_REFUNDS, SETTLED, SUCCEEDED


@dataclass
class Kept:
    """The first answer to a key, and what was asked for."""

    asked: str
    refund: str


class Refunding:
    def __init__(
        self, memory: Memory, books: Books, settings: XenditSettings, sender: Sender, webhooks: Webhooks
    ) -> None:
        self._books, self._settings, self._sender, self._webhooks = books, settings, sender, webhooks
        self._keys: Table[Kept] = memory.table("refund_keys", lambda row: Kept(**row), asdict)

    def of_code(self, call: Call) -> JSON:
        """No key is known here: what is sent twice is made twice."""
        with self._books.lock:
            payment = self._books.payments.get(call.id)
            code = self._books.codes.get(payment.code) if payment else None
            if payment is None or code is None or code.business != call.business:
                raise not_found("The payment")
            return refund_document(self._made(call, code.id, payment.id, payment.amount))

    def of_invoice(self, call: Call) -> JSON:
        """Under its key the first answer is given again; another body under it is refused."""
        key, asked = call.request.header("idempotency-key"), json.dumps(call.document, sort_keys=True)
        with self._books.lock:
            kept = self._keys.get(f"{call.business} {key}") if key else None
            if kept is not None and kept.asked != asked:
                raise XenditError(409, "IDEMPOTENCY_ERROR", "The key was used with another request")
            known = self._books.refunds.get(kept.refund) if kept else None
            refund = known or self._of_invoice(call)
            if key:
                self._keys.put(f"{call.business} {key}", Kept(asked, refund.id))
            return refund_document(refund)

    def _of_invoice(self, call: Call) -> Refund:
        invoice = self._books.invoices.get(str(call.document.get("invoice_id")))
        if invoice is None or invoice.business != call.business:
            raise not_found("The invoice")
        if status_of(invoice) not in (PAID, SETTLED):
            raise by_code(400, "INELIGIBLE_TRANSACTION")
        return self._made(call, invoice.id, invoice.id, invoice.amount)

    def _made(self, call: Call, payment: str, receipt: str, paid: int) -> Refund:
        asked = call.document
        currency(asked, required=False)
        reason = choice(asked, "reason", REASONS, "OTHERS")
        given = [row.amount for row in self._books.refunds_of(receipt) if row.status != FAILED]
        left = paid - sum(given)
        amount = whole(asked.get("amount", max(left, 1)), "amount", most=10**12)
        if amount in REFUSED_REFUNDS:
            raise by_code(*REFUSED_REFUNDS[amount])
        if amount > left:
            raise by_code(400, "MAXIMUM_REFUND_AMOUNT_REACHED")
        refund = Refund(
            id=new_id("qrrf") if receipt.startswith("qrpy_") else new_id("rfd").replace("_", "-", 1),
            business=call.business,
            payment=payment,
            receipt=receipt,
            reference=str(asked.get("reference_id") or ""),
            amount=amount,
            reason=reason,
            made=time.time(),
            key=call.request.header("idempotency-key"),
        )
        self._books.refunds.put(refund.id, refund)
        mode = call.request.callback_mode
        self._sender.timer.later(self._settings.refund_seconds, lambda: self._finish(refund.id, mode))
        return refund

    def _finish(self, id: str, mode: str = "") -> None:
        with self._books.lock:
            refund = self._books.refunds.get(id)
            if refund is None or refund.status != PENDING:
                return
            refund.failure = FAILING_REFUNDS.get(refund.amount, "")
            refund.status = FAILED if refund.failure else SUCCEEDED
            self._books.refunds.put(id, refund)
            told = refund_document(refund)
        if refund.receipt.startswith("qrpy_"):
            news = envelope("qr.refund", refund.business, refund.made, told, api_version=VERSION)
        else:
            news = envelope(f"refund.{refund.status.lower()}", refund.business, refund.made, told)
        self._webhooks.send(news, mode, about=id)

    def show(self, call: Call) -> JSON:
        with self._books.lock:
            found = self._books.refunds.get(call.request.parameters.get("refund") or call.id)
            if found is None or found.business != call.business:
                raise not_found("The refund")
            return refund_document(found)

    def list_of_code(self, call: Call) -> JSON:
        return self._listed(call, call.id)

    def search(self, call: Call) -> JSON:
        return self._listed(call, dict(call.request.query).get("invoice_id"))

    def _listed(self, call: Call, receipt: str | None) -> JSON:
        with self._books.lock:
            ours = [row for row in self._books.refunds.rows() if row.business == call.business]
            kept = [row for row in ours if receipt in (None, row.receipt)]
            return {"data": [refund_document(row) for row in kept], "has_more": False}

    def clear(self) -> None:
        self._keys.clear()

    def resume(self) -> None:
        for refund in self._books.refunds.rows():
            if refund.status == PENDING:
                self._finish(refund.id)
