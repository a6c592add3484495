"""What a provider says, in our words: of a payment, a refund, a dispute, or money that comes by itself."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Any

from core.crypto import Secret
from core.money import Money
from payments.providers.disputes import DisputeReport
from payments.providers.failures import Failure
from payments.providers.saving import MethodReport


class Word(StrEnum):
    """What a provider says of a payment or refund, in our words. UNKNOWN is a word that the adapter's map lacks.

    APPROVED is not paid: the payer has agreed, and nothing moves before a CONFIRM.
    """

    PENDING = "pending"
    REQUIRES_ACTION = "requires_action"
    APPROVED = "approved"
    AUTHORIZED = "authorized"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    UNKNOWN = "unknown"


class ReceiptKind(StrEnum):
    CAPTURE = "capture"
    REFUND = "refund"


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
    payment may fail. `next_action` is what the payer has to do, as the API shows it: `{"type": "redirect", "url"}`,
    `{"type": "prompt"}`, `{"type": "qr", "qr_string"}`, or `{"type": "instructions", "channel", "code"}`, the number to
    pay to or to show. `expires_at` is when that ends by itself, where the provider says so.
    `cost` is told with captured money by an answer that shows it, and None elsewhere. `dispute` is what is said of
    a dispute; `word` then says only whether the write that is asked about took effect. `method` is what is said of a
    saved method, of which `word` says how it stands: SUCCEEDED is kept, CANCELLED is not there any more. No adapter
    says `withheld`: it is why the code that the provider gave is shown to nobody (`services/shown_codes.py`).
    """

    word: Word
    provider_id: str = ""
    provider_status: str = ""
    moved: tuple[MoneyMoved, ...] = ()
    authorized: Money | None = None
    failure: Failure | None = None
    next_action: Mapping[str, Any] | None = None
    expires_at: datetime | None = None
    still_payable: bool = False
    cost: Cost | None = None
    dispute: DisputeReport | None = None
    method: MethodReport | None = None
    withheld: str = ""


class Topic(StrEnum):
    """What a callback speaks of.

    ARRIVAL is money that has come to the account whether or not we asked for it; VALIDATION asks whether such
    money may come, at a door that wants an answer. Both name what the payer typed as the notice's `reference`.
    SETUP is of a method that is being saved, METHOD of one that is kept, or is not any more.
    """

    PAYMENT = "payment"
    REFUND = "refund"
    DISPUTE = "dispute"
    ARRIVAL = "arrival"
    VALIDATION = "validation"
    SETUP = "setup"
    METHOD = "method"
    NOTHING = "nothing"


class Admission(StrEnum):
    """Whether money that a payer is about to send may come, and why not.

    ALREADY_PAID is this very money, which is booked; of a payment that other money has paid it is NOT_OPEN.
    UNCLEAR is what is told in words that the adapter does not know: a person looks.
    """

    ACCEPTED = "accepted"
    ALREADY_PAID = "already_paid"
    EXPIRED = "expired"
    CANCELLED = "cancelled"
    UNKNOWN_REFERENCE = "unknown_reference"
    WRONG_AMOUNT = "wrong_amount"
    NOT_OPEN = "not_open"
    ELSEWHERE = "elsewhere"
    UNCLEAR = "unclear"


@dataclass(frozen=True, slots=True)
class Notice:
    """A callback in our words.

    `event_id` is what the provider repeats on a redelivery, where it has one. For a refund or a dispute,
    `payment_provider_id` names its payment, so that one begun at the provider's dashboard finds it.
    `money` is the refund's whole amount, whatever has moved yet. `payer` is the payer's account as the
    provider spells it, for comparing; `money_id` is the number of the money that the callback says has moved, which
    it may give without an amount; `livemode` is None where unsaid. `payer_hint` is what may be shown of the
    payer, and `elsewhere` the account that a callback names where that is not the one whose path it came by.
    `receipt` is the number of the money that a refund or a dispute is of, where the provider names that instead of
    the payment.
    """

    topic: Topic
    report: Report | None = None
    event_id: str = ""
    payment_provider_id: str = ""
    reference: str = ""
    money: Money | None = None
    payer: Secret | None = None
    money_id: str = ""
    livemode: bool | None = None
    payer_hint: str = ""
    elsewhere: str = ""
    receipt: str = ""
