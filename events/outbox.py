"""Events out: staged in the transaction of the change, given a gapless position after commit, read by cursors."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import InterfaceError, OperationalError, connection, models, transaction

from core import clock
from core.database import update_and_insert
from core.logging import request_id
from events import attention, subjects, work
from events.models import Attention, Cursor, Event, UnreadSubject
from events.sealing import owner_of

logger = logging.getLogger(__name__)

SEQUENCER = "sequencer"
_BATCH = 1000
_MOST_PUT_ASIDE = 10
_READ_AGAIN_AFTER = timedelta(seconds=30)


class StaleRow(Exception):
    """The row was changed by somebody else since it was read; it was not locked."""


class Away(Exception):
    """What a reader tells is away: none of its events is at fault, and all of them wait behind its cursor."""


def stage(row: Any, event_type: str, *, sequence: int) -> Event:
    """An unsaved event with the row's snapshot, for whoever inserts it with the change that it tells of."""
    publisher = subjects.publisher_of(row)
    if publisher.present is None:
        raise ValueError(f"{type(row).__name__} publishes no events")
    return Event(
        merchant=owner_of(row),
        livemode=row.livemode,
        type=event_type,
        subject=row.pk,
        sequence=sequence,
        store=publisher.store(row),
        data=publisher.present(row),
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
    """One way out. `read` is given a batch of events in order, inside the transaction that moves its cursor.

    It raises Away where nothing can be read for now, whatever the event. One that `goes_first` is read before others.
    """

    name: str
    read: Callable[[list[Event]], None]
    wakes: str = ""
    goes_first: bool = False


_readers: dict[str, Reader] = {}


def register(reader: Reader) -> None:
    _readers[reader.name] = reader


def dispatch() -> bool:
    """Give positions to what is committed and let every reader follow; whether there was anything to do."""
    sequenced = sequence_committed()
    read = [_follow(reader) for reader in sorted(_readers.values(), key=lambda reader: not reader.goes_first)]
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
    """A reader that fails on a batch is given its events one by one, and holds up no other."""
    for advance in (_advance, _advance_singly):
        try:
            return advance(reader)
        except Away as away:
            logger.warning("reader waits", extra={"reader": reader.name, "fault": str(away)})
            return False
        except Exception:
            logger.exception("reader failed", extra={"reader": reader.name})
    return False


def _advance(reader: Reader) -> bool:
    with transaction.atomic():
        batch, unread = _next(reader)
        wanted = [event for event in batch if event.subject not in unread]
        if wanted:
            reader.read(wanted)
        if batch:
            _moved(reader, batch[-1])
    return bool(batch)


def _advance_singly(reader: Reader) -> bool:
    """What cannot be read is put aside with all that follows of its subject (money.md 24).

    A reader that can read nothing puts a few aside at a time: it is the reader that is broken then, not its events.
    """
    with transaction.atomic():
        batch, unread = _next(reader)
        given_up = 0
        for event in batch:
            if event.subject not in unread and not _is_read(reader, event):
                unread.add(event.subject)
                given_up += 1
            if given_up == _MOST_PUT_ASIDE:
                break
        if batch:
            _moved(reader, event)
    return bool(batch) and not given_up


def _is_read(reader: Reader, event: Event) -> bool:
    try:
        with transaction.atomic():
            reader.read([event])
        return True
    except (Away, OperationalError, InterfaceError):
        raise
    except Exception:
        logger.exception("event put aside", extra={"reader": reader.name, "event": event.pk})
    UnreadSubject.objects.create(
        lane=reader.name,
        subject=event.subject,
        position=event.position,  # type: ignore[misc]  # whatever is read has one
        due_at=clock.now() + _READ_AGAIN_AFTER,
    )
    told = f"{reader.name} cannot read {event.pk}; it waits with all that follows of its subject, and is tried again"
    attention.raise_for_subject(event, Attention.Reason.UNREAD, told)
    return False


def _next(reader: Reader) -> tuple[list[Event], set[str]]:
    """The events that come next, and the subjects of which none can be read; the reader's cursor is locked."""
    cursor = _locked_cursor(reader.name)
    batch = list(Event.objects.filter(position__gt=cursor.position).order_by("position")[:_BATCH])
    return batch, set(UnreadSubject.objects.filter(lane=reader.name).values_list("subject", flat=True))


def _moved(reader: Reader, last: Event) -> None:
    Cursor.objects.filter(pk=reader.name).update(position=last.position)
    if reader.wakes:
        work.wake_on_commit(reader.wakes)


def _read_again(unread: UnreadSubject) -> None:
    """All of a subject's events that were put aside, in order; it is a subject like any other again afterwards."""
    reader = _readers.get(unread.lane)
    with transaction.atomic():
        if reader is not None:
            reached = _locked_cursor(reader.name).position
            put_aside = Event.objects.filter(subject=unread.subject, position__gte=unread.position)
            reader.read(list(put_aside.filter(position__lte=reached).order_by("position")))
            if reader.wakes:
                work.wake_on_commit(reader.wakes)
        unread.delete()
        if not UnreadSubject.objects.filter(subject=unread.subject).exists():
            attention.settle_subject(unread.subject, Attention.Reason.UNREAD, by="system")


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
work.register(work.Queue("unread", model=UnreadSubject, do=_read_again, lane_limit=4, threads=8))
