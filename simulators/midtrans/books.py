"""What Midtrans has on its books: transactions by id and by order, and their refunds. Amounts in whole rupiah."""

from __future__ import annotations

import datetime
import hashlib
import threading
from dataclasses import asdict, dataclass, field
from typing import Any

from simulators.memory import Memory, Table
from simulators.midtrans.errors import unknown_transaction
from simulators.midtrans.words import CODES, EXPIRE, PENDING

JSON = dict[str, Any]
JAKARTA = datetime.timezone(datetime.timedelta(hours=7))
FIRST_REFUND = 183_700


@dataclass
class Transaction:
    """`asked_as` is the payment type of the charge, `paid_as` the one that it turned out to be."""

    id: str
    server_key: str
    merchant: str
    order_id: str
    asked_as: str
    amount: int
    made: float
    expires: float
    acquirer: str
    urls: list[str]
    back: str = ""
    mode: str = ""
    key: str = ""
    status: str = PENDING
    paid_as: str = ""
    settled: float = 0.0
    fields: dict[str, str] = field(default_factory=dict)


@dataclass
class Refund:
    """`confirmed` is when the bank has said yes too, 0 before."""

    id: int
    transaction: str
    merchant: str
    key: str
    amount: int
    reason: str
    made: float
    idempotency_key: str = ""
    confirmed: float = 0.0


@dataclass
class Books:
    """Whoever reads and then changes anything here holds `lock`."""

    memory: Memory
    lock: threading.RLock = field(default_factory=threading.RLock)

    def __post_init__(self) -> None:
        table = self.memory.table
        self.transactions: Table[Transaction] = table("transactions", lambda row: Transaction(**row), asdict)
        self.refunds: Table[Refund] = table("refunds", lambda row: Refund(**row), asdict)
        self._by_order = {(row.merchant, row.order_id): row.id for row in self.transactions.rows()}

    def add(self, transaction: Transaction) -> None:
        self._by_order[transaction.merchant, transaction.order_id] = transaction.id
        self.transactions.put(transaction.id, transaction)

    def knows_order(self, merchant: str, order_id: str) -> bool:
        return (merchant, order_id) in self._by_order

    def find(self, merchant: str, id: str) -> Transaction:
        """By its id or by its order's. MidtransError 404 for one that is not this merchant's."""
        found = self.transactions.get(self._by_order.get((merchant, id), id))
        if found is None or found.merchant != merchant:
            raise unknown_transaction()
        return found

    def refunds_of(self, transaction: Transaction) -> list[Refund]:
        return [row for row in self.refunds.rows() if row.transaction == transaction.id]

    def knows_refund(self, merchant: str, key: str) -> bool:
        return any((row.merchant, row.key) == (merchant, key) for row in self.refunds.rows())

    def next_refund(self) -> int:
        return FIRST_REFUND + len(self.refunds)

    def clear(self) -> None:
        with self.lock:
            self.transactions.clear()
            self.refunds.clear()
            self._by_order.clear()


def shown(amount: int) -> str:
    return f"{amount}.00"


def stamp(at: float) -> str:
    """`YYYY-MM-DD HH:MM:SS` on the clock of Jakarta."""
    return f"{datetime.datetime.fromtimestamp(at, JAKARTA):%Y-%m-%d %H:%M:%S}"


def signature(*, order_id: str, code: str, gross_amount: str, server_key: str) -> str:
    return hashlib.sha512(f"{order_id}{code}{gross_amount}{server_key}".encode()).hexdigest()


def document(books: Books, transaction: Transaction, *, message: str, expired_code: str = "202") -> JSON:
    """A transaction as its status and its notifications show it, signed."""
    code = expired_code if transaction.status == EXPIRE else CODES[transaction.status]
    gross_amount = shown(transaction.amount)
    told: JSON = {
        "transaction_type": "on-us",
        "transaction_time": stamp(transaction.made),
        "transaction_status": transaction.status,
        "transaction_id": transaction.id,
        "status_message": message,
        "status_code": code,
        "signature_key": signature(
            order_id=transaction.order_id, code=code, gross_amount=gross_amount, server_key=transaction.server_key
        ),
        "payment_type": transaction.paid_as or transaction.asked_as,
        "order_id": transaction.order_id,
        "merchant_id": transaction.merchant,
        "gross_amount": gross_amount,
        "fraud_status": "accept",
        "currency": "IDR",
        "acquirer": transaction.acquirer,
        "expiry_time": stamp(transaction.expires),
        **transaction.fields,
    }
    if transaction.settled:
        told |= {"settlement_time": stamp(transaction.settled), "issuer": "gopay"}
        told["merchant_cross_reference_id"] = f"0197-{transaction.id[:8]}"
    refunds = books.refunds_of(transaction)
    if refunds:
        told["refund_amount"] = shown(sum(refund.amount for refund in refunds))
        told["refunds"] = [refund_document(refund) for refund in refunds]
    return told


def refund_document(refund: Refund) -> JSON:
    told: JSON = {
        "refund_chargeback_id": refund.id,
        "refund_amount": shown(refund.amount),
        "created_at": stamp(refund.made),
        "reason": refund.reason,
        "refund_key": refund.key,
        "refund_method": "online",
    }
    return told | {"bank_confirmed_at": stamp(refund.confirmed)} if refund.confirmed else told
