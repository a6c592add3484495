"""How schedules and their periods look from outside, in answers and in events."""

from typing import Any

from django.db.models import Prefetch, QuerySet

from core import clock
from payments.models import Schedule, ScheduleCharge, SchedulePeriod
from payments.states import PeriodState


def schedules() -> QuerySet[Schedule]:
    """With what `present_schedule` needs of each."""
    ahead = SchedulePeriod.objects.filter(state=PeriodState.UPCOMING)
    return Schedule.objects.prefetch_related(Prefetch("periods", ahead, to_attr="ahead"))


def schedule_periods() -> QuerySet[SchedulePeriod]:
    """With what `present_period` needs of each."""
    return SchedulePeriod.objects.prefetch_related("charges__payment")


def present_schedule(schedule: Schedule) -> dict[str, Any]:
    return {
        "id": schedule.pk,
        "object": "schedule",
        "state": schedule.state,
        "customer": schedule.customer_id,
        "saved_method": schedule.saved_method_id,
        "amount": schedule.amount,
        "currency": schedule.currency,
        "every": {
            "unit": schedule.unit,
            "interval": schedule.interval,
            "weekday": schedule.weekday or None,
            "day": schedule.day,
        },
        "zone": schedule.zone,
        "time": schedule.at.strftime("%H:%M"),
        "starts_on": schedule.starts_on.isoformat(),
        "ends_on": schedule.ends_on.isoformat() if schedule.ends_on else None,
        "count": schedule.count,
        "next_period": _next_period(schedule),
        "retries": schedule.retries,
        "notice_days": schedule.notice_days,
        "on_failure": schedule.on_failure,
        "missed": schedule.missed,
        "reference": schedule.reference or None,
        "description": schedule.description or None,
        "return_url": schedule.return_url or None,
        "metadata": schedule.metadata,
        "livemode": schedule.livemode,
        "created_at": clock.rfc3339(schedule.created_at),
    }


def _next_period(schedule: Schedule) -> dict[str, Any] | None:
    ahead = getattr(schedule, "ahead", None)
    if ahead is None:
        ahead = schedule.periods.filter(state=PeriodState.UPCOMING)[:1]
    period = next(iter(ahead), None)
    if period is None or schedule.is_over:
        return None
    return {"number": period.number, "charge_at": clock.rfc3339(period.charge_at), "amount": period.amount}


def present_period(period: SchedulePeriod) -> dict[str, Any]:
    charges = sorted(period.charges.all(), key=lambda charge: charge.number)
    return {
        "id": period.pk,
        "object": "schedule_period",
        "schedule": period.schedule_id,
        "number": period.number,
        "state": period.state,
        "amount": period.amount,
        "currency": period.currency,
        "charge_at": clock.rfc3339(period.charge_at),
        "next_try_at": clock.rfc3339(period.next_try_at) if period.next_try_at else None,
        "payment": next((charge.payment_id for charge in reversed(charges) if charge.payment_id), None),
        "tries": [_try(charge) for charge in charges],
        "failure": _shown(period.failure_code, period.failure_message),
        "skipped_because": period.skipped_because or None,
        "late": period.late,
        "livemode": period.livemode,
        "created_at": clock.rfc3339(period.created_at),
    }


def _try(charge: ScheduleCharge) -> dict[str, Any]:
    failed = charge.outcome == ScheduleCharge.Outcome.ENDED
    code, message, _ = charge.failure if failed else ("", "", False)
    return {
        "number": charge.number,
        "outcome": charge.outcome,
        "payment": charge.payment_id,
        "saved_method": charge.saved_method_id,
        "failure": _shown(code, message),
        "created_at": clock.rfc3339(charge.created_at),
    }


def _shown(code: str, message: str) -> dict[str, str] | None:
    return {"code": code, "message": message} if code else None
