"""The secrets that sign webhooks, and the time in which two of them do."""

import json
from datetime import timedelta

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from core import clock
from events import work
from merchants import endpoints
from merchants.models import Delivery, DeliveryAttempt, WebhookEndpoint
from tests import factories

pytestmark = pytest.mark.django_db(transaction=True)
OVERLAP = timedelta(hours=1)


@pytest.fixture
def endpoint(company):
    return factories.WebhookEndpointFactory(url=f"{company.url}/hook")


def rotate(endpoint, overlap=OVERLAP):
    return endpoints.rotate_secret(endpoint, overlap=overlap, by="tests")[1].reveal()


def deliver(endpoint):
    factories.EventFactory(about__merchant=endpoint.merchant)
    work.drain("outbox")
    work.drain("deliveries")


def verifies(secret, received):
    _, headers, body = received
    try:
        return Webhook(secret).verify(body, headers) == json.loads(body)
    except WebhookVerificationError:
        return False


def test_during_the_overlap_the_published_library_verifies_with_either_secret(endpoint, company):
    secret = rotate(endpoint)
    deliver(endpoint)
    (received,) = company.received
    assert [part[:3] for part in received[1]["webhook-signature"].split(" ")] == ["v1,", "v1,"]
    assert verifies(secret, received)
    assert verifies(endpoint.presented, received)
    assert not verifies(factories.WebhookEndpointFactory().presented, received)


def test_a_secret_ends_with_its_own_overlap_also_in_a_process_that_holds_it(endpoint, company):
    first = rotate(endpoint)
    second = rotate(endpoint, overlap=timedelta(hours=3))
    deliver(endpoint)
    assert [verifies(secret, company.received[0]) for secret in (endpoint.presented, first, second)] == [True] * 3
    shift = timedelta(hours=2)
    with clock.shifted(shift):
        deliver(endpoint)
    signatures = company.received[1][1]["webhook-signature"].split(" ")
    assert len(signatures) == 2
    with clock.shifted(timedelta(hours=4)):
        deliver(endpoint)
    assert len(company.received[2][1]["webhook-signature"].split(" ")) == 1


def test_without_overlap_only_the_new_one_signs(endpoint, company):
    earlier = rotate(endpoint)
    secret = rotate(endpoint, overlap=timedelta(0))
    deliver(endpoint)
    assert [verifies(each, company.received[0]) for each in (endpoint.presented, earlier, secret)] == [
        False,
        False,
        True,
    ]


def test_a_secret_that_is_rotated_between_two_tries_signs_the_second_with_both(endpoint, company):
    company.answer = lambda *request: (500, {}, b"")
    deliver(endpoint)
    secret = rotate(endpoint)
    company.answer = lambda *request: (200, {}, b"")
    Delivery.objects.update(due_at=clock.now())
    work.drain("deliveries")
    first, second = company.received
    assert (verifies(endpoint.presented, first), verifies(secret, first)) == (True, False)
    assert (verifies(endpoint.presented, second), verifies(secret, second)) == (True, True)
    assert sorted(DeliveryAttempt.objects.values_list("status", flat=True)) == [200, 500]


def test_no_secret_is_stored_as_it_is(endpoint):
    secret = rotate(endpoint)
    row = WebhookEndpoint.objects.get(pk=endpoint.pk)
    stored = bytes(row.secret) + bytes(row.earlier_secrets)
    assert secret.encode() not in stored
    assert endpoint.presented.encode() not in stored
