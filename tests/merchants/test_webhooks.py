"""Events on their way to merchants: fan-out, signed deliveries, retries."""

import json
import threading
import time
from datetime import timedelta

import pytest
from django.utils import timezone
from standardwebhooks import Webhook, WebhookVerificationError

from core import clock
from core.errors import Conflict
from events import outbox, work
from merchants import webhook_health, webhook_sending, webhooks
from merchants.models import Delivery, DeliveryAttempt, WebhookEndpoint
from tests import factories

pytestmark = pytest.mark.django_db(transaction=True)

SCHEDULE = [5, 300, 1800, 7200, 18000, 36000, 50400, 72000, 86400]


@pytest.fixture
def merchant():
    return factories.MerchantFactory()


@pytest.fixture
def endpoint(merchant, company):
    return factories.WebhookEndpointFactory(merchant=merchant, url=f"{company.url}/hook")


def event(merchant, **given):
    return factories.EventFactory(about__merchant=merchant, **given)


def deliver_all():
    work.drain("outbox")
    work.drain("deliveries")


def wait_of(delivery):
    delivery.refresh_from_db()
    return (delivery.due_at - clock.now()) / timedelta(seconds=1)


def test_the_published_library_verifies_a_delivery_and_reads_the_event(merchant, endpoint, company):
    told = event(merchant, request_id="R-12345678")
    deliver_all()
    ((path, headers, body),) = company.received
    assert path == "/hook"
    Webhook(endpoint.presented).verify(body, headers)
    assert headers["webhook-id"] == told.pk
    assert headers["content-type"] == "application/json"
    assert json.loads(body) == {
        "id": told.pk,
        "object": "event",
        "type": "payment.succeeded",
        "created_at": clock.rfc3339(told.created_at),
        "livemode": False,
        "api_version": "2026-11-20",
        "subject": told.subject,
        "sequence": told.sequence,
        "request_id": "R-12345678",
        "data": {"object": {"id": told.subject, "object": "payment"}},
    }
    with pytest.raises(WebhookVerificationError):
        Webhook(endpoint.presented).verify(body + b" ", headers)


def test_a_delivery_is_kept_with_its_attempt(merchant, endpoint, company):
    company.answer = lambda *request: (204, {}, b"")
    event(merchant)
    deliver_all()
    delivery, attempt = Delivery.objects.get(), DeliveryAttempt.objects.get()
    assert (delivery.state, delivery.due_at, delivery.claim, delivery.lane) == ("delivered", None, None, endpoint.pk)
    assert delivery.finished_at is not None
    assert (attempt.status, attempt.fault, attempt.answer) == (204, "", "")
    assert 0 <= attempt.milliseconds < 5000


def test_the_first_2_kilobytes_of_an_answer_are_kept_as_text(merchant, endpoint, company):
    company.answer = lambda *request: (500, {}, b"\x00\xff" + b"x" * 5000)
    event(merchant)
    deliver_all()
    attempt = DeliveryAttempt.objects.get()
    assert attempt.answer == "\ufffd" + "x" * 2046


def test_an_endpoint_gets_what_it_asks_for_of_its_own_merchant_and_mode(merchant):
    wanted = ["payment.succeeded", "refund.failed"]
    every = factories.WebhookEndpointFactory(merchant=merchant)
    some = factories.WebhookEndpointFactory(merchant=merchant, event_types=wanted)
    factories.WebhookEndpointFactory(merchant=merchant, livemode=True)
    factories.WebhookEndpointFactory()
    WebhookEndpoint.objects.filter(pk=factories.WebhookEndpointFactory(merchant=merchant).pk).update(is_enabled=False)
    first, second = event(merchant), event(merchant, type="payment.failed")
    outbox.dispatch()
    staged = sorted(Delivery.objects.values_list("endpoint", "event"))
    assert staged == sorted([(every.pk, first.pk), (every.pk, second.pk), (some.pk, first.pk)])


def test_an_event_is_staged_once_however_often_it_is_read(merchant, endpoint):
    told = event(merchant)
    for _ in range(2):
        webhooks.fan_out([told])
    assert Delivery.objects.count() == 1


def test_it_is_tried_again_on_the_schedule_with_jitter_and_then_given_up(merchant, endpoint, company):
    company.answer = lambda *request: (500, {}, b"")
    event(merchant)
    work.drain("outbox")
    delivery, passed = Delivery.objects.get(), timedelta(0)
    for tries, seconds in enumerate(SCHEDULE, start=1):
        with clock.shifted(passed):
            work.drain("deliveries")
            WebhookEndpoint.objects.update(failing_since=None)
            assert seconds * 0.9 - 5 <= wait_of(delivery) <= seconds * 1.1
            assert (delivery.state, delivery.tries, delivery.claim) == ("pending", tries, None)
            passed += delivery.due_at - clock.now() + timedelta(seconds=1)
    with clock.shifted(passed):
        work.drain("deliveries")
    delivery.refresh_from_db()
    assert (delivery.state, delivery.due_at, delivery.tries) == ("failed", None, 10)
    assert len(company.received) == DeliveryAttempt.objects.count() == 10


def test_waits_are_jittered(merchant, endpoint, company):
    company.answer = lambda *request: (500, {}, b"")
    for _ in range(8):
        event(merchant)
    deliver_all()
    waits = {round(wait_of(delivery), 1) for delivery in Delivery.objects.all()}
    assert len(waits) > 2


@pytest.mark.parametrize("status", [301, 302, 307, 308, 400, 404, 500, 503])
def test_nothing_but_a_2xx_is_success_and_redirects_are_not_followed(merchant, endpoint, company, status):
    company.answer = lambda *request: (status, {"Location": f"{company.url}/elsewhere"}, b"")
    event(merchant)
    deliver_all()
    assert Delivery.objects.get().state == "pending"
    assert [path for path, _, _ in company.received] == ["/hook"]


