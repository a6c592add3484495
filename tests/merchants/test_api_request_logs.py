"""What a merchant sees of its own requests."""

from datetime import timedelta

import pytest

from core import clock
from events import audit
from events.models import AuditEntry
from merchants import services
from tests import factories

pytestmark = pytest.mark.django_db(transaction=True)
PATH = "/v1/request-logs"
HOOK = {"url": "https://merchant.example/hook"}


def log(api, query="", **options):
    answer = api.get(f"{PATH}{query}", **options)
    assert answer.status_code == 200, answer.content
    return answer.json()["data"]


def told(rows):
    return [(row["method"], row["route"], row["status"]) for row in rows]


def test_a_read_is_told_with_its_route_outcome_and_duration_and_without_its_values(api):
    answer = api.get("/v1/events/evt_secret?x=hidden")
    [row] = log(api)
    entry = AuditEntry.objects.get(pk=row["id"])
    assert 0 <= row.pop("milliseconds") < 5000
    assert row == {
        "id": entry.pk,
        "object": "request_log",
        "method": "GET",
        "route": "/v1/events/{event_id}",
        "status": 404,
        "reason": None,
        "key": api.key.pk,
        "subject": None,
        "address": "127.0.0.1",
        "request_id": answer["X-Request-Id"],
        "livemode": False,
        "created_at": clock.rfc3339(entry.at),
    }


def test_a_write_is_one_row_with_the_object_that_it_made_and_nothing_of_its_body(api):
    made = api.post("/v1/webhook-endpoints", {**HOOK, "description": "my words"}, idempotency_key="mine").json()
    answer = api.get(PATH)
    [row] = answer.json()["data"]
    assert (row["method"], row["route"], row["status"], row["subject"]) == (
        "POST",
        "/v1/webhook-endpoints",
        201,
        made["id"],
    )
    for hidden in ("my words", "merchant.example", made["secret"], api.key.presented, '"mine"'):
        assert hidden not in answer.content.decode()


def test_a_write_that_has_no_outcome_yet_is_there_without_a_status(api):
    facts, outcome = audit.RequestFacts("POST", "/v1/payments"), audit.RequestFacts("POST", "/v1/payments", 201, 7)
    owner = {"merchant": api.key.merchant_id, "actor": api.key.pk}
    audit.record(**owner, action="api.accepted", object_id="pay_1", request=facts)
    audit.record(**owner, action="api.accepted", object_id="pay_2", request=facts)
    audit.record(**owner, action="api.answered", object_id="pay_2", request=outcome)
    assert [(row["subject"], row["status"]) for row in log(api)] == [("pay_2", 201), ("pay_1", None)]


def test_what_was_refused_says_why(api, settings):
    merchant = api.key.merchant
    narrow = factories.ApiKeyFactory(merchant=merchant, scopes=[])
    gone = factories.ApiKeyFactory(merchant=merchant)
    services.revoke_api_key(gone, by="tests")
    api.get("/v1/events", presented=narrow.presented)
    api.get("/v1/events", presented=gone.presented)
    settings.RATE_LIMIT_PER_KEY = "0/minute"
    api.get("/v1/events")
    settings.RATE_LIMIT_PER_KEY = "100/minute"
    assert [(row["status"], row["reason"], row["key"]) for row in log(api)] == [
        (429, "rate_limited", api.key.pk),
        (401, "revoked", gone.pk),
        (403, "scope_missing", narrow.pk),
    ]


def test_each_filter_keeps_what_it_names(api):
    with clock.shifted(timedelta(days=-2)):
        api.get("/v1/events")
    other = factories.ApiKeyFactory(merchant=api.key.merchant)
    made = api.post("/v1/webhook-endpoints", HOOK, presented=other.presented).json()
    lost = api.get("/v1/events/evt_1")
    read = ("GET", "/v1/events", 200)
    wrote = ("POST", "/v1/webhook-endpoints", 201)
    missed = ("GET", "/v1/events/{event_id}", 404)
    asked = ("GET", "/v1/request-logs", 200)
    day = clock.rfc3339(clock.now() - timedelta(days=1))
    assert told(log(api)) == [missed, wrote, read]
    assert told(log(api, "?status_class=4xx")) == [missed]
    assert told(log(api, "?status_class=5xx")) == []
    assert told(log(api, "?method=POST")) == [wrote]
    assert told(log(api, "?route=/v1/events/{event_id}")) == [missed]
    assert told(log(api, f"?key={other.pk}")) == [wrote]
    assert told(log(api, f"?subject={made['id']}")) == [wrote]
    assert told(log(api, f"?request_id={lost['X-Request-Id']}")) == [missed]
    assert told(log(api, f"?created[lt]={day}")) == [read]
    assert told(log(api, f"?created[gte]={day}&limit=1")) == [asked]


def test_it_comes_in_pages_that_follow_each_other(api):
    for _ in range(3):
        api.get("/v1/events")
    first = api.get(f"{PATH}?limit=2&route=/v1/events").json()
    second = api.get(f"{PATH}?limit=2&route=/v1/events&cursor={first['next_cursor']}").json()
    rows = first["data"] + second["data"]
    assert (len(rows), len({row["id"] for row in rows}), second["has_more"]) == (3, 3, False)
    assert [row["created_at"] for row in rows] == sorted((row["created_at"] for row in rows), reverse=True)


@pytest.mark.parametrize(
    ("query", "param"),
    [("status_class=6xx", "/status_class"), ("method=BREW", "/method"), ("ip=1", "/ip"), ("cursor=x", "cursor")],
)
def test_what_cannot_be_asked_is_refused_by_name(api, query, param):
    refused = api.get(f"{PATH}?{query}")
    assert (refused.status_code, refused.json()["param"]) == (400, param)


def test_what_is_anothers_of_the_other_mode_or_of_staff_is_not_there(api):
    stranger = factories.ApiKeyFactory()
    live = factories.ApiKeyFactory(merchant=api.key.merchant, livemode=True)
    api.get("/v1/events", presented=stranger.presented)
    api.get("/v1/events", presented=live.presented)
    audit.record(actor="staff:bob", action="api_key.revoked", merchant=api.key.merchant_id)
    assert log(api) == []
    assert [row["key"] for row in log(api, presented=live.presented)] == [live.pk]
    assert {row["key"] for row in log(api)} == {api.key.pk}


def test_another_merchants_request_of_the_same_name_hides_nothing(api):
    facts = audit.RequestFacts("POST", "/v1/payments")
    audit.record(
        merchant=api.key.merchant_id, actor=api.key.pk, action="api.accepted", object_id="pay_1", request=facts
    )
    audit.record(merchant="mer_other", actor="key_other", action="api.answered", object_id="pay_1", request=facts)
    assert [row["subject"] for row in log(api)] == ["pay_1"]


def test_it_needs_its_scope(api):
    narrow = factories.ApiKeyFactory(merchant=api.key.merchant, scopes=["events:read"])
    refused = api.get(PATH, presented=narrow.presented)
    assert (refused.status_code, refused.json()["param"]) == (403, "request_logs:read")
