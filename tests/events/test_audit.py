"""The audit log: inserted rows that show it when somebody edits them."""

import os
import subprocess
import sys
import time
from datetime import timedelta
from urllib.parse import urlsplit

import pytest
from django.db import Error, connection, transaction

from core import clock, crypto
from core.crypto import KeyRing
from core.logging import correlated
from events import audit
from events.models import AuditEntry, RefusedKeys, Transition

pytestmark = pytest.mark.django_db

FACTS = {
    "actor": "key_1",
    "action": "api.accepted",
    "merchant": "mer_1",
    "object_id": "pay_1",
    "address": "2001:db8::1",
    "detail": {"route": "v1/payments", "milliseconds": 12, "nested": {"b": [1, None, "é"], "a": True}},
}


def recorded(**changes):
    return AuditEntry.objects.get(pk=audit.record(**{**FACTS, **changes}).pk)


@pytest.mark.parametrize("livemode", [True, False])
def test_a_row_is_intact_as_it_comes_back_from_the_database(livemode):
    with correlated("R-12345678"):
        row = recorded(livemode=livemode)
    assert row.request_id == "R-12345678"
    assert (row.actor, row.action, row.detail) == ("key_1", "api.accepted", FACTS["detail"])
    assert audit.is_intact(row)


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("actor", "key_2"),
        ("action", "api.answered"),
        ("merchant", "mer_2"),
        ("livemode", True),
        ("object_id", "pay_2"),
        ("address", None),
        ("request_id", "R-00000000"),
        ("detail", {}),
        ("at", clock.now() - timedelta(days=1)),
        ("id", "aud_00000000000000000000000000"),
        ("mac", "0" * 64),
    ],
)
def test_altering_any_column_shows(column, value):
    row = recorded()
    setattr(row, column, value)
    assert not audit.is_intact(row)


def test_a_row_stays_intact_while_the_master_key_is_being_replaced(settings):
    row = recorded()
    settings.KEY_RING = KeyRing({"new": crypto.new_key(), **settings.KEY_RING.keys})
    assert audit.is_intact(row)
    assert audit.is_intact(recorded())
    settings.KEY_RING = KeyRing({"other": crypto.new_key()})
    assert not audit.is_intact(row)


@pytest.mark.parametrize("statement", ["UPDATE {table} SET {column} = 'x'", "DELETE FROM {table}"])
@pytest.mark.parametrize(("model", "column"), [(AuditEntry, "actor"), (Transition, "by")])
def test_the_database_refuses_to_change_or_delete_what_has_happened(statement, model, column):
    audit.record(**FACTS)
    Transition.objects.create(
        subject="pay_1", sequence=1, from_state="created", to_state="failed", by="tests", because="so"
    )
    table = model._meta.db_table
    with pytest.raises(Error, match=f"{table} is append-only"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement.format(table=table, column=column))
    assert model.objects.count() == 1


READ = audit.RequestFacts("GET", "/v1/payments", 200, 12)


@pytest.mark.parametrize(
    ("column", "value"),
    [("method", "POST"), ("method", ""), ("route", "/v1/refunds"), ("status", 201), ("milliseconds", None)],
)
def test_a_request_that_was_edited_shows_itself(column, value):
    row = recorded(request=READ)
    assert audit.is_intact(row)
    setattr(row, column, value)
    assert not audit.is_intact(row)


def read(number):
    return audit.entry(actor="key_1", action="api.answered", object_id=f"pay_{number}", request=READ)


def written(count):
    ends = time.monotonic() + 5
    while AuditEntry.objects.count() < count and time.monotonic() < ends:
        time.sleep(0.02)
    rows = list(AuditEntry.objects.order_by("pk"))
    assert all(audit.is_intact(row) for row in rows)
    return [row.object_id for row in rows]


@pytest.mark.django_db(transaction=True)
def test_reads_are_written_together_a_moment_later(settings):
    settings.AUDIT_BATCH_SECONDS = 0.3
    for number in range(3):
        audit.record_read(read(number))
    assert AuditEntry.objects.count() == 0
    assert written(3) == ["pay_0", "pay_1", "pay_2"]
    audit.record_read(read(3))
    assert written(4)[3:] == ["pay_3"]


@pytest.mark.django_db(transaction=True)
def test_a_read_that_the_database_does_not_take_costs_no_other(settings):
    settings.AUDIT_BATCH_SECONDS = 0.1
    there = audit.record(**FACTS)
    wrong = read(1)
    wrong.pk = there.pk
    for row in (read(0), wrong, read(2)):
        audit.record_read(row)
    assert written(3) == ["pay_1", "pay_0", "pay_2"]


def test_inside_a_transaction_a_read_is_written_with_it(settings):
    settings.AUDIT_BATCH_SECONDS = 60.0
    audit.record_read(read(0))
    assert AuditEntry.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_a_process_that_ends_writes_what_waits():
    url = urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{connection.settings_dict['NAME']}").geturl()
    program = (
        "import django; django.setup(); from events import audit;"
        "audit.record_read(audit.entry(actor='key_1', action='api.answered', object_id='pay_0'))"
    )
    environment = {**os.environ, "DATABASE_URL": url, "DJANGO_SETTINGS_MODULE": "config.settings"}
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    assert written(1) == ["pay_0"]


def test_refused_keys_are_counted_by_reason_block_and_minute():
    for address in ("203.0.113.7", "203.0.113.99", "::ffff:203.0.113.1", "198.51.100.1", "2001:db8:1:2::9"):
        audit.count_refused("unknown_key", address)
    audit.count_refused("other", "203.0.113.7")
    with clock.shifted(timedelta(minutes=1)):
        audit.count_refused("unknown_key", "203.0.113.7")
    counted = sorted((row.reason, row.block, row.count) for row in RefusedKeys.objects.all())
    assert counted == [
        ("other", "203.0.113.0/24", 1),
        ("unknown_key", "198.51.100.0/24", 1),
        ("unknown_key", "2001:db8:1:2::/64", 1),
        ("unknown_key", "203.0.113.0/24", 1),
        ("unknown_key", "203.0.113.0/24", 3),
    ]
    assert all(row.minute.second == row.minute.microsecond == 0 for row in RefusedKeys.objects.all())


def test_refused_keys_are_forgotten_after_their_time_in_batches(settings):
    minute = clock.now().replace(second=0, microsecond=0)
    settings.REFUSED_KEYS_KEPT = timedelta(days=30)
    RefusedKeys.objects.bulk_create(
        RefusedKeys(reason="unknown_key", block=f"block {number}", minute=minute - timedelta(days=31), count=1)
        for number in range(5001)
    )
    for days in (29, 31):
        RefusedKeys.objects.create(reason="other", block=str(days), minute=minute - timedelta(days=days), count=1)
    assert audit.purge_refused() == 5002
    assert [row.block for row in RefusedKeys.objects.all()] == ["29"]
    assert audit.purge_refused() == 0