def test_gone_disables_the_endpoint_and_discards_what_waits(merchant, endpoint, company):
    company.answer = lambda *request: (410, {}, b"")
    event(merchant)
    deliver_all()
    endpoint.refresh_from_db()
    assert (endpoint.is_enabled, endpoint.disabled_because) == (False, "it answered 410 Gone")
    assert Delivery.objects.get().state == "discarded"
    event(merchant)
    deliver_all()
    assert Delivery.objects.count() == len(company.received) == 1


def test_an_endpoint_that_fails_for_five_days_is_disabled(merchant, endpoint, company):
    company.answer = lambda *request: (500, {}, b"")
    event(merchant)
    deliver_all()
    endpoint.refresh_from_db()
    assert endpoint.failing_since is not None
    for days, enabled in ((4.9, True), (5.1, False)):
        with clock.shifted(timedelta(days=days)):
            event(merchant)
            deliver_all()
        endpoint.refresh_from_db()
        assert endpoint.is_enabled is enabled
    assert endpoint.disabled_because == "it has failed for 5 days"


def test_one_success_forgets_that_it_was_failing(merchant, endpoint, company):
    WebhookEndpoint.objects.update(failing_since=clock.now() - timedelta(days=4))
    event(merchant)
    deliver_all()
    endpoint.refresh_from_db()
    assert (endpoint.failing_since, endpoint.is_enabled) == (None, True)


@pytest.mark.parametrize("url", ["http://10.0.0.1/", "http://169.254.169.254/latest", "https://[64:ff9b::a00:1]/"])
def test_a_private_address_is_refused_and_the_fault_kept(merchant, endpoint, url):
    WebhookEndpoint.objects.update(url=url)
    event(merchant)
    deliver_all()
    attempt = DeliveryAttempt.objects.get()
    assert attempt.status is None
    assert attempt.fault == "the host has an address that is not a public address"


def test_a_dead_endpoint_does_not_delay_another(merchant, endpoint, company, refused_port):
    free = threading.Event()
    dead = factories.WebhookEndpointFactory(merchant=merchant, url=f"{company.url}/dead")
    refusing = factories.WebhookEndpointFactory(merchant=merchant, url=f"http://127.0.0.1:{refused_port}/")
    seen = []

    def answer(path, headers, body):
        if path == "/dead":
            free.wait(20)
        else:
            seen.append(time.monotonic())
            if len(seen) == 30:
                free.set()
        return 200, {}, b""

    company.answer = answer
    for _ in range(30):
        event(merchant)
    began = time.monotonic()
    deliver_all()
    assert max(seen) - began < 10
    assert Delivery.objects.filter(endpoint=endpoint, state="delivered").count() == 30
    assert Delivery.objects.filter(endpoint=dead, state="delivered").count() == 30
    assert Delivery.objects.filter(endpoint=refusing, state="pending", tries=1).count() == 30


def claimed_twice(merchant):
    """The same delivery as it was leased first, and as its successor holds it."""
    event(merchant)
    work.drain("outbox")
    (lost,) = work.claim(work._drains["deliveries"], free=8)
    with clock.shifted(timedelta(minutes=5)):
        (held,) = work.claim(work._drains["deliveries"], free=8)
    return lost, held


@pytest.mark.parametrize("tries", [1, 10])
def test_a_failure_under_a_lost_lease_is_kept_and_does_not_overwrite(merchant, endpoint, tries):
    lost, held = claimed_twice(merchant)
    lost.tries = tries
    webhooks._store([(lost, webhook_sending.Try(timezone.now(), 1, status=500))])
    delivery = Delivery.objects.get()
    assert (delivery.state, delivery.claim, delivery.due_at) == ("pending", held.claim, held.due_at)
    assert DeliveryAttempt.objects.count() == 1


def test_a_failure_does_not_revive_what_was_discarded_meanwhile(merchant, endpoint):
    event(merchant)
    work.drain("outbox")
    (held,) = work.claim(work._drains["deliveries"], free=8)
    webhook_health.disable(endpoint, reason="deleted by the merchant", by="tests")
    webhooks._store([(held, webhook_sending.Try(timezone.now(), 1, status=500))])
    delivery = Delivery.objects.get()
    assert (delivery.state, delivery.due_at) == ("discarded", None)


def test_an_event_is_delivered_again_with_a_fresh_schedule(merchant, endpoint, company):
    event(merchant)
    deliver_all()
    webhooks.deliver_again(Delivery.objects.get())
    work.drain("deliveries")
    delivery = Delivery.objects.get()
    assert (delivery.state, delivery.tries, len(company.received)) == ("delivered", 1, 2)
    assert company.received[0][1]["webhook-id"] == company.received[1][1]["webhook-id"]
    webhook_health.disable(endpoint, reason="x", by="tests")
    with pytest.raises(Conflict):
        webhooks.deliver_again(Delivery.objects.get())


def test_a_new_secret_signs_the_next_delivery(merchant, endpoint, company):
    event(merchant)
    deliver_all()
    other, secret = factories.services.create_webhook_endpoint(merchant=merchant, url=endpoint.url, by="tests")
    other.save(force_insert=True)
    event(merchant)
    deliver_all()
    verified = []
    for _, headers, body in company.received[1:]:
        try:
            Webhook(secret.reveal()).verify(body, headers)
            verified.append(True)
        except WebhookVerificationError:
            verified.append(False)
    assert sorted(verified) == [False, True]


def test_a_try_that_ended_before_it_began_by_a_clock_that_was_set_back_took_no_time():
    assert webhook_sending._milliseconds_since(clock.now() + timedelta(seconds=5)) == 0
