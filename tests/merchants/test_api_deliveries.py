"""What was sent to an endpoint, and sending it again, for merchants."""

import threading
from datetime import timedelta

import pytest
from django.db import connection

from core import clock
from events import work
from events.models import Event
from merchants import webhooks
from merchants.models import Delivery, DeliveryAttempt, WebhookEndpoint, WebhookReplay
from merchants.webhook_sending import Try
from tests import factories

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def endpoint(api, company):
    return factories.WebhookEndpointFactory(merchant=api.key.merchant, url=f"{company.url}/hook")


@pytest.fixture
def where(endpoint):
    return f"/v1/webhook-endpoints/{endpoint.pk}"


def happen(api, **given):
    return factories.EventFactory(about__merchant=api.key.merchant, **given)


def drain():
    work.drain("outbox")
    work.drain("deliveries")


# The log


def test_the_log_tells_how_each_try_went_and_when_the_next_one_is(api, endpoint, where, company):
    company.answer = lambda *request: (503, {}, b"down for maintenance")
    event = happen(api)
    drain()
    (listed,) = api.get(f"{where}/deliveries").json()["data"]
    row, attempt = Delivery.objects.get(), DeliveryAttempt.objects.get()
    assert listed == {
        "id": row.pk,
        "object": "webhook_delivery",
        "endpoint": endpoint.pk,
        "event": event.pk,
        "event_type": "payment.succeeded",
        "state": "pending",
        "next_attempt_at": clock.rfc3339(row.due_at),
        "finished_at": None,
        "livemode": False,
        "created_at": clock.rfc3339(row.created_at),
    }
    assert api.get(f"{where}/deliveries/{row.pk}").json() == {
        **listed,
        "attempts": [
            {
                "id": attempt.pk,
                "object": "webhook_attempt",
                "created_at": clock.rfc3339(attempt.at),
                "status": 503,
                "milliseconds": attempt.milliseconds,
                "answer": "down for maintenance",
                "fault": None,
            }
        ],
    }


def test_a_fault_is_told_without_what_a_name_resolves_to(api, endpoint, where):
    WebhookEndpoint.objects.update(url="http://10.1.2.3/")
    happen(api)
    drain()
    (attempt,) = api.get(f"{where}/deliveries/{Delivery.objects.get().pk}").json()["attempts"]
    assert (attempt["status"], attempt["answer"]) == (None, "")
    assert attempt["fault"] == "the host has an address that is not a public address"


def test_an_answer_without_end_is_a_fault_and_is_not_kept(api, endpoint, where, company):
    company.answer = lambda *request: (200, {}, b"x" * 1_100_000)
    happen(api)
    drain()
    (attempt,) = api.get(f"{where}/deliveries/{Delivery.objects.get().pk}").json()["attempts"]
    assert (attempt["status"], attempt["answer"]) == (None, "")
    assert attempt["fault"] == "the answer is larger than 1048576 bytes"


def test_a_try_that_is_under_way_has_no_next_one(api, endpoint, where):
    happen(api)
    work.drain("outbox")
    assert api.get(f"{where}/deliveries").json()["data"][0]["next_attempt_at"] is not None
    work.claim(work._drains["deliveries"], free=8)
    assert api.get(f"{where}/deliveries").json()["data"][0]["next_attempt_at"] is None


def test_the_log_is_filtered_paged_and_of_one_endpoint(api, endpoint, where):
    factories.WebhookEndpointFactory(merchant=api.key.merchant)
    made = [happen(api).pk for _ in range(3)]
    work.drain("outbox")
    Delivery.objects.filter(event=made[0]).update(state="failed")

    def listed(query):
        return api.get(f"{where}/deliveries?{query}").json()

    assert [row["event"] for row in listed("state=failed")["data"]] == made[:1]
    assert [row["event"] for row in listed(f"event={made[1]}")["data"]] == [made[1]]
    first = listed("limit=2")
    rest = listed(f"limit=2&cursor={first['next_cursor']}")
    assert sorted(row["event"] for row in first["data"] + rest["data"]) == sorted(made)
    assert api.get(f"{where}/deliveries?state=lost").json()["param"] == "/state"


