"""Who calls the API, and what is written down about it."""

from datetime import timedelta

import pytest

from core import clock, crypto
from core.crypto import KeyRing
from events import audit
from events.models import AuditEntry, RefusedKeys
from merchants import services
from merchants.api import EventsView
from merchants.models import ApiKey, Merchant
from tests import factories

pytestmark = pytest.mark.django_db
PATH = "/v1/events"


def revoke(key):
    services.revoke_api_key(key, by="tests")


def expire(key):
    ApiKey.objects.filter(pk=key.pk).update(expires_at=clock.now() - timedelta(seconds=1))


def retire(key):
    Merchant.objects.filter(pk=key.merchant_id).update(is_active=False)


def move_away(key):
    ApiKey.objects.filter(pk=key.pk).update(allowed_addresses=["198.51.100.0/24"])


REFUSALS = [(revoke, "revoked"), (expire, "expired"), (retire, "merchant_inactive"), (move_away, "address_not_allowed")]


def problem(response):
    return {name: value for name, value in response.json().items() if name != "request_id"}


def test_a_current_key_is_let_in_by_either_header(api):
    assert api.get(PATH).status_code == 200
    alone = {"Authorization": "", "X_API_Key": api.key.presented}
    assert api.get(PATH, **alone).status_code == 200
    assert api.get(PATH, Authorization=f"bearer  {api.key.presented} ").status_code == 200


@pytest.mark.parametrize(("end", "reason"), REFUSALS)
def test_no_refusal_tells_why_and_each_is_written_down(api, end, reason):
    unknown = api.get(PATH, presented="sk_test_unknown")
    end(api.key)
    refused = api.get(PATH)
    assert refused.status_code == unknown.status_code == 401
    assert problem(refused) == problem(unknown)
    assert refused["WWW-Authenticate"] == unknown["WWW-Authenticate"] == "Bearer"
    assert set(refused.headers) == set(unknown.headers)
    row = AuditEntry.objects.get(action="api.refused")
    assert (row.actor, row.merchant, row.address, row.detail) == (
        api.key.pk,
        api.key.merchant_id,
        "127.0.0.1",
        {"reason": reason},
    )
    assert row.request_id == refused["X-Request-Id"]
    assert audit.is_intact(row)


@pytest.mark.parametrize(
    "presented", ["", "sk_test_unknown", "sk_live_" + "x" * 40, "sk_" + "x" * 300, "nonsense", "é"]
)
def test_unknown_keys_are_counted_and_never_stored(api, presented):
    response = api.get(PATH, Authorization=f"Bearer {presented}")
    assert response.status_code == 401
    row = RefusedKeys.objects.get()
    assert (row.reason, row.block, row.count) == ("unknown_key", "127.0.0.0/24", 1)
    assert not AuditEntry.objects.filter(action__startswith="api.").exists()
    assert not presented or presented not in str(vars(row)) + response.content.decode()


def test_a_flood_of_unknown_keys_is_limited_by_address_and_counted_in_one_row(api, settings):
    settings.RATE_LIMIT_PER_ADDRESS = "3/minute"
    statuses = [api.get(PATH, presented=f"sk_test_{number}").status_code for number in range(5)]
    assert statuses == [401, 401, 401, 429, 429]
    assert sum(row.count for row in RefusedKeys.objects.all()) == 3
    assert api.get(PATH).status_code == 200


@pytest.mark.parametrize(("end", "reason"), REFUSALS)
def test_a_flood_of_a_key_that_is_not_current_is_limited_by_address_like_one_of_unknown_keys(
    api, settings, end, reason
):
    settings.RATE_LIMIT_PER_ADDRESS = "3/minute"
    end(api.key)
    assert [api.get(PATH).status_code for _ in range(5)] == [401, 401, 401, 429, 429]
    assert AuditEntry.objects.filter(action="api.refused").count() == 3


def test_refusals_of_a_key_from_everywhere_are_written_down_so_many_times_and_then_counted(api, settings):
    settings.REFUSALS_RECORDED_PER_KEY = "2/minute"
    settings.TRUSTED_PROXIES = ["127.0.0.1"]
    revoke(api.key)
    assert [api.get(PATH, X_Forwarded_For=f"198.51.{n}.7").status_code for n in range(5)] == [401] * 5
    assert AuditEntry.objects.filter(action="api.refused").count() == 2
    assert [(row.reason, row.count) for row in RefusedKeys.objects.all()] == [("revoked", 1)] * 3


def test_a_flood_beyond_a_keys_limit_is_written_down_so_many_times_and_then_counted(api, settings):
    settings.RATE_LIMIT_PER_KEY, settings.REFUSALS_RECORDED_PER_KEY = "1/hour", "2/hour"
    assert [api.get(PATH).status_code for _ in range(6)] == [200] + [429] * 5
    assert AuditEntry.objects.filter(action="api.refused").count() == 2
    assert sum(row.count for row in RefusedKeys.objects.filter(reason="rate_limited")) == 3


def test_an_allowed_address_is_the_clients_as_trusted_proxies_tell_it(api, settings):
    move_away(api.key)
    assert api.get(PATH, X_Forwarded_For="198.51.100.7").status_code == 401
    settings.TRUSTED_PROXIES = ["127.0.0.1"]
    assert api.get(PATH, X_Forwarded_For="198.51.100.7").status_code == 200
    assert api.get(PATH, X_Forwarded_For="198.51.100.7, 203.0.113.1").status_code == 401


