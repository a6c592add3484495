"""What Bayarind has on its books: bills by their merchant's number. Amounts in whole rupiah."""

from __future__ import annotations

import datetime
import hashlib
import threading
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

from simulators.bayarind.words import EXPIRED, PAID, PENDING
from simulators.ledger import LedgerEntry
from simulators.memory import Memory, Table

JSON = dict[str, Any]
JAKARTA = datetime.timezone(datetime.timedelta(hours=7))
FIRST_INSERT = 99_001_234


@dataclass
class Bill:
    """`answer` is what the last flag was answered; `told` whether an answer has said that it is done.

    `virtual_account` is the triple of SNAP, spaces included.
    """

    id: str
    channel: str
    service: str
    number: str
    amount: int
    date: str
    made: float
    expires: float
    account: str
    name: str
    mode: str = ""
    state: str = PENDING
    receipt: str = ""
    answer: str = ""
    told: bool = False
    back: str = ""
    api: str = "classic"
    virtual_account: dict[str, str] = field(default_factory=dict)


@dataclass
class Books:
    """Whoever reads and then changes anything here holds `lock`."""

    memory: Memory
    lock: threading.RLock = field(default_factory=threading.RLock)

    def __post_init__(self) -> None:
        self.bills: Table[Bill] = self.memory.table("bills", lambda row: Bill(**row), asdict)

    def add(self, bill: Bill) -> None:
        self.bills.put(_key(bill.channel, bill.number), bill)

    keep = add

    def find(self, channel: str, number: str) -> Bill | None:
        return self.bills.get(_key(channel, number))

    def next_insert(self) -> str:
        return str(FIRST_INSERT + len(self.bills))

    def known(self, id: str, reference: str) -> Bill:
        """By its insert id, else the newest with that number. KeyError."""
        for bill in self.bills.newest_first():
            if bill.id == id or (not id and reference in (bill.number, bill.account)):
                return bill
        raise KeyError(id or reference)

    def ledger(self) -> Iterator[LedgerEntry]:
        with self.lock:
            yield from [_entry(bill) for bill in self.bills.rows()]

    def clear(self) -> None:
        with self.lock:
            self.bills.clear()


def _key(channel: str, number: str) -> str:
    return f"{channel}/{number}"


def _entry(bill: Bill) -> LedgerEntry:
    return LedgerEntry(
        id=bill.id,
        kind="payment",
        reference=bill.number,
        idempotency_key=None,
        amount=bill.amount,
        unit="whole",
        currency="IDR",
        state=bill.state,
        receipt=bill.number if bill.state == PAID else None,
        payment=None,
        account=bill.channel,
        detail=bill.answer or (EXPIRED if bill.state == EXPIRED else None),
        references={bill.number, bill.account},
    )


def hashed(*parts: str) -> str:
    """The one way in which Bayarind hashes: lower-case hex SHA-256 over what stands in a row, the secret last."""
    return hashlib.sha256("".join(parts).encode()).hexdigest()


def stamp(at: float) -> str:
    """`YYYY-MM-DD HH:MM:SS` on the clock of Jakarta."""
    return f"{datetime.datetime.fromtimestamp(at, JAKARTA):%Y-%m-%d %H:%M:%S}"


def seconds(stamped: str) -> float:
    """The inverse. Raises ValueError for any other form."""
    moment = datetime.datetime.strptime(stamped, "%Y-%m-%d %H:%M:%S").replace(tzinfo=JAKARTA)
    if stamp(moment.timestamp()) != stamped:
        raise ValueError("not of that form")
    return moment.timestamp()
