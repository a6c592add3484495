"""The verbs on schedules: make, change, pause, resume, cancel; and on a period: set its amount, skip it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from django.db import transaction

from core import clock
from core.calendar import Rule
from core.errors import Conflict, InvalidRequest
from core.money import Money
from events import audit, outbox, work
from events.idempotency import Claim
from events.transitions import lock, move, record
from merchants.models import Customer, Merchant
from payments.models import SavedMethod, Schedule, SchedulePeriod
from payments.services import choosing, periods, saved_charges
from payments.services.payment_request import PaymentRequest
from payments.states import PeriodState, ScheduleState


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleRequest:
    """What a merchant asks for, parsed; `amount` None lets each period wait for its own. `more` are other columns."""

    merchant: Merchant
    livemode: bool
    customer: str
    saved_method: str
    amount: int | None
    currency: str
    rule: Rule
    more: Mapping[str, Any] = field(default_factory=dict)


def create_schedule(asked: ScheduleRequest, *, claim: Claim) -> Schedule:
    """The schedule with its first period. Raises InvalidRequest or SavedMethodUnusable that names the field."""
    money = None if asked.amount is None else Money(asked.amount, asked.currency)
    saved = _usable(asked.merchant, asked.livemode, asked.customer, asked.saved_method, money)
    rule = asked.rule
    schedule = Schedule(
        merchant=asked.merchant,
        livemode=asked.livemode,
        customer=saved.customer.survivor,
        saved_method=saved,
        amount=asked.amount,
        currency=asked.currency,
        unit=rule.unit,
        interval=rule.interval,
        weekday=rule.weekday or "",
        day=rule.day,
        zone=rule.zone,
        at=rule.at,
        starts_on=rule.starts_on,
        ends_on=rule.ends_on,
        count=rule.count,
        **asked.more,
    )
    first = periods.new_period(schedule, number=1)
    if first is None:
        raise InvalidRequest("There is no period up to `ends_on`.", param="/ends_on")
    if first.charge_at <= clock.now():
        raise InvalidRequest(
            f"Its first period would be at {clock.rfc3339(first.charge_at)}, which has passed.", param="/starts_on"
        )
    with transaction.atomic():
        claim.bind(schedule.pk, schedule, first)
    return schedule


def _usable(merchant: Merchant, livemode: bool, customer: str, saved_method: str, money: Money | None) -> SavedMethod:
    """The customer's saved method, which can be charged now, by a provider that can carry the amount."""
    asked = PaymentRequest(
        merchant=merchant,
        livemode=livemode,
        money=money or Money(1, "USD"),
        customer=customer,
        saved_method=saved_method,
        off_session=True,
    )
    _, saved = saved_charges.completed(asked)
    if saved is None:
        raise InvalidRequest("Give the saved method that is to be charged.", param="/saved_method")
    if money is not None:
        choosing.check_carries(saved.account, money)
    return saved


@transaction.atomic
def change_schedule(schedule: Schedule, *, given: Mapping[str, Any], by: str) -> Schedule:
    """Change columns: a saved method for every try from now on, an amount for what has not come yet.

    Not those of the calendar, and not the currency: another schedule has others.

    Raises Conflict once the schedule is over, InvalidRequest or SavedMethodUnusable that names the field.
    """
    schedule = _lock_open(schedule)
    if not given:
        return schedule
    if "amount" in given and schedule.amount is None:
        raise InvalidRequest("The amount of each period is its own. Set it there.", param="/amount")
    changes = dict(given)
    amount = changes.get("amount", schedule.amount)
    money = None if amount is None else Money(amount, schedule.currency)
    if "saved_method" in given:
        changes["saved_method"] = _usable(
            schedule.merchant, schedule.livemode, schedule.customer_id, given["saved_method"], money
        )
    elif money is not None and "amount" in given:
        choosing.check_carries(schedule.saved_method.account, money)
    record(schedule, **changes)
    _renew_upcoming(schedule)
    outbox.publish(schedule, "updated")
    _record(schedule, "schedule.updated", by, fields=sorted(given))
    return schedule


def _renew_upcoming(schedule: Schedule) -> None:
    """The period that lies ahead follows what was changed."""
    period = schedule.periods.select_for_update().filter(state=PeriodState.UPCOMING).first()
    if period is None:
        return
    if schedule.amount is not None:
        record(period, amount=schedule.amount)
    record(period, due_at=periods.looked_at_next(schedule, period))


@transaction.atomic
def pause_schedule(schedule: Schedule, *, by: str, because: str = "paused") -> Schedule:
    """Until it is resumed, nothing new is charged: what comes is skipped. Twice is the same as once."""
    schedule = _lock_open(schedule)
    if schedule.state != ScheduleState.PAUSED:
        move(schedule, ScheduleState.PAUSED, by=by, because=because)
        _record(schedule, "schedule.paused", by)
    return schedule


