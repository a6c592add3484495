"""Webhook endpoints, for merchants."""

import pytest
from standardwebhooks import Webhook

from core import clock
from events import work
from events.models import AuditEntry, Event, IdempotencyAnswer, IdempotencyKey, LanePace
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


def test_without_a_key_each_request_is_done_and_nothing_is_kept_but_its_audit(api):
    made = [api.post(PATH, {"url": "https://shop.example/hook"}) for _ in range(2)]
    assert [response.status_code for response in made] == [201, 201]
    assert WebhookEndpoint.objects.count() == 2
    assert not IdempotencyKey.objects.exists()
    assert not IdempotencyAnswer.objects.exists()
    told = AuditEntry.objects.filter(action__startswith="api.").order_by("pk")
    assert [row.action for row in told] == ["api.accepted", "api.answered"] * 2
    assert [row.object_id for row in told[::2]] == [response.json()["id"] for response in made]


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
        {"max_per_second": 0},
        {"max_per_second": 1001},
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
    factories.DeliveryFactory(event__about__merchant=api.key.merchant, endpoint=endpoint, due_at=clock.now())
    assert api.call("DELETE", f"{PATH}/{endpoint.pk}").status_code == 204
    assert api.get(f"{PATH}/{endpoint.pk}").json()["is_enabled"] is False
    assert Delivery.objects.get().state == "discarded"
    (told,) = AuditEntry.objects.filter(object_id=endpoint.pk, action="webhook_endpoint.disabled")
    assert (told.actor, told.detail) == (api.key.pk, {"because": "deleted by the merchant"})
    assert api.call("DELETE", f"{PATH}/{endpoint.pk}").status_code == 204
    assert Event.objects.filter(type="webhook_endpoint.disabled").count() == 1


def test_switching_off_discards_what_waits_and_switching_on_forgets_that_it_failed(api):
    endpoint = factories.WebhookEndpointFactory(merchant=api.key.merchant)
    WebhookEndpoint.objects.update(failing_since=clock.now(), warnings=1)
    factories.DeliveryFactory(event__about__merchant=api.key.merchant, endpoint=endpoint, due_at=clock.now())
    off = api.call("PATCH", f"{PATH}/{endpoint.pk}", {"is_enabled": False, "description": "till"}).json()
    assert (off["is_enabled"], off["disabled_because"]) == (False, "switched off by the merchant")
    assert off["description"] == "till"
    assert Delivery.objects.get().state == "discarded"
    on = api.call("PATCH", f"{PATH}/{endpoint.pk}", {"is_enabled": True}).json()
    assert (on["is_enabled"], on["disabled_because"], on["failing_since"]) == (True, None, None)
    assert WebhookEndpoint.objects.get().warnings == 0


def test_a_rate_is_kept_where_the_claimer_finds_it(api):
    made = create(api, max_per_second=7).json()
    assert made["max_per_second"] == 7
    assert LanePace.objects.values_list("queue", "lane", "per_second").get() == ("deliveries", made["id"], 7)
    api.call("PATCH", f"{PATH}/{made['id']}", {"max_per_second": 3})
    assert LanePace.objects.get().per_second == 3
    assert api.call("PATCH", f"{PATH}/{made['id']}", {"max_per_second": None}).json()["max_per_second"] is None
    assert not LanePace.objects.exists()


def test_a_merchant_has_so_many_enabled_endpoints_in_each_mode_and_no_more(api, settings):
    settings.ENDPOINTS_PER_MERCHANT = 2
    kept, dropped = [factories.WebhookEndpointFactory(merchant=api.key.merchant) for _ in range(2)]
    factories.WebhookEndpointFactory()
    refused = create(api)
    assert (refused.status_code, refused.json()["code"]) == (409, "limit_reached")
    api.call("DELETE", f"{PATH}/{dropped.pk}")
    assert [create(api).status_code, create(api)["Idempotency-Replayed"]] == [201, "true"]
    assert api.call("PATCH", f"{PATH}/{dropped.pk}", {"is_enabled": True}).json()["code"] == "limit_reached"
    assert api.call("PATCH", f"{PATH}/{kept.pk}", {"is_enabled": True}).status_code == 200
    assert WebhookEndpoint.objects.filter(merchant=api.key.merchant, is_enabled=True).count() == 2


