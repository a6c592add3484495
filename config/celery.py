"""Celery: the worker that drains queues, and the schedule by which beat sweeps what a wake-up missed."""

import os
from datetime import timedelta
from zoneinfo import ZoneInfo

from celery import Celery
from celery.signals import setup_logging

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

app = Celery("lango")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@setup_logging.connect
def _use_our_logging(**_: object) -> None:
    """Connecting is enough: Celery then leaves Django's logging configuration as it is."""


def schedule() -> dict[str, dict[str, object]]:
    """Every periodic job; django-celery-beat keeps it in the database, where staff may change it."""
    import django

    django.setup()
    from django.conf import settings

    from events import work

    sweeps: dict[str, dict[str, object]] = {
        f"sweep {name}": {
            "task": "events.tasks.drain",
            "schedule": timedelta(seconds=settings.SWEEP_SECONDS),
            "args": (name,),
            "options": {"expires": settings.SWEEP_SECONDS},
        }
        for name in work.names()
    }
    return {
        **sweeps,
        "purge": {"task": "events.tasks.purge", "schedule": timedelta(hours=1)},
        "notice expiring keys": {"task": "merchants.tasks.notice_expiring_keys", "schedule": timedelta(minutes=10)},
        "ending cards": {"task": "payments.tasks.tell_of_ending_cards", "schedule": timedelta(hours=1)},
        "often reconciliation": {"task": "reconciliation.tasks.begin_often", "schedule": timedelta(minutes=15)},
        **_nights(),
        "forget statement lines": {"task": "reconciliation.tasks.purge", "schedule": timedelta(hours=1)},
        "due evidence": {"task": "payments.tasks.tell_of_due_evidence", "schedule": timedelta(minutes=15)},
    }


def _nights() -> dict[str, dict[str, object]]:
    """Reconciliation at two in the morning, by the clock that each provider's business day ends by."""
    from django_celery_beat.tzcrontab import TzAwareCrontab

    from payments.providers import REGISTRY

    declared = [REGISTRY[name].capabilities.statements for name in REGISTRY]
    return {
        f"nightly reconciliation in {zone}": {
            "task": "reconciliation.tasks.begin_nightly",
            "schedule": TzAwareCrontab(minute="0", hour="2", tz=ZoneInfo(zone)),
            "args": (zone,),
        }
        for zone in sorted({told.zone for told in declared if told})
    }


@app.on_after_finalize.connect
def _plan(sender: Celery, **_: object) -> None:
    sender.conf.beat_schedule = schedule()