@transaction.atomic
def resume_schedule(schedule: Schedule, *, by: str, because: str = "resumed") -> Schedule:
    """Go on with the first period that lies ahead. Twice is the same as once."""
    schedule = _lock_open(schedule)
    if schedule.state != ScheduleState.ACTIVE:
        periods.skip_past(schedule, by=by)
    if schedule.state == ScheduleState.PAUSED:
        move(schedule, ScheduleState.ACTIVE, by=by, because=because)
        _renew_upcoming(schedule)
        _record(schedule, "schedule.resumed", by)
    return schedule


@transaction.atomic
def cancel_schedule(schedule: Schedule, *, by: str, because: str = "cancelled") -> Schedule:
    """End it for good. A payment that is under way goes on to its outcome. Twice is the same as once."""
    schedule = lock(schedule)
    if schedule.state == ScheduleState.CANCELLED:
        return schedule
    _demand_open(schedule)
    move(schedule, ScheduleState.CANCELLED, by=by, because=because)
    waiting = (PeriodState.UPCOMING, PeriodState.AWAITING_AMOUNT, PeriodState.RETRYING)
    for period in schedule.periods.select_for_update().filter(state__in=waiting).order_by("number"):
        if period.state == PeriodState.RETRYING:
            periods.fail(schedule, period, "the schedule was cancelled", by=by)
        else:
            periods.skip(schedule, period, SchedulePeriod.Because.CANCELLED, by=by)
    _record(schedule, "schedule.cancelled", by)
    return schedule


@transaction.atomic
def set_amount(period: SchedulePeriod, *, amount: int, by: str, claim: Claim | None = None) -> SchedulePeriod:
    """Say what a period of a schedule without an amount costs. One that waits for it is charged at once.

    Raises Conflict when it is too late, or the schedule has an amount or does not run.
    """
    schedule, period = periods.lock_period(period.pk, schedule_id=period.schedule_id)
    if schedule.amount is not None:
        raise Conflict(f"{schedule.pk} has an amount for every period. Change it there.")
    waits = period.state == PeriodState.AWAITING_AMOUNT
    if schedule.is_over or not (waits or period.state == PeriodState.UPCOMING):
        raise Conflict(f"Period {period.number} is {period.state}; its amount can be set before it is charged.")
    if waits and schedule.state != ScheduleState.ACTIVE:
        raise Conflict(f"{schedule.pk} is {schedule.state}. Resume it first.")
    choosing.check_carries(schedule.saved_method.account, Money(amount, period.currency))
    record(period, amount=amount)
    if waits:
        record(period, due_at=clock.now())
        work.wake_on_commit("schedules")
    _record(schedule, "schedule.amount_set", by, period=period.number, amount=amount)
    if claim is not None:
        claim.bind(period.pk)
    return period


@transaction.atomic
def skip_period(period: SchedulePeriod, *, by: str, claim: Claim | None = None) -> SchedulePeriod:
    """Leave a period out that has not been charged yet. Raises Conflict when it is too late."""
    schedule, period = periods.lock_period(period.pk, schedule_id=period.schedule_id)
    if period.state not in (PeriodState.UPCOMING, PeriodState.AWAITING_AMOUNT):
        raise Conflict(f"Period {period.number} is {period.state}; one can be skipped before it is charged.")
    periods.skip(schedule, period, SchedulePeriod.Because.ASKED, by=by)
    _record(schedule, "schedule.period_skipped", by, period=period.number)
    if claim is not None:
        claim.bind(period.pk)
    return period


def follow_erasure(customer: Customer, by: str) -> None:
    """Nothing is charged to an erased customer: their schedules are cancelled, and what a merchant noted is emptied."""
    for schedule in Schedule.objects.filter(customer=customer).order_by("pk"):
        locked = schedule if schedule.is_over else cancel_schedule(schedule, by=by, because="its customer was erased")
        record(locked, metadata={}, return_url="")


def _lock_open(schedule: Schedule) -> Schedule:
    schedule = lock(schedule)
    _demand_open(schedule)
    return schedule


def _demand_open(schedule: Schedule) -> None:
    if schedule.is_over:
        raise Conflict(f"{schedule.pk} is {schedule.state}. Make a new one.")


def _record(schedule: Schedule, action: str, by: str, **detail: object) -> None:
    audit.record(
        actor=by,
        action=action,
        merchant=schedule.merchant_id,
        livemode=schedule.livemode,
        object_id=schedule.pk,
        detail=detail,
    )
