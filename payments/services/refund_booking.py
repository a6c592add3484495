"""What a report does to a refund and to the counters of its payment (money.md 4)."""

from core.database import insert_ignoring
from core.states import Verdict
from events import attention
from events.models import Attention
from events.transitions import move, record
from ledger.facts import Fact
from payments.models import Receipt, Refund
from payments.providers.base import MoneyMoved, ReceiptKind, Report, Word
from payments.services import booking, posting
from payments.services.booking import Because
from payments.states import RefundState

_STATES = {
    Word.PENDING: RefundState.PENDING,
    Word.REQUIRES_ACTION: RefundState.PENDING,
    Word.SUCCEEDED: RefundState.SUCCEEDED,
    Word.FAILED: RefundState.FAILED,
    Word.CANCELLED: RefundState.CANCELLED,
}


def apply_to_refund(refund: Refund, report: Report, because: Because) -> None:
    """Book the refund's receipt, then move it. The refund and its payment are locked by the caller."""
    _learn(refund, report)
    for moved in report.moved:
        if moved.kind is ReceiptKind.REFUND:
            _book(refund, moved, because)
    to = _STATES.get(report.word)
    if to is None:
        detail = f"{because}: the provider says {report.provider_status!r} of the refund"
        attention.raise_for(refund, Attention.Reason.PARKED, detail)
        keep_pending(refund, because)
    else:
        _move(refund, to, report, because)
    _check_sum(refund)


def _check_sum(refund: Refund) -> None:
    """A person is told of a refund that counts as done and whose receipts come to anything else than its amount."""
    if refund.state != RefundState.SUCCEEDED:
        return
    gone = [receipt.money for receipt in refund.receipts.order_by("pk")]
    if sum((money.amount for money in gone if money.currency == refund.currency), 0) != refund.amount:
        detail = f"{', '.join(map(str, gone)) or 'nothing'} has gone for a refund of {refund.money}"
        attention.raise_for(refund, Attention.Reason.PARKED, detail)


def keep_pending(refund: Refund, because: Because) -> None:
    """Its outcome is not known: it stays counted."""
    move(refund, RefundState.PENDING, by=because.by, because=str(because))


def _learn(refund: Refund, report: Report) -> None:
    changes = {}
    if report.provider_id and not refund.provider_id:
        changes["provider_id"] = report.provider_id
    if report.provider_status:
        changes["provider_status"] = report.provider_status[:100]
    if changes:
        record(refund, **changes)


def _book(refund: Refund, moved: MoneyMoved, because: Because) -> None:
    receipt = Receipt(
        account_id=refund.attempt.account_id,
        attempt=refund.attempt,
        refund=refund,
        livemode=refund.livemode,
        kind=moved.kind,
        provider_money_id=moved.provider_money_id,
        amount=moved.money.amount,
        currency=moved.money.currency,
        source=because.source,
    )
    if not insert_ignoring(receipt):
        return
    posting.post_refund_receipt(receipt, refund)
    if refund.state == RefundState.FAILED and moved.provider_money_id == refund.provider_id:
        # The word of its success comes after that of its failure, which is the later one: the money is back.
        posting.post_refund_return(receipt, refund)
    elif refund.state in (RefundState.FAILED, RefundState.CANCELLED):
        detail = f"{moved.provider_money_id} went out although the refund is {refund.state}"
        attention.raise_for(refund, Attention.Reason.PARKED, detail)


def _move(refund: Refund, to: RefundState, report: Report, because: Because) -> None:
    before = refund.state
    changes = {}
    if report.failure is not None and to is RefundState.FAILED:
        changes = {"failure_code": str(report.failure.code), "failure_message": report.failure.message[:300]}
    if move(refund, to, by=because.by, because=str(because), **changes) is not Verdict.MOVES:
        return
    if to is not RefundState.PENDING:
        attention.settle(refund, Attention.Reason.UNKNOWN, by=because.by)
    _tell_the_books(refund, to, before)
    payment = refund.payment
    if to is RefundState.SUCCEEDED:
        record(payment, refunded_amount=payment.refunded_amount + refund.amount)
        booking.release(payment, refund.attempt, because)
    elif before == RefundState.SUCCEEDED:
        record(payment, refunded_amount=payment.refunded_amount - refund.amount)
    if to in (RefundState.FAILED, RefundState.CANCELLED) and refund.origin == Refund.Origin.API:
        record(payment, refund_reserved=payment.refund_reserved - refund.amount)


def _tell_the_books(refund: Refund, to: RefundState, before: str) -> None:
    match to:
        case RefundState.SUCCEEDED:
            posting.post_refund(Fact.REFUND_SUCCEEDED, refund)
        case RefundState.FAILED if before == RefundState.SUCCEEDED:
            posting.post_refund_failure(refund)
        case RefundState.FAILED | RefundState.CANCELLED:
            posting.post_refund(Fact.REFUND_RELEASED, refund)
