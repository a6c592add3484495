"""The screens of a store in a real browser, following a real process of live events."""

import os
import signal
import subprocess
import sys
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path

import pytest
import requests
from django.conf import settings as house
from django.db import connection

from merchants import display_tokens, stores
from merchants.models import DisplayToken
from tests.browser import CHROMIUM, browser
from tests.payments.world import Company, free_neighbours, until

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="needs chromium (.ci/system-packages)"),
    pytest.mark.django_db(transaction=True),
]
ROOT = Path(__file__).resolve().parents[2]
SILENT = 60.0
"""Seconds, well above the thirty after which a screen says that it is behind."""


@pytest.fixture(scope="module")
def chromium():
    with browser() as running:
        yield running


@pytest.fixture
def page(chromium):
    yield from tab(chromium, 1920, 1080)


@pytest.fixture
def other_page(chromium):
    yield from tab(chromium, 1280, 800)


def tab(chromium, width, height):
    """A tab that has thrown nothing, and was refused nothing by its own policy, when the test is over."""
    made = chromium.page()
    made.size(width, height)
    yield made
    assert made.complaints == []
    made.open("about:blank")


@pytest.fixture
def port():
    return free_neighbours()


@contextmanager
def streaming(port, public_url):
    """A process of live events on that port, gone afterwards."""
    at = connection.settings_dict
    given = {
        "DATABASE_URL": f"postgresql://{at['USER']}:{at['PASSWORD']}@{at['HOST']}:{at['PORT']}/{at['NAME']}",
        "REDIS_URL": house.REDIS_URL,
        "DATABASE_POOL": "4",
        "PUBLIC_URL": public_url,
        "STREAM_CHECK_SECONDS": "0.2",
        "STREAM_HEARTBEAT_SECONDS": "2",
        "PYTHONPATH": str(ROOT),
    }
    words = ["--port", str(port), "--no-access-log", "--timeout-graceful-shutdown", "1", "config.asgi:application"]
    process = subprocess.Popen([sys.executable, "-m", "uvicorn", *words], cwd=ROOT, env={**os.environ, **given})
    try:
        until(lambda: _answers(port), seconds=60)
        yield process
    finally:
        process.terminate()
        process.wait(60)


def _answers(port):
    with suppress(requests.ConnectionError):
        return requests.get(f"http://127.0.0.1:{port}/healthz", timeout=20).status_code == 200
    return False


@pytest.fixture
def midtrans(world, companies, shop, settings, port):
    settings.STREAMS_URL = f"http://127.0.0.1:{port}"
    company = Company(companies.url("midtrans"))
    company.post("reset")
    company.post("settings", callback_retries=[])
    shop.account("midtrans", {"server_key": "SB-Mid-server-lango-simulator"})
    yield company
    company.post("reset")


@pytest.fixture
def store(midtrans, shop):
    return stores.create_store(merchant=shop.merchant, livemode=False, by="test", name="Lunch counter", zone="UTC")


@pytest.fixture
def token(store):
    made, secret = display_tokens.create_token(store, name="Screen", lifetime=timedelta(hours=1), by="test")
    assert made.pk
    return secret.reveal()


def pay(world, shop, store, amount=4_550_000):
    payment = shop.api.post("payments", 201, amount=amount, currency="IDR", method="qris", store=store.pk)
    world.work()
    return payment


def scan(world, midtrans, shop, payment):
    midtrans.simulate(payment, "approve")
    world.work_until(lambda: shop.api.get(f"payments/{payment['id']}")["state"] == "succeeded", seconds=60)
    world.work()


def number(payment):
    """What stands for a payment without an order."""
    return payment["id"][-5:].upper()


def state_of(page, payment):
    told = [card for card in page.texts("article") if number(payment) in card]
    return told[0].rpartition(" ")[2] if told else None


def codes_are_whole(page):
    """Square, cut off by nothing, and large enough to be scanned."""
    return page.run(
        """[...document.images].every((one) => {
            const code = one.getBoundingClientRect(), frame = one.parentElement.getBoundingClientRect();
            const card = one.closest("article").getBoundingClientRect();
            return Math.abs(code.width - code.height) < 2 && code.width > 100 && code.height <= frame.height + 1
                && code.bottom <= card.bottom && code.right <= card.right && code.top >= card.top;
        })"""
    )


def test_both_screens_change_when_a_payment_is_made_and_paid(
    world, shop, store, token, midtrans, port, page, other_page
):
    kitchen = other_page
    with streaming(port, world.base_url):
        page.open(f"{world.base_url}/display/{store.pk}#token={token}")
        kitchen.open(f"{world.base_url}/display/{store.pk}/kitchen#token={token}")
        page.until(lambda shown: "No payment is waiting" in shown.text())
        kitchen.until(lambda shown: "Nothing is waiting to be made" in shown.text())
        assert page.run("location.href") == f"{world.base_url}/display/{store.pk}"
        assert page.text("#line") == "Live"

        first, second = pay(world, shop, store), pay(world, shop, store, 12_500_000)
        page.until(lambda shown: len(shown.texts("article")) == 2)
        lead, other = page.texts("article")
        assert (number(second) in lead, "125,000" in lead, number(first) in other, "45,500" in other) == (True,) * 4
        assert "Waiting" in lead
        page.until(lambda shown: shown.run("[...document.images].filter((one) => one.naturalWidth > 0).length") == 2)
        for width, height in ((1280, 800), (3840, 2160), (800, 1280), (1920, 1080)):
            page.size(width, height)
            assert codes_are_whole(page)
        assert kitchen.texts("article") == []

        scan(world, midtrans, shop, first)
        page.until(lambda shown: state_of(shown, first) == "Paid")
        assert state_of(page, second) == "Waiting"
        assert page.text("#said") == f"Order {number(first)} is paid"
        scan(world, midtrans, shop, second)
        kitchen.until(lambda shown: len(shown.texts("article")) == 2)
        assert [number(one) in card for one, card in zip((first, second), kitchen.texts("article"), strict=True)] == [
            True,
            True,
        ]

        kitchen.run("document.querySelector('.done').click()")
        assert [number(second) in card for card in kitchen.texts("article")] == [True]
        kitchen.command("Page.reload")
        kitchen.until(lambda shown: [number(second) in card for card in shown.texts("article")] == [True])
        kitchen.run("document.querySelector('.done').click()")
        kitchen.run("document.getElementById('undo').click()")
        kitchen.until(lambda shown: [number(second) in card for card in shown.texts("article")] == [True])


