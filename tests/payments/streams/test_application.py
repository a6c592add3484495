"""Live events over real HTTP: who may follow, what they see, and that nothing is missed."""

import socket
from datetime import timedelta
from urllib.parse import urlsplit

import pytest
import requests

from core import clock
from events.models import Event, RefusedKeys
from merchants import display_tokens, request_log, stores
from merchants.models import DisplayToken, Merchant
from tests import factories
from tests.payments.streams.screens import WAITING, pay, serving, step, tell
from tests.payments.world import until

pytestmark = pytest.mark.django_db(transaction=True)


def ask(url, store, presented="", **headers):
    given = {"Authorization": f"Bearer {presented}"} if presented else {}
    return requests.get(f"{url}/v1/stores/{store}/stream", headers={**given, **headers}, stream=True, timeout=WAITING)


def test_a_screen_begins_with_a_snapshot_and_then_hears_of_each_change(url, store, token, screen):
    waiting = pay(store, "requires_action")
    tell()
    shown = screen(url, token)

    assert [row["payment"] for row in shown.begun()["payments"]] == [waiting.pk]
    step(waiting, "succeeded")
    tell()
    (told,) = shown.has(1)
    event = Event.objects.get(type="payment.succeeded")
    assert told == {
        "id": event.position,
        "type": "payment.succeeded",
        "payment": waiting.pk,
        "order": None,
        "store": store.pk,
        "amount": waiting.amount,
        "currency": waiting.currency,
        "state": "succeeded",
        "at": clock.rfc3339(event.created_at),
    }
    assert [identifier for _, identifier, _ in shown.events] == [str(event.position - 1), str(event.position)]


def test_the_answer_is_an_event_stream_that_no_cache_keeps_and_no_other_page_reads(url, store, token, screen):
    shown = screen(url, token)
    shown.begun()
    headers = shown.answer.headers
    assert headers["Content-Type"] == "text/event-stream"
    assert headers["Cache-Control"] == "no-store"
    assert "Access-Control-Allow-Origin" not in headers
    assert 1000 <= int(shown.retry) <= 3000


def test_a_page_of_ours_may_read_it_from_another_port_and_no_other_page_may(url, store, token, settings):
    own, theirs = (
        ask(url, store.pk, token.presented, Origin=at) for at in (settings.PUBLIC_URL, "https://evil.example")
    )
    assert own.headers["Access-Control-Allow-Origin"] == settings.PUBLIC_URL
    assert "Access-Control-Allow-Origin" not in theirs.headers
    asked = requests.options(
        f"{url}/v1/stores/{store.pk}/stream", headers={"Origin": settings.PUBLIC_URL}, timeout=WAITING
    )
    assert (asked.status_code, asked.headers["Access-Control-Allow-Headers"]) == (204, "Authorization, Last-Event-ID")
    own.close()
    theirs.close()


def test_an_order_is_told_by_its_source_and_number(url, store, token, screen):
    order = factories.OrderFactory(source__merchant=store.merchant, number="1042")
    shown = screen(url, token)
    shown.begun()
    pay(store, "requires_action", order=order)
    tell()
    assert shown.has(1)[0]["order"] == {"source": order.source_id, "id": "1042"}


def test_a_screen_that_was_away_misses_nothing(url, store, token, screen):
    first = screen(url, token)
    first.begun()
    paid = pay(store, "requires_action")
    tell()
    seen = first.has(1)[-1]["id"]
    first.leave()

    step(paid, "processing", "succeeded")
    others = [pay(store, "requires_action", "failed") for _ in range(3)]
    tell()
    back = screen(url, token, after=seen)

    told = back.has(8)
    assert [(row["payment"], row["state"]) for row in told[:2]] == [(paid.pk, "processing"), (paid.pk, "succeeded")]
    assert {row["payment"] for row in told[2:]} == {other.pk for other in others}
    assert [row["id"] for row in told] == list(range(seen + 1, seen + 9))
    assert all(kind == "order" for kind, _, _ in back.events)


