"""The seam between payments and the companies that move the money.

An adapter translates and never decides: our orders into their requests, their answers and callbacks
into neutral reports. It does no storage, holds no clock, and names what it does not know as UNKNOWN.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Any, ClassVar, Generic, TypeVar

from core import ids
from core.crypto import Secret
from core.http import Request, Response
from core.money import Money
from core.providers import Door, OperationDeclaration, TokenStore, Unsupported
from payments.providers.disputes import DisputeReport


class Kind(StrEnum):
    """The operations of a payment: each one write at a provider, except LOOKUP, which asks and changes nothing.

    EVIDENCE and ACCEPT answer a dispute: with evidence against it, or by giving in.
    """

    CREATE = "create"
    CAPTURE = "capture"
    CANCEL = "cancel"
    REFUND = "refund"
    LOOKUP = "lookup"
    EVIDENCE = "evidence"
    ACCEPT = "accept"


class Word(StrEnum):
    """What a provider says of a payment or refund, in our words. UNKNOWN is a word that the adapter's map lacks."""

    PENDING = "pending"
    REQUIRES_ACTION = "requires_action"
    AUTHORIZED = "authorized"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    UNKNOWN = "unknown"


class FailureCode(StrEnum):
    """The closed list of `failure.code`. The provider's own word is kept beside it as evidence."""

    DECLINED = "declined"
    INSUFFICIENT_FUNDS = "insufficient_funds"
    LIMIT_EXCEEDED = "limit_exceeded"
    AUTHENTICATION_FAILED = "authentication_failed"
    EXPIRED_INSTRUMENT = "expired_instrument"
    INVALID_INSTRUMENT = "invalid_instrument"
    CANCELLED_BY_PAYER = "cancelled_by_payer"
    PAYER_UNREACHABLE = "payer_unreachable"
    PAYER_BUSY = "payer_busy"
    TIMED_OUT = "timed_out"
    DUPLICATE = "duplicate"
    INVALID_REQUEST = "invalid_request"
    PROVIDER_CONFIGURATION = "provider_configuration"
    PROVIDER_UNAVAILABLE = "provider_unavailable"
    PROVIDER_ERROR = "provider_error"


class ReceiptKind(StrEnum):
    CAPTURE = "capture"
    REFUND = "refund"


@dataclass(frozen=True, slots=True)
class Failure:
    """`message` may be shown to the merchant; `provider_code` is the provider's own word."""

    code: FailureCode
    message: str
    provider_code: str = ""


@dataclass(frozen=True, slots=True)
class MoneyMoved:
    """Money that a provider says has moved. `provider_money_id` is empty when it confirms without a receipt."""

    kind: ReceiptKind
    money: Money
    provider_money_id: str = ""


@dataclass(frozen=True, slots=True)
class Cost:
    """What a provider kept for a capture, once it is final there.

    `settled` is the captured money in the currency in which the provider pays it out, before `fee`, which is
    in the same currency. `reference` is the provider's id of that line of its books; `settles_on` the day
    from which it can be paid out, where the provider says one.
    """

    settled: Money
    fee: Money
    reference: str
    settles_on: date | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """What a provider says of one attempt, refund or write at one moment.

    `still_payable` marks a failure after which the payer could still pay there: it is closed before the
    payment may fail. `next_action` is `{"type": "redirect" | "prompt" | …, …}` as the API shows it.
    `cost` is told with captured money by an answer that shows it, and None elsewhere. `dispute` is what is said of
    a dispute; `word` then says only whether the write that is asked about took effect.
    """

    word: Word
    provider_id: str = ""
    provider_status: str = ""
    moved: tuple[MoneyMoved, ...] = ()
    authorized: Money | None = None
    failure: Failure | None = None
    next_action: Mapping[str, Any] | None = None
    still_payable: bool = False
    cost: Cost | None = None
    dispute: DisputeReport | None = None