def test_a_screen_says_that_it_is_behind_and_catches_up_once_the_stream_is_back(
    world, shop, store, token, midtrans, port, page, other_page
):
    """A kitchen keeps what is paid until it is done, however long the machine takes over all this."""
    kitchen = other_page
    with streaming(port, world.base_url):
        page.open(f"{world.base_url}/display/{store.pk}#token={token}")
        kitchen.open(f"{world.base_url}/display/{store.pk}/kitchen#token={token}")
        waiting = pay(world, shop, store)
        page.until(lambda shown: state_of(shown, waiting) == "Waiting")
        kitchen.until(lambda shown: "Nothing is waiting to be made" in shown.text())
        assert (page.text("#stale"), kitchen.text("#stale")) == ("", "")
    page.until(lambda shown: shown.text("#line") == "Connecting")
    scan(world, midtrans, shop, waiting)
    for screen in (page, kitchen):
        screen.until(lambda shown: "This screen is behind" in shown.text("#stale"), seconds=SILENT + 60)
        assert "No news for" in screen.text("#stale")
        assert screen.text("#line") == "Behind"
    assert (state_of(page, waiting), kitchen.texts("article")) == ("Waiting", [])
    assert codes_are_whole(page)
    later = pay(world, shop, store, 2_000_000)
    with streaming(port, world.base_url):
        page.until(lambda shown: shown.text("#stale") == "" and state_of(shown, later) == "Waiting", seconds=120)
        assert state_of(page, waiting) in ("Paid", None)
        kitchen.until(lambda shown: [number(waiting) in card for card in shown.texts("article")] == [True], seconds=120)
        kitchen.until(lambda shown: (shown.text("#stale"), shown.text("#line")) == ("", "Live"))


def test_a_screen_says_that_it_is_behind_a_stream_that_hangs_and_goes_on_with_it(
    world, shop, store, token, midtrans, port, page
):
    """The connection stays open, and nothing comes: what a wireless network does that is lost on the way."""
    with streaming(port, world.base_url) as process:
        page.open(f"{world.base_url}/display/{store.pk}/kitchen#token={token}")
        page.until(lambda shown: "Nothing is waiting to be made" in shown.text())
        paid = pay(world, shop, store)
        process.send_signal(signal.SIGSTOP)
        try:
            scan(world, midtrans, shop, paid)
            page.until(lambda shown: "This screen is behind" in shown.text("#stale"), seconds=SILENT + 60)
            assert page.texts("article") == []
        finally:
            process.send_signal(signal.SIGCONT)
        page.until(lambda shown: [number(paid) in card for card in shown.texts("article")] == [True], seconds=120)
        page.until(lambda shown: shown.text("#stale") == "")


def test_a_code_leaves_the_screen_with_its_payment(world, shop, store, token, midtrans, port, page):
    with streaming(port, world.base_url):
        page.open(f"{world.base_url}/display/{store.pk}#token={token}")
        payment = pay(world, shop, store)
        page.until(lambda shown: shown.run("document.images.length") == 1)
        shop.api.post(f"payments/{payment['id']}/cancel")
        world.work()
        page.until(lambda shown: state_of(shown, payment) == "Cancelled")
        assert page.run("document.images.length") == 0


def test_a_token_is_asked_for_and_asked_for_again_when_it_has_ended(world, shop, store, token, midtrans, port, page):
    def enter(given):
        page.run(f"document.getElementById('token').value = {given!r}")
        page.run("document.querySelector('#enter button').click()")

    with streaming(port, world.base_url):
        page.open(f"{world.base_url}/display/{store.pk}")
        page.until(lambda shown: "Display token of this store" in shown.text())
        enter(shop.key)
        assert "An API key belongs on no screen" in page.text("#refused")
        enter(f"display_test_{'0' * 64}")
        page.until(lambda shown: "not current, or of another store" in shown.text("#refused"))
        payment = pay(world, shop, store)
        enter(token)
        page.until(lambda shown: state_of(shown, payment) == "Waiting")
        assert token not in page.run("document.documentElement.outerHTML + document.cookie + location.href")

        display_tokens.revoke_token(DisplayToken.objects.get(), by="test")
        page.until(lambda shown: "The display token was revoked" in shown.text("#refused"))
        assert page.texts("article") == []
        assert page.run("sessionStorage.length") == 0
