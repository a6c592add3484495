"""The part of the seam that speaks of disputes: what a provider tells of one, and what it can be answered."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from core.money import Money


class DisputeWord(StrEnum):
    """What a provider says of a dispute, in our words: as `payments.states.DisputeState` has them."""

    INQUIRY = "inquiry"
    INQUIRY_UNDER_REVIEW = "inquiry_under_review"
    INQUIRY_CLOSED = "inquiry_closed"
    NEEDS_RESPONSE = "needs_response"
    UNDER_REVIEW = "under_review"
    WON = "won"
    LOST = "lost"
    UNKNOWN = "unknown"


class DisputeReason(StrEnum):
    """Why the payer disputes: the closed list. The provider's own word is kept beside it."""

    FRAUDULENT = "fraudulent"
    DUPLICATE = "duplicate"
    NOT_RECEIVED = "not_received"
    NOT_AS_DESCRIBED = "not_as_described"
    NOT_REFUNDED = "not_refunded"
    SUBSCRIPTION_CANCELLED = "subscription_cancelled"
    NOT_RECOGNISED = "not_recognised"
    BANK = "bank"
    GENERAL = "general"


class MovementKind(StrEnum):
    """A dispute's money: taken back by the payer's bank, or given back to us."""

    WITHDRAWN = "withdrawn"
    REINSTATED = "reinstated"


@dataclass(frozen=True, slots=True)
class DisputeMoved:
    """Money of a dispute that has moved at the provider, in the currency in which the provider holds it.

    `fee` is what the provider keeps for it, in minor units of that currency; below zero when it gives one back.
    """

    kind: MovementKind
    money: Money
    provider_money_id: str
    fee: int = 0


@dataclass(frozen=True, slots=True)
class DisputeReport:
    """What a provider says of a dispute at one moment.

    `money` is what the payer disputes, in the payer's currency; `moved` lists all of its money that has moved so far.
    `evidence_due_at` is None where the bank takes no answer. `answered_by` is the operation key of our last answer
    that the provider has taken, where it repeats it to us. `is_refundable` says whether the payment can be refunded
    all the same.
    """

    word: DisputeWord
    money: Money
    reason: DisputeReason
    provider_reason: str = ""
    evidence_due_at: datetime | None = None
    has_evidence: bool = False
    is_submitted: bool = False
    is_refundable: bool = False
    answered_by: str = ""
    moved: tuple[DisputeMoved, ...] = ()


_SHORT, _LONG = 5_000, 20_000
EVIDENCE_FIELDS: Mapping[str, int] = {
    "access_activity_log": _LONG,
    "billing_address": _SHORT,
    "cancellation_policy_disclosure": _LONG,
    "cancellation_rebuttal": _LONG,
    "customer_email_address": _SHORT,
    "customer_name": _SHORT,
    "customer_purchase_ip": _SHORT,
    "duplicate_charge_explanation": _LONG,
    "duplicate_charge_id": _SHORT,
    "explanation": _LONG,
    "product_description": _LONG,
    "refund_policy_disclosure": _LONG,
    "refund_refusal_explanation": _LONG,
    "service_date": _SHORT,
    "shipping_address": _SHORT,
    "shipping_carrier": _SHORT,
    "shipping_date": _SHORT,
    "shipping_tracking_number": _SHORT,
}
"""The texts that answer a dispute, with how many characters each may have. Files cannot be sent."""
