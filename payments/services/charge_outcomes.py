"""What has become of the tries to charge a period: the facts are their payments, read under the period's lock."""

from collections.abc import Sequence
from datetime import timedelta

from core import clock
from events import attention
from events.models import Attention
from events.transitions import move
from payments.models import Payment, Schedule, ScheduleCharge, SchedulePeriod
from payments.services import booking, periods
from payments.services.booking import Because
from payments.services.locking import lock_attempt
from payments.services.periods import BY
from payments.states import AttemptState, PaymentState, PeriodState

Outcome = ScheduleCharge.Outcome


def follow(schedule: Schedule, period: SchedulePeriod, charges: Sequence[ScheduleCharge]) -> None:
    """Take the period where the payments of its tries are."""
    _write_outcomes(charges)
    paid = [charge for charge in charges if charge.outcome in (Outcome.PAID, Outcome.SURPLUS)]
    last = charges[-1] if charges else None
    if paid:
        _paid(schedule, period, paid, charges)
    elif last is None or last.number < period.charge_number:
        return
    elif last.payment is not None and last.outcome == Outcome.OPEN:
        waits = last.payment.state == PaymentState.REQUIRES_ACTION
        to = PeriodState.REQUIRES_ACTION if waits else PeriodState.CHARGING
        move(period, to, by=BY, because=f"{last.payment_id} is {last.payment.state}")
    elif period.state in (PeriodState.CHARGING, PeriodState.REQUIRES_ACTION):
        _failed(schedule, period, last)


def _write_outcomes(charges: Sequence[ScheduleCharge]) -> None:
    """At most one try is open or paid; what was paid beside it is surplus. Those that give way are written first."""
    now = {charge.pk: _outcome(charge, charges) for charge in charges}
    changed = [charge for charge in charges if charge.outcome != now[charge.pk]]
    for charge in sorted(changed, key=lambda charge: now[charge.pk] in (Outcome.OPEN, Outcome.PAID)):
        charge.outcome = now[charge.pk]
        charge.save(update_fields=["outcome"])


def _outcome(charge: ScheduleCharge, charges: Sequence[ScheduleCharge]) -> str:
    if charge.payment is not None and charge.payment.is_open:
        return Outcome.OPEN
    if not _has_money(charge):
        return Outcome.ENDED
    is_open = any(other.payment is not None and other.payment.is_open for other in charges)
    holders = [other for other in charges if _has_money(other)]
    holder = next((other for other in holders if other.outcome == Outcome.PAID), holders[0])
    return Outcome.PAID if charge is holder and not is_open else Outcome.SURPLUS


def _has_money(charge: ScheduleCharge) -> bool:
    return charge.payment is not None and charge.payment.state == PaymentState.SUCCEEDED


def _paid(
    schedule: Schedule,
    period: SchedulePeriod,
    paid: Sequence[ScheduleCharge],
    charges: Sequence[ScheduleCharge],
) -> None:
    none = {"next_try_at": None, "failure_code": "", "failure_message": ""}
    move(period, PeriodState.PAID, by=BY, because=f"{paid[0].payment_id} succeeded", **none)
    for charge in charges:
        if charge.payment is not None and charge.outcome == Outcome.OPEN:
            _withdraw(charge.payment)
    if len(paid) > 1:
        told = ", ".join(str(charge.payment_id) for charge in paid)
        detail = f"period {period.number} of {schedule.pk} was paid {len(paid)} times: {told}"
        attention.raise_for(period, Attention.Reason.OVERPAID, detail)
    periods.complete_if_over(schedule)


def _withdraw(payment: Payment) -> None:
    """Have what is still payable closed at its provider: the period was paid by an earlier try."""
    attempt = lock_attempt(payment.attempts.latest("pk"))
    is_payable = attempt.state == AttemptState.OPEN and attempt.provider_id and not attempt.closing_as
    if is_payable and booking.can_close(attempt):
        booking.close(attempt, PaymentState.CANCELLED, Because(by=BY, source="schedule", detail="paid by another try"))


def _failed(schedule: Schedule, period: SchedulePeriod, charge: ScheduleCharge) -> None:
    """A try has ended without money: the next is a day away at least, or there is none."""
    code, message, is_retryable = charge.failure
    failure = {"failure_code": code, "failure_message": message}
    days: int | None = next(iter(schedule.retries[charge.number - 1 :]), None)
    if days is None or not is_retryable or schedule.is_over:
        periods.fail(schedule, period, f"try {charge.number}: {code}", **failure)
    else:
        at = clock.now() + timedelta(days=days)
        move(period, PeriodState.RETRYING, by=BY, because=f"try {charge.number}: {code}", next_try_at=at, **failure)
