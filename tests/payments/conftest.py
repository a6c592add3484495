"""Simulators in this process on two ports of their own, our web server in threads, and two merchants."""

import warnings
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from django.core.servers import basehttp
from pytest_django.live_server_helper import LiveServer

import simulators
from ledger import checking
from tests.payments.world import Api, Company, Shop, World, free_neighbours

FAST_STRIPE = {
    "refund_seconds": 0.1,
    "dispute_seconds": 0.1,
    "processing_seconds": 0.1,
    "balance_seconds": 0.05,
    "trouble_seconds": 0.15,
}
FAST_MPESA = {
    "approve_seconds": 0.02,
    "result_seconds": 0.02,
    "trouble_seconds": 0.15,
    "late_success_seconds": 0.1,
    "callback_late_seconds": 0.2,
}


@pytest.fixture(scope="session")
def companies() -> Iterator[simulators.Running]:
    with simulators.start(base_port=free_neighbours()) as running:
        yield running


@pytest.fixture(scope="session")
def certificate(companies: simulators.Running) -> str:
    return requests.get(f"{companies.url('mpesa')}/_simulator/certificate", timeout=5).text


@pytest.fixture(scope="session")
def server(django_db_setup: Any, django_db_blocker: Any) -> Iterator[LiveServer]:
    """Our web server, on the address that the accounts of these tests list as their provider's."""
    with django_db_blocker.unblock(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="No directory at")  # nothing has been collected
        basehttp.WSGIServer.request_queue_size = 256  # Django's own 10 turns callers away who come all at once
        started = LiveServer("127.0.0.1")
    yield started
    started.stop()


@pytest.fixture
def world(transactional_db: Any, server: Any, settings: Any, companies: Any, certificate: str) -> Iterator[World]:
    """Everything, with the companies' memories empty."""
    settings.PUBLIC_URL = server.url
    settings.BREAKER_FAILURES = 1000  # trouble is made in rows here, and its accounts are asked on
    settings.SIMULATORS_URL = "http://127.0.0.1"
    settings.SIMULATORS_PORT = int(companies.url("stripe").rpartition(":")[2])
    made = World(server.url, Company(companies.url("stripe")), Company(companies.url("mpesa")), certificate)
    made.stripe.post("reset")
    made.mpesa.post("reset")
    made.stripe.post("settings", **FAST_STRIPE)
    made.mpesa.post("settings", **FAST_MPESA)
    yield made
    # What is still on its way would write rows into the next test.
    made.stripe.post("reset")
    made.mpesa.post("reset")
    assert checking.findings() == []


@pytest.fixture
def shop(world: World) -> Shop:
    made = world.shop()
    assert made.stripe.pk
    assert made.mpesa.pk
    return made


@pytest.fixture
def caller(shop: Shop) -> Api:
    return shop.api


@pytest.fixture
def other_shop(world: World) -> Shop:
    """Another merchant, with an app of its own at M-Pesa: an app has one live token."""
    made = world.shop("Other", app="-2")
    assert made.stripe.pk
    assert made.mpesa.pk
    return made


@pytest.fixture
def midtrans(world, companies):
    company = Company(companies.url("midtrans"))
    company.post("reset")
    company.post("settings", bank_confirm_seconds=0.02, trouble_seconds=0.15, callback_retries=[])
    yield company
    company.post("reset")


@pytest.fixture
def xendit(world, companies):
    company = Company(companies.url("xendit"))
    company.post("reset")
    company.post("settings", refund_seconds=0.02, trouble_seconds=0.15, callback_retries=[])
    yield company
    company.post("reset")
