"""Charging the periods of schedules, each at most once whatever dies when.

A try is decided upon under the period's lock and committed; then its payment is made, whose statement binds the key of
this very try, checks that the period still wants it, and inserts the try beside the payment. So a try that is made
again is the same payment, and a new one is decided upon only after the payment before it has ended without money.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import models, transaction

from core import clock
from core.errors import ApiError, ProviderBusy, Unavailable
from events import attention, audit, idempotency, outbox, work
from events.idempotency import AlreadyClaimed, Claim
from events.models import Attention, AuditEntry, Event
from events.transitions import move, record
from payments.models import SavedMethod, Schedule, ScheduleCharge, SchedulePeriod
from payments.providers.base import FailureCode
from payments.services import charge_outcomes, periods, taking
from payments.services.payment_request import PaymentRequest
from payments.services.periods import BY
from payments.states import PaymentState, PeriodState, SavedMethodState, ScheduleState


class NotWanted(Exception):
    """The period has gone on since the try was decided upon."""


@dataclass(frozen=True)
class ChargeClaim(Claim):
    """The claim of one try: binding it inserts the try, and only while its period waits for it."""

    charge: ScheduleCharge = field(kw_only=True)

    def bind(self, object_id: str, *rows: models.Model) -> None:
        charge = self.charge
        with transaction.atomic():
            period = SchedulePeriod.objects.select_for_update().get(pk=charge.period_id)
            if period.state != PeriodState.CHARGING or period.charge_number != charge.number:
                raise NotWanted(f"{period.pk} is {period.state} at try {period.charge_number}")
            if period.charges.filter(payment__state=PaymentState.SUCCEEDED).exists():
                raise NotWanted(f"{period.pk} was paid by an earlier try")
            charge.payment_id = object_id
            Claim.bind(self, object_id, *rows, charge)


def advance(period: SchedulePeriod) -> None:
    """What is due about a period: tell of it, begin it, try it again, or see what has become of its tries."""
    charge = decide(period)
    if charge is not None:
        make_charge(charge)
        decide(period)


@transaction.atomic
def decide(period: SchedulePeriod) -> ScheduleCharge | None:
    """The try that is to be made now, decided upon and written down; None where there is none."""
    schedule, period = periods.lock_period(period.pk, schedule_id=period.schedule_id)
    charges = list(period.charges.select_related("payment").order_by("number"))
    charge_outcomes.follow(schedule, period, charges)
    charge = _next_charge(schedule, period, charges)
    if charge is not None:
        record(period, due_at=clock.now() + settings.WORK_LEASE)
    else:
        record(period, due_at=periods.looked_at_next(schedule, period), claim=None, tries=0)
    return charge


def _next_charge(
    schedule: Schedule, period: SchedulePeriod, charges: Sequence[ScheduleCharge]
) -> ScheduleCharge | None:
    now = clock.now()
    match period.state:
        case PeriodState.UPCOMING if period.charge_at <= now:
            return _come(schedule, period)
        case PeriodState.UPCOMING:
            periods.tell_if_near(schedule, period)
        case PeriodState.AWAITING_AMOUNT if period.amount is not None:
            if schedule.state == ScheduleState.ACTIVE:
                return _begin(schedule, period)
            periods.skip(schedule, period, _why_not(schedule))
        case PeriodState.RETRYING if period.next_try_at is not None and period.next_try_at <= now:
            return _try_again(schedule, period, period.next_try_at)
        case PeriodState.CHARGING if len(charges) < period.charge_number:
            return _go_on(schedule, period, charges)
    return None


def _come(schedule: Schedule, period: SchedulePeriod) -> ScheduleCharge | None:
    """Its moment has come: of missed ones the newest alone may still be charged."""
    missed = not periods.is_newest(schedule, period) or periods.is_missed(schedule, period, period.charge_at)
    charge = None
    if schedule.state != ScheduleState.ACTIVE:
        periods.skip(schedule, period, _why_not(schedule))
    elif missed:
        periods.skip(schedule, period, SchedulePeriod.Because.MISSED)
    elif period.amount is None:
        move(period, PeriodState.AWAITING_AMOUNT, by=BY, because="due without an amount")
        periods.open_next(schedule, after=period)
    else:
        charge = _begin(schedule, period)
        periods.open_next(schedule, after=period)
    return charge


def _why_not(schedule: Schedule) -> str:
    paused = schedule.state == ScheduleState.PAUSED
    return SchedulePeriod.Because.PAUSED if paused else SchedulePeriod.Because.CANCELLED


def _try_again(schedule: Schedule, period: SchedulePeriod, moment: datetime) -> ScheduleCharge | None:
    if schedule.state != ScheduleState.ACTIVE:
        periods.fail(schedule, period, f"the schedule is {schedule.state}")
    elif periods.is_missed(schedule, period, moment):
        periods.fail(schedule, period, "its next try was missed")
    else:
        return _begin(schedule, period)
    return None


def _go_on(schedule: Schedule, period: SchedulePeriod, charges: Sequence[ScheduleCharge]) -> ScheduleCharge | None:
    """Whoever decided upon this try has died before its payment was written down, or is about to."""
    runs = schedule.state == ScheduleState.ACTIVE
    if runs and not periods.is_missed(schedule, period, period.state_changed_at):
        return _charge(schedule, period)
    why = SchedulePeriod.Because.MISSED if runs else _why_not(schedule)
    if charges:
        code, message, _ = charges[-1].failure
        periods.fail(schedule, period, f"its next try: {why}", failure_code=code, failure_message=message)
    else:
        periods.skip(schedule, period, why)
    return None


def _begin(schedule: Schedule, period: SchedulePeriod) -> ScheduleCharge:
    number = period.charge_number + 1
    none = {"next_try_at": None, "failure_code": "", "failure_message": ""}
    move(period, PeriodState.CHARGING, by=BY, because=f"try {number}", charge_number=number, **none)
    return _charge(schedule, period)


def _charge(schedule: Schedule, period: SchedulePeriod) -> ScheduleCharge:
    return ScheduleCharge(
        period=period,
        number=period.charge_number,
        saved_method_id=schedule.saved_method_id,
        livemode=period.livemode,
    )


# Making a try, outside every transaction


def make_charge(charge: ScheduleCharge) -> None:
    """Take the payment of a try. What its provider says is its payment's; a refusal before that ends the try."""
    try:
        taking.take_payment(_request(charge), claim=_claim(charge))
    except (AlreadyClaimed, NotWanted):
        return
    except (ProviderBusy, Unavailable):
        raise
    except ApiError as refusal:
        _refuse(charge, refusal)


