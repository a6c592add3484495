"""What streams read from the database: a store's events after a position, and what its screens begin with."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import orjson
from django.db.models import Q, QuerySet

from core import clock, ids
from events.models import Cursor, Event
from events.outbox import SEQUENCER
from merchants.models import Store
from payments import states
from payments.models import Payment
from payments.store_events import encoded, message
from payments.streams import wire

BATCH = 200
SHOWN = 200
"""Payments in a snapshot, the newest."""
LOOKED_BACK = timedelta(days=30)
"""A payment that was begun earlier is in no snapshot, so that a store's whole history is never looked through."""
RESUMED_WITHIN = timedelta(days=1)
"""A screen that has missed something older begins anew: nobody reads a store's history by a number of their choice."""


@dataclass(frozen=True, slots=True)
class Told:
    """One event of a store, ready to be sent to all of its screens."""

    position: int
    store: str
    at: datetime
    frame: bytes


@dataclass(frozen=True, slots=True)
class Beginning:
    """What a stream is told first, and the position at which that is true. `more` says that it is not all."""

    position: int
    frames: bytes
    more: bool = False


def last_position() -> int:
    """The position of the last event that has one."""
    found = Cursor.objects.filter(pk=SEQUENCER).values_list("position", flat=True).first()
    return found or 0


def events_after(positions: Mapping[str, int]) -> list[Told]:
    """By one query: of each store the first events after its position, at most BATCH of them, in order."""
    rows = Event.objects.raw(_AFTER, [list(positions), list(positions.values()), BATCH])
    return [_told(row) for row in rows]


_AFTER = f"""
SELECT later.* FROM unnest(%s::text[], %s::bigint[]) AS asked (store, position)
CROSS JOIN LATERAL (
    SELECT * FROM {Event._meta.db_table} AS event
    WHERE event.store = asked.store AND event.store <> '' AND event.position > asked.position
    ORDER BY event.position LIMIT %s
) AS later ORDER BY later.position
"""  # noqa: S608  (names from models)


def begin(store: Store, *, after: int | None) -> Beginning:
    """What was missed since the position; a snapshot where there is none, it is not ours, or the absence was long."""
    last = last_position()
    if after is None or after > last:
        return _snapshot(store, position=last)
    missed = events_after({store.pk: after})
    if missed and missed[0].at < clock.now() - RESUMED_WITHIN:
        return _snapshot(store, position=last)
    return continued(missed, after=after)


def continued(missed: Sequence[Told], *, after: int) -> Beginning:
    """A piece of what was missed."""
    position = missed[-1].position if missed else after
    return Beginning(position, b"".join(told.frame for told in missed), more=len(missed) == BATCH)


def _snapshot(store: Store, *, position: int) -> Beginning:
    """What whoever has followed all events up to this position knows, so that it can be followed from there."""
    payments = list(_shown(store).values_list("pk", flat=True)[:SHOWN])
    told = Event.objects.filter(subject__in=payments, store=store.pk, position__lte=position)
    latest = told.order_by("subject", "-sequence").distinct("subject")
    shown = sorted((message(event) for event in latest), key=lambda shown: str(shown["payment"]), reverse=True)
    return Beginning(position, wire.frame("snapshot", orjson.dumps({"payments": shown}), position=position))


def _shown(store: Store) -> QuerySet[Payment]:
    """Those that are open, or ended today by the clock of the store; the newest first."""
    now = clock.now()
    midnight = now.astimezone(ZoneInfo(store.zone)).replace(hour=0, minute=0, second=0, microsecond=0)
    recent = Payment.objects.filter(store=store, pk__gte=ids.first_id("pay", now - LOOKED_BACK))
    open_or_today = ~Q(state__in=list(states.PAYMENT.terminals)) | Q(state_changed_at__gte=midnight)
    return recent.filter(open_or_today).order_by("-pk")


def _told(event: Event) -> Told:
    position = event.position
    assert position is not None
    return Told(position, event.store, event.created_at, wire.frame("order", encoded(event), position=position))
