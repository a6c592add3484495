"""Keys that come to their end: an `api_key.expiring` event 14, 7 and 1 day before, each once per key."""

from datetime import datetime, timedelta
from typing import Any

from django.db import transaction

from core import clock
from events import outbox
from merchants.models import ApiKey

NOTICE_DAYS = (14, 7, 1)


def passed_mark(expires_at: datetime | None) -> int | None:
    """The nearest day-mark that lies behind a key with this end; None while the first is still to come."""
    if expires_at is None:
        return None
    left = expires_at - clock.now()
    return min((days for days in NOTICE_DAYS if left <= timedelta(days=days)), default=None)


def notice_expiring() -> int:
    """Publish what is due, and say how many. A mark that was missed by days is not told late: the next one is."""
    now = clock.now()
    ending = ApiKey.objects.filter(
        revoked_at=None, expires_at__gt=now, expires_at__lte=now + timedelta(days=max(NOTICE_DAYS))
    )
    return sum(
        _notice(key.pk) for key in ending.only("pk", "expires_at", "noticed_days").order_by("pk") if _is_due(key)
    )


def _is_due(key: ApiKey) -> bool:
    mark = passed_mark(key.expires_at)
    return key.is_current and mark is not None and (key.noticed_days is None or mark < key.noticed_days)


def _notice(public_id: str) -> bool:
    """The mark is noted in the transaction of the event: whatever dies or runs twice, each is told once."""
    with transaction.atomic():
        key = ApiKey.objects.select_for_update(of=("self",)).get(pk=public_id)
        if not _is_due(key):
            return False
        key.noticed_days = passed_mark(key.expires_at)
        ApiKey.objects.filter(pk=key.pk).update(noticed_days=key.noticed_days)
        outbox.publish(key, "expiring")
    return True


def snapshot(key: ApiKey) -> dict[str, Any]:
    """What events say of a key: neither who answers for it nor from where it is used."""
    return {
        "id": key.pk,
        "object": "api_key",
        "name": key.name,
        "prefix": key.prefix,
        "last_four": key.last_four,
        "expires_at": clock.rfc3339(key.expires_at) if key.expires_at else None,
        "expires_within_days": key.noticed_days,
        "livemode": key.livemode,
        "created_at": clock.rfc3339(key.created_at),
    }