def test_a_screen_that_was_away_for_an_hour_misses_nothing_though_more_came_than_is_read_at_once(
    url, store, token, screen
):
    with clock.shifted(-timedelta(hours=1)):
        start = pay(store, "requires_action")
        tell()
        last = Event.objects.get().position
        for _ in range(150):
            pay(store, "requires_action", "succeeded")
        tell()
    back = screen(url, token, after=last)

    assert [row["id"] for row in back.has(300)] == list(range(last + 1, last + 301))
    step(start, "succeeded")
    tell()
    assert back.has(301)[-1]["payment"] == start.pk


def test_a_screen_that_was_away_for_days_begins_anew(url, store, token, screen):
    with clock.shifted(-timedelta(days=2)):
        pay(store, "requires_action", "succeeded")
        waiting = pay(store, "requires_action")
        tell()
    back = screen(url, token, after=0)
    assert [row["payment"] for row in back.begun()["payments"]] == [waiting.pk]


def test_an_id_of_another_time_begins_anew(url, store, token, screen):
    paid = pay(store, "requires_action")
    tell()
    assert [row["payment"] for row in screen(url, token, after=10**12).begun()["payments"]] == [paid.pk]


@pytest.mark.parametrize("wrong", ["latest", "-1", "1.5", "9" * 19, "1,2"])
def test_an_id_that_is_none_is_refused_and_named(url, store, token, wrong):
    answer = ask(url, store.pk, token.presented, **{"Last-Event-ID": wrong})
    problem = answer.json()
    assert (answer.status_code, problem["code"], problem["param"]) == (400, "invalid_request", "Last-Event-ID")
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.headers["X-Request-Id"] == problem["request_id"]


def test_two_screens_of_a_store_are_told_the_same_in_the_same_order_and_another_store_nothing(
    url, store, token, screen
):
    elsewhere = factories.DisplayTokenFactory()
    kitchen, cashier, other = screen(url, token), screen(url, token), screen(url, elsewhere)
    for shown in (kitchen, cashier, other):
        shown.begun()
    for _ in range(20):
        pay(store, "requires_action", "succeeded")
        tell()
    pay(elsewhere.store, "requires_action")
    tell()
    assert kitchen.has(40) == cashier.has(40)
    assert [row["id"] for row in kitchen.orders()] == sorted(row["id"] for row in kitchen.orders())
    assert [row["store"] for row in other.has(1)] == [elsewhere.store_id]


@pytest.mark.parametrize("wrong", ["", "display_test_" + "0" * 64, "nonsense", "\x7f"])
def test_an_unknown_token_is_refused_and_counted(url, store, wrong):
    answer = ask(url, store.pk, wrong)
    assert (answer.status_code, answer.json()["code"]) == (401, "display_token_refused")
    assert RefusedKeys.objects.get().reason == "unknown_display_token"


def test_a_token_of_another_store_is_refused(url, store, token):
    other = factories.StoreFactory(merchant=store.merchant)
    answer = ask(url, other.pk, token.presented)
    assert (answer.status_code, answer.json()["code"]) == (401, "display_token_refused")


def test_a_token_that_has_expired_is_refused(url, store, token):
    DisplayToken.objects.update(expires_at=clock.now())
    assert ask(url, store.pk, token.presented).status_code == 401


def test_an_api_key_is_refused_and_told_what_to_send(url, store):
    key = factories.ApiKeyFactory(merchant=store.merchant)
    answer = ask(url, store.pk, key.presented)
    assert (answer.status_code, answer.json()["code"]) == (401, "display_token_refused")
    assert "display-tokens" in answer.json()["detail"]
    assert key.presented not in answer.text
    assert ask(url, store.pk, **{"X-API-Key": key.presented}).status_code == 401


def test_a_token_in_the_address_is_refused(url, store, token):
    answer = ask(url, f"{store.pk}", token.presented)
    answer.close()
    answer = requests.get(f"{url}/v1/stores/{store.pk}/stream?token={token.presented}", timeout=WAITING)
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_request")
    assert token.presented not in answer.text


def test_a_stream_is_only_read(url, store, token):
    answer = requests.post(f"{url}/v1/stores/{store.pk}/stream", timeout=WAITING)
    assert (answer.status_code, answer.json()["code"]) == (405, "method_not_allowed")


def end_token(token):
    display_tokens.revoke_token(token, by="tests")


