"""The audit log: inserted rows that carry their own HMAC."""

import json
import logging
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.db import DatabaseError, connection

from core import addresses, clock
from core.crypto import KeyRing, Purpose, matches
from core.database import give_back
from core.logging import request_id
from core.middleware import is_database_away
from events import keys
from events.models import AuditEntry, RefusedKeys

logger = logging.getLogger(__name__)


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


class _Waiting:
    """Rows of reads, kept for a moment so that many are one statement and one commit.

    The first of a batch has the batch written after `settings.AUDIT_BATCH_SECONDS` by a thread of its own. A process
    that ends waits for that thread; one that is killed loses what waits. While the database is away, the newest
    rows are kept, up to a number.
    """

    MOST = 10_000
    AT_ONCE = 500

    def __init__(self) -> None:
        self._rows: list[AuditEntry] = []
        self._lock = threading.Lock()
        # Its thread is joined when the interpreter ends, after it has done what it was given.
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="audit")

    def add(self, row: AuditEntry) -> None:
        with self._lock:
            self._rows.append(row)
            first = len(self._rows) == 1
        if first:
            self._write_soon()

    def _write_soon(self) -> None:
        try:
            self._writer.submit(self._wait_and_write)
        except RuntimeError:  # the interpreter is ending
            self._write()

    def _wait_and_write(self) -> None:
        time.sleep(settings.AUDIT_BATCH_SECONDS)
        try:
            self._write()
        finally:
            give_back()

    def _write(self) -> None:
        with self._lock:
            rows, self._rows = self._rows, []
        try:
            AuditEntry.objects.bulk_create(rows, batch_size=self.AT_ONCE)
        except Exception as error:  # noqa: BLE001  (whatever it is, the rows must not be lost with it)
            if is_database_away(error):
                self._keep(rows)
            else:
                self._write_singly(rows)

    def _keep(self, rows: list[AuditEntry]) -> None:
        logger.warning("audit rows of reads wait for the database", extra={"rows": len(rows)})
        with self._lock:
            self._rows = (rows + self._rows)[-self.MOST :]
        self._writer.submit(self._wait_and_write)

    def _write_singly(self, rows: list[AuditEntry]) -> None:
        """One row that the database does not take must not cost the others."""
        for row in rows:
            try:
                row.save(force_insert=True)
            except DatabaseError:
                logger.exception("an audit row could not be written", extra={"entry": row.pk})


_waiting = _Waiting()


def record_read(row: AuditEntry) -> None:
    """Insert a row that tells of a read: up to a second later, with others (money.md 24b).

    Inside a transaction, or where settings.AUDIT_BATCH_SECONDS is 0, at once.
    """
    if connection.in_atomic_block or not settings.AUDIT_BATCH_SECONDS:
        row.save(force_insert=True)
    else:
        _waiting.add(row)


def is_intact(row: AuditEntry) -> bool:
    """Whether the row is as it was inserted, under whichever master key that was."""
    made = keys.ring().keyed_hashes(Purpose.AUDIT, _canonical(row), livemode=row.livemode)
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


_PURGED_AT_ONCE = 5000


def purge_refused() -> int:
    """Forget the counts of requests with unknown keys after their time, in batches; how many rows."""
    old = RefusedKeys.objects.filter(minute__lt=clock.now() - settings.REFUSED_KEYS_KEPT).order_by("pk")
    purged = 0
    while batch := list(old.values_list("pk", flat=True)[:_PURGED_AT_ONCE]):
        purged += RefusedKeys.objects.filter(pk__in=batch).delete()[0]
    return purged


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
