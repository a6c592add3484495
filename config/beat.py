"""Beat's own part: the rows of django-celery-beat are those of the table in code, at the times that staff gave them."""

import json
from datetime import timedelta
from typing import Any

from celery.schedules import maybe_schedule
from django.db import connection, transaction
from django_celery_beat.models import IntervalSchedule, PeriodicTask, PeriodicTasks
from django_celery_beat.schedulers import DatabaseScheduler, ModelEntry
from django_celery_beat.tzcrontab import TzAwareCrontab

from config import schedules
from config.schedules import Schedule
from events.models import Job

RUNNER = "config.tasks.run_schedule"
_OF_CELERY = ("celery.backend_cleanup",)
"""What Celery would plan by itself: it clears up a store of results, and we have none."""


class Scheduler(DatabaseScheduler):  # type: ignore[misc]  # django-celery-beat ships no types
    """Reads its rows at the start, when one is changed, and every five minutes; what the code says is seen to first.

    So is what a worker has died at: it is asked for again.
    """

    def setup_schedule(self) -> None:
        """Nothing is planned but what the rows say, which the first look makes."""

    def all_as_schedule(self) -> Any:
        # Its tasks name their runner after this module.
        from config import tasks

        keep()
        tasks.send_for_abandoned()
        return super().all_as_schedule()

    def enabled_models_qs(self) -> Any:
        """All of them: the library leaves out whose hour is far, and would never run one that an outage has missed."""
        return self.Model.objects.enabled()


def keep() -> None:
    """Make the rows what the table in code says. Times that staff have changed stay, and so does what is off.

    A time that nobody has changed follows the code. Any number of beats may do it at once.
    """
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(hashtext('lango-schedules'))")
        wanted = schedules.current()
        jobs = {job.name: job for job in Job.objects.all()}
        rows = {row.name: row for row in PeriodicTask.objects.filter(name__in=wanted)}
        changed = [_kept(schedule, jobs.get(name), rows.get(name)) for name, schedule in wanted.items()]
        gone = [*(name for name in jobs if name not in wanted), *_OF_CELERY]
        removed, _ = PeriodicTask.objects.filter(name__in=gone).delete()
        Job.objects.filter(name__in=gone).delete()
        if removed or any(changed):
            PeriodicTasks.update_changed()


def _kept(schedule: Schedule, job: Job | None, row: Any) -> bool:
    """Whether anything had to be written that beats have to know of."""
    timing = told(schedule.when)
    fixed = {
        "task": RUNNER,
        "args": json.dumps([schedule.name]),
        "expire_seconds": schedule.expires,
        "description": schedule.does,
    }
    if row is None:
        PeriodicTask.objects.create(name=schedule.name, **fixed, **_time(schedule))
    elif job and job.timing != timing and told_of(row) == job.timing:
        PeriodicTask.objects.filter(pk=row.pk).update(**fixed, **_time(schedule))
    elif any(getattr(row, name) != value for name, value in fixed.items()):
        PeriodicTask.objects.filter(pk=row.pk).update(**fixed)
    elif job and job.timing == timing:
        return False
    Job.objects.update_or_create(name=schedule.name, defaults={"timing": timing})
    return True


def _time(schedule: Schedule) -> dict[str, Any]:
    no_other = {"interval": None, "crontab": None, "solar": None, "clocked": None}
    if isinstance(schedule.when, timedelta):
        return {**no_other, "interval": _interval(schedule.when)}
    row, kind = ModelEntry.to_model_schedule(schedule.when)
    return {**no_other, kind: row}


def _interval(span: timedelta) -> Any:
    """The library's own way loses what a span has beside whole seconds."""
    whole = not span.microseconds
    found = {
        "every": span // timedelta(seconds=1) if whole else span // timedelta(microseconds=1),
        "period": IntervalSchedule.SECONDS if whole else IntervalSchedule.MICROSECONDS,
    }
    return IntervalSchedule.objects.filter(**found).first() or IntervalSchedule.objects.create(**found)


def told_of(row: Any) -> str:
    """The row's time in such words, or that it never comes."""
    try:
        return told(row.schedule)
    except (ValueError, OverflowError):
        return "at a time that never comes"


def told(when: Any) -> str:
    """A time in words that two equal ones share: `every 5 s`, or `0 2 * * * Africa/Nairobi`."""
    when = maybe_schedule(when)
    if isinstance(when, TzAwareCrontab):
        fields = (
            when._orig_minute, when._orig_hour, when._orig_day_of_month, when._orig_month_of_year,
            when._orig_day_of_week, when.tz,
        )  # fmt: skip
        return " ".join(map(str, fields))[:100]
    return f"every {when.run_every.total_seconds():g} s"