def test_a_missing_scope_is_named_and_written_down(api):
    ApiKey.objects.update(scopes=["payments:read"])
    response = api.get(PATH)
    assert response.status_code == 403
    assert (response.json()["code"], response.json()["param"]) == ("scope_missing", "events:read")
    row = AuditEntry.objects.get(action="api.refused")
    assert row.detail == {"reason": "scope_missing", "scope": "events:read"}


def test_a_method_without_a_scope_is_for_nobody(api, monkeypatch):
    monkeypatch.setattr(EventsView, "scopes", {})
    for method in ("GET", "OPTIONS"):
        response = api.call(method, PATH, presented=api.key.presented)
        assert (response.status_code, response.json()["code"]) == (403, "scope_missing")


def test_what_is_not_there_is_said_to_be_so_whatever_the_scopes(api):
    ApiKey.objects.update(scopes=[])
    assert api.call("DELETE", PATH).status_code == 405
    for method in ("GET", "POST", "OPTIONS"):
        assert api.call(method, "/v1/nothing").status_code == 404


def test_reading_needs_no_scope_for_writing_and_the_other_way_round(api):
    ApiKey.objects.update(scopes=["webhook_endpoints:read"])
    assert api.get("/v1/webhook-endpoints").status_code == 200
    assert api.post("/v1/webhook-endpoints", {}).status_code == 403


def test_each_answer_says_what_is_left_and_past_the_limit_when_to_come_back(api, settings):
    settings.RATE_LIMIT_PER_KEY = "2/minute"
    answers = [api.get(PATH) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert [answer["RateLimit"].split(";")[1] for answer in answers] == ["r=1", "r=0", "r=0"]
    assert {answer["RateLimit-Policy"] for answer in answers} == {'"default";q=2;w=60'}
    assert 1 <= int(answers[2]["Retry-After"]) <= 60
    assert answers[2].json()["code"] == "rate_limited"
    assert AuditEntry.objects.get(action="api.refused").detail == {"reason": "rate_limited"}


def test_a_limit_is_of_one_key(api, settings):
    settings.RATE_LIMIT_PER_KEY = "1/minute"
    other = factories.ApiKeyFactory(merchant=api.key.merchant)
    assert [api.get(PATH).status_code, api.get(PATH).status_code] == [200, 429]
    assert api.get(PATH, presented=other.presented).status_code == 200


def test_more_keys_are_no_way_around_a_merchants_limit(api, settings):
    settings.RATE_LIMIT_PER_MERCHANT = "3/minute"
    merchant = api.key.merchant
    keys = [api.key, *[factories.ApiKeyFactory(merchant=merchant) for _ in range(4)]]
    assert [api.get(PATH, presented=key.presented).status_code for key in keys] == [200, 200, 200, 429, 429]
    live = factories.ApiKeyFactory(merchant=merchant, livemode=True)
    assert api.get(PATH, presented=live.presented).status_code == 200
    assert api.get(PATH, presented=factories.ApiKeyFactory().presented).status_code == 200


def test_its_last_use_is_noted_at_most_once_a_minute_also_where_the_address_changes(api, settings):
    settings.TRUSTED_PROXIES = ["127.0.0.1"]
    api.get(PATH)
    first = ApiKey.objects.get().last_used_at
    api.get(PATH, X_Forwarded_For="203.0.113.9")
    key = ApiKey.objects.get()
    assert (key.last_used_at, key.last_used_address) == (first, "127.0.0.1")
    with clock.shifted(timedelta(seconds=61)):
        api.get(PATH, X_Forwarded_For="203.0.113.9")
    key = ApiKey.objects.get()
    assert key.last_used_at > first
    assert key.last_used_address == "203.0.113.9"


def test_an_answered_request_is_written_down_with_route_status_and_duration(api):
    response = api.get(f"{PATH}/evt_1?x=1")
    row = AuditEntry.objects.get(action="api.answered")
    assert (row.actor, row.merchant, row.request_id) == (api.key.pk, api.key.merchant_id, response["X-Request-Id"])
    assert (row.method, row.route, row.status, row.detail) == ("GET", "/v1/events/{event_id}", 404, {})
    assert 0 <= row.milliseconds < 5000


def test_a_key_is_stored_as_a_keyed_hash_and_shown_by_its_ends(api):
    key = ApiKey.objects.get()
    assert api.key.presented not in str(vars(key)) + repr(key) + str(key)
    assert str(key) == f"sk_test_…{api.key.presented[-4:]}"
    assert len(api.key.presented) >= len("sk_test_") + 43


def test_a_key_works_while_the_master_key_is_being_replaced(api, settings):
    settings.KEY_RING = KeyRing({"new": crypto.new_key(), **settings.KEY_RING.keys})
    assert api.get(PATH).status_code == 200


def test_a_key_of_one_mode_does_not_see_the_other(api):
    event = factories.EventFactory(about__merchant=api.key.merchant)
    live = factories.ApiKeyFactory(merchant=api.key.merchant, livemode=True)
    assert live.presented.startswith("sk_live_")
    assert api.get(f"{PATH}/{event.pk}").status_code == 200
    assert api.get(f"{PATH}/{event.pk}", presented=live.presented).status_code == 404
    assert api.get(PATH, presented=live.presented).json()["data"] == []
