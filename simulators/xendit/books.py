"""What Xendit has on its books: codes and their payments, invoices, refunds. Amounts in whole rupiah."""

from __future__ import annotations

import datetime
import threading
import time
import uuid
from dataclasses import asdict, dataclass, field
from typing import Any

from simulators.memory import Memory, Table
from simulators.xendit.words import ACTIVE, EXPIRED, INACTIVE, PENDING

JSON = dict[str, Any]


@dataclass
class Code:
    """`amount` None is a static code, which has no end. `version` is that of the API it was made by; the first names
    a `callback_url`."""

    id: str
    business: str
    reference: str
    amount: int | None
    channel: str
    qr_string: str
    made: float
    expires: float
    version: int = 2
    callback_url: str = ""
    metadata: JSON | None = None
    paid: bool = False
    mode: str = ""

    @property
    def status(self) -> str:
        has_ended = self.amount is not None and (self.paid or time.time() >= self.expires)
        return INACTIVE if has_ended else ACTIVE


@dataclass
class CodePayment:
    id: str
    code: str
    amount: int
    made: float


@dataclass
class Invoice:
    """`asked` is the request's document, shown again in part."""

    id: str
    business: str
    reference: str
    amount: int
    made: float
    updated: float
    expires: float
    asked: JSON
    status: str = PENDING
    paid: float = 0.0
    payment: str = ""
    mode: str = ""


@dataclass
class Refund:
    """`payment` is a code or an invoice, `receipt` the payment of a code, or the invoice again."""

    id: str
    business: str
    payment: str
    receipt: str
    reference: str
    amount: int
    reason: str
    made: float
    status: str = PENDING
    failure: str = ""
    key: str = ""


@dataclass
class Books:
    """Whoever reads and then changes anything here holds `lock`."""

    memory: Memory
    lock: threading.RLock = field(default_factory=threading.RLock)

    def __post_init__(self) -> None:
        table = self.memory.table
        self.codes: Table[Code] = table("codes", lambda row: Code(**row), asdict)
        self.payments: Table[CodePayment] = table("payments", lambda row: CodePayment(**row), asdict)
        self.invoices: Table[Invoice] = table("invoices", lambda row: Invoice(**row), asdict)
        self.refunds: Table[Refund] = table("refunds", lambda row: Refund(**row), asdict)

    def payments_of(self, code: Code) -> list[CodePayment]:
        return [row for row in self.payments.rows() if row.code == code.id]

    def refunds_of(self, receipt: str) -> list[Refund]:
        return [row for row in self.refunds.rows() if row.receipt == receipt]

    def clear(self) -> None:
        with self.lock:
            for table in (self.codes, self.payments, self.invoices, self.refunds):
                table.clear()


def new_id(prefix: str) -> str:
    return f"{prefix}_{uuid.uuid4()}"


def stamp(at: float) -> str:
    """ISO 8601 in UTC, with five digits of a fraction, as some of Xendit's have."""
    moment = datetime.datetime.fromtimestamp(at, datetime.UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 10:05d}Z"


def second(at: float) -> str:
    return f"{datetime.datetime.fromtimestamp(at, datetime.UTC):%Y-%m-%dT%H:%M:%SZ}"


def is_payable(code: Code) -> bool:
    return code.status == ACTIVE


def is_open(invoice: Invoice) -> bool:
    return invoice.status == PENDING and time.time() < invoice.expires


def status_of(invoice: Invoice) -> str:
    """What is past its time has ended, whether or not the clock has told of it yet."""
    return EXPIRED if invoice.status == PENDING and not is_open(invoice) else invoice.status
