"""Postings as code: which fact posts which entries, in one table. A new kind of fact is one row here."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from ledger.chart import CHART, Floor, Kind, Side


class Phase(StrEnum):
    """A pending transfer only reserves. It is ended once: by one that is posted in its place, or by a void."""

    PENDING = "pending"
    POSTED = "posted"
    VOIDED = "voided"


class Fact(StrEnum):
    PAYMENT_CAPTURED = "payment_captured"
    PAYMENT_OVERPAID = "payment_overpaid"
    RECEIPT_SUSPENDED = "receipt_suspended"
    RECEIPT_REVERSED = "receipt_reversed"
    RECEIPT_UNALLOCATED = "receipt_unallocated"
    RECEIPT_ALLOCATED = "receipt_allocated"
    EXCESS_ALLOCATED = "excess_allocated"
    RECEIPT_RECOGNISED = "receipt_recognised"
    REFUND_RESERVED = "refund_reserved"
    REFUND_SUCCEEDED = "refund_succeeded"
    REFUND_RELEASED = "refund_released"
    REFUND_PAID = "refund_paid"
    REFUND_FAILED = "refund_failed"
    REFUND_RETURNED = "refund_returned"
    DISPUTE_OPENED = "dispute_opened"
    DISPUTE_WON = "dispute_won"
    DISPUTE_LOST = "dispute_lost"
    DISPUTE_REINSTATED = "dispute_reinstated"
    DISPUTE_RETURNED = "dispute_returned"
    DISPUTE_FEE_CHARGED = "dispute_fee_charged"
    DISPUTE_FEE_RETURNED = "dispute_fee_returned"
    FEE_EXPECTED = "fee_expected"
    FEE_CHARGED = "fee_charged"
    CURRENCY_EXCHANGED = "currency_exchanged"
    PAYMENT_SETTLED = "payment_settled"
    SETTLEMENT_PAID = "settlement_paid"
    SETTLEMENT_COLLECTED = "settlement_collected"
    WALLET_FUNDED = "wallet_funded"
    WALLET_RESERVED = "wallet_reserved"


@dataclass(frozen=True, slots=True)
class Leg:
    """One entry: an account kind, its side, and which of the given amounts. `into` is the second of an exchange."""

    kind: Kind
    side: Side
    into: bool = False


@dataclass(frozen=True, slots=True)
class Step:
    """One transfer. `ends` names the fact whose pending transfer, from the same source, this one ends.

    A posted step that finds nothing pending posts all the same: what has happened does not depend on
    whether we had begun it. A void that finds nothing does nothing.
    """

    phase: Phase
    legs: tuple[Leg, ...] = ()
    ends: Fact | None = None


@dataclass(frozen=True, slots=True)
class Posting:
    """What a fact does to the books, in order.

    `started_here` marks what we begin, which a floor may refuse.
    """

    meaning: str
    steps: tuple[Step, ...]
    started_here: bool = False

    @property
    def may_overdraw(self) -> bool:
        """Whether it has happened and can take a watched account below zero: it is posted, and a person is told."""
        return not self.started_here and any(_takes_from_watched(leg) for step in self.steps for leg in step.legs)


def _takes_from_watched(leg: Leg) -> bool:
    definition = CHART[leg.kind]
    return definition.floor is Floor.WATCHED and leg.side is not definition.side


def _debit(kind: Kind, *, into: bool = False) -> Leg:
    return Leg(kind, Side.DEBIT, into)


def _credit(kind: Kind, *, into: bool = False) -> Leg:
    return Leg(kind, Side.CREDIT, into)


def _posted(*legs: Leg, ends: Fact | None = None) -> Step:
    return Step(Phase.POSTED, legs, ends)


def _pending(*legs: Leg) -> Step:
    return Step(Phase.PENDING, legs)


def _voided(ends: Fact) -> Step:
    return Step(Phase.VOIDED, ends=ends)


_REFUND = (_debit(Kind.MERCHANT_PAYABLE), _credit(Kind.REFUNDS))
_CHARGEBACK = (_debit(Kind.MERCHANT_PAYABLE), _credit(Kind.DISPUTES))
_FEE = (
    _debit(Kind.FEE_EXPENSE),
    _credit(Kind.PROVIDER_CLEARING),
    _debit(Kind.MERCHANT_PAYABLE),
    _credit(Kind.FEE_INCOME),
)

POSTINGS: Mapping[Fact, Posting] = {
    Fact.PAYMENT_CAPTURED: Posting(
        "A receipt for money that was asked for: a payment's success is made of these.",
        (_posted(_debit(Kind.PROVIDER_CLEARING), _credit(Kind.MERCHANT_PAYABLE)),),
    ),
    Fact.PAYMENT_OVERPAID: Posting(
        "Money beyond what was asked, of a receipt or of a second one.",
        (_posted(_debit(Kind.PROVIDER_CLEARING), _credit(Kind.OVERPAYMENT)),),
    ),
    Fact.RECEIPT_SUSPENDED: Posting(
        "A receipt in another currency than its payment's.",
        (_posted(_debit(Kind.PROVIDER_CLEARING), _credit(Kind.SUSPENSE)),),
    ),
    Fact.RECEIPT_REVERSED: Posting(
        "A receipt that a query had confirmed turned out to be for less: the difference.",
        (_posted(_debit(Kind.MERCHANT_PAYABLE), _credit(Kind.PROVIDER_CLEARING)),),
    ),
    Fact.RECEIPT_UNALLOCATED: Posting(
        "Money that has arrived and that no payment explains.",
        (_posted(_debit(Kind.PROVIDER_CLEARING), _credit(Kind.UNALLOCATED_RECEIPTS)),),
    ),
    Fact.RECEIPT_ALLOCATED: Posting(
        "Such money has found its payment.",
        (_posted(_debit(Kind.UNALLOCATED_RECEIPTS), _credit(Kind.MERCHANT_PAYABLE)),),
    ),
    Fact.EXCESS_ALLOCATED: Posting(
        "Of such money, what is beyond that payment's amount.",
        (_posted(_debit(Kind.UNALLOCATED_RECEIPTS), _credit(Kind.OVERPAYMENT)),),
    ),
    Fact.RECEIPT_RECOGNISED: Posting(
        "Such money turns out to be what a payment was booked with already, before its receipt was known.",
        (_posted(_debit(Kind.UNALLOCATED_RECEIPTS), _credit(Kind.PROVIDER_CLEARING)),),
    ),
    Fact.REFUND_RESERVED: Posting(
        "A refund that was begun here, until its outcome is known.", (_pending(*_REFUND),), started_here=True
    ),
    Fact.REFUND_SUCCEEDED: Posting(
        "A refund's success, also of one that was begun at the provider.",
        (_posted(*_REFUND, ends=Fact.REFUND_RESERVED),),
    ),
    Fact.REFUND_RELEASED: Posting(
        "A refund failed or was cancelled before it had succeeded.", (_voided(Fact.REFUND_RESERVED),)
    ),
    Fact.REFUND_PAID: Posting(
        "The provider shows a refund's money as gone: its receipt.",
        (_posted(_debit(Kind.REFUNDS), _credit(Kind.PROVIDER_CLEARING)),),
    ),
    Fact.REFUND_FAILED: Posting(
        "A refund failed after it had succeeded.",
        (_posted(_debit(Kind.REFUNDS), _credit(Kind.MERCHANT_PAYABLE)),),
    ),
    Fact.REFUND_RETURNED: Posting(
        "The money of a failed refund is back at the provider: each of its receipts.",
        (_posted(_debit(Kind.PROVIDER_CLEARING), _credit(Kind.REFUNDS)),),
    ),
    Fact.DISPUTE_OPENED: Posting(
        "A payer's bank has taken money back; the merchant's is reserved for it until the dispute is decided.",
        (_posted(_debit(Kind.DISPUTES), _credit(Kind.PROVIDER_CLEARING)), _pending(*_CHARGEBACK)),
    ),
    Fact.DISPUTE_WON: Posting(
        "A dispute is decided for the merchant, whose money is free again.",
        (_voided(Fact.DISPUTE_OPENED),),
    ),
    Fact.DISPUTE_LOST: Posting(
        "A chargeback: the merchant bears it, also beyond its balance.",
        (_posted(*_CHARGEBACK, ends=Fact.DISPUTE_OPENED),),
    ),
    Fact.DISPUTE_REINSTATED: Posting(
        "The money of a dispute is back at the provider.",
        (_posted(_debit(Kind.PROVIDER_CLEARING), _credit(Kind.DISPUTES)),),
    ),
    Fact.DISPUTE_RETURNED: Posting(
        "Money that is back after a chargeback is the merchant's again.",
        (_posted(_debit(Kind.DISPUTES), _credit(Kind.MERCHANT_PAYABLE)),),
    ),
    Fact.DISPUTE_FEE_CHARGED: Posting(
        "What the provider kept for a dispute, passed on to the merchant.",
        (_posted(*_FEE),),
    ),
    Fact.DISPUTE_FEE_RETURNED: Posting(
        "The provider has given a dispute's fee back.",
        (
            _posted(
                _debit(Kind.PROVIDER_CLEARING),
                _credit(Kind.FEE_EXPENSE),
                _debit(Kind.FEE_INCOME),
                _credit(Kind.MERCHANT_PAYABLE),
            ),
        ),
    ),
    Fact.FEE_EXPECTED: Posting(
        "What the account's fee schedule says of a capture, until the provider tells what it kept.",
        (_pending(*_FEE),),
    ),
    Fact.FEE_CHARGED: Posting(
        "What the provider kept of a capture, passed on to the merchant; by schedule where the provider tells none.",
        (_voided(Fact.FEE_EXPECTED), _posted(*_FEE)),
    ),
    Fact.CURRENCY_EXCHANGED: Posting(
        "The provider holds a capture in another currency than the payer paid in, and so does the merchant.",
        (
            _posted(
                _credit(Kind.PROVIDER_CLEARING),
                _debit(Kind.POSITION),
                _debit(Kind.PROVIDER_CLEARING, into=True),
                _credit(Kind.POSITION, into=True),
                _credit(Kind.POSITION),
                _debit(Kind.MERCHANT_PAYABLE),
                _debit(Kind.POSITION, into=True),
                _credit(Kind.MERCHANT_PAYABLE, into=True),
            ),
        ),
    ),
    Fact.PAYMENT_SETTLED: Posting(
        "The provider has paid a payment's net out to the merchant's bank.",
        (_posted(_debit(Kind.MERCHANT_PAYABLE), _credit(Kind.PROVIDER_CLEARING)),),
    ),
    Fact.SETTLEMENT_PAID: Posting(
        "A payout of the provider has come at the merchant's bank, for all of its lines at once.",
        (_posted(_debit(Kind.MERCHANT_PAYABLE), _credit(Kind.PROVIDER_CLEARING)),),
    ),
    Fact.SETTLEMENT_COLLECTED: Posting(
        "A settlement in which more went back than came: the provider has taken it from the merchant's bank.",
        (_posted(_debit(Kind.PROVIDER_CLEARING), _credit(Kind.MERCHANT_PAYABLE)),),
    ),
    Fact.WALLET_FUNDED: Posting(
        "The merchant sets money aside to be paid out.",
        (_posted(_debit(Kind.MERCHANT_PAYABLE), _credit(Kind.MERCHANT_WALLET)),),
    ),
    Fact.WALLET_RESERVED: Posting(
        "Something that is to be paid out of the wallet, until its outcome is known.",
        (_pending(_debit(Kind.MERCHANT_WALLET), _credit(Kind.PROVIDER_CLEARING)),),
        started_here=True,
    ),
}
"""The one table of postings; `docs/ledger.md` shows it."""
