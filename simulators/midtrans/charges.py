"""Charges: what the payer is shown, what becomes of it, and how it is ended from outside.

Source: docs.midtrans.com/reference (qris, gopay, item-details-object, custom-expiry-object, cancel, expire).
"""

from __future__ import annotations

import time
import uuid
from dataclasses import replace

from simulators.callbacks import Sender
from simulators.ledger import Conflict
from simulators.midtrans.books import JSON, Books, Transaction, shown, stamp
from simulators.midtrans.errors import cannot_modify, duplicate_order
from simulators.midtrans.notifications import Notifications
from simulators.midtrans.settings import MidtransSettings
from simulators.midtrans.words import (
    CANCEL,
    DECLINED,
    DENY,
    ENDED_UNPAID,
    EXPIRE,
    MAGIC_AMOUNTS,
    PENDING,
    SETTLEMENT,
)
from simulators.qris import dynamic


class Charges:
    """Makes transactions and settles each once; a late success is the one way to settle it again."""

    def __init__(self, books: Books, settings: MidtransSettings, sender: Sender, notifications: Notifications) -> None:
        self._books, self._settings, self._sender = books, settings, sender
        self._notifications = notifications

    def charge(self, asked: Transaction, origin: str) -> JSON:
        """Book what was asked and tell that it is pending. MidtransError 406 for an order that there was before."""
        mode = asked.mode or self._settings.callback_mode
        with self._books.lock:
            if self._books.knows_order(asked.merchant, asked.order_id):
                raise duplicate_order()
            transaction = replace(asked, id=str(uuid.uuid4()))
            self._books.add(transaction)
            answer = _created(transaction, origin)
            news = self._notifications.written(transaction, "")
        self._expire_later(transaction)
        if mode == "before_answer":
            self._notifications.send(news, "normal")
            self._unless_settled(transaction.id, SETTLEMENT)
            return answer
        self._notifications.send(news, mode)
        if self._settings.auto_approve:
            approve = self._settings.approve_seconds
            self._sender.timer.later(approve, lambda: self._unless_settled(transaction.id, SETTLEMENT))
        return answer

    def settle(self, id: str, status: str, mode: str = "", *, paid_as: str = "", late: bool = False) -> Transaction:
        """End it as the payer or the clock does. KeyError, or Conflict when it has ended."""
        with self._books.lock:
            transaction = self._books.transactions.get(id)
            if transaction is None:
                raise KeyError(id)
            if transaction.status != PENDING and not (late and transaction.status in ENDED_UNPAID):
                raise Conflict(f"{id} has ended with {transaction.status}")
            if status == SETTLEMENT and MAGIC_AMOUNTS.get(transaction.amount) == DECLINED:
                status = DENY
            self._end(transaction, status, paid_as)
            mode = mode or transaction.mode or self._settings.callback_mode
            news = self._notifications.written(transaction, mode)
        self._notifications.send(news, mode)
        return transaction

    def _end(self, transaction: Transaction, status: str, paid_as: str = "") -> None:
        transaction.status, transaction.paid_as = status, paid_as
        if status == SETTLEMENT:
            transaction.settled = time.time()
        self._books.transactions.put(transaction.id, transaction)

    def end(self, transaction: Transaction, status: str) -> JSON:
        """Cancel or expire, for the merchant. MidtransError 412 for what is no longer pending."""
        with self._books.lock:
            if transaction.status != PENDING:
                raise cannot_modify()
            self._end(transaction, status)
            mode = transaction.mode or self._settings.callback_mode
            news = self._notifications.written(transaction, mode)
            answer = _ended(transaction)
        self._notifications.send(news, mode)
        return answer

    def resume(self) -> None:
        """After a restart what is pending still has the rest of its life."""
        for transaction in self._books.transactions.rows():
            if transaction.status == PENDING:
                self._expire_later(transaction)

    def _expire_later(self, transaction: Transaction) -> None:
        left = transaction.expires + self._settings.expiry_notice_seconds - time.time()
        self._sender.timer.later(max(left, 0.0), lambda: self._unless_settled(transaction.id, EXPIRE))

    def _unless_settled(self, id: str, status: str) -> None:
        try:
            self.settle(id, status)
        except (Conflict, KeyError):
            # The payer, the merchant or a reset was faster than the clock.
            return


def _created(transaction: Transaction, origin: str) -> JSON:
    """The answer to a charge. A picture of the code is not drawn: its address leads nowhere."""
    kind, id = transaction.asked_as, transaction.id
    answer: JSON = {
        "status_code": "201",
        "status_message": f"{'QRIS' if kind == 'qris' else 'GoPay'} transaction is created",
        "transaction_id": id,
        "order_id": transaction.order_id,
        "merchant_id": transaction.merchant,
        "gross_amount": shown(transaction.amount),
        "currency": "IDR",
        "payment_type": kind,
        "transaction_time": stamp(transaction.made),
        "transaction_status": PENDING,
        "fraud_status": "accept",
        "acquirer": transaction.acquirer,
        "expiry_time": stamp(transaction.expires),
        "actions": [{"name": "generate-qr-code", "method": "GET", "url": f"{origin}/v2/{kind}/{id}/qr-code"}],
    }
    if kind == "gopay":
        answer["actions"] += [
            {"name": "deeplink-redirect", "method": "GET", "url": f"{origin}/_simulator/gopay/{id}"},
            {"name": "get-status", "method": "GET", "url": f"{origin}/v2/{id}/status"},
            {"name": "cancel", "method": "POST", "url": f"{origin}/v2/{id}/cancel"},
        ]
        return answer
    framed = {"name": "generate-qr-code-v2", "method": "GET", "url": f"{origin}/v4/qris/{uuid.uuid4()}/qr-code"}
    answer["actions"].append(framed)
    answer["qr_string"] = code_of(transaction)
    return answer


def code_of(transaction: Transaction) -> str:
    """The text of the code with which a charge by QRIS is paid."""
    return dynamic(
        amount=transaction.amount,
        merchant_id=transaction.merchant,
        reference=transaction.id,
        acquirer=transaction.acquirer,
    )


def _ended(transaction: Transaction) -> JSON:
    """The code of an expiry is 407, which is its success."""
    cancelled = transaction.status == CANCEL
    return {
        "status_code": "200" if cancelled else "407",
        "status_message": "Success, transaction is canceled" if cancelled else "Success, transaction has expired",
        "transaction_id": transaction.id,
        "order_id": transaction.order_id,
        "merchant_id": transaction.merchant,
        "gross_amount": shown(transaction.amount),
        "currency": "IDR",
        "payment_type": transaction.asked_as,
        "transaction_time": stamp(transaction.made),
        "transaction_status": transaction.status,
        "fraud_status": "accept",
    }
