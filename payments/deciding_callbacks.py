"""Callbacks whose answer decides whether the payer's money stays: answered from what was committed (money.md 11)."""

from django.db import transaction

from events import attention, inbox
from events.models import Attention, Callback
from payments import proven_callbacks
from payments.models import Attempt, Receipt
from payments.providers.base import Admission, Notice, Report, Word
from payments.services import booking
from payments.services.arriving import conclude_questions, ended_as
from payments.services.booking import Because
from payments.services.locking import lock_attempt
from payments.states import AttemptState, PaymentState


def follow(callback: Callback, notice: Notice) -> None:
    """Book the money, or refuse it; the callback's note is what is answered."""
    report = notice.report
    attempt = proven_callbacks.find_attempt(callback, notice, report.provider_id) if report else None
    if attempt is None or report is None:
        inbox.finish(callback, Callback.State.PROCESSED, note=Admission.UNKNOWN_REFERENCE)
        return
    because = Because(by=callback.provider, source="callback", detail=f"callback {callback.pk}")
    with transaction.atomic():
        locked = lock_attempt(attempt)
        admission = _admission(locked, report)
        if admission is Admission.UNCLEAR:
            detail = f"{because}: the provider says {report.provider_status!r}, which is not on its adapter's list"
            attention.raise_for(locked.payment, Attention.Reason.PARKED, detail)
        elif admission is Admission.ACCEPTED:
            booking.apply_to_attempt(locked, report, because)
            conclude_questions(locked, because)
        inbox.finish(callback, Callback.State.PROCESSED, subject=locked.payment_id, note=admission)


def _admission(attempt: Attempt, report: Report) -> Admission:
    """Whether the money may come. What its number says is booked already is not taken twice."""
    payment = attempt.payment
    if report.word is not Word.SUCCEEDED:
        return Admission.UNCLEAR if report.word is Word.UNKNOWN else Admission.ACCEPTED
    numbers = [moved.provider_money_id for moved in report.moved]
    if Receipt.objects.filter(account=attempt.account_id, provider_money_id__in=numbers).exists():
        return Admission.ALREADY_PAID
    if any(moved.money != attempt.asked for moved in report.moved):
        return Admission.WRONG_AMOUNT
    if attempt.receipts.filter(provider_money_id=None).exists():
        return Admission.ACCEPTED
    if not payment.is_open:
        return ended_as(payment)
    if booking.has_expired(payment) or attempt.closing_as == PaymentState.EXPIRED:
        return Admission.EXPIRED
    gone = attempt.closing_as or attempt.state != AttemptState.OPEN
    return Admission.CANCELLED if gone else Admission.ACCEPTED