def _request(charge: ScheduleCharge) -> PaymentRequest:
    period = charge.period
    schedule = period.schedule
    return PaymentRequest(
        merchant=schedule.merchant,
        livemode=period.livemode,
        money=period.money,
        saved_method=charge.saved_method_id,
        off_session=True,
        reference=schedule.reference,
        description=schedule.description,
        return_url=schedule.return_url,
        metadata=schedule.metadata,
        by=BY,
    )


def _claim(charge: ScheduleCharge) -> ChargeClaim:
    """Its key is made from a secret of the period, so that it can be no merchant's."""
    period = charge.period

    def told(object_id: str, status: int | None = None) -> AuditEntry:
        return audit.entry(
            actor=period.schedule_id,
            action="schedule.charged",
            merchant=period.merchant_id,
            livemode=period.livemode,
            object_id=object_id,
            detail={"period": period.pk, "number": period.number, "try": charge.number},
        )

    return ChargeClaim(
        merchant=period.merchant_id,
        livemode=period.livemode,
        key=f"schedule:{period.key}:{charge.number}",
        fingerprints=idempotency.request_fingerprints(period.pk, str(charge.number), livemode=period.livemode),
        accepted=told,
        answered=told,
        charge=charge,
    )


@transaction.atomic
def _refuse(charge: ScheduleCharge, refusal: ApiError) -> None:
    """Nothing was written of the try but this row, which says why."""
    _, period = periods.lock_period(charge.period_id, schedule_id=charge.period.schedule_id)
    if period.state != PeriodState.CHARGING or period.charges.filter(number__gte=charge.number).exists():
        return
    saved = SavedMethod.objects.select_related("account").get(pk=charge.saved_method_id)
    expired = saved.state in (SavedMethodState.ACTIVE, SavedMethodState.EXPIRED) and not saved.is_usable
    charge.payment = None
    charge.outcome = ScheduleCharge.Outcome.ENDED
    charge.failure_code = FailureCode.EXPIRED_INSTRUMENT if expired else refusal.code
    charge.failure_message = refusal.detail[:300]
    charge.is_retryable = not expired and not saved.account.is_enabled
    charge.save(force_insert=True)


# What wakes it


def follow_payments(events: Sequence[Event]) -> None:
    """Have the periods looked at whose payments these events are about, in the transaction that moves the cursor."""
    about = {event.subject for event in events if event.type.startswith("payment.")}
    charges = ScheduleCharge.objects.filter(payment__in=about).values("period")
    if SchedulePeriod.objects.filter(pk__in=charges).update(due_at=clock.now()):
        work.wake_on_commit("schedules")


def _failing(period: Any) -> None:
    attention.raise_for(period, Attention.Reason.FAILING, "charging this period fails again and again")


work.register(work.Queue("schedules", model=SchedulePeriod, do=advance, lane_limit=8, threads=16, failing=_failing))
outbox.register(outbox.Reader("schedules", follow_payments))
