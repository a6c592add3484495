"""The periods of a schedule: opened one ahead, told of, skipped, failed. Callers hold its lock, then theirs."""

from datetime import datetime, timedelta

from core import clock
from core.ids import random_token
from events import outbox, work
from events.transitions import lock, move, record
from payments import states
from payments.models import Schedule, SchedulePeriod
from payments.states import PeriodState, ScheduleState

BY = "schedules"

GRACE = timedelta(hours=24)
"""How late a charge may be made, by an outage say, before it counts as missed."""

LOOK_AGAIN = timedelta(hours=1)
"""How often a period looks at the payment that it waits for, beside being told of it."""


def lock_period(period_id: str, *, schedule_id: str) -> tuple[Schedule, SchedulePeriod]:
    """Both as they are now, locked, parent first."""
    schedule = Schedule.objects.select_for_update().get(pk=schedule_id)
    period = SchedulePeriod.objects.select_for_update().get(pk=period_id)
    period.schedule = schedule
    return schedule, period


def new_period(schedule: Schedule, *, number: int) -> SchedulePeriod | None:
    """The unsaved period with that number; None after the last."""
    charge_at = schedule.rule.occurrence(number)
    if charge_at is None:
        return None
    period = SchedulePeriod(
        schedule=schedule,
        merchant_id=schedule.merchant_id,
        livemode=schedule.livemode,
        number=number,
        amount=schedule.amount,
        currency=schedule.currency,
        charge_at=charge_at,
        key=random_token(),
        lane=schedule.merchant_id,
    )
    period.due_at = looked_at_next(schedule, period)
    return period


def open_next(schedule: Schedule, *, after: SchedulePeriod) -> None:
    """Insert the period that follows, unless there is none or the schedule is over."""
    following = None if schedule.is_over else new_period(schedule, number=after.number + 1)
    if following is not None:
        following.save(force_insert=True)
        if following.due_at is not None and following.due_at <= clock.now():
            work.wake_on_commit("schedules")


def looked_at_next(schedule: Schedule, period: SchedulePeriod) -> datetime | None:
    """When something is to be done about the period, if nothing else happens to it."""
    match period.state:
        case PeriodState.UPCOMING:
            told = period.noticed_at is not None or schedule.state != ScheduleState.ACTIVE
            return period.charge_at if told else _notice_at(schedule, period)
        case PeriodState.RETRYING:
            return period.next_try_at
        case PeriodState.CHARGING | PeriodState.REQUIRES_ACTION:
            return clock.now() + LOOK_AGAIN
        case _:
            return None


def _notice_at(schedule: Schedule, period: SchedulePeriod) -> datetime:
    return period.charge_at - timedelta(days=schedule.notice_days)


def tell_if_near(schedule: Schedule, period: SchedulePeriod) -> None:
    """Publish that an upcoming period is near, once, where its schedule asks for it and is not paused."""
    told = period.noticed_at is not None or schedule.state != ScheduleState.ACTIVE
    if told or _notice_at(schedule, period) > clock.now():
        return
    record(period, noticed_at=clock.now())
    if schedule.notice_days:
        outbox.publish(period, "upcoming")


def is_newest(schedule: Schedule, period: SchedulePeriod) -> bool:
    """Whether the moment of the period after it has not come yet."""
    following = schedule.rule.occurrence(period.number + 1)
    return following is None or following > clock.now()


def is_missed(schedule: Schedule, period: SchedulePeriod, moment: datetime) -> bool:
    """Whether what was due then is not to be made up for now."""
    made_up_for = schedule.missed == Schedule.Missed.CHARGE_LATEST and is_newest(schedule, period)
    return clock.now() - moment > GRACE and not made_up_for


def skip(schedule: Schedule, period: SchedulePeriod, because: str, *, by: str = BY) -> None:
    """Leave the period uncharged, and open the next where this one was it."""
    was_upcoming = period.state == PeriodState.UPCOMING
    move(period, PeriodState.SKIPPED, by=by, because=f"skipped: {because}", skipped_because=because, **_at_rest())
    if was_upcoming:
        open_next(schedule, after=period)
    complete_if_over(schedule, by=by)


def fail(schedule: Schedule, period: SchedulePeriod, why: str, *, by: str = BY, **failure: str) -> None:
    """The period will not be tried again. The schedule ends with its last one, goes on, or pauses as it asks."""
    move(period, PeriodState.FAILED, by=by, because=why, next_try_at=None, **failure, **_at_rest())
    complete_if_over(schedule, by=by)
    if schedule.state == ScheduleState.ACTIVE and schedule.on_failure == Schedule.OnFailure.PAUSE:
        move(schedule, ScheduleState.PAUSED, by=BY, because=f"period {period.number} failed")


def _at_rest() -> dict[str, object]:
    return {"due_at": None, "claim": None, "tries": 0}


def complete_if_over(schedule: Schedule, *, by: str = BY) -> None:
    """A schedule is completed when its last period has ended."""
    open_ones = schedule.periods.exclude(state__in=states.PERIOD.terminals)
    if not schedule.is_over and not open_ones.exists():
        move(schedule, ScheduleState.COMPLETED, by=by, because="its last period has ended")


def skip_past(schedule: Schedule, *, by: str) -> None:
    """Skip what has come while the schedule was paused, up to the first period that lies ahead."""
    while not schedule.is_over:
        period = schedule.periods.filter(state=PeriodState.UPCOMING).first()
        if period is None or period.charge_at > clock.now():
            return
        skip(schedule, lock(period), SchedulePeriod.Because.PAUSED, by=by)
