"""The seam between payments and the companies that move the money.

An adapter translates and never decides: our orders into their requests, their answers and callbacks
into neutral reports. It does no storage, holds no clock, and names what it does not know as UNKNOWN.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, ClassVar, Generic, TypeVar

from core import ids
from core.crypto import Secret
from core.http import Request, Response
from core.money import Money
from core.providers import Door, OperationDeclaration, TokenStore, Unsupported
from payments.providers.failures import Failure, FailureCode
from payments.providers.reports import (
    Admission,
    Cost,
    MoneyMoved,
    Notice,
    ReceiptKind,
    Report,
    Topic,
    Word,
)
from payments.providers.saving import Saving, SavingOrder
from payments.providers.statements import PageStep, Statements, Window

__all__ = [
    "Admission",
    "CallbackAnswer",
    "Capabilities",
    "Connection",
    "Cost",
    "Failure",
    "FailureCode",
    "Kind",
    "Line",
    "MethodCapability",
    "MoneyMoved",
    "Notice",
    "Order",
    "Payer",
    "PaymentProvider",
    "RawCallback",
    "ReceiptKind",
    "Report",
    "Step",
    "Topic",
    "Word",
]


class Kind(StrEnum):
    """The operations of a payment: each one write at a provider, except LOOKUP, which asks and changes nothing.

    CONFIRM goes on with a payment that its payer has approved, or has come back for: what was only asked for is
    collected, or held where the capture is manual. EVIDENCE and ACCEPT answer a dispute: with evidence against it,
    or by giving in.
    """

    CREATE = "create"
    CONFIRM = "confirm"
    CAPTURE = "capture"
    CANCEL = "cancel"
    REFUND = "refund"
    LOOKUP = "lookup"
    EVIDENCE = "evidence"
    ACCEPT = "accept"


@dataclass(frozen=True, slots=True)
class RawCallback:
    """A callback as it arrived. Header names are in lower case."""

    door: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class CallbackAnswer:
    """What the provider wants to read back."""

    status: int = 200
    content_type: str = "application/json"
    body: bytes = b"{}"
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Payer:
    """Who pays, as far as the merchant has told; empty where it has not. `phone` is in E.164: `+254711000111`."""

    name: str = ""
    email: str = ""
    phone: str = ""


@dataclass(frozen=True, slots=True)
class Line:
    """One line of what is paid for. `unit_price` may be below zero: a discount."""

    name: str
    quantity: int
    unit_price: Money
    reference: str = ""

    def as_json(self) -> dict[str, Any]:
        """Without the currency, which is the payment's."""
        return {
            "name": self.name,
            "quantity": self.quantity,
            "unit_price": self.unit_price.amount,
            "reference": self.reference,
        }

    @classmethod
    def from_json(cls, kept: Mapping[str, Any], currency: str) -> "Line":
        return cls(**{**kept, "unit_price": Money(kept["unit_price"], currency)})


@dataclass(frozen=True, slots=True)
class Order:
    """One operation, as an adapter is asked for it.

    `reference` is our random reference at this provider, `operation_key` the key under which the write is
    repeated, `money` what this operation asks. `callback_url` gives the URL of a door for this operation.
    `provider_id` is the provider's id of the payment once known; `target_id` the provider's id of what is
    asked about or acted on: for a REFUND and its LOOKUP the receipt, or the refund's own transaction; for EVIDENCE
    and ACCEPT the dispute. For a saved instrument `customer_id` is whose it is there; `off_session` says that the payer
    is not there to answer their bank. `evidence` holds texts by the names of `disputes.EVIDENCE_FIELDS`; `submits`
    hands all that was given so far to the bank, for good.
    `channel` is the bank, wallet or shop of a method that has several. `lines` need not add up to `money`. `made_at`
    is when the payment was asked for at this provider, and `expires_at` when the merchant wants it to end.
    """

    kind: Kind
    reference: str
    operation_key: str
    money: Money
    callback_url: Callable[[str], str] = field(repr=False)
    return_url: str = field(default="", repr=False)
    method: str = ""
    manual_capture: bool = False
    instrument: Secret | None = None
    description: str = ""
    provider_id: str = ""
    target_id: str = ""
    customer_id: str = ""
    off_session: bool = False
    evidence: Mapping[str, str] = field(default_factory=dict, repr=False)
    submits: bool = False
    channel: str = ""
    payer: Payer = field(default=Payer(), repr=False)
    lines: tuple[Line, ...] = ()
    made_at: datetime | None = None
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """A request to send, and how to read its answer. Reading may make further calls, where what is to be written
    depends on how the payment stands: then the same key goes along with every one.

    `read` raises NothingCreated for answers that the adapter's table lists as such, OutcomeUnknown for
    everything that it cannot tell; a decline is a report, not an exception.
    """

    request: Request
    read: Callable[[Response], Report]