class Topic(StrEnum):
    """What a callback speaks of.

    ARRIVAL is money that has come to the account whether or not we asked for it; VALIDATION asks whether such
    money may come, at a door that wants an answer. Both name what the payer typed as the notice's `reference`.
    """

    PAYMENT = "payment"
    REFUND = "refund"
    DISPUTE = "dispute"
    ARRIVAL = "arrival"
    VALIDATION = "validation"
    NOTHING = "nothing"


class Admission(StrEnum):
    """Whether money that a payer is about to send by themselves may come, and why not."""

    ACCEPTED = "accepted"
    UNKNOWN_REFERENCE = "unknown_reference"
    WRONG_AMOUNT = "wrong_amount"
    NOT_OPEN = "not_open"
    ELSEWHERE = "elsewhere"


@dataclass(frozen=True, slots=True)
class Notice:
    """A callback in our words.

    `event_id` is what the provider repeats on a redelivery, where it has one. For a refund or a dispute,
    `payment_provider_id` names its payment, so that one begun at the provider's dashboard finds it.
    `money` is the refund's whole amount, whatever has moved yet. `payer` is the payer's account as the
    provider spells it, for comparing; `livemode` is None where unsaid. `payer_hint` is what may be shown of the
    payer, and `elsewhere` the account that a callback names where that is not the one whose path it came by.
    """

    topic: Topic
    report: Report | None = None
    event_id: str = ""
    payment_provider_id: str = ""
    reference: str = ""
    money: Money | None = None
    payer: Secret | None = None
    livemode: bool | None = None
    payer_hint: str = ""
    elsewhere: str = ""


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


@dataclass(frozen=True, slots=True)
class Order:
    """One operation, as an adapter is asked for it.

    `reference` is our random reference at this provider, `operation_key` the key under which the write is
    repeated, `money` what this operation asks. `callback_url` gives the URL of a door for this operation.
    `provider_id` is the provider's id of the payment once known; `target_id` the provider's id of what is
    asked about or acted on: for a REFUND and its LOOKUP the receipt, or the refund's own transaction; for EVIDENCE
    and ACCEPT the dispute. `evidence` holds texts by the names of `disputes.EVIDENCE_FIELDS`; `submits` hands all
    that was given so far to the bank, for good.
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
    evidence: Mapping[str, str] = field(default_factory=dict, repr=False)
    submits: bool = False


@dataclass(frozen=True, slots=True)
class Step:
    """A request to send, and how to read its answer.

    `read` raises NothingCreated for answers that the adapter's table lists as such, OutcomeUnknown for
    everything that it cannot tell; a decline is a report, not an exception.
    """

    request: Request
    read: Callable[[Response], Report]


@dataclass(frozen=True, slots=True)
class MethodCapability:
    """How one method can be used. `currencies` None means any. `prompt_life` is how long a pushed prompt may live."""

    currencies: frozenset[str] | None = None
    manual_capture: bool = False
    instrument: str = ""
    prompt_life: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What an adapter declares, and what the contract suite holds it to.

    `refunds` is "none", "full" or "partial". `deadline` is in seconds for a whole call; `in_flight` calls
    per account and process, well below the threads of a web worker, so that one hanging provider leaves
    room. A reference has at most `reference_length` characters of `reference_alphabet`. Where a provider
    `reports_cost`, what a capture cost is asked for until it is told; elsewhere the account's own fee
    schedule says it. Where a provider `registers_doors`, the addresses of the doors that belong to no operation
    are told to it by a call.
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
        if order.kind not in self.capabilities.operations:
            raise Unsupported(f"{self.name} does not declare {order.kind}")
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

    def source_addresses(self) -> tuple[str, ...]:
        """Addresses and CIDR blocks that callbacks may come from; empty means any."""
        return ()

    def verify(self, callback: RawCallback) -> None:
        """Raise Forged when the signature does not fit; a provider that signs nothing has nothing to raise."""
        return None

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
