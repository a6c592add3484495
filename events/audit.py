"""The audit log: inserted rows that carry their own HMAC."""

import json
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.db import connection

from core import addresses, clock
from core.crypto import KeyRing, Purpose, matches
from core.logging import request_id
from events.models import AuditEntry, RefusedKeys


@dataclass(frozen=True, slots=True)
class RequestFacts:
    """What is kept of a request: never a body, a value in its path, or its query."""

    method: str
    route: str
    status: int | None = None
    milliseconds: int | None = None


_NO_REQUEST = RequestFacts("", "")


def entry(
    *,
    actor: str,
    action: str,
    merchant: str = "",
    livemode: bool = False,
    object_id: str = "",
    address: str | None = None,
    detail: dict[str, Any] | None = None,
    request: RequestFacts | None = None,
) -> AuditEntry:
    """An unsaved row with its HMAC, for callers that insert it together with what it tells of."""
    told = request or _NO_REQUEST
    made = AuditEntry(
        merchant=merchant,
        livemode=livemode,
        actor=actor,
        action=action,
        object_id=object_id,
        address=address,
        request_id=request_id.get(),
        method=told.method,
        route=told.route,
        status=told.status,
        milliseconds=told.milliseconds,
        detail=detail or {},
    )
    made.mac = _mac(made)
    return made


def record(**facts: Any) -> AuditEntry:
    """Insert one row. Takes what `entry` takes; never updates."""
    made = entry(**facts)
    made.save(force_insert=True)
    return made


def is_intact(row: AuditEntry) -> bool:
    """Whether the row is as it was inserted, under whichever master key that was."""
    ring: KeyRing = settings.KEY_RING
    made = ring.keyed_hashes(Purpose.AUDIT, _canonical(row), livemode=row.livemode)
    return any(matches(row.mac, mac) for mac in made)


def count_refused(reason: str, address: str) -> None:
    """Count a request whose key is unknown; the presented secret is not stored."""
    minute = clock.now().replace(second=0, microsecond=0)
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {RefusedKeys._meta.db_table} (reason, block, minute, count) VALUES (%s, %s, %s, 1) "  # noqa: S608
            "ON CONFLICT ON CONSTRAINT one_count_per_minute "
            f"DO UPDATE SET count = {RefusedKeys._meta.db_table}.count + 1",
            [reason, addresses.block(address), minute],
        )


def _mac(row: AuditEntry) -> str:
    ring: KeyRing = settings.KEY_RING
    return ring.keyed_hash(Purpose.AUDIT, _canonical(row), livemode=row.livemode)


def _canonical(row: AuditEntry) -> str:
    return json.dumps(
        [
            row.pk,
            row.merchant,
            row.livemode,
            row.actor,
            row.action,
            row.object_id,
            row.address,
            row.request_id,
            row.detail,
            clock.rfc3339(row.at),
            # Only where there is one, so that rows from before there was a place for it stay intact.
            *([row.method, row.route, row.status, row.milliseconds] if row.method else []),
        ],
        sort_keys=True,
        separators=(",", ":"),
    )
