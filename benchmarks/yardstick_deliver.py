"""The yardstick of `deliver`: one Celery task per delivery, with requests, in a pool of 32 threads.

    DATABASE_URL=… REDIS_URL=… RECEIVER_URL=… celery -A benchmarks.yardstick_deliver worker --pool threads -c 32
    DATABASE_URL=… REDIS_URL=… RECEIVER_URL=… python -m benchmarks.yardstick_deliver --count 1000

Plain code: each task reads its delivery, signs, posts, and stores the attempt and the outcome. It is
fixed: a change that adds rows to the path adds them here first, by itself.
"""

import argparse
import json
import os
import threading
import time
from datetime import UTC, datetime

import psycopg
import requests
from celery import Celery
from standardwebhooks import Webhook

from benchmarks.yardstick_create import HASH, MERCHANT, SEED, SNAPSHOT

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
ENDPOINTS = 10
PATIENCE_SECONDS = 120

app = Celery("yardstick", broker=os.environ.get("REDIS_URL"))
app.conf.task_ignore_result = True
app.conf.worker_hijack_root_logger = False

_own = threading.local()


def _connection() -> psycopg.Connection:
    if not hasattr(_own, "connection"):
        _own.connection = psycopg.connect(os.environ["DATABASE_URL"])
        _own.session = requests.Session()
    connection: psycopg.Connection = _own.connection
    return connection


@app.task(name="deliver")
def deliver(delivery: str) -> None:
    """One signed POST, and the rows that tell of it."""
    connection = _connection()
    found = connection.execute(
        "SELECT event.id, event.type, event.data::text, endpoint.url FROM merchants_delivery AS delivery "
        "JOIN events_event AS event ON event.id = delivery.event_id "
        "JOIN merchants_webhookendpoint AS endpoint ON endpoint.id = delivery.endpoint_id WHERE delivery.id = %s",
        [delivery],
    ).fetchone()
    connection.commit()
    assert found is not None
    event, kind, data, url = found
    at = datetime.now(UTC)
    body = json.dumps({"id": event, "type": kind, "created_at": at.isoformat(), "data": {"object": json.loads(data)}})
    headers = {
        "Content-Type": "application/json",
        "webhook-id": event,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": Webhook(SECRET).sign(event, at, body),
    }
    answer = _own.session.post(url, data=body, headers=headers, timeout=15)
    taken = round(answer.elapsed.total_seconds() * 1000)
    connection.execute(
        "INSERT INTO merchants_deliveryattempt (id, delivery_id, at, status, milliseconds, answer, fault) "
        "VALUES (%s, %s, %s, %s, %s, %s, '')",
        [f"try_{delivery[4:]}", delivery, at, answer.status_code, taken, answer.text[:2048]],
    )
    connection.execute(
        "UPDATE merchants_delivery SET state = 'delivered', due_at = NULL, tries = 1, finished_at = now() "
        "WHERE id = %s",
        [delivery],
    )
    connection.commit()


def stage(connection: psycopg.Connection, count: int) -> list[str]:
    """Rows of so many events, each on its way to one of ten endpoints; the deliveries' ids."""
    connection.execute(SEED[0], {"merchant": MERCHANT})
    for place in range(ENDPOINTS):
        connection.execute(
            "INSERT INTO merchants_webhookendpoint (id, merchant_id, livemode, url, description, event_types, secret, "
            "metadata, is_enabled, disabled_because, api_version, created_at) VALUES (%s, %s, false, %s, '', '[]', %s, "
            "'{}', true, '', '2026-11-20', now()) ON CONFLICT DO NOTHING",
            [f"we_{place:026d}", MERCHANT, f"{os.environ['RECEIVER_URL']}/ok/{place}", HASH.encode()],
        )
    numbers = [f"{time.time_ns():020d}{place:06d}" for place in range(count)]
    with connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO events_event (id, merchant, livemode, type, subject, sequence, store, data, "
            "api_version, request_id, created_at) "
            "VALUES (%s, %s, false, 'payment.succeeded', %s, 1, '', %s, '2026-11-20', '', now())",
            [(f"evt_{number}", MERCHANT, f"pay_{number}", SNAPSHOT) for number in numbers],
        )
        cursor.executemany(
            "INSERT INTO merchants_delivery (id, lane, due_at, tries, livemode, state, created_at, endpoint_id, "
            "event_id) VALUES (%s, %s, now(), 0, false, 'pending', now(), %s, %s)",
            [
                (f"dlv_{number}", endpoint, endpoint, f"evt_{number}")
                for place, number in enumerate(numbers)
                for endpoint in [f"we_{place % ENDPOINTS:026d}"]
            ],
        )
    connection.commit()
    return [f"dlv_{number}" for number in numbers]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--count", type=int, required=True)
    count = parser.parse_args().count
    with psycopg.connect(os.environ["DATABASE_URL"]) as connection:
        staged = stage(connection, count)
        began = time.time()
        for delivery in staged:
            deliver.delay(delivery)
        while time.time() < began + PATIENCE_SECONDS:
            row = connection.execute(
                "SELECT count(*), extract(epoch FROM max(finished_at)) FROM merchants_delivery "
                "WHERE state = 'delivered' AND id = ANY(%s)",
                [staged],
            ).fetchone()
            connection.commit()
            if row is not None and row[0] == count:
                break
            time.sleep(0.1)
        else:
            raise SystemExit(f"{count} deliveries were not done in {PATIENCE_SECONDS} s")
    print(json.dumps({"answered": count, "rate": count / (float(row[1]) - began)}))


if __name__ == "__main__":
    main()
