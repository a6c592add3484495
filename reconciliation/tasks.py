"""Celery's way in. Safe to run twice, at once, or never for a while: the next run looks back over what was left out."""

from celery import shared_task
from django.db import connection

from reconciliation import runs, settlement_lines, staging, uploads
from reconciliation.models import Run


@shared_task(name="reconciliation.tasks.begin_nightly")
def begin_nightly(zone: str) -> None:
    """Begin the run of the night, of the accounts whose day ends by that clock."""
    try:
        runs.begin_all(occasion=Run.Occasion.NIGHTLY, zone=zone)
    finally:
        connection.close()


@shared_task(name="reconciliation.tasks.begin_often")
def begin_often() -> None:
    try:
        runs.begin_all(occasion=Run.Occasion.OFTEN)
    finally:
        connection.close()


@shared_task(name="reconciliation.tasks.purge")
def purge() -> None:
    """Forget the lines of runs that finished a while ago, and of files that were uploaded before."""
    try:
        staging.purge()
        uploads.purge()
        settlement_lines.purge()
    finally:
        connection.close()
