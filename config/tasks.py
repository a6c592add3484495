"""Celery's way in to what runs by the clock. Safe to run twice, at once, or never for a while."""

import logging

from celery import current_app, shared_task
from django.db import connection
from django.utils.module_loading import import_string

from config import schedules, standing
from config.beat import RUNNER
from events import jobs

logger = logging.getLogger(__name__)


@shared_task(name=RUNNER)
def run_schedule(name: str) -> None:
    """Do what the schedule does, if its moment has come and nobody else is at it."""
    try:
        schedule, moments = schedules.find(name), standing.moments_of(name)
        if schedule and moments:
            task = import_string(schedule.task)
            jobs.run(name, moments, lambda: task(*schedule.args))
    finally:
        connection.close()


def send_for(name: str) -> None:
    """Tell a worker to look at the schedule now. While no broker can be reached, its next time does."""
    try:
        current_app.send_task(RUNNER, args=[name], retry=False)
    except Exception as error:  # noqa: BLE001  (whatever the broker's client raises, that it is asked for is kept)
        logger.warning("schedule not sent", extra={"schedule": name, "fault": type(error).__name__})
