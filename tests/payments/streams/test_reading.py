"""What a screen begins with: what is open, and what ended today where the store is."""

from datetime import UTC, datetime, timedelta

import orjson
import pytest

from core import clock
from events.models import Event
from payments.streams import reading
from tests import factories
from tests.payments.streams.screens import pay, step, tell

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def store():
    return factories.StoreFactory(zone="Asia/Jakarta")


def shown(store):
    """The snapshot's payments, and its position."""
    beginning = reading.begin(store, after=None)
    event, identifier, data, *_ = beginning.frames.decode().split("\n")
    assert (event, identifier) == ("event: snapshot", f"id: {beginning.position}")
    return orjson.loads(data.removeprefix("data: "))["payments"], beginning.position


def at(moment):
    return clock.shifted(moment - datetime.now(UTC))


def test_what_ended_today_is_shown_until_midnight_of_the_stores_own_zone(store):
    noon = datetime(2026, 11, 20, 5, 0, tzinfo=UTC)  # 12:00 in Jakarta, where midnight is 17:00 UTC
    with at(noon):
        ended, waiting = pay(store, "succeeded"), pay(store, "requires_action")
        tell()
    with at(datetime(2026, 11, 20, 16, 59, tzinfo=UTC)):
        assert [row["payment"] for row in shown(store)[0]] == [waiting.pk, ended.pk]
    with at(datetime(2026, 11, 20, 17, 1, tzinfo=UTC)):
        assert [row["payment"] for row in shown(store)[0]] == [waiting.pk]


def test_a_snapshot_is_what_whoever_followed_until_then_knows(store):
    """What has no position yet is in no snapshot: it comes as an event, and nothing is told twice or backwards."""
    payment = pay(store, "requires_action")
    tell()
    step(payment, "succeeded")
    before, position = shown(store)
    assert [row["state"] for row in before] == ["requires_action"]
    tell()
    (told,) = reading.events_after({store.pk: position})
    assert b'"state":"succeeded"' in told.frame
    assert [row["state"] for row in shown(store)[0]] == ["succeeded"]


def test_a_snapshot_shows_the_newest_and_no_more_than_there_is_room_for(store):
    made = [pay(store, "requires_action") for _ in range(reading.SHOWN + 3)]
    tell()
    assert [row["payment"] for row in shown(store)[0]] == sorted((row.pk for row in made), reverse=True)[:200]


def test_stores_are_read_together_and_each_from_its_own_place(store, django_assert_num_queries):
    other = factories.StoreFactory()
    first = pay(store, "requires_action")
    pay(other, "requires_action")
    tell()
    step(first, "succeeded")
    tell()
    seen = Event.objects.get(store=store.pk, type="payment.requires_action").position
    with django_assert_num_queries(1):
        told = reading.events_after({store.pk: seen, other.pk: 0})
    assert sorted((row.store, b"succeeded" in row.frame) for row in told) == sorted(
        [(store.pk, True), (other.pk, False)]
    )


def test_no_more_of_a_store_is_read_at_once_than_a_batch(store):
    Event.objects.bulk_create(
        Event(
            merchant=store.merchant_id,
            livemode=False,
            type="payment.succeeded",
            subject="pay_1",
            sequence=number,
            position=number,
            store=store.pk,
            data={"order": None, "amount": 1, "currency": "KES", "state": "succeeded"},
            created_at=clock.now() - timedelta(minutes=1),
        )
        for number in range(1, reading.BATCH + 10)
    )
    assert [row.position for row in reading.events_after({store.pk: 3})] == list(range(4, reading.BATCH + 4))
