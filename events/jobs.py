"""Work by the clock: whose turn it is, and how it went. Any number of beats may ask and any number of workers come.

A job is claimed as a row, under a lease that a running one renews: it never runs twice at once, nor twice for one of
its moments. Whose worker died is free when its lease ends.
"""

import logging
import threading
import time
import traceback
import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import DatabaseError, connection
from django.db.models import Q
from psycopg_pool import PoolTimeout

from core import clock
from events.models import Job

logger = logging.getLogger(__name__)

_LONG = 1.0
"""Seconds of a run in which a moment of its own may have come, and have been refused."""

_AGAIN = "the house, as it failed"
"""In place of who has asked."""

NextAfter = Callable[[datetime], datetime]
"""The first moment of a schedule after the one that is given."""


@dataclass(frozen=True, slots=True)
class Moments:
    """When a job is to run. A clock that is `early` by no more than that has its moment all the same."""

    next_after: NextAfter
    early: timedelta


def run(name: str, moments: Moments, work: Callable[[], object]) -> bool:
    """Do the work if its moment has come or somebody asks for it, and nobody else is at it; whether it was done.

    What the work raises is logged and counted, and goes no further.
    """
    done = False
    # Twice at most: a long run, or one that somebody asked for again, may have had a moment of its own refused.
    for _ in range(2):
        claim = _claim(name, moments)
        if claim is None:
            return done
        done = True
        if not _carry_out(name, claim, work):
            return done
    return done


def _claim(name: str, moments: Moments) -> uuid.UUID | None:
    job = Job.objects.filter(name=name).first()
    now = clock.now()
    if job is None or (job.claimed_until is not None and job.claimed_until > now):
        return None
    moment = moments.next_after(job.ticked_at or job.created_at)
    has_come = moment <= now + moments.early
    # A claim whose lease has ended was somebody's who died at it: what it was for has not been done.
    if not (has_come or job.claim or job.asked_at):
        return None
    claim = uuid.uuid4()
    ticked_at = max(now, moment) if has_come else job.ticked_at
    taken = _write(
        "claim = %s, claimed_until = %s, started_at = %s, ticked_at = %s, asked_at = NULL",
        [claim, now + settings.SCHEDULE_LEASE, now, ticked_at],
        "name = %s AND claim IS NOT DISTINCT FROM %s AND ticked_at IS NOT DISTINCT FROM %s"
        " AND asked_at IS NOT DISTINCT FROM %s",
        [name, job.claim, job.ticked_at, job.asked_at],
    )
    return claim if taken else None


def _carry_out(name: str, claim: uuid.UUID, work: Callable[[], object]) -> bool:
    """Whether it is worth looking for another moment of it at once."""
    problem = ""
    began = time.monotonic()
    with _Renewing(name, claim):
        try:
            work()
        except Exception as error:
            logger.exception("schedule failed", extra={"schedule": name})
            problem = told(error)
    took = time.monotonic() - began
    _finish(claim, problem=problem, took=took)
    return took >= _LONG or Job.objects.filter(name=name, asked_at__isnull=False).exists()


def _finish(claim: uuid.UUID, *, problem: str, took: float) -> None:
    now = clock.now()
    how = "failures = failures + 1, problem = %s" if problem else "failures = 0, succeeded_at = %s"
    _write(
        f"claim = NULL, claimed_until = NULL, finished_at = %s, milliseconds = %s, {how}",
        [now, round(took * 1000), problem or now],
        "claim = %s",
        [claim],
    )


def _write(assigned: str, given: list[Any], guard: str, guarded: list[Any]) -> bool:
    """One round trip, whose commit waits for no disk: what a server's fall forgets of it, the next moment mends."""
    lightly = "WITH lightly AS (SELECT set_config('synchronous_commit', 'off', true))"
    update = f"UPDATE {Job._meta.db_table} SET {assigned} FROM lightly WHERE {guard}"  # noqa: S608  (written here)
    with connection.cursor() as cursor:
        cursor.execute(f"{lightly} {update}", [*given, *guarded])
        return int(cursor.rowcount) == 1


class _Renewing:
    """Keeps a claim while the block lasts. The thread has a connection of its own, only when it needs one."""

    def __init__(self, name: str, claim: uuid.UUID) -> None:
        self._name, self._claim = name, claim
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._renew, name=f"lease of {name}", daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _renew(self) -> None:
        lease = settings.SCHEDULE_LEASE
        while not self._ended.wait(lease.total_seconds() / 4):
            try:
                held = Job.objects.filter(claim=self._claim).update(claimed_until=clock.now() + lease)
            except (DatabaseError, PoolTimeout):
                continue
            finally:
                connection.close()
            if not held:
                logger.warning("schedule lost its claim", extra={"schedule": self._name})
                return


def told(error: Exception) -> str:
    """What kind of error it was, and where in our code: its text may hold what nobody is to see, and is in the log."""
    place = ""
    for frame in traceback.extract_tb(error.__traceback__):
        with suppress(ValueError):
            place = f" at {Path(frame.filename).relative_to(settings.BASE_DIR)}:{frame.lineno}, {frame.name}"
    return f"{type(error).__name__}{place}"[:300]


def ask(job: Job, *, by: str) -> bool:
    """Have it run now, whatever its moments are; False where it is asked for already and has not begun."""
    waiting = Q(asked_at__isnull=False)
    return bool(Job.objects.filter(~waiting, pk=job.pk).update(asked_at=clock.now(), asked_by=by))


def ask_again(name: str) -> bool:
    """Have one run now whose last run has failed; False where it has succeeded since, or is being run."""
    failed = Job.objects.filter(name=name, failures__gt=0, claim=None)
    return bool(failed.update(asked_at=clock.now(), asked_by=_AGAIN))


def has_failed(name: str) -> bool:
    return Job.objects.filter(name=name, failures__gt=0, claim=None).exists()


def abandoned() -> list[str]:
    """Those that somebody claimed whose lease has ended: what they were for has not been done."""
    return list(Job.objects.filter(claim__isnull=False, claimed_until__lt=clock.now()).values_list("name", flat=True))
