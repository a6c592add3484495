"""The one claimer: work waits as rows, is claimed in lanes under a lease, and is done by a pool of threads.

A row is never handed to a broker. A broker only carries the wake-up, so its absence costs time.
"""

import logging
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Protocol

import redis
from celery import current_app
from django.conf import settings
from django.db import connection, transaction
from django.db.models import Count, Min, Model, prefetch_related_objects
from redis.backoff import NoBackoff
from redis.retry import Retry

from core import clock
from events import pacing
from events.models import LanePace, Work

logger = logging.getLogger(__name__)

_GATHER_SECONDS = 0.01
_LANE_SHARE = 4
_PACE_TICK = 0.05
_STAYS_AWAKE = 20.0
_BACKOFF = (5, 30, 120, 600, 1800)


class Drainable(Protocol):
    """Something that can be told to work until nothing is due."""

    name: str

    def __call__(self) -> None: ...


_drains: dict[str, Drainable] = {}


def register(drain: Drainable) -> None:
    _drains[drain.name] = drain


def drain(name: str) -> None:
    """Work on one queue until nothing is due. What runs already in this process goes round once more instead."""
    _forget_wake(name)
    _drains[name]()


def names() -> list[str]:
    return list(_drains)


@dataclass(frozen=True, slots=True)
class Waiting:
    """How many rows of a queue are due and not claimed, and for how many seconds the oldest has been."""

    due: int
    oldest: float


def waiting() -> dict[str, Waiting]:
    """What waits in every registered queue that is a table of work."""
    now = clock.now()
    found = {}
    for queue in (part for part in _drains.values() if isinstance(part, Queue)):
        rows = queue.model._default_manager.filter(due_at__lte=now)
        told = rows.aggregate(due=Count("pk"), since=Min("due_at"))
        found[queue.name] = Waiting(told["due"], (now - told["since"]).total_seconds() if told["since"] else 0.0)
    return found


class Drain:
    """Calls `once` until it finds nothing; one at a time in a process, and never missing a call.

    After a while it ends, with a wake-up for the next one: a worker that is told to stop waits for its tasks, and other
    queues wait for its threads.
    """

    def __init__(self, name: str, once: Callable[[], bool]) -> None:
        self.name = name
        self._once = once
        self._running = threading.Lock()
        self._turn: object = None
        self._asked = threading.Event()

    def __call__(self) -> None:
        self._asked.set()
        while self._asked.is_set() and self._running.acquire(blocking=False):
            self._turn = turn = object()
            ends_at = time.monotonic() + _STAYS_AWAKE
            try:
                self._asked.clear()
                while self._once():
                    if time.monotonic() >= ends_at:
                        wake_up(self.name)
                        return
            finally:
                self._end(turn)

    def hand_over(self) -> None:
        """Called by `once` when it only finishes what it has begun: another may go on meanwhile, and is woken."""
        self._end(self._turn)
        wake_up(self.name)

    def _end(self, turn: object) -> None:
        if self._turn is turn:
            self._turn = None
            self._running.release()


Outcome = tuple[Any, Any]