@pytest.mark.parametrize("method", ["GET", "PATCH", "DELETE"])
def test_another_merchants_endpoint_does_not_exist(api, method):
    other = factories.WebhookEndpointFactory()
    assert api.call(method, f"{PATH}/{other.pk}").status_code == 404
    assert WebhookEndpoint.objects.get().is_enabled


# Another secret


def rotate(api, endpoint, *, key="rotate-1", **body):
    return api.post(f"{PATH}/{endpoint.pk}/rotate-secret", body, idempotency_key=key)


def test_a_new_secret_is_shown_once_and_the_old_one_goes_on_for_a_day(api):
    endpoint = factories.WebhookEndpointFactory(merchant=api.key.merchant)
    first, second = rotate(api, endpoint), rotate(api, endpoint)
    assert first.status_code == 200
    assert Webhook(first.json()["secret"])
    assert first.json()["secret"] != endpoint.presented
    assert second.json() == {**first.json(), "secret": None}
    assert second["Idempotency-Replayed"] == "true"
    shown = api.get(f"{PATH}/{endpoint.pk}").json()
    assert (shown["secret"], shown["earlier_secrets_until"]) == (None, first.json()["earlier_secrets_until"])
    (told,) = AuditEntry.objects.filter(action="webhook_endpoint.secret_rotated")
    assert (told.actor, told.detail) == (api.key.pk, {"overlap_seconds": 86400})


def test_without_overlap_no_earlier_secret_is_left(api):
    endpoint = factories.WebhookEndpointFactory(merchant=api.key.merchant)
    rotate(api, endpoint)
    assert rotate(api, endpoint, key="rotate-2", overlap_seconds=0).json()["earlier_secrets_until"] is None
    assert WebhookEndpoint.objects.get().earlier_secrets is None


@pytest.mark.parametrize("overlap", [-1, 604801, "long", None])
def test_an_overlap_that_cannot_be_is_refused_and_names_its_field(api, overlap):
    endpoint = factories.WebhookEndpointFactory(merchant=api.key.merchant)
    answer = rotate(api, endpoint, overlap_seconds=overlap)
    assert (answer.status_code, answer.json()["param"]) == (400, "/overlap_seconds")
    assert bytes(WebhookEndpoint.objects.get().secret) == endpoint.secret


def test_a_fifth_earlier_secret_is_refused_and_binds_nothing(api):
    endpoint = factories.WebhookEndpointFactory(merchant=api.key.merchant)
    for number in range(4):
        assert rotate(api, endpoint, key=f"rotate-{number}").status_code == 200
    before = bytes(WebhookEndpoint.objects.get().secret)
    assert rotate(api, endpoint, key="fifth").status_code == 409
    assert bytes(WebhookEndpoint.objects.get().secret) == before
    assert rotate(api, endpoint, key="fifth", overlap_seconds=0).status_code == 200


# Pings


def test_a_ping_goes_to_its_own_endpoint_only_whatever_it_filters(api, company):
    endpoint = factories.WebhookEndpointFactory(
        merchant=api.key.merchant, url=f"{company.url}/mine", event_types=["payment.succeeded"]
    )
    factories.WebhookEndpointFactory(merchant=api.key.merchant, url=f"{company.url}/other")
    first, second = (api.post(f"{PATH}/{endpoint.pk}/ping", {}, idempotency_key="p") for _ in range(2))
    assert (first.status_code, second.json()) == (202, first.json())
    work.drain("outbox")
    work.drain("deliveries")
    ((path, headers, body),) = company.received
    assert path == "/mine"
    told = Webhook(endpoint.presented).verify(body, headers)
    assert told == first.json()
    assert (told["type"], told["data"]["object"]["id"]) == ("webhook_endpoint.ping", endpoint.pk)
    assert "secret" not in told["data"]["object"]
    assert "url" not in told["data"]["object"]


def test_a_disabled_endpoint_is_not_pinged(api):
    endpoint = factories.WebhookEndpointFactory(merchant=api.key.merchant)
    WebhookEndpoint.objects.update(is_enabled=False)
    assert api.post(f"{PATH}/{endpoint.pk}/ping", {}).status_code == 409
    assert api.post(f"{PATH}/{endpoint.pk}/ping", {"loud": True}).status_code == 400
    assert not Event.objects.exists()