def test_a_page_of_a_long_log_reads_no_more_than_its_rows(api, endpoint, where):
    with connection.cursor() as cursor:
        cursor.execute("SET enable_seqscan = off")
        for condition in ("", "AND state = 'failed' "):
            cursor.execute(
                f"EXPLAIN SELECT * FROM merchants_delivery WHERE endpoint_id = %s {condition}ORDER BY id DESC LIMIT 21",
                [endpoint.pk],
            )
            plan = "\n".join(line for (line,) in cursor.fetchall())
            assert "Sort" not in plan, plan


@pytest.mark.parametrize("part", ["deliveries", "deliveries/{delivery}", "replays/{replay}"])
def test_nothing_of_another_endpoint_is_shown(api, where, part):
    other = factories.WebhookEndpointFactory(merchant=api.key.merchant)
    delivery = factories.DeliveryFactory(event__about__merchant=api.key.merchant, endpoint=other)
    replay = WebhookReplay.objects.create(
        endpoint=other, livemode=False, lane=other.pk, created_by="tests", finished_at=clock.now()
    )
    answer = api.get(f"{where}/{part.format(delivery=delivery.pk, replay=replay.pk)}")
    assert answer.json().get("data") == [] if part == "deliveries" else answer.status_code == 404
    strangers = factories.WebhookEndpointFactory()
    path = f"/v1/webhook-endpoints/{strangers.pk}/{part.format(delivery=delivery.pk, replay=replay.pk)}"
    assert api.get(path).status_code == 404


# Again


def again(api, where, *, key="again", **body):
    return api.post(f"{where}/replay", body, idempotency_key=key)


def test_one_event_is_sent_again_under_its_id_also_where_it_was_never_sent(api, endpoint, where, company):
    WebhookEndpoint.objects.update(event_types=["payment.failed"])
    event = happen(api)
    drain()
    assert company.received == []
    first, second = again(api, where, event=event.pk), again(api, where, event=event.pk)
    work.drain("deliveries")
    assert (first.status_code, second.json()) == (202, first.json())
    told = first.json()
    assert (told["object"], told["state"], told["event"], told["deliveries"]) == (
        "webhook_replay",
        "finished",
        event.pk,
        1,
    )
    assert api.get(f"{where}/replays/{told['id']}").json() == told
    again(api, where, key="once more", event=event.pk)
    work.drain("deliveries")
    assert [headers["webhook-id"] for _, headers, _ in company.received] == [event.pk] * 2
    assert (Delivery.objects.get().state, DeliveryAttempt.objects.count()) == ("delivered", 2)


def test_a_span_is_begun_here_and_staged_by_a_worker(api, where, company):
    happen(api)
    # Ids know milliseconds: up to now, whenever the request comes.
    until = clock.rfc3339(clock.now() + timedelta(seconds=1))
    span = {"since": clock.rfc3339(clock.now() - timedelta(hours=1)), "until": until}
    answer = again(api, where, **span, types=["payment.succeeded"])
    assert (answer.status_code, answer.json()["state"], answer.json()["deliveries"]) == (202, "running", 0)
    assert answer.json()["types"] == ["payment.succeeded"]
    assert again(api, where, **span, types=["payment.succeeded"]).json() == answer.json()
    assert again(api, where, key="other", **span).status_code == 409
    assert not Delivery.objects.exists()
    work.drain("replays")
    shown = api.get(f"{where}/replays/{answer.json()['id']}").json()
    assert (shown["state"], shown["deliveries"]) == ("finished", 1)


@pytest.mark.parametrize(
    ("body", "params"),
    [
        ({}, ["/since", "/until"]),
        ({"since": "2026-11-20T00:00:00Z"}, ["/until"]),
        ({"since": "yesterday", "until": "2026-11-20T00:00:00Z"}, ["/since"]),
        ({"event": "evt_nobodys"}, ["/event"]),
        ({"event": "evt_\x00"}, ["/event"]),
        ({"event": "evt_1", "since": "2026-11-20T00:00:00Z"}, ["/since"]),
        ({"since": "0001-01-01T00:00:00Z", "until": "9999-12-31T23:59:59Z"}, ["/since"]),
        ({"since": "2026-11-20T00:00:00Z", "until": "2026-11-21T00:00:00Z", "types": ["x"]}, ["/types"]),
    ],
)
def test_what_cannot_be_replayed_is_refused_and_names_its_field(api, where, body, params):
    answer = again(api, where, **body)
    assert answer.status_code == 400, answer.json()
    told = answer.json()
    assert ([error["param"] for error in told.get("errors", [])] or [told["param"]]) == params
    assert not WebhookReplay.objects.exists()


