"""Celery's way in to what runs by the clock. Safe to run twice, at once, or never for a while."""

import logging
from datetime import timedelta

from celery import current_app, shared_task
from django.db import connection
from django.utils.module_loading import import_string

from config import schedules, standing
from config.beat import RUNNER
from core import clock
from events import jobs
from events.jobs import Moments

logger = logging.getLogger(__name__)

_TRIED_AGAIN_AFTER = (timedelta(minutes=1), timedelta(minutes=5), timedelta(minutes=15))


@shared_task(name=RUNNER)
def run_schedule(name: str, again: int = 0) -> None:
    """Do what the schedule does, if its moment has come and nobody else is at it.

    One that fails is tried `again`, up to three times, unless its next moment comes sooner.
    """
    try:
        schedule, moments = schedules.find(name), standing.moments_of(name)
        if not schedule or not moments or (again and not jobs.ask_again(name)):
            return
        task = import_string(schedule.task)
        if jobs.run(name, moments, lambda: task(*schedule.args)) and jobs.has_failed(name):
            _try_later(name, moments, again)
    finally:
        connection.close()


def _try_later(name: str, moments: Moments, again: int) -> None:
    if again >= len(_TRIED_AGAIN_AFTER):
        return
    wait, now = _TRIED_AGAIN_AFTER[again], clock.now()
    if moments.next_after(now) > now + wait:
        _send(name, again + 1, wait=wait)


def send_for(name: str) -> None:
    """Tell a worker to look at the schedule now. While no broker can be reached, its next time does."""
    _send(name)


def send_for_abandoned() -> None:
    """Tell workers of the schedules that somebody died at: the next time of one may be a day away."""
    for name in jobs.abandoned():
        send_for(name)


def _send(name: str, again: int = 0, *, wait: timedelta = timedelta(0)) -> None:
    arguments = [name, again] if again else [name]
    try:
        current_app.send_task(RUNNER, args=arguments, countdown=wait.total_seconds() or None, retry=False)
    except Exception as error:  # noqa: BLE001  (whatever the broker's client raises, that it is asked for is kept)
        logger.warning("schedule not sent", extra={"schedule": name, "fault": type(error).__name__})
