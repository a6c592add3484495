"""Subscribers within the company: every merchant's events, each with a cursor and a lane of its own."""

import json
from datetime import timedelta

import pytest
from standardwebhooks import Webhook

from core import clock
from core.crypto import Secret
from events import outbox, work
from events.models import Attention, Event
from merchants import subscribers, webhook_secrets
from merchants.models import InternalDelivery
from merchants.subscriptions import Subscription
from tests import factories

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def subscribe(settings, company):
    """`subscribe(name)` adds a subscriber at the company's `/name`; gives its secret."""
    settings.INTERNAL_SUBSCRIBERS = {}
    ours = dict(outbox._readers)

    def add(name):
        secret = webhook_secrets.new()
        settings.INTERNAL_SUBSCRIBERS[name] = Subscription(f"{company.url}/{name}", Secret(secret.reveal()))
        subscribers.follow_all()
        return secret.reveal()

    yield add
    outbox._readers.clear()
    outbox._readers.update(ours)


def drain():
    work.drain("outbox")
    work.drain("subscribers")


def test_a_subscriber_receives_the_events_of_all_merchants_and_modes_signed(subscribe, company):
    secret = subscribe("billing")
    made = [factories.EventFactory(), factories.EventFactory(about__livemode=True)]
    drain()
    told = [Webhook(secret).verify(body, headers) for _, headers, body in company.received]
    assert sorted(event["id"] for event in told) == sorted(event.pk for event in made)
    assert sorted(event["livemode"] for event in told) == [False, True]
    assert not InternalDelivery.objects.exists()


def test_one_that_is_down_delays_no_other_and_loses_nothing(subscribe, company):
    subscribe("down"), subscribe("up")
    company.answer = lambda path, *rest: (503 if path == "/down" else 200, {}, b"")
    made = sorted(factories.EventFactory().pk for _ in range(3))
    drain()
    assert sorted(headers["webhook-id"] for path, headers, _ in company.received if path == "/up") == made
    waiting = InternalDelivery.objects.order_by("event")
    assert [(row.subscriber, row.event_id, row.status, row.claim) for row in waiting] == [
        ("down", event, 503, None) for event in made
    ]
    company.answer = lambda *request: (200, {}, b"")
    with clock.shifted(timedelta(seconds=10)):
        drain()
    assert not InternalDelivery.objects.exists()


def test_what_is_never_taken_stays_and_a_person_is_told_once(subscribe, company):
    subscribe("down")
    company.answer = lambda *request: (500, {}, b"")
    for _ in range(2):
        factories.EventFactory()
    work.drain("outbox")
    InternalDelivery.objects.update(tries=9)
    work.drain("subscribers")
    assert set(InternalDelivery.objects.values_list("due_at", "tries", "status")) == {(None, 10, 500)}
    assert Attention.objects.get().subject == "subscriber:down"
    company.answer = lambda *request: (200, {}, b"")
    for row in InternalDelivery.objects.all():
        subscribers.send_again(row)
    work.drain("subscribers")
    assert not InternalDelivery.objects.exists()


def test_what_waits_for_a_subscriber_that_was_removed_rests(subscribe, company, settings):
    subscribe("gone")
    factories.EventFactory()
    work.drain("outbox")
    settings.INTERNAL_SUBSCRIBERS.clear()
    work.drain("subscribers")
    row = InternalDelivery.objects.get()
    assert (row.due_at, row.fault) == (None, "no such subscriber")
    assert company.received == []


def test_an_event_that_is_read_twice_is_staged_once(subscribe, company):
    subscribe("billing")
    event = factories.EventFactory()
    reader = outbox._readers["subscriber:billing"]
    for _ in range(2):
        reader.read(list(Event.objects.all()))
    assert InternalDelivery.objects.count() == 1
    work.drain("subscribers")
    assert json.loads(company.received[0][2])["id"] == event.pk