def expire_token(token):
    DisplayToken.objects.update(expires_at=clock.now())


def disable_store(token):
    stores.change_store(token.store, by="tests", is_enabled=False)


def disable_merchant(token):
    Merchant.objects.update(is_active=False)


@pytest.mark.parametrize(
    ("end", "reason"),
    [
        (end_token, "token_revoked"),
        (expire_token, "token_expired"),
        (disable_store, "store_disabled"),
        (disable_merchant, "merchant_inactive"),
    ],
)
def test_a_stream_ends_with_its_token_and_says_why(url, store, token, screen, end, reason):
    shown, other = screen(url, token), screen(url, factories.DisplayTokenFactory())
    shown.begun()
    other.begun()
    if end is disable_merchant or end is expire_token:
        other.leave()
    end(token)
    kind, identifier, data = shown.ended()[-1]
    assert (kind, identifier, data["reason"]) == ("closed", "", reason)
    assert data["detail"]
    assert ask(url, store.pk, token.presented).status_code == 401


def test_an_idle_stream_shows_that_it_lives(store, token, screen):
    with serving(STREAM_HEARTBEAT_SECONDS="0.6") as url:
        shown = screen(url, token)
        until(lambda: len(shown.comments) > 2, seconds=WAITING)
        assert set(shown.comments) == {": heartbeat"}
        shown.leave()


def test_a_store_has_so_many_streams_at_most(store, token, screen):
    with serving(STREAMS_PER_STORE="2") as url:
        shown = [screen(url, token) for _ in range(2)]
        refused = ask(url, store.pk, token.presented)
        assert (refused.status_code, refused.json()["code"]) == (429, "rate_limited")
        assert refused.headers["Retry-After"]
        shown[0].leave()
        until(lambda: _is_open(url, store, token), seconds=WAITING)
        shown[1].leave()


def _is_open(url, store, token):
    answer = ask(url, store.pk, token.presented)
    answer.close()
    return answer.status_code == 200


def test_one_token_has_so_many_streams_at_most_and_leaves_the_rest_to_others(url, store, token, screen):
    shown = [screen(url, token) for _ in range(4)]
    refused = ask(url, store.pk, token.presented)
    assert (refused.status_code, refused.json()["code"]) == (429, "rate_limited")
    assert token.pk in refused.json()["detail"]
    other = factories.DisplayTokenFactory(store=store)
    assert _is_open(url, store, other)
    for each in shown:
        each.leave()
    until(lambda: _is_open(url, store, token), seconds=WAITING)


def test_a_stream_that_opens_stands_in_the_log_of_requests(url, store, token, screen):
    screen(url, token).begun()
    [row] = request_log.requests_of(merchant=store.merchant_id, livemode=store.livemode)
    assert (row.actor, row.object_id, row.status) == (token.pk, store.pk, 200)
    assert (row.method, row.route) == ("GET", "/v1/stores/{store_id}/stream")
    assert row.request_id


def test_a_body_is_waited_for_and_kept_by_nobody(url):
    at = urlsplit(url)
    with socket.create_connection((at.hostname, at.port), timeout=WAITING) as wire:
        wire.sendall(b"GET /healthz HTTP/1.1\r\nHost: screens\r\nContent-Length: 100000000\r\n\r\n" + b"x" * 100_000)
        assert b" 200 " in wire.recv(1000)


def test_health_and_metrics_of_the_process_are_told_and_nothing_of_the_api(store, token, screen):
    with serving(METRICS_TOKEN="x" * 24) as url:
        shown = screen(url, token)
        shown.begun()
        pay(store, "requires_action")
        tell()
        shown.has(1)
        counted = requests.get(f"{url}/metrics", headers={"Authorization": f"Bearer {'x' * 24}"}, timeout=WAITING).text
        assert "lango_streams_open 1.0" in counted
        assert "lango_stream_events_total 1.0" in counted
        assert "lango_stream_lag_seconds_count 1.0" in counted
        ready = requests.get(f"{url}/readyz", timeout=WAITING).json()
        assert (ready["ok"], ready["database"], ready["redis"]) == (True, True, True)
        assert requests.get(f"{url}/v1/payments", timeout=WAITING).status_code == 404
        shown.leave()