def test_another_merchants_event_and_another_endpoints_ping_are_refused(api, where):
    other = factories.WebhookEndpointFactory(merchant=api.key.merchant)
    ping = api.post(f"/v1/webhook-endpoints/{other.pk}/ping", {}).json()
    for event in (factories.EventFactory().pk, ping["id"], factories.EventFactory(about__livemode=True).pk):
        assert again(api, where, event=event).json()["param"] == "/event"
    assert not Delivery.objects.exists()


def test_a_replay_while_the_first_delivery_is_under_way_begins_its_schedule_anew(api, endpoint, where, company):
    event, arrived, may_answer = happen(api), threading.Event(), threading.Event()

    def answer(*request):
        arrived.set()
        may_answer.wait(10)
        return 500, {}, b""

    company.answer = answer
    work.drain("outbox")
    Delivery.objects.update(tries=9)

    def work_on():
        try:
            work.drain("deliveries")
        finally:
            connection.close()

    worker = threading.Thread(target=work_on)
    worker.start()
    assert arrived.wait(10)
    assert again(api, where, event=event.pk).status_code == 202
    may_answer.set()
    worker.join(10)
    row = Delivery.objects.get()
    assert (row.state, row.tries, len(company.received)) == ("pending", 1, 1)
    assert row.due_at - clock.now() < timedelta(seconds=6)


def test_a_replay_brings_forward_what_waits_and_reopens_what_ended(api, endpoint, where):
    states = {}
    for state in ("pending", "failed", "discarded", "delivered"):
        states[state] = factories.DeliveryFactory(
            endpoint=endpoint,
            event=happen(api),
            state=state,
            tries=10,
            due_at=clock.now() + timedelta(hours=20) if state == "pending" else None,
        )
    for state, delivery in states.items():
        again(api, where, key=state, event=delivery.event_id)
        delivery.refresh_from_db()
        assert (delivery.state, delivery.tries, delivery.finished_at) == ("pending", 0, None)
        assert delivery.due_at <= clock.now()


def test_a_disabled_endpoint_replays_nothing(api, endpoint, where):
    event = happen(api)
    WebhookEndpoint.objects.update(is_enabled=False)
    assert again(api, where, event=event.pk).status_code == 409
    assert not Delivery.objects.exists()


def test_two_workers_at_once_deliver_each_event_once_at_the_endpoints_pace(api, endpoint, company):
    other = factories.WebhookEndpointFactory(merchant=api.key.merchant, url=f"{company.url}/other")
    api.call("PATCH", f"/v1/webhook-endpoints/{endpoint.pk}", {"max_per_second": 10})
    made = sorted(happen(api).pk for _ in range(12))
    work.drain("outbox")
    began = clock.now()
    queue = work._drains["deliveries"]
    twin = work.Queue(
        "deliveries", queue.model, queue.do, 16, 32, finish=queue.finish, related=queue.related, paced=True
    )

    def run(drain):
        try:
            drain()
        finally:
            connection.close()

    workers = [threading.Thread(target=run, args=(drain,)) for drain in (queue, twin)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(20)
    took = DeliveryAttempt.objects.filter(delivery__endpoint=endpoint).latest("at").at - began
    assert took >= timedelta(seconds=0.9)
    for path in ("/hook", "/other"):
        assert sorted(headers["webhook-id"] for at, headers, _ in company.received if at == path) == made
    assert DeliveryAttempt.objects.filter(delivery__endpoint=other).count() == 12


def test_a_failure_counts_tries_as_the_row_has_them(api, endpoint):
    happen(api)
    work.drain("outbox")
    (held,) = work.claim(work._drains["deliveries"], free=8)
    held.tries = 10
    webhooks._store([(held, Try(clock.now(), 1, status=500))])
    assert Delivery.objects.get().state == "pending"
    assert Event.objects.count() == 1
