"""A circuit breaker per provider account, in the database, so that all processes share it.

It is fed by the first call of each payment alone: whether anybody answered, whatever the answer said (money.md 14).
It keeps new payments away from an account that does not answer, and nothing else: questions, refunds, cancels and
callbacks go on. An account that answers costs no statement.
"""

import logging
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction

from core import clock
from merchants.models import Breaker

logger = logging.getLogger(__name__)

_troubled: set[str] = set()
"""Accounts of which this process knows that the row counts failures."""


def is_resting(account: str, *, streak: int, retry_at: datetime | None) -> bool:
    """Whether nothing new is sent there now, by the columns of its row, which was read with the account.

    False as well once a trial is due, which `admit` gives to one payment alone.
    """
    if streak:
        _troubled.add(account)
    return retry_at is not None and retry_at > clock.now()


def admit(account: str) -> bool:
    """Whether a payment may be sent there: where the breaker is open, one alone each time that a trial is due."""
    if account not in _troubled:
        return True
    row = Breaker.objects.filter(account=account, opened_at__isnull=False).first()
    if row is None:
        return True
    now = clock.now()
    taken = Breaker.objects.filter(account=account, trials=row.trials, retry_at__lte=now)
    return bool(taken.update(trials=row.trials + 1, retry_at=now + _rest(row.trials + 1)))


def note_answer(account: str) -> None:
    """A first call was answered: what was counted is forgotten, and an open breaker closes."""
    if account not in _troubled:
        return
    _troubled.discard(account)
    closed = Breaker.objects.filter(account=account, opened_at__isnull=False).exists()
    Breaker.objects.filter(account=account).update(streak=0, opened_at=None, retry_at=None, trials=0)
    if closed:
        logger.info("breaker closed", extra={"account": account})


def note_silence(account: str) -> None:
    """A first call could not be made, or its answer was lost; after enough of them in a row the breaker opens."""
    _troubled.add(account)
    Breaker.objects.bulk_create([Breaker(account_id=account)], ignore_conflicts=True)
    with transaction.atomic():
        row = Breaker.objects.select_for_update().get(account=account)
        row.streak += 1
        opens = row.opened_at is None and row.streak >= settings.BREAKER_FAILURES
        if opens:
            row.opened_at = clock.now()
            row.retry_at = row.opened_at + _rest(0)
        row.save()
    if opens:
        logger.warning("breaker opened", extra={"account": account, "streak": row.streak})


def _rest(trials: int) -> timedelta:
    """Doubled with each trial in vain, up to the longest."""
    rest: timedelta = settings.BREAKER_REST * 2 ** min(trials, 16)
    return min(rest, settings.BREAKER_LONGEST_REST)