@dataclass
class Queue:
    """A table of work and how it is done.

    `do` runs in a thread and may call the outside; `finish` stores a batch of its results, given as
    (row, result) pairs, in the draining thread. Without `finish`, `do` stores what it did itself and
    leaves `due_at` and `claim` as they should be. `lane_limit` rows of a lane are in flight at most,
    and never more than a quarter of the threads that are free, so that hanging lanes leave room.
    `related` rows are fetched with each claim. `paced` says that lanes may have a pace (`events/pacing.py`).
    `lanes` is the table of what the lanes are named after, where that belongs to merchants: then a merchant with many
    lanes has at most half of the threads that the others leave free.
    """

    name: str
    model: type[Work]
    do: Callable[[Any], Any]
    lane_limit: int
    threads: int
    finish: Callable[[Sequence[Outcome]], None] | None = None
    failing: Callable[[Any], None] | None = None
    related: tuple[str, ...] = ()
    paced: bool = False
    lanes: type[Model] | None = None
    _drain: Drain = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._drain = Drain(self.name, self._until_empty)

    def __call__(self) -> None:
        self._drain()

    def _until_empty(self) -> bool:
        running: dict[Future[Any], Any] = {}
        ends_at = time.monotonic() + _STAYS_AWAKE
        with ThreadPoolExecutor(self.threads, thread_name_prefix=self.name) as pool:
            while True:
                held = Counter(row.owner_of_lane for row in running.values())
                for row in claim(self, free=self.threads - len(running), held=held):
                    running[pool.submit(self._do, row)] = row
                held_back = self.paced and pacing.holds_back(self.name, self.model)
                if running:
                    self._collect(running, timeout=_PACE_TICK if held_back else 1)
                elif held_back:
                    time.sleep(_PACE_TICK)
                else:
                    return False
                if time.monotonic() >= ends_at:
                    break
            self._drain.hand_over()
            while running:
                self._collect(running, timeout=1)
        return False

    def _collect(self, running: dict[Future[Any], Any], *, timeout: float) -> None:
        wait(running, return_when=FIRST_COMPLETED, timeout=timeout)
        time.sleep(_GATHER_SECONDS)
        done = [future for future in running if future.done()]
        outcomes = [(running.pop(future), future.result()) for future in done]
        finished = [(row, result) for row, result in outcomes if not isinstance(result, Exception)]
        for row, result in outcomes:
            if isinstance(result, Exception):
                self._failed(row)
        if finished and self.finish:
            self.finish(finished)

    def _do(self, row: Any) -> Any:
        try:
            return self.do(row)
        except Exception as error:
            logger.exception("work failed", extra={"queue": self.name, "row": row.pk})
            return error
        finally:
            connection.close()

    def _failed(self, row: Any) -> None:
        delay = _BACKOFF[min(row.tries, len(_BACKOFF)) - 1]
        self.model._default_manager.filter(pk=row.pk, claim=row.claim).update(
            claim=None, due_at=clock.now() + timedelta(seconds=delay)
        )
        if self.failing and row.tries >= len(_BACKOFF):
            self.failing(row)


