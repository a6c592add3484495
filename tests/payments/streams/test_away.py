"""Bad days of live events: Redis away and back, a screen that takes nothing, a database that is away."""

import socket
import time
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import pytest
import requests
from django.db import connection, transaction

from core import clock
from events import outbox
from events.models import Event
from tests.payments.streams.screens import NAME, WAITING, pay, serving, step, tell
from tests.payments.streams.valkey import Valkey
from tests.payments.world import until

pytestmark = pytest.mark.django_db(transaction=True)


def test_while_redis_is_away_streams_go_on_and_nothing_is_lost_when_it_comes_back(store, token, redis_at, screen):
    with Valkey() as valkey, serving(valkey.url) as url:
        redis_at(valkey.url)
        shown = screen(url, token)
        shown.begun()
        paid = pay(store, "requires_action")
        tell()
        shown.has(1)

        valkey.stop()
        step(paid, "processing")  # no worker is woken: nobody but the streams gives it a position
        assert shown.has(2)[-1]["state"] == "processing"
        late = screen(url, token)
        assert [row["state"] for row in late.begun()["payments"]] == ["processing"]

        valkey.start()
        step(paid, "succeeded")
        until(lambda: not outbox.dispatch() and outbox.behind()["channel"] == 0)
        assert [row["state"] for row in shown.has(3)] == ["requires_action", "processing", "succeeded"]
        assert [row["state"] for row in late.has(1)] == ["succeeded"]
        shown.leave()
        late.leave()


def test_once_redis_is_back_it_wakes_the_streams_again(store, token, redis_at, screen):
    """Without being woken nothing is seen here for an hour, once Redis is said to be there."""
    with Valkey() as valkey, serving(valkey.url, STREAM_POLL_SECONDS="0.5") as url:
        redis_at(valkey.url)
        shown = screen(url, token)
        shown.begun()
        for _ in range(2):
            valkey.stop()
            valkey.start()
            before = len(shown.orders())
            pay(store, "requires_action")
            until(lambda: not outbox.dispatch() and outbox.behind()["channel"] == 0)
            shown.has(before + 1)
        shown.leave()


def test_a_screen_that_takes_nothing_is_cut_off_holds_up_nobody_and_resumes(url, store, token, screen):
    quick, slow = screen(url, token), _opened(url, token)
    quick.begun()
    _happen(store, 12_000)
    tell()
    assert len(quick.has(12_000)) == 12_000

    taken = _rest_of(slow)
    whole = taken[: taken.rindex(b"\n\n")]
    last = int(whole.rpartition(b"\nid: ")[2].split(b"\n")[0])
    assert b"event: closed" not in taken
    assert last < 12_000
    back = screen(url, token, after=last)
    assert [row["id"] for row in back.has(12_000 - last)] == list(range(last + 1, 12_001))


def test_streams_go_on_when_the_database_has_closed_their_connections(url, store, token, screen):
    shown = screen(url, token)
    shown.begun()
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND application_name = %s",
            [NAME],
        )
        assert cursor.rowcount
    pay(store, "requires_action")
    tell()
    assert [row["state"] for row in shown.has(1)] == ["requires_action"]


def test_while_nothing_can_be_read_a_stream_does_not_show_that_it_lives(store, token, screen):
    with serving(STREAM_HEARTBEAT_SECONDS="0.6", SWEEP_SECONDS="0.2") as url:
        shown = screen(url, token)
        until(lambda: len(shown.comments) > 2, seconds=WAITING)
        with transaction.atomic():
            _hold_up_whoever_reads()
            until(lambda: _is_quiet(shown), seconds=4 * WAITING)
            before = len(shown.comments)
        until(lambda: len(shown.comments) > before, seconds=WAITING)
        shown.leave()


def test_a_stream_that_waits_to_be_opened_is_not_cut_off_for_taking_nothing(store, token, screen):
    with serving(STREAM_HEARTBEAT_SECONDS="0.3") as url, ThreadPoolExecutor(1) as opening:
        with transaction.atomic():
            _hold_up_whoever_reads()
            opened = opening.submit(screen, url, token)
            time.sleep(3)
        shown = opened.result()
        assert shown.begun() == {"payments": []}
        shown.leave()


def _hold_up_whoever_reads():
    with connection.cursor() as cursor:
        cursor.execute(f"LOCK TABLE {Event._meta.db_table} IN ACCESS EXCLUSIVE MODE")


def _is_quiet(shown):
    before = len(shown.comments)
    time.sleep(2)
    return len(shown.comments) == before


def test_while_the_database_is_away_a_stream_is_refused_for_a_moment(store, token, refused_port):
    with serving(DATABASE_URL=f"postgresql://lango:x@127.0.0.1:{refused_port}/lango") as url:
        answer = requests.get(
            f"{url}/v1/stores/{store.pk}/stream", headers={"Authorization": f"Bearer {token.presented}"}, timeout=60
        )
    assert (answer.status_code, answer.json()["code"]) == (503, "service_unavailable")
    assert answer.headers["Retry-After"] == "2"


def _happen(store, count):
    """Events as large as an order's number can make them."""
    data = {"order": {"source": "osrc_1", "id": "9" * 400}, "amount": 1, "currency": "KES", "state": "succeeded"}
    given = {"merchant": store.merchant_id, "livemode": False, "type": "payment.succeeded", "api_version": "2026-11-20"}
    Event.objects.bulk_create(
        Event(subject="pay_1", sequence=number, store=store.pk, data=data, created_at=clock.now(), **given)
        for number in range(1, count + 1)
    )


def _opened(url, token):
    """A screen that has asked, and reads no more than it must."""
    at = urlsplit(url)
    screen = socket.socket()
    screen.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    screen.settimeout(WAITING)
    screen.connect((at.hostname, at.port))
    words = f"GET /v1/stores/{token.store_id}/stream HTTP/1.0\r\nAuthorization: Bearer {token.presented}\r\n\r\n"
    screen.sendall(words.encode())
    assert b"200 OK" in screen.recv(15)
    return screen


def _rest_of(screen):
    with screen:
        return b"".join(iter(lambda: screen.recv(65_536), b""))
