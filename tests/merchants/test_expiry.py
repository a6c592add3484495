"""Notices of keys that come to their end: each once, whatever runs twice or not at all."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import connection, transaction

from core import clock
from events.models import Event
from merchants import expiry, keys, services
from merchants.tasks import notice_expiring_keys
from tests import factories

pytestmark = pytest.mark.django_db(transaction=True)


def key_with(days, **more):
    return factories.ApiKeyFactory(expires_at=clock.now() + timedelta(days=days), **more)


def told(key=None):
    rows = Event.objects.filter(type="api_key.expiring", **({"subject": key.pk} if key else {}))
    return [row.data["expires_within_days"] for row in rows.order_by("sequence")]


def test_a_key_is_noticed_at_14_7_and_1_day_and_once_at_each():
    key = key_with(30)
    for day in range(40):
        with clock.shifted(timedelta(days=day, minutes=1)):
            notice_expiring_keys()
            assert expiry.notice_expiring() == 0
    assert told(key) == [14, 7, 1]


def test_a_notice_is_an_event_of_the_merchant_without_secrets_or_people():
    key = key_with(30, owner="Amina Otieno", allowed_addresses=["203.0.113.7"])
    with clock.shifted(timedelta(days=16, minutes=1)):
        assert expiry.notice_expiring() == 1
    event = Event.objects.get()
    assert (event.type, event.merchant, event.livemode, event.subject, event.sequence) == (
        "api_key.expiring",
        key.merchant_id,
        False,
        key.pk,
        1,
    )
    assert event.data["expires_at"] == clock.rfc3339(key.expires_at)
    told_of = str(event.data)
    assert not any(word in told_of for word in (key.presented, "Amina", "203.0.113.7", key.hash))


def test_a_mark_that_was_missed_is_not_told_late():
    key = key_with(30)
    with clock.shifted(timedelta(days=24)):
        notice_expiring_keys()
    assert told(key) == [7]


def test_a_short_life_is_not_noticed_at_marks_that_were_never_ahead():
    key = key_with(3)
    assert expiry.notice_expiring() == 0
    with clock.shifted(timedelta(days=2, minutes=1)):
        assert expiry.notice_expiring() == 1
    assert told(key) == [1]


def test_an_overlap_that_is_shorter_than_a_day_is_not_noticed():
    key = key_with(30)
    grant, overlap = keys.Grant.of(key), timedelta(hours=12)
    keys.rotate_key(key, own=key, grant=grant, overlap=overlap, insert=lambda row: row.save(force_insert=True))
    assert expiry.notice_expiring() == 0


def test_what_is_revoked_expired_or_endless_is_not_noticed():
    revoked, _, _ = key_with(30), factories.ApiKeyFactory(), key_with(13)
    services.revoke_api_key(revoked, by="staff:1")
    with clock.shifted(timedelta(days=29, hours=12)):
        assert expiry.notice_expiring() == 0


def test_two_that_run_at_once_tell_it_once():
    ending = [key_with(30) for _ in range(4)]

    def run(_):
        try:
            return expiry.notice_expiring()
        finally:
            connection.close()

    with clock.shifted(timedelta(days=16, minutes=1)), ThreadPoolExecutor(3) as pool:
        assert sum(pool.map(run, range(3))) == 4
    assert [told(key) for key in ending] == [[14]] * 4


def test_a_run_that_dies_before_its_commit_leaves_the_notice_due():
    key = key_with(30)
    with clock.shifted(timedelta(days=16, minutes=1)):
        with transaction.atomic():
            assert expiry.notice_expiring() == 1
            transaction.set_rollback(True)  # the worker dies
        assert told(key) == []
        assert expiry.notice_expiring() == 1
    assert told(key) == [14]


def test_no_notice_needs_a_scan_of_all_keys():
    with connection.cursor() as cursor:
        cursor.execute("SET enable_seqscan = off")
        cursor.execute(
            "EXPLAIN SELECT id FROM merchants_apikey"
            " WHERE revoked_at IS NULL AND expires_at > now() AND expires_at < now()"
        )
        assert "api_key_ends" in str(cursor.fetchall())