def claim(queue: Queue, *, free: int, held: Mapping[str, int] | None = None) -> list[Any]:
    """Lease due rows for `free` threads; one claimer of a queue at a time, so that caps hold.

    Who has the fewest rows in flight comes first, then the oldest row: no lane waits because of its name, or of what
    others have. `held` counts what this process is at by owner (`owner_of_lane` of the rows returned); one owner gets
    at most half of what the others leave, so that a merchant whose endpoints all hang leaves room.
    """
    if free <= 0:
        return []
    table, now = queue.model._meta.db_table, clock.now()
    held = held or {}
    parameters = {
        "queue": queue.name,
        "now": now,
        "limit": max(1, min(queue.lane_limit, free // _LANE_SHARE)),
        "batch": free,
        "owners": list(held),
        "held": list(held.values()),
        "claim": uuid.uuid4(),
        "until": now + settings.WORK_LEASE,
        # Another claimer may have taken the time after us and the lock before us. What is later is put off, not leased.
        "latest": now + 2 * settings.WORK_LEASE,
    }
    owned = queue.lanes._meta.db_table if queue.lanes else ""
    names = {
        "table": table,
        "pace": LanePace._meta.db_table,
        "burst": pacing.BURST_SECONDS,
        "owner": "coalesce(owned.merchant_id, lanes.lane)" if owned else "lanes.lane",
        "owned": f"LEFT JOIN {owned} AS owned ON owned.id = lanes.lane" if owned else "",
    }
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(hashtext('lango-work'), hashtext(%s))", [queue.name])
        claimed = list(queue.model._default_manager.raw(_CLAIM.format(**names), parameters))
    prefetch_related_objects(claimed, *queue.related)
    return claimed


_CLAIM = """
WITH RECURSIVE lanes AS (
    (SELECT lane FROM {table} WHERE due_at <= %(now)s ORDER BY lane LIMIT 1)
    UNION ALL
    SELECT (SELECT later.lane FROM {table} AS later
            WHERE later.lane > lanes.lane AND later.due_at <= %(now)s ORDER BY later.lane LIMIT 1)
    FROM lanes WHERE lanes.lane IS NOT NULL
), room AS (
    SELECT lanes.lane, {owner} AS owner, busy.count AS busy, coalesce(held.count, 0) AS held,
        least(%(limit)s::bigint - busy.count, CASE WHEN pace.lane IS NULL THEN %(limit)s::bigint ELSE 1 + floor(extract(
            epoch FROM %(now)s::timestamptz + interval '{burst} seconds'
                - greatest(pace.next_at, %(now)s::timestamptz)
        ) * pace.per_second)::bigint END) AS free
    FROM lanes {owned}
    CROSS JOIN LATERAL (
        SELECT count(*) AS count FROM {table} AS leased WHERE leased.lane = lanes.lane AND leased.claim IS NOT NULL
            AND leased.due_at > %(now)s AND leased.due_at <= %(latest)s
    ) AS busy
    LEFT JOIN {pace} AS pace ON pace.queue = %(queue)s AND pace.lane = lanes.lane
    LEFT JOIN unnest(%(owners)s::text[], %(held)s::bigint[]) AS held (owner, count) ON held.owner = {owner}
    WHERE lanes.lane IS NOT NULL
), turn AS (
    SELECT 1 + 2 * %(batch)s::bigint / nullif(count(*), 0) AS most FROM room WHERE free > 0
), due AS (
    SELECT first.id, first.due_at, room.lane, room.owner, room.busy, room.held,
        row_number() OVER (PARTITION BY room.owner ORDER BY room.busy + first.turn, first.due_at) AS place
    FROM room CROSS JOIN LATERAL (
        SELECT id, due_at, row_number() OVER (ORDER BY due_at) AS turn
        FROM {table} AS waiting WHERE waiting.lane = room.lane AND waiting.due_at <= %(now)s
        ORDER BY due_at LIMIT greatest(0, least(room.free, (SELECT most FROM turn)))
    ) AS first
    WHERE room.free > 0
), chosen AS (
    SELECT id, lane, owner FROM due
    WHERE place <= greatest((%(batch)s::bigint + held) / 2 - held, (held = 0)::int)
    ORDER BY greatest(held, busy) + place, due_at LIMIT %(batch)s::bigint
), turns AS (
    SELECT waiting.id, chosen.lane, chosen.owner FROM {table} AS waiting JOIN chosen ON chosen.id = waiting.id
    WHERE waiting.due_at <= %(now)s FOR UPDATE OF waiting SKIP LOCKED
), spaced AS (
    UPDATE {pace} AS pace SET next_at = greatest(pace.next_at, %(now)s::timestamptz)
        + taken.count::float / pace.per_second * interval '1 second'
    FROM (SELECT lane, count(*) AS count FROM turns GROUP BY lane) AS taken
    WHERE pace.queue = %(queue)s AND pace.lane = taken.lane
)
UPDATE {table} AS work SET claim = %(claim)s, due_at = %(until)s, tries = least(work.tries + 1, 32767)
FROM turns WHERE work.id = turns.id RETURNING work.*, turns.owner AS owner_of_lane
"""


def wake_on_commit(name: str) -> None:
    """Wake the queue's drain when the transaction commits; coalesced, and never in the way."""
    pending = connection.run_on_commit
    wake = _Wake(name)
    if connection.in_atomic_block and any(entry[1] == wake for entry in pending):
        return
    transaction.on_commit(wake)


@dataclass(frozen=True, slots=True)
class _Wake:
    name: str

    def __call__(self) -> None:
        wake_up(self.name)


def wake_up(name: str) -> None:
    """Ask a worker to drain the queue, unless one was asked already. Swallows every fault: beat sweeps."""
    global _redis_away_until
    if time.monotonic() < _redis_away_until:
        return
    try:
        if _redis().set(_wake_key(name), 1, nx=True, px=2000):
            current_app.send_task("events.tasks.drain", args=[name], retry=False)
    except Exception as error:  # noqa: BLE001  (whatever the broker's client raises, the row is safe and beat finds it)
        _redis_away_until = time.monotonic() + 1
        logger.warning("wake-up not sent", extra={"queue": name, "fault": type(error).__name__})


_redis_away_until = 0.0
_client: redis.Redis | None = None


def _redis() -> redis.Redis:
    global _client
    if _client is None:
        timeout = settings.REDIS_TIMEOUT
        _client = redis.Redis.from_url(
            settings.REDIS_URL, socket_timeout=timeout, socket_connect_timeout=timeout, retry=Retry(NoBackoff(), 0)
        )
    return _client


def _wake_key(name: str) -> str:
    return f"lango:wake:{name}"


def _forget_wake(name: str) -> None:
    with suppress(redis.RedisError):
        _redis().delete(_wake_key(name))
