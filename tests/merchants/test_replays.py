"""Replays of a span of time: staged in steps, once, beside what happens now."""

from datetime import timedelta

import pytest

from core import clock
from core.errors import Conflict, InvalidRequest
from events import work
from events.models import Event
from merchants import endpoints, replays, webhook_health
from merchants.models import Delivery, WebhookEndpoint, WebhookReplay
from tests import factories

pytestmark = pytest.mark.django_db(transaction=True)
HOUR = timedelta(hours=1)


@pytest.fixture
def endpoint(company):
    return factories.WebhookEndpointFactory(url=f"{company.url}/hook")


def events(endpoint, count, **given):
    about = factories.PaymentFactory(merchant=endpoint.merchant)
    made = [factories.EventFactory.build(about=about, merchant=endpoint.merchant_id, **given) for _ in range(count)]
    return Event.objects.bulk_create(made)


def replay(endpoint, **given):
    span = {"since": clock.now() - HOUR, "until": clock.now() + HOUR, "event_types": ()}
    return endpoints.replay_span(endpoint, **{**span, **given}, by="tests")


def claim(free=8):
    return work.claim(work._drains["replays"], free=free)


def received(company):
    return sorted(headers["webhook-id"] for _, headers, _ in company.received)


def test_what_happened_in_the_span_is_sent_once_more_under_the_same_ids(endpoint, company):
    sent = sorted(event.pk for event in events(endpoint, 5))
    work.drain("outbox")
    work.drain("deliveries")
    assert received(company) == sent
    made = replay(endpoint)
    work.drain("replays")
    work.drain("deliveries")
    assert received(company) == sorted([*sent, *sent])
    made.refresh_from_db()
    assert (made.progress, made.staged, made.due_at, made.claim) == ("finished", 5, None, None)
    assert Delivery.objects.count() == 5


def test_it_takes_the_types_that_are_asked_for_and_else_what_the_endpoint_wants(endpoint):
    WebhookEndpoint.objects.update(event_types=["payment.failed"])
    events(endpoint, 2)
    failed = events(endpoint, 1, type="payment.failed")
    factories.EventFactory()
    replay(endpoint)
    work.drain("replays")
    assert list(Delivery.objects.values_list("event", flat=True)) == [failed[0].pk]
    made = replay(endpoint, event_types=["payment.succeeded"])
    work.drain("replays")
    made.refresh_from_db()
    assert (made.staged, Delivery.objects.count()) == (2, 3)


def test_it_keeps_to_its_span_and_to_its_own_pings(endpoint):
    endpoints.ping(factories.WebhookEndpointFactory(merchant=endpoint.merchant), by="tests")
    events(endpoint, 2)
    replay(endpoint, since=clock.now() - 2 * HOUR, until=clock.now() - HOUR)
    work.drain("replays")
    assert not Delivery.objects.exists()
    made = replay(endpoint)
    work.drain("replays")
    made.refresh_from_db()
    assert made.staged == 2


def test_a_long_span_is_staged_in_steps_that_wait_for_room(endpoint):
    events(endpoint, 2 * replays.STEP + replays.ROOM // 2 + 10)
    made = replay(endpoint)
    work.drain("replays")
    made.refresh_from_db()
    assert (made.progress, made.staged) == ("running", replays.ROOM)
    assert made.due_at > clock.now()
    Delivery.objects.update(state="delivered", due_at=None)
    with clock.shifted(timedelta(seconds=5)):
        work.drain("replays")
    made.refresh_from_db()
    assert (made.progress, made.staged) == ("finished", 3010)
    assert Delivery.objects.count() == 3010


def test_a_step_under_a_lost_lease_stages_nothing(endpoint):
    events(endpoint, 3)
    replay(endpoint)
    (lost,) = claim()
    with clock.shifted(timedelta(minutes=5)):
        (held,) = claim()
    replays.advance(lost)
    assert not Delivery.objects.exists()
    replays.advance(held)
    replays.advance(held)
    assert (Delivery.objects.count(), WebhookReplay.objects.get().staged) == (3, 3)


def test_one_runs_at_a_time_and_ends_with_its_endpoint(endpoint):
    events(endpoint, 3)
    made = replay(endpoint)
    with pytest.raises(Conflict, match=made.pk):
        replay(endpoint)
    webhook_health.disable(endpoint, reason="switched off by the merchant", by="tests")
    work.drain("replays")
    made.refresh_from_db()
    assert (made.progress, made.stopped_because, made.staged) == ("stopped", "the endpoint was disabled", 0)
    with pytest.raises(Conflict):
        replay(endpoint)
    assert not Delivery.objects.exists()


@pytest.mark.parametrize(
    ("since", "until", "param"), [(-32 * 24, 0, "/since"), (-1, -2, "/until"), (1, 2, "/until"), (-1, -1, "/until")]
)
def test_a_span_that_cannot_be_is_refused_and_names_its_field(endpoint, since, until, param):
    now = clock.now()
    with pytest.raises(InvalidRequest) as refused:
        replay(endpoint, since=now + since * HOUR, until=now + until * HOUR)
    assert refused.value.param == param
    assert not WebhookReplay.objects.exists()
