"""The Redis channel of a store: each event of its payments, in order; nothing is skipped while Redis is away."""

import json
from contextlib import closing

import pytest
import redis
from django.conf import settings

from events import outbox, work
from events.models import Attention, Cursor, Event, UnreadSubject
from payments.store_events import channel_of
from tests import factories
from tests.payments.streams.screens import pay, positions, step, tell
from tests.payments.streams.valkey import Valkey
from tests.payments.world import until

pytestmark = pytest.mark.django_db(transaction=True)


class Till:
    """What listens on a channel, as a point of sale does."""

    def __init__(self, url, channel):
        self._subscription = redis.Redis.from_url(url).pubsub()
        self._subscription.subscribe(channel)
        until(lambda: self._subscription.get_message(timeout=1))

    def heard(self, count):
        told = []

        def listen():
            message = self._subscription.get_message(ignore_subscribe_messages=True, timeout=0.2)
            if message:
                told.append(json.loads(message["data"]))
            return len(told) >= count

        until(listen)
        return told

    def close(self):
        self._subscription.close()


@pytest.fixture
def store():
    return factories.StoreFactory()


@pytest.fixture
def till(store):
    with closing(Till(settings.REDIS_URL, channel_of(store.pk))) as till:
        yield till


def test_each_event_of_a_stores_payments_is_published_in_order_and_no_others(store, till):
    pay(factories.StoreFactory(), "requires_action")
    factories.EventFactory()
    payment = pay(store, "requires_action", "succeeded", instrument_hint="•••• 4242", description="for Njeri")
    tell()

    told = till.heard(2)
    assert [row["type"] for row in told] == ["payment.requires_action", "payment.succeeded"]
    assert [row["id"] for row in told] == list(
        Event.objects.filter(store=store.pk).order_by("position").values_list("position", flat=True)
    )
    assert {row["payment"] for row in told} == {payment.pk}
    assert channel_of(store.pk) == f"order:channel:{store.pk}"


def test_a_message_carries_ids_order_amount_and_state_and_nothing_of_the_payer(store, till):
    pay(store, "succeeded", instrument_hint="•••• 4242", description="for Njeri", reference="table 4")
    tell()
    (told,) = till.heard(1)
    assert set(told) == {"id", "type", "payment", "order", "store", "amount", "currency", "state", "at"}


def test_a_refund_or_dispute_of_a_stores_payment_is_not_on_its_channel(store, till):
    payment = pay(store, "succeeded")
    refund = factories.RefundFactory(payment=payment, merchant=payment.merchant)
    step(refund, "succeeded")
    tell()
    assert [row["type"] for row in till.heard(1)] == ["payment.succeeded"]
    assert list(Event.objects.exclude(store="").values_list("subject", flat=True)) == [payment.pk]


def test_while_redis_is_away_the_channel_waits_and_then_resumes_with_what_it_has_not_told(store, redis_at):
    with Valkey() as valkey:
        redis_at(valkey.url)
        with closing(Till(valkey.url, channel_of(store.pk))) as till:
            pay(store, "requires_action")
            tell()
            before = till.heard(1)
        valkey.stop()

        pay(store, "requires_action", "succeeded")
        work.drain("outbox")
        assert _cursor() == before[-1]["id"]
        assert not UnreadSubject.objects.exists()
        assert not Attention.objects.exists()
        assert outbox.behind()["webhooks"] == 0

        valkey.start()
        with closing(Till(valkey.url, channel_of(store.pk))) as till:
            until(lambda: not outbox.dispatch() and _cursor() == positions()[-1])
            assert [row["id"] for row in till.heard(2)] == positions()[-2:]


def _cursor():
    return Cursor.objects.get(pk="channel").position
