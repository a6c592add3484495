"""Celery's way in. Safe to run twice, at once, or never (the next run tells what is due then)."""

from celery import shared_task
from django.db import connection

from merchants import expiry


@shared_task(name="merchants.tasks.notice_expiring_keys")
def notice_expiring_keys() -> None:
    try:
        expiry.notice_expiring()
    finally:
        connection.close()
