"""Events out: staged in the transaction of the change, given a gapless position after commit, read by cursors."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.db import connection, models, transaction

from core import clock
from core.database import update_and_insert
from core.logging import request_id
from events import subjects, work
from events.models import Cursor, Event
from events.sealing import owner_of

logger = logging.getLogger(__name__)

SEQUENCER = "sequencer"
_BATCH = 1000


class StaleRow(Exception):
    """The row was changed by somebody else since it was read; it was not locked."""


def stage(row: Any, event_type: str, *, sequence: int) -> Event:
    """An unsaved event with the row's snapshot, for whoever inserts it with the change that it tells of."""
    present = subjects.publisher_of(row).present
    if present is None:
        raise ValueError(f"{type(row).__name__} publishes no events")
    return Event(
        merchant=owner_of(row),
        livemode=row.livemode,
        type=event_type,
        subject=row.pk,
        sequence=sequence,
        data=present(row),
        api_version=settings.API_VERSION,
        request_id=request_id.get(),
    )


def publish(row: Any, fact: str) -> Event:
    """Publish something that happened to a row without changing its state, inside your transaction."""
    subject = subjects.publisher_of(row)
    if fact not in subject.facts:
        raise ValueError(f"{subject.kind} has no fact {fact!r} in the catalogue of events")
    before, row.sequence = row.sequence, row.sequence + 1
    event = stage(row, f"{subject.kind}.{fact}", sequence=row.sequence)
    if not update_and_insert(row, {"sequence": row.sequence}, expecting={"sequence": before}, rows=[event]):
        raise StaleRow(f"{row.pk} was changed while it was not locked")
    work.wake_on_commit("outbox")
    return event


@dataclass(frozen=True, slots=True)
class Reader:
    """One way out. `read` is given a batch of events in order, inside the transaction that moves its cursor."""

    name: str
    read: Callable[[list[Event]], None]
    wakes: str = ""


_readers: dict[str, Reader] = {}


def register(reader: Reader) -> None:
    _readers[reader.name] = reader


def dispatch() -> bool:
    """Give positions to what is committed and let every reader follow; whether there was anything to do."""
    sequenced = sequence_committed()
    read = [_follow(reader) for reader in _readers.values()]
    return bool(sequenced) or any(read)


def sequence_committed() -> int:
    """Give the next positions to committed events; one sequencer at a time, a subject's events in their order."""
    with transaction.atomic():
        last = _locked_cursor(SEQUENCER)
        with connection.cursor() as cursor:
            cursor.execute(
                f"""
                WITH waiting AS (
                    SELECT id, row_number() OVER (ORDER BY subject, sequence) AS place
                    FROM (SELECT id, subject, sequence FROM {Event._meta.db_table}
                          WHERE position IS NULL ORDER BY subject, sequence LIMIT %s) AS oldest
                )
                UPDATE {Event._meta.db_table} AS event SET position = %s + waiting.place
                FROM waiting WHERE event.id = waiting.id
                """,  # noqa: S608  (names from models)
                [_BATCH, last.position],
            )
            given: int = cursor.rowcount
        if given:
            Cursor.objects.filter(pk=SEQUENCER).update(position=last.position + given)
    return given


def _follow(reader: Reader) -> bool:
    """A reader that fails stays where it is until the next sweep, and holds up no other."""
    try:
        return _advance(reader)
    except Exception:
        logger.exception("reader failed", extra={"reader": reader.name})
        return False


def _advance(reader: Reader) -> bool:
    with transaction.atomic():
        cursor = _locked_cursor(reader.name)
        batch = list(Event.objects.filter(position__gt=cursor.position).order_by("position")[:_BATCH])
        if batch:
            reader.read(batch)
            Cursor.objects.filter(pk=reader.name).update(position=batch[-1].position)
            if reader.wakes:
                work.wake_on_commit(reader.wakes)
    return bool(batch)


def _locked_cursor(name: str) -> Cursor:
    held = Cursor.objects.select_for_update().filter(pk=name).first()
    if held is None:
        Cursor.objects.bulk_create([Cursor(name=name)], ignore_conflicts=True)
        held = Cursor.objects.select_for_update().get(pk=name)
    return held


def behind() -> dict[str, int]:
    """How many events each reader has still to read, for health pages and the demo."""
    last = Event.objects.aggregate(last=models.Max("position"))["last"] or 0
    return {cursor.name: last - cursor.position for cursor in Cursor.objects.filter(pk__in=_readers)}


def oldest_unsequenced() -> float:
    """For how many seconds the oldest event has waited for its position; 0.0 when none does."""
    since = Event.objects.filter(position=None).aggregate(since=models.Min("created_at"))["since"]
    return (clock.now() - since).total_seconds() if since else 0.0


work.register(work.Drain("outbox", dispatch))
