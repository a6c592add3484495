"""A merchant's answer to a dispute, evidence or giving in: claimed under the payment's lock, called outside it."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from django.db import IntegrityError, transaction

from core.database import violated
from core.errors import DisputeNotAnswerable, InvalidRequest, PaymentDisputed
from events.idempotency import Claim
from events.transitions import lock
from payments.models import Dispute, Payment
from payments.providers import REGISTRY
from payments.providers.base import Kind
from payments.services import operations
from payments.services.locking import lock_attempt
from payments.services.places import place_in_flight
from payments.services.preparing import Answer, prepare
from payments.states import DisputeState

ANSWERABLE = (DisputeState.INQUIRY, DisputeState.NEEDS_RESPONSE)
_INQUIRIES = (DisputeState.INQUIRY, DisputeState.INQUIRY_UNDER_REVIEW)
_OVER = (DisputeState.WON, DisputeState.INQUIRY_CLOSED)


@dataclass(frozen=True, slots=True, kw_only=True)
class EvidenceRequest:
    """`evidence` by the names of `EVIDENCE_FIELDS`. `submits` hands it, with what was staged before, to the bank."""

    dispute: Dispute
    evidence: Mapping[str, str] = field(repr=False)
    submits: bool
    by: str


def give_evidence(asked: EvidenceRequest, *, claim: Claim) -> Dispute:
    """Stage evidence at the provider, or submit it for good. Raises DisputeNotAnswerable or InvalidRequest."""
    if not asked.evidence and not (asked.submits and asked.dispute.has_evidence):
        raise InvalidRequest("Give at least one text: nothing is staged for this dispute.", param="/evidence")
    return _answer(
        Answer(asked.dispute, asked.evidence, asked.submits), Kind.EVIDENCE, ANSWERABLE, claim=claim, by=asked.by
    )


def accept_dispute(dispute: Dispute, *, claim: Claim, by: str) -> Dispute:
    """Give in: the dispute is lost, for good. Raises DisputeNotAnswerable."""
    return _answer(Answer(dispute), Kind.ACCEPT, (DisputeState.NEEDS_RESPONSE,), claim=claim, by=by)


def _answer(answer: Answer, kind: Kind, allowed: tuple[DisputeState, ...], *, claim: Claim, by: str) -> Dispute:
    dispute = answer.dispute
    attempt = dispute.attempt
    if kind not in REGISTRY[attempt.account.provider].capabilities.operations:
        raise DisputeNotAnswerable(f"{attempt.account.provider} takes no such answer. Use its own dashboard.")
    with place_in_flight(attempt.account):
        try:
            with transaction.atomic():
                attempt = lock_attempt(attempt)
                locked = lock(dispute)
                _check(locked, allowed)
                operation, order = prepare(
                    attempt,
                    kind,
                    by=by,
                    money=locked.money,
                    answer=Answer(locked, answer.evidence, answer.submits),
                    target_id=locked.provider_id,
                    sending=True,
                )
                claim.bind(locked.pk, operation)
        except IntegrityError as error:
            if violated(error) != "one_open_answer":
                raise
            raise DisputeNotAnswerable(f"An answer to {dispute.pk} is under way. Ask again in a moment.") from error
        return operations.perform(operation, order).dispute or locked


def _check(dispute: Dispute, allowed: tuple[DisputeState, ...]) -> None:
    if dispute.state not in allowed:
        wanted = " or ".join(allowed)
        raise DisputeNotAnswerable(f"{dispute.pk} is {dispute.state}; this can be done while it is {wanted}.")
    if dispute.submitted_at is not None:
        raise DisputeNotAnswerable(f"The evidence of {dispute.pk} has been submitted; no other is taken.")


def check_undisputed(payment: Payment) -> None:
    """Raise PaymentDisputed while a refund could pay the payer twice (money.md 4). The payment is locked."""
    dispute = blocking(payment)
    if dispute is not None:
        raise PaymentDisputed(f"{payment.pk} cannot be refunded: its dispute {dispute.pk} is {dispute.state}.")


def blocking(payment: Payment) -> Dispute | None:
    """The dispute because of which a refund could pay the payer twice.

    An inquiry has taken no money; where the provider lets it be answered by a refund, so do we.
    """
    still_open = payment.disputes.exclude(state__in=_OVER)
    return next((row for row in still_open if not (row.state in _INQUIRIES and row.is_refundable)), None)
