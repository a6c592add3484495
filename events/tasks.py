"""Celery's way in: drain one queue. Safe to run twice, at once, or never (beat sweeps)."""

from celery import shared_task
from django.db import connection

from events import audit, idempotency, inbox, work


@shared_task(name="events.tasks.drain")
def drain(name: str) -> None:
    """Work on one queue until nothing is due."""
    try:
        work.drain(name)
    finally:
        connection.close()


@shared_task(name="events.tasks.purge")
def purge() -> None:
    """Forget stored answers, quarantined callbacks and counts of refused keys that are past their time."""
    idempotency.purge_answers()
    inbox.purge_quarantine()
    audit.purge_refused()
