"""Celery's way in. Safe to run twice, at once, or never for a while."""

from celery import shared_task
from django.db import connection

from payments.services import dispute_notices, saved_notices


@shared_task(name="payments.tasks.tell_of_due_evidence")
def tell_of_due_evidence() -> None:
    try:
        dispute_notices.tell_of_due_evidence()
    finally:
        connection.close()


@shared_task(name="payments.tasks.tell_of_ending_cards")
def tell_of_ending_cards() -> None:
    try:
        saved_notices.tell_of_ending()
    finally:
        connection.close()
