"""What M-PESA has on its books: prompts, the money that moved, and the conversations about it."""

from __future__ import annotations

import datetime
import random
import string
import threading
from dataclasses import asdict, dataclass, field

from simulators.memory import Memory, Table
from simulators.mpesa.errors import new_request_id

EAST_AFRICA = datetime.timezone(datetime.timedelta(hours=3))
RECEIPT_LETTERS = string.ascii_uppercase + string.digits
# A receipt starts with year, month and day: A is 2006, January and the first.
FIRST_YEAR = 2006
DAYS = "123456789ABCDEFGHIJKLMNOPQRSTUV"


@dataclass
class Prompt:
    """One STK push; `result` is "" while the payer has not answered. Amounts in whole KES."""

    id: str
    merchant_id: str
    short_code: str
    receiver: str
    phone: str
    amount: int
    reference: str
    url: str
    opened: float
    mode: str = ""
    result: str = ""
    receipt: str = ""
    late: bool = False


@dataclass
class Transaction:
    """Money that moved. `payment` is the prompt's id; `original` the receipt that a reversal gives back."""

    receipt: str
    kind: str
    short_code: str
    phone: str
    amount: int
    reference: str
    payment: str
    at: float
    original: str = ""
    reversed_by: str = ""


@dataclass
class Conversation:
    """One asynchronous request of an initiator; `result` is "" until it was worked on."""

    id: str
    originator_id: str
    kind: str
    fields: dict[str, str]
    at: float
    trouble: str = ""
    result: str = ""
    receipt: str = ""
    result_url: str = ""
    timeout_url: str = ""


@dataclass
class Books:
    """Whoever reads and then changes anything here holds `lock`."""

    memory: Memory
    lock: threading.RLock = field(default_factory=threading.RLock)

    def __post_init__(self) -> None:
        table = self.memory.table
        self.prompts: Table[Prompt] = table("prompts", lambda row: Prompt(**row), asdict)
        self.transactions: Table[Transaction] = table("transactions", lambda row: Transaction(**row), asdict)
        self.conversations: Table[Conversation] = table("conversations", lambda row: Conversation(**row), asdict)
        # The one open prompt of each handset.
        self.open_prompts = {prompt.phone: prompt.id for prompt in self.prompts.rows() if not prompt.result}

    def new_receipt(self) -> str:
        """Ten capital letters and digits, never given twice."""
        today = datetime.datetime.now(EAST_AFRICA)
        head = chr(ord("A") + (today.year - FIRST_YEAR) % 26) + chr(ord("A") + today.month - 1)
        while True:
            tail = "".join(random.choices(RECEIPT_LETTERS, k=7))
            receipt = head + DAYS[today.day - 1] + tail
            if receipt not in self.transactions:
                return receipt

    def new_checkout_id(self, phone: str) -> str:
        """`ws_CO_`, the time to the millisecond, and the last digits of the phone."""
        while True:
            now = datetime.datetime.now(EAST_AFRICA)
            id = f"ws_CO_{now:%d%m%Y%H%M%S}{now.microsecond // 1000:03}{phone[3:]}"
            if id not in self.prompts:
                return id

    def by_conversation(self, id: str) -> Transaction | None:
        """The money that an initiator's request moved, by either of its conversation ids."""
        for conversation in self.conversations.newest_first():
            if id in (conversation.id, conversation.originator_id) and conversation.kind == "reversal":
                return self.transactions.get(conversation.receipt)
        return None

    def clear(self) -> None:
        with self.lock:
            for table in (self.prompts, self.transactions, self.conversations):
                table.clear()
            self.open_prompts.clear()


def new_merchant_id() -> str:
    """`NNNNN-NNNNNNNN-N`."""
    return f"{random.randint(10_000, 99_999)}-{random.randint(10_000_000, 99_999_999)}-{random.randint(1, 9)}"


def new_conversation_ids() -> tuple[str, str]:
    """(ConversationID, OriginatorConversationID)."""
    now = datetime.datetime.now(EAST_AFRICA)
    tail = "".join(random.choices("0123456789abcdef", k=16))
    return f"AG_{now:%Y%m%d}_2010{tail}", new_request_id()


def stamp(at: float) -> str:
    """`YYYYMMDDHHmmss` in East Africa Time."""
    return f"{datetime.datetime.fromtimestamp(at, EAST_AFRICA):%Y%m%d%H%M%S}"
