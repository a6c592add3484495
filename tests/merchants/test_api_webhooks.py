"""Webhook endpoints and events, for merchants."""

import pytest

from merchants.models import ApiKey, Delivery, WebhookEndpoint
from tests import factories

pytestmark = pytest.mark.django_db(transaction=True)
PATH = "/v1/webhook-endpoints"


def create(api, **body):
    return api.post(PATH, {"url": "https://shop.example/hook", **body}, idempotency_key="we-1")


def test_an_endpoint_is_created_and_its_secret_shown_once(api):
    made = create(api, event_types=["payment.succeeded"], description="shop", metadata={"till": "7"})
    assert made.status_code == 201
    body = made.json()
    assert (body["object"], body["url"], body["event_types"]) == (
        "webhook_endpoint",
        "https://shop.example/hook",
        ["payment.succeeded"],
    )
    assert body["secret"].startswith("whsec_")
    shown = api.get(f"{PATH}/{body['id']}").json()
    assert shown == {**body, "secret": None}
    assert api.get(PATH).json()["data"] == [shown]


def test_a_replay_makes_no_second_one_and_shows_no_secret(api):
    first, second = create(api), create(api)
    assert second.json() == {**first.json(), "secret": None}
    assert (first.headers.get("Idempotency-Replayed"), second["Idempotency-Replayed"]) == (None, "true")
    assert WebhookEndpoint.objects.count() == 1


def test_a_replay_checks_the_scope_again(api):
    create(api)
    ApiKey.objects.update(scopes=["webhook_endpoints:read"])
    assert create(api).status_code == 403


def test_another_body_under_the_key_is_422(api):
    create(api)
    response = create(api, description="other")
    assert (response.status_code, response.json()["code"]) == (422, "idempotency_key_reused")
    assert response.json()["param"] == "Idempotency-Key"


@pytest.mark.parametrize(
    "changes",
    [
        {"url": "ftp://shop.example"},
        {"url": "https://user:password@shop.example"},
        {"url": "nonsense"},
        {"event_types": ["payment.exploded"]},
        {"event_types": "payment.succeeded"},
        {"metadata": {"k\x00": "v"}},
    ],
)
def test_what_cannot_be_is_refused_and_makes_nothing(api, changes):
    assert create(api, **changes).status_code == 400
    assert not WebhookEndpoint.objects.exists()


def test_live_mode_takes_https_only(api):
    live = factories.ApiKeyFactory(merchant=api.key.merchant, livemode=True)
    body = {"url": "http://shop.example/hook"}
    assert api.post(PATH, body, presented=live.presented, idempotency_key="l").status_code == 400


def test_only_what_is_sent_changes(api):
    made = create(api, description="shop").json()
    changed = api.call("PATCH", f"{PATH}/{made['id']}", {"url": "https://other.example/"}).json()
    assert changed == {**made, "url": "https://other.example/", "secret": None}


def test_deleting_disables_and_discards_what_waits(api):
    endpoint = factories.WebhookEndpointFactory(merchant=api.key.merchant)
    factories.DeliveryFactory(event__about__merchant=api.key.merchant, endpoint=endpoint)
    assert api.call("DELETE", f"{PATH}/{endpoint.pk}").status_code == 204
    assert api.get(f"{PATH}/{endpoint.pk}").json()["is_enabled"] is False
    assert Delivery.objects.get().state == "discarded"


@pytest.mark.parametrize("method", ["GET", "PATCH", "DELETE"])
def test_another_merchants_endpoint_does_not_exist(api, method):
    other = factories.WebhookEndpointFactory()
    assert api.call(method, f"{PATH}/{other.pk}").status_code == 404
    assert WebhookEndpoint.objects.get().is_enabled


def test_events_are_listed_newest_first_and_filtered(api):
    first = factories.EventFactory(about__merchant=api.key.merchant)
    second = factories.EventFactory(about__merchant=api.key.merchant, type="payment.failed")
    factories.EventFactory()

    def listed(query=""):
        return [row["id"] for row in api.get(f"/v1/events{query}").json()["data"]]

    assert listed() == [second.pk, first.pk]
    assert listed("?type=payment.failed") == [second.pk]
    assert listed(f"?subject={first.subject}") == [first.pk]
    assert api.get(f"/v1/events/{first.pk}").json()["data"] == {"object": first.data}
