"""Endpoints that fail: told of twice, then disabled, each once."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import connection, transaction

from core import clock
from events import work
from events.models import Attention, AuditEntry, Event
from merchants import webhook_health
from merchants.models import Delivery, WebhookEndpoint
from merchants.webhook_sending import Try
from tests import factories

pytestmark = pytest.mark.django_db(transaction=True)
TOLD = {"webhook_endpoint.failing", "webhook_endpoint.disabled"}


@pytest.fixture
def merchant():
    return factories.MerchantFactory()


@pytest.fixture
def failing(merchant, company):
    """An endpoint that answers 500 at /broken."""
    company.answer = lambda path, *rest: (500 if path == "/broken" else 200, {}, b"")
    return factories.WebhookEndpointFactory(merchant=merchant, url=f"{company.url}/broken")


def deliver(merchant):
    factories.EventFactory(about__merchant=merchant)
    for _ in range(2):
        work.drain("outbox")
        work.drain("deliveries")


def told():
    return list(Event.objects.filter(type__in=TOLD).order_by("sequence").values_list("type", flat=True))


def test_the_merchants_other_endpoints_are_told_after_one_day_three_and_five(merchant, failing, company):
    other = factories.WebhookEndpointFactory(merchant=merchant, url=f"{company.url}/other")
    deliver(merchant)
    seen = {}
    for days in (0.9, 1.1, 1.5, 2.9, 3.1, 4.9, 5.1, 6):
        with clock.shifted(timedelta(days=days)):
            deliver(merchant)
        seen[days] = len(told())
    assert seen == {0.9: 0, 1.1: 1, 1.5: 1, 2.9: 1, 3.1: 2, 4.9: 2, 5.1: 3, 6: 3}
    assert told() == ["webhook_endpoint.failing"] * 2 + ["webhook_endpoint.disabled"]
    to = Delivery.objects.filter(event__type__in=TOLD)
    assert {(row.endpoint_id, row.state) for row in to} == {(other.pk, "delivered")}
    assert to.count() == 3
    (item,) = Attention.objects.filter(subject=failing.pk, reason="failing")
    assert item.closed_at is None
    (entry,) = AuditEntry.objects.filter(action="webhook_endpoint.disabled", object_id=failing.pk)
    assert (entry.actor, entry.detail) == ("webhooks", {"because": "it has failed for 5 days"})


def test_one_success_ends_the_warnings_and_the_notice(merchant, failing, company):
    WebhookEndpoint.objects.update(failing_since=clock.now() - timedelta(days=2))
    deliver(merchant)
    assert WebhookEndpoint.objects.get().warnings == 1
    company.answer = lambda *request: (200, {}, b"")
    deliver(merchant)
    endpoint = WebhookEndpoint.objects.get()
    assert (endpoint.failing_since, endpoint.warnings) == (None, 0)
    assert Attention.objects.get(subject=failing.pk).closed_by == "webhooks"


def test_an_endpoint_that_was_seen_healthy_when_it_was_claimed_recovers_all_the_same(failing):
    stale = WebhookEndpoint.objects.get()
    WebhookEndpoint.objects.update(failing_since=clock.now() - timedelta(days=2), warnings=1)
    webhook_health.note([(stale, Try(clock.now(), 1, status=200))])
    assert WebhookEndpoint.objects.get().failing_since is None


def in_parallel(*actions):
    barrier = threading.Barrier(len(actions))

    def run(action):
        try:
            barrier.wait(5)
            action()
        finally:
            connection.close()

    with ThreadPoolExecutor(len(actions)) as pool:
        for done in [pool.submit(run, action) for action in actions]:
            done.result(20)


def test_two_workers_at_once_tell_and_disable_once(failing):
    for days, expected in ((2, "webhook_endpoint.failing"), (6, "webhook_endpoint.disabled")):
        WebhookEndpoint.objects.update(failing_since=clock.now() - timedelta(days=days))
        stale = WebhookEndpoint.objects.get()
        tried = [(stale, Try(clock.now(), 1, status=500))]

        def note(tried=tried):
            with transaction.atomic():
                webhook_health.note(tried)

        in_parallel(note, note, note)
        assert told().count(expected) == 1


def test_an_endpoint_that_is_disabled_in_the_middle_gets_nothing_more(merchant, failing, company):
    company.answer = lambda *request: (200, {}, b"")
    for _ in range(3):
        factories.EventFactory(about__merchant=merchant)
    work.drain("outbox")
    queue = work._drains["deliveries"]
    (held, *_) = work.claim(queue, free=4)
    webhook_health.disable(failing, reason="switched off by the merchant", by="tests")
    assert set(Delivery.objects.values_list("state", flat=True)) == {"discarded"}
    # One that a worker had locked at that moment is still pending; it is discarded when its turn comes.
    Delivery.objects.filter(pk=held.pk).update(state="pending", due_at=clock.now(), claim=None)
    work.drain("deliveries")
    assert set(Delivery.objects.values_list("state", flat=True)) == {"discarded"}
    assert company.received == []


def test_what_is_locked_by_a_worker_does_not_hold_up_disabling(merchant, failing):
    factories.EventFactory(about__merchant=merchant)
    work.drain("outbox")
    locked, disabled = threading.Event(), threading.Event()

    def hold():
        with transaction.atomic():
            list(Delivery.objects.select_for_update())
            locked.set()
            assert disabled.wait(10)

    def disable():
        assert locked.wait(10)
        webhook_health.disable(failing, reason="x", by="tests")
        disabled.set()

    in_parallel(hold, disable)
    assert WebhookEndpoint.objects.get().is_enabled is False
