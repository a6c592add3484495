"""Refunds, in parts or whole. Source: docs.midtrans.com/reference/direct-refund-transaction."""

from __future__ import annotations

import re
import time
import uuid
from functools import partial

from simulators.callbacks import Sender
from simulators.midtrans.books import JSON, Books, Refund, Transaction, shown, stamp
from simulators.midtrans.errors import cannot_modify, duplicate_refund, invalid, refund_rejected, wrong_type
from simulators.midtrans.fields import Call
from simulators.midtrans.notifications import Notifications
from simulators.midtrans.settings import MidtransSettings
from simulators.midtrans.words import CODES, MAGIC_AMOUNTS, PARTIAL_REFUND, REFUND, REFUND_DENIED, SETTLEMENT

REFUND_KEY = re.compile(r"[A-Za-z0-9_-]{1,255}\Z")
LONGEST_REASON = 255


class Refunding:
    """Gives back at once, and lets the bank confirm a little later: two notifications."""

    def __init__(self, books: Books, settings: MidtransSettings, sender: Sender, notifications: Notifications) -> None:
        self._books, self._settings, self._sender = books, settings, sender
        self._notifications = notifications

    def refund(self, call: Call, transaction: Transaction) -> JSON:
        asked = call.document if call.request.body else {}
        key, reason = _key(asked), str(asked.get("reason") or "")
        if len(reason) > LONGEST_REASON:
            raise invalid("reason is too long")
        with self._books.lock:
            amount = self._amount(transaction, asked, key)
            outcome = call.request.trouble.do if call.request.trouble else ""
            if outcome == "result_414":
                raise refund_rejected("the merchant's balance is insufficient")
            if outcome == "result_202" or MAGIC_AMOUNTS.get(amount) == REFUND_DENIED:
                return _denied(transaction, key)
            refund = self._give_back(transaction, key, amount, reason, call.key)
            answer = self._approved(transaction, refund)
        self._tell(transaction, refund, call.request.callback_mode)
        return answer

    def from_dashboard(self, transaction: Transaction, mode: str) -> None:
        """All that is left. ValueError where there is nothing to give back."""
        with self._books.lock:
            left = transaction.amount - self._refunded(transaction)
            if transaction.status not in (SETTLEMENT, PARTIAL_REFUND) or not left:
                raise ValueError(f"{transaction.id} is {transaction.status}: nothing can be given back")
            refund = self._give_back(transaction, str(uuid.uuid4()), left, "at the dashboard")
        self._tell(transaction, refund, mode)

    def _give_back(self, transaction: Transaction, key: str, amount: int, reason: str, call_key: str = "") -> Refund:
        number, merchant = self._books.next_refund(), transaction.merchant
        refund = Refund(number, transaction.id, merchant, key, amount, reason, time.time(), call_key)
        self._books.refunds.put(str(refund.id), refund)
        whole = self._refunded(transaction) == transaction.amount
        transaction.status = REFUND if whole else PARTIAL_REFUND
        self._books.transactions.put(transaction.id, transaction)
        return refund

    def _tell(self, transaction: Transaction, refund: Refund, mode: str) -> None:
        self._notify(transaction, refund, mode)
        self._sender.timer.later(self._settings.bank_confirm_seconds, lambda: self._confirm(transaction.id, refund.id))

    def _amount(self, transaction: Transaction, asked: JSON, key: str) -> int:
        """All that is left where none is named. MidtransError 406, 412 or 414."""
        if self._books.knows_refund(transaction.merchant, key):
            raise duplicate_refund()
        if transaction.status not in (SETTLEMENT, PARTIAL_REFUND):
            raise cannot_modify()
        left = transaction.amount - self._refunded(transaction)
        amount = asked.get("amount", left)
        if isinstance(amount, bool) or not isinstance(amount, int):
            raise wrong_type("amount")
        if not 0 < amount <= left:
            raise refund_rejected("invalid amount")
        return amount

    def _refunded(self, transaction: Transaction) -> int:
        return sum(refund.amount for refund in self._books.refunds_of(transaction))

    def _approved(self, transaction: Transaction, refund: Refund) -> JSON:
        """`refund_amount` sums up every refund of the transaction."""
        return _answer(transaction, "Success, refund request is approved") | {
            "refund_chargeback_id": refund.id,
            "refund_amount": shown(self._refunded(transaction)),
            "refund_key": refund.key,
        }

    def _notify(self, transaction: Transaction, refund: Refund, mode: str = "") -> None:
        mode = mode or transaction.mode or self._settings.callback_mode
        with self._books.lock:
            news = self._notifications.written(transaction, mode, refund_key=refund.key)
        self._notifications.send(news, mode)

    def _confirm(self, id: str, number: int) -> None:
        with self._books.lock:
            transaction, refund = self._books.transactions.get(id), self._books.refunds.get(str(number))
            if transaction is None or refund is None:
                return
            refund.confirmed = time.time()
            self._books.refunds.put(str(number), refund)
        self._notify(transaction, refund)

    def resume(self) -> None:
        for refund in self._books.refunds.rows():
            if not refund.confirmed:
                self._sender.timer.later(0.0, partial(self._confirm, refund.transaction, refund.id))


def _key(asked: JSON) -> str:
    """Midtrans makes one where none is given."""
    key = asked.get("refund_key", str(uuid.uuid4()))
    if not isinstance(key, str) or not REFUND_KEY.match(key):
        raise invalid("refund_key may hold A-Z a-z 0-9 _ -")
    return key


def _denied(transaction: Transaction, key: str) -> JSON:
    """The bank says no: a code 202 over a transaction that is still settled."""
    denied = {"status_code": "202", "refund_amount": "0.00", "refund_key": key}
    return _answer(transaction, "Refund denied by the bank") | denied


def _answer(transaction: Transaction, message: str) -> JSON:
    return {
        "status_code": CODES[transaction.status],
        "status_message": message,
        "transaction_id": transaction.id,
        "order_id": transaction.order_id,
        "merchant_id": transaction.merchant,
        "gross_amount": shown(transaction.amount),
        "currency": "IDR",
        "payment_type": transaction.paid_as or transaction.asked_as,
        "transaction_time": stamp(transaction.made),
        "transaction_status": transaction.status,
        "settlement_time": stamp(transaction.settled),
        "fraud_status": "accept",
    }
