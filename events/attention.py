"""The attention list: what only a person can settle."""

from typing import Any

from core import clock
from core.database import insert_ignoring
from events.models import Attention, Event
from events.sealing import owner_of


def raise_for(row: Any, reason: Attention.Reason, detail: str) -> None:
    """Open an item for the row, unless one is open for the same reason."""
    item = Attention(merchant=owner_of(row), livemode=row.livemode, subject=row.pk, reason=reason, detail=detail[:500])
    insert_ignoring(item)


def raise_about(subject: str, reason: Attention.Reason, detail: str) -> None:
    """The same for what is no merchant's row: a part of the house, by a name of its own."""
    insert_ignoring(Attention(subject=subject, reason=reason, detail=detail[:500]))


def raise_for_subject(event: Event, reason: Attention.Reason, detail: str) -> None:
    """The same for whatever the event is about."""
    item = Attention(
        merchant=event.merchant, livemode=event.livemode, subject=event.subject, reason=reason, detail=detail[:500]
    )
    insert_ignoring(item)


def close(item: Attention, *, by: str) -> bool:
    """Close an open item; False when somebody already had."""
    changed = Attention.objects.filter(pk=item.pk, closed_at=None).update(closed_at=clock.now(), closed_by=by)
    return bool(changed)


def settle(row: Any, reason: Attention.Reason, *, by: str) -> None:
    """Close the item that is open for the row, because its cause is gone."""
    settle_subject(row.pk, reason, by=by)


def settle_subject(subject: str, reason: Attention.Reason, *, by: str) -> None:
    Attention.objects.filter(subject=subject, reason=reason, closed_at=None).update(closed_at=clock.now(), closed_by=by)
