"""What a report does to a dispute: its money first, then its state, then the books (money.md 1, 2, 20).

The payment's state is no part of it, whatever happens. Everything here runs in the caller's transaction, with the
payment locked before the dispute.
"""

from collections.abc import Mapping

from core import clock
from core.database import insert_ignoring
from core.providers import Unreadable
from core.states import Verdict
from events import attention
from events.models import Attention
from events.transitions import move, record
from payments import states
from payments.models import Attempt, Dispute, DisputeMovement, Operation
from payments.providers.base import Kind, Report
from payments.providers.disputes import DisputeMoved, DisputeReport, DisputeWord
from payments.services import posting
from payments.services.booking import Because
from payments.states import DisputeState

STATES: Mapping[DisputeWord, DisputeState] = {
    word: DisputeState(word) for word in DisputeWord if word is not DisputeWord.UNKNOWN
}


def find_or_open(attempt: Attempt, report: Report) -> Dispute:
    """The dispute that the report speaks of, locked; written down now when it is new here. Raises Unreadable."""
    told = report.dispute
    if told is None:
        raise Unreadable("a dispute of which nothing is told")
    named = Dispute.objects.select_for_update(of=("self",)).filter(
        account=attempt.account_id, provider_id=report.provider_id
    )
    found = named.first() or _open(attempt, report.provider_id, told)
    if found.attempt_id != attempt.pk:
        raise Unreadable(f"{report.provider_id} is known as a dispute of another payment")
    found.attempt, found.payment = attempt, attempt.payment
    return found


def _open(attempt: Attempt, provider_id: str, told: DisputeReport) -> Dispute:
    return Dispute.objects.create(
        payment=attempt.payment,
        attempt=attempt,
        account_id=attempt.account_id,
        merchant_id=attempt.merchant_id,
        livemode=attempt.livemode,
        amount=told.money.amount,
        currency=told.money.currency,
        reason=told.reason,
        provider_id=provider_id,
    )


def apply_to_dispute(dispute: Dispute, report: Report, because: Because) -> None:
    """Book what has moved, take the dispute where its word leads, and tell the books. Both rows are locked."""
    told = report.dispute
    if told is None:
        return
    for moved in told.moved:
        _book(dispute, moved)
    if told.answered_by:
        record(dispute, answered_by=told.answered_by[:64])
    to = STATES.get(told.word)
    if to is None:
        detail = f"{because}: the provider says {report.provider_status!r} of the dispute"
        attention.raise_for(dispute, Attention.Reason.PARKED, detail)
    else:
        move(dispute, to, by=because.by, because=str(because), **_learned(dispute, to, report, told))
    posting.post_dispute(dispute)


def _learned(dispute: Dispute, to: DisputeState, report: Report, told: DisputeReport) -> dict[str, object]:
    """What the report adds to the row. One that is behind the present state tells nothing new but what stays true."""
    learned: dict[str, object] = {"has_evidence": dispute.has_evidence or told.has_evidence}
    if told.is_submitted and dispute.submitted_at is None:
        learned["submitted_at"] = clock.now()
    if states.DISPUTE.judge(dispute.state, to) not in (Verdict.MOVES, Verdict.SAME):
        return learned
    return learned | {
        "provider_status": report.provider_status[:100],
        "provider_reason": told.provider_reason[:100],
        "reason": told.reason,
        "amount": told.money.amount,
        "currency": told.money.currency,
        "evidence_due_at": told.evidence_due_at,
        "is_refundable": told.is_refundable,
    }


def _book(dispute: Dispute, moved: DisputeMoved) -> None:
    """Once for ever, by the provider's id of the money."""
    movement = DisputeMovement(
        account_id=dispute.account_id,
        dispute=dispute,
        livemode=dispute.livemode,
        kind=moved.kind,
        provider_money_id=moved.provider_money_id,
        amount=moved.money.amount,
        currency=moved.money.currency,
        fee_amount=moved.fee,
    )
    insert_ignoring(movement)


def became_of(answer: Operation) -> tuple[bool, bool]:
    """Whether an unknown answer is known now by what its dispute shows, and whether it took effect."""
    dispute = answer.dispute
    if dispute is None:
        return False, False
    if answer.kind == Kind.EVIDENCE:
        took_effect = dispute.answered_by == answer.key
        return took_effect, took_effect
    decided = dispute.state in (DisputeState.WON, DisputeState.LOST)
    return decided, dispute.state == DisputeState.LOST
