"""How every schedule stands: when it runs next, and whether it has not run in its time."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django_celery_beat.models import PeriodicTask
from django_celery_beat.tzcrontab import TzAwareCrontab

from config import schedules
from config.schedules import Schedule
from core import clock
from events.jobs import Moments
from events.models import Job

_APART = timedelta(minutes=1)
"""How far the clock of a worker may be behind that of a beat which asks at a moment of the day."""
NEVER = (ValueError, OverflowError)
"""What Celery raises at times such as 31 February, or a span of a million years."""


@dataclass(frozen=True, slots=True)
class Standing:
    """One schedule. `job` and `row` are None before a beat has seen it for the first time."""

    schedule: Schedule
    job: Job | None
    row: Any

    @property
    def is_on(self) -> bool:
        return self.row is None or bool(self.row.enabled)

    @property
    def next_at(self) -> datetime | None:
        """When it is to run next; None while it is off or unknown to any beat, and at a time that never comes."""
        if not (self.job and self.row and self.row.enabled):
            return None
        return _next_of(self.row, self.job.ticked_at or self.job.created_at)

    @property
    def is_late(self) -> bool:
        """Whether it is on and has not succeeded in its time; whoever was never seen by a beat has not, either."""
        if not (self.job and self.row):
            return True
        if not self.row.enabled:
            return False
        last = self.job.succeeded_at or self.job.created_at
        moment = _next_of(self.row, last)
        return moment is None or moment + self.schedule.late < clock.now()


def everyone() -> list[Standing]:
    """In the order of the table."""
    jobs = {job.name: job for job in Job.objects.all()}
    rows = {row.name: row for row in _rows().filter(name__in=jobs)}
    return [Standing(told, jobs.get(name), rows.get(name)) for name, told in schedules.current().items()]


def late() -> list[str]:
    return [told.schedule.name for told in everyone() if told.is_late]


def moments_of(name: str) -> Moments | None:
    """As staff have set them; None for a schedule that no beat has seen, and for a time that never comes."""
    row = _rows().filter(name=name).first()
    if row is None or _next_of(row, clock.now()) is None:
        return None
    when = row.schedule
    # Messages do not take equally long: every fifth of a span is near enough to its end.
    early = _APART if isinstance(when, TzAwareCrontab) else when.run_every / 5
    return Moments(lambda at: next_after(when, at), early)


def next_after(when: Any, at: datetime) -> datetime:
    """The first moment after that one, of the two kinds of times that a schedule of ours may have."""
    if isinstance(when, TzAwareCrontab):
        last, further, _ = when.remaining_delta(at.astimezone(when.tz))
        return (last + further).astimezone(at.tzinfo)  # type: ignore[no-any-return]
    return at + when.run_every  # type: ignore[no-any-return]  # Celery ships no types


def _next_of(row: Any, at: datetime) -> datetime | None:
    """None for a time that never comes: a row may have one that no form of ours has let through."""
    try:
        return next_after(row.schedule, at)
    except NEVER:
        return None


def _rows() -> Any:
    return PeriodicTask.objects.select_related("interval", "crontab", "solar", "clocked")
