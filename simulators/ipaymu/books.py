"""What iPaymu has on its books: payments by their session, and transactions by their number. Whole rupiah."""

from __future__ import annotations

import datetime
import itertools
import threading
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

from simulators.ipaymu.errors import unknown_transaction
from simulators.ipaymu.words import DESCRIPTIONS, ESCROW, PAID, SUCCESS, UNSETTLED
from simulators.memory import Memory, Table

JSON = dict[str, Any]
JAKARTA = datetime.timezone(datetime.timedelta(hours=7))
FIRST_TRANSACTION = 193_999
DIRECT, PAGE = "direct", "page"


@dataclass
class Payment:
    """A session. `transaction` is 0 while the payer of a page has not chosen how to pay; `begun` is when it began."""

    session: str
    kind: str
    va: str
    reference: str
    amount: int
    fee: int
    direction: str
    method: str
    channel: str
    notify_url: str
    back: str
    name: str
    email: str
    phone: str
    made: float
    expires: float
    mode: str = ""
    transaction: int = 0
    begun: float = 0.0
    number: str = ""
    code: str = ""
    status: int = 0
    paid: float = 0.0
    settled: float = 0.0

    @property
    def total(self) -> int:
        """What the payer pays."""
        return self.amount + self.fee if self.direction == "BUYER" else self.amount

    @property
    def net(self) -> int:
        """What the merchant gets."""
        return self.total - self.fee


@dataclass
class Books:
    """Whoever reads and then changes anything here holds `lock`."""

    memory: Memory
    lock: threading.RLock = field(default_factory=threading.RLock)

    def __post_init__(self) -> None:
        self.payments: Table[Payment] = self.memory.table("payments", lambda row: Payment(**row), asdict)
        self._start()

    def _start(self) -> None:
        begun = max((row.transaction for row in self.payments.rows()), default=FIRST_TRANSACTION - 1)
        self._numbers = itertools.count(max(begun, FIRST_TRANSACTION - 1) + 1)

    def begin(self, payment: Payment, at: float) -> None:
        """Its transaction, where it has none yet."""
        if not payment.transaction:
            payment.transaction, payment.begun = next(self._numbers), at

    def transactions_of(self, va: str) -> Iterator[Payment]:
        """The newest first, by when they were begun."""
        begun = [row for row in self.payments.rows() if row.va == va and row.transaction]
        return iter(sorted(begun, key=lambda row: row.transaction, reverse=True))

    def find(self, va: str, number: str) -> Payment:
        """IpaymuError for a transaction that is not this merchant's."""
        for row in self.transactions_of(va):
            if str(row.transaction) == number:
                return row
        raise unknown_transaction()

    def clear(self) -> None:
        with self.lock:
            self.payments.clear()
            self._start()


def stamp(at: float) -> str | None:
    """`YYYY-MM-DD HH:MM:SS` on the clock of Jakarta; None for what has not happened."""
    return f"{datetime.datetime.fromtimestamp(at, JAKARTA):%Y-%m-%d %H:%M:%S}" if at else None


def created(payment: Payment, origin: str) -> JSON:
    """The `Data` of a direct payment."""
    told: JSON = {
        "SessionId": payment.session,
        "TransactionId": payment.transaction,
        "ReferenceId": payment.reference,
        "Via": "CSTORE" if payment.method == "cstore" else payment.method.upper(),
        "Channel": payment.channel.upper(),
        "PaymentNo": payment.code or payment.number,
        "PaymentName": "TOKO CONTOH",
        "SubTotal": payment.amount,
        "Fee": payment.fee,
        "Total": payment.total,
        "FeeDirection": payment.direction,
        "Expired": stamp(payment.expires),
    }
    if payment.method == "qris":
        told |= {"QrString": payment.code, "Terminal": "A01", "NNSCode": "93600503"}
        told |= {"QrImage": f"{origin}/qr/{payment.transaction}"}
        told |= {"QrTemplate": f"{origin}/qr/template/{payment.transaction}"}
    return told


def shown(payment: Payment) -> JSON:
    """The `Data` of check transaction, and a row of the history."""
    is_paid = payment.status in (*PAID, ESCROW)
    return {
        "TransactionId": payment.transaction,
        "SessionId": payment.session,
        "ReferenceId": payment.reference,
        "RelatedId": 0,
        "Sender": payment.name,
        "Receiver": payment.va,
        "Amount": payment.total,
        "Fee": payment.fee,
        "Status": payment.status,
        "StatusDesc": DESCRIPTIONS[payment.status],
        "PaidStatus": "paid" if is_paid else "unpaid",
        "IsLocked": False,
        "Type": 7,
        "TypeDesc": "Payment",
        "Notes": None,
        "CreatedDate": stamp(payment.begun),
        "SuccessDate": stamp(payment.paid),
        "ExpiredDate": stamp(payment.expires),
        "SettlementDate": stamp(payment.settled),
        "PaymentChannel": payment.channel,
        "PaymentCode": payment.number,
        "BuyerName": payment.name,
        "BuyerPhone": payment.phone,
        "BuyerEmail": payment.email,
    }


def settlement(payment: Payment) -> tuple[str, int]:
    return ("settled", SUCCESS) if payment.status == SUCCESS else ("unsettle", UNSETTLED)
