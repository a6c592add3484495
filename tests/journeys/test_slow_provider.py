"""One provider hangs at 50 requests a second: the other's payments go on, in the server that production runs."""

import os
import subprocess
import sys
import threading
import time
from collections import Counter

import pytest
from django.db import connection

from config.demonstration import opening
from payments.models import Operation, Payment
from tests.crash.processes import free_ports
from tests.payments.world import Api, session, until

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

SECONDS, RATE, OTHERS_RATE = 12, 50, 10
CARD = {"amount": 1250, "currency": "USD", "method": "card", "payment_method": "pm_card_visa"}


@pytest.fixture
def web(world, settings, tmp_path):
    """The web server with its processes and threads as the demo starts it, on this test's database."""
    port, database = free_ports(1), connection.settings_dict
    address = f"{database['USER']}:{database['PASSWORD']}@{database['HOST']}:{database['PORT']}"
    environment = os.environ | {
        "DATABASE_URL": f"postgresql://{address}/{database['NAME']}",
        "REDIS_URL": settings.REDIS_URL,
        "PUBLIC_URL": f"http://127.0.0.1:{port}",
        "SIMULATORS_URL": settings.SIMULATORS_URL,
        "SIMULATORS_PORT": str(settings.SIMULATORS_PORT),
    }
    sizes = ("--workers", str(opening.WEB_PROCESSES), "--blocking-threads", str(opening.WEB_THREADS))
    place = ("--interface", "wsgi", "--host", "127.0.0.1", "--port", str(port))
    command = [sys.executable, "-m", "granian", *place, *sizes, "--log-level", "warning", "config.wsgi:application"]
    with open(tmp_path / "web.log", "wb") as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
    http = session()
    url = f"http://127.0.0.1:{port}"
    until(lambda: _answers(http, f"{url}/readyz"), seconds=30)
    yield url
    process.terminate()
    process.wait(timeout=60)


def _answers(http, url):
    try:
        return http.get(url, timeout=2).status_code == 200
    except OSError:
        return False


def test_a_hanging_provider_leaves_the_others_creates_under_a_second(world, shop, web):
    world.stripe.post("settings", answer_seconds=60.0)
    api = Api(web, shop.key)
    hanging, others = [], []

    def card(place):
        answer = api.send("POST", "payments", json=CARD, timeout=60)
        hanging.append((answer.status_code, answer.json().get("code", answer.json().get("state"))))

    def prompt(place):
        body = {"amount": 25_000, "currency": "KES", "method": "mpesa", "phone": f"2547120{place:05}"}
        started = time.perf_counter()
        answer = api.send("POST", "payments", json=body, timeout=60)
        others.append((time.perf_counter() - started, answer.status_code))

    prompt(99_999)
    others.clear()
    pacers = [
        threading.Thread(target=pace, args=(card, RATE)),
        threading.Thread(target=pace, args=(prompt, OTHERS_RATE)),
    ]
    for pacer in pacers:
        pacer.start()
    for pacer in pacers:
        pacer.join()

    seconds = sorted(taken for taken, _ in others)
    assert Counter(status for _, status in others) == {201: SECONDS * OTHERS_RATE}
    assert seconds[int(len(seconds) * 0.99)] < 1.0, seconds[-10:]
    told = Counter(hanging)
    assert set(told) == {(201, "processing"), (503, "provider_busy")}
    assert sum(told.values()) == SECONDS * RATE
    taken = Payment.objects.filter(method="card").count()
    assert taken == told[201, "processing"]
    assert Operation.objects.filter(attempt__payment__method="card", state="unknown").count() == taken


def pace(call, rate):
    """`rate` calls a second, however long each takes: an open model. Returns when the last is answered."""
    start, begun = time.monotonic(), []
    for place in range(SECONDS * rate):
        time.sleep(max(0.0, start + place / rate - time.monotonic()))
        begun.append(threading.Thread(target=call, args=(place,)))
        begun[-1].start()
    for thread in begun:
        thread.join()