@dataclass(frozen=True, slots=True)
class MethodCapability:
    """How one method can be used. `currencies` None means any. `prompt_life` is how long a pushed prompt may live.

    `instrument` is the field that the payer is charged by: `phone` or `payment_method`; `payer` what must be known
    of them besides: `name`, `email`, `phone`. `channels` are the banks, wallets or shops to choose from, in our words.
    `limits` are the least and the most that can be paid, by currency in minor units, where the provider names them.
    `code_life` is how long a code or page can be paid when nothing else is asked for. `held_by_us` says that nobody
    can pay before the provider's answer has passed through us, such as the text of a QR code (money.md 14).
    `lacks` are operations that this method has not, although others of the provider have them. `tells_declines` is
    false where a payer who is refused can try again until the end, and nobody is told that they were.
    `next_actions` are the types of `next_action` that its payers may be asked for: `redirect`, `prompt`, `qr`,
    `instructions`. `sample_codes` says that what test keys get as a QR code need not be one.
    """

    currencies: frozenset[str] | None = None
    manual_capture: bool = False
    instrument: str = ""
    prompt_life: timedelta | None = None
    payer: frozenset[str] = frozenset()
    channels: tuple[str, ...] = ()
    limits: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    code_life: timedelta | None = None
    held_by_us: bool = False
    lacks: frozenset[Kind] = frozenset()
    tells_declines: bool = True
    next_actions: tuple[str, ...] = ()
    sample_codes: bool = False


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What an adapter declares, and what the contract suite holds it to.

    `refunds` is "none", "full" or "partial". `deadline` is in seconds for a whole call; `in_flight` calls
    per account and process, well below the threads of a web worker, so that one hanging provider leaves
    room. A reference has at most `reference_length` characters of `reference_alphabet`. Where a provider
    `reports_cost`, what a capture cost is asked for until it is told; elsewhere the account's own fee
    schedule says it. Where a provider `registers_doors`, the addresses of the doors that belong to no operation
    are told to it by a call. `saving` says how it keeps methods for later charges, where it does, and `statements` how
    it lists the money that moved.
    """

    methods: Mapping[str, MethodCapability]
    operations: Mapping[Kind, OperationDeclaration]
    doors: Mapping[str, Door]
    refunds: str
    reference_length: int = 26
    reference_alphabet: str = ids.UPPER_ALPHANUMERIC
    deadline: float = 10.0
    in_flight: int = 40
    reports_cost: bool = False
    registers_doors: bool = False
    saving: Saving | None = None
    statements: Statements | None = None

    def offers(self, kind: Kind, method: str) -> bool:
        """Whether that operation is there for payments by that method."""
        known = self.methods.get(method)
        return kind in self.operations and not (known and kind in known.lacks)


Credentials = TypeVar("Credentials")
Options = TypeVar("Options")


@dataclass(frozen=True, slots=True)
class Connection(Generic[Credentials, Options]):
    """A provider account as an adapter sees it. `base_url` has no slash at its end."""

    base_url: str
    livemode: bool
    credentials: Credentials
    options: Options
    now: Callable[[], datetime]
    send: Callable[[Request], Response]
    tokens: TokenStore


class PaymentProvider(ABC, Generic[Credentials, Options]):
    """One company. Subclasses override what they declare; the rest raises Unsupported."""

    name: ClassVar[str]
    title: ClassVar[str]
    capabilities: ClassVar[Capabilities]
    credentials_type: ClassVar[type]
    options_type: ClassVar[type]
    hosts: ClassVar[Mapping[str, str]]
    """Base URLs by name; an account picks one. `live_hosts` are those that a live account may pick."""
    live_hosts: ClassVar[frozenset[str]]

    app: ClassVar[str] = ""
    """The credential that names the app, where a new access token of an app ends the life of the one before."""

    def __init__(self, connection: Connection[Credentials, Options]) -> None:
        self.connection = connection
        self.credentials = connection.credentials
        self.options = connection.options

    @classmethod
    def check_mode(cls, credentials: Credentials, *, livemode: bool) -> None:
        """Raise ValueError when the credentials show that they belong to the other mode."""
        return None

    @abstractmethod
    def units(self, money: Money) -> int:
        """The amount as this provider counts it. Raises core.money.NotRepresentable where it cannot."""

    def limits(self, method: str) -> Mapping[str, tuple[int, int]]:
        """The least and the most that can be paid at this account, by currency in minor units, where they are known."""
        return self.capabilities.methods[method].limits

    def instrument(self, given: str) -> str:
        """The payer's phone or token in the provider's form. Raises ValueError that says what is wrong."""
        return given

    @abstractmethod
    def authorize(self, request: Request) -> Request:
        """The request with this account's authorization, which is never stored. May fetch an access token."""

    def forget_token(self, refused: Request) -> None:
        """After TokenRejected, given the authorized request: the next `authorize` fetches a fresh token."""
        return None

    @abstractmethod
    def check_credentials(self) -> None:
        """Make one cheap call that changes nothing and that only good credentials allow.

        Raises Misconfigured when they are refused, Unreachable or OutcomeUnknown when that cannot be told.
        """

    def step(self, order: Order) -> Step:
        """The write (or LOOKUP) that the order asks for."""
        if not self.capabilities.offers(order.kind, order.method):
            raise Unsupported(f"{self.name} does not declare {order.kind} for {order.method or 'this'}")
        build: Callable[[Order], Step] = getattr(self, order.kind)
        return build(order)

    @abstractmethod
    def create(self, order: Order) -> Step: ...

    def fetch(self, order: Order) -> Step:
        """Read what became of the operation. Changes nothing and may be asked any number of times."""
        raise Unsupported(f"{self.name} cannot be asked about a {order.kind}")

    def fetch_cost(self, order: Order) -> Step:
        """Read what a capture cost: a report with its `cost`, once that is final. For who `reports_cost`."""
        raise Unsupported(f"{self.name} does not tell what a capture cost")

    def introduce(self, order: SavingOrder) -> Step:
        """Make the customer there. This and what follows is for who has `saving`."""
        raise Unsupported(f"{self.name} keeps no methods")

    def set_up(self, order: SavingOrder) -> Step:
        raise Unsupported(f"{self.name} keeps no methods")

    def fetch_setup(self, order: SavingOrder) -> Step:
        """Read what became of a set-up: by its id, or by our reference."""
        raise Unsupported(f"{self.name} keeps no methods")

    def cancel_setup(self, order: SavingOrder) -> Step:
        raise Unsupported(f"{self.name} keeps no methods")

    def detach(self, order: SavingOrder) -> Step:
        raise Unsupported(f"{self.name} keeps no methods")

    def fetch_method(self, order: SavingOrder) -> Step:
        raise Unsupported(f"{self.name} keeps no methods")

    def source_addresses(self) -> tuple[str, ...]:
        """Addresses and CIDR blocks that callbacks may come from; empty means any."""
        return ()

    def verify(self, callback: RawCallback) -> None:
        """Raise Forged when the signature does not fit; a provider that signs nothing has nothing to raise."""
        return None

    def prove(self, callback: RawCallback) -> None:
        """Ask the provider whether it sent this very callback: full proof at a door that is weak.

        Raises Forged when it did not, NothingCreated or OutcomeUnknown when that cannot be told.
        """
        raise Unsupported(f"{self.name} cannot be asked whether a callback is its own")

    @abstractmethod
    def read_callback(self, callback: RawCallback) -> Notice:
        """Raises Unreadable. A word that the map lacks is a report with Word.UNKNOWN."""

    def answer(self, callback: RawCallback) -> CallbackAnswer:
        return CallbackAnswer()

    def register_doors(self, callback_url: Callable[[str], str]) -> Step:
        """Tell the provider where its callbacks go. For who `registers_doors`."""
        raise Unsupported(f"{self.name} is not told its callback addresses by a call")

    def ask_about_money(self, provider_money_id: str, callback_url: Callable[[str], str]) -> Step:
        """Ask whether money of this number came to the account. Changes nothing and may be asked any number of times.

        The answer follows by a callback of the topic ARRIVAL, with the id of the question as its `provider_id`:
        SUCCEEDED with the money that came, FAILED when there is none. For who `registers_doors`.
        """
        raise Unsupported(f"{self.name} cannot be asked about money by its number")

    def admits_unknown_references(self) -> bool:
        """Whether the account takes money by itself whose reference names no payment."""
        return True

    def admit(self, callback: RawCallback, admission: Admission) -> CallbackAnswer:
        """The answer to a VALIDATION, in the provider's words."""
        raise Unsupported(f"{self.name} does not ask whether money may come")

    def register_statements(self, callback_url: Callable[[str], str]) -> Step | None:
        """What has to be told to the provider before it lists anything, once or again; None where nothing has."""
        return None

    def statement(self, window: Window, cursor: str = "") -> PageStep:
        """One page of what moved within the window: the first, or the one that the page before names as its next."""
        raise Unsupported(f"{self.name} lists nothing")

    def status(self, order: Order) -> PageStep:
        """All that has moved of the order's payment, as one page: an empty one where it is not known there."""
        raise Unsupported(f"{self.name} is not asked payment by payment")
