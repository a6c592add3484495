"""The world of a crash run: servers, seeds, simulators, gates, receiver and the processes under test."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit, urlunsplit

import psycopg
import requests
from psycopg import sql

from simulators import REGISTRY
from tests.crash.companies import ALL, Company
from tests.crash.processes import Crew, Program, free_ports

if TYPE_CHECKING:
    from merchants.models import Merchant

ROOT = Path(__file__).resolve().parents[2]
LOGS = ROOT / "var" / "crash-logs"
SECONDS_TO_START = 60
SHORTENED = {
    "IDEMPOTENCY_LEASE_SECONDS": "3",
    "WORK_LEASE_SECONDS": "3",
    "PROMPT_LIFE_SECONDS": "6",
    "RESOLVER_PACE": "0.004",
    "SCHEDULE_LEASE_SECONDS": "1",
    "SWEEP_SECONDS": "0.5",
    "BREAKER_REST_SECONDS": "0.2",
}
"""All that differs from production. Payers and the simulators' results are as much faster."""


@dataclass(frozen=True)
class Ports:
    """Each simulator's gate lies on `gates` plus its place in the registry, the doors' gate after them."""

    web: int
    gates: int
    simulators: int

    @property
    def doors(self) -> int:
        return self.gates + len(REGISTRY)


@dataclass
class Books:
    """What the simulators' controls show.

    `answered` are the callback URLs that were answered 2xx, `confirmed` the receipts so told of at the paybill's door.
    """

    urls: dict[str, str]
    answered: set[str] = field(default_factory=set)
    confirmed: set[str] = field(default_factory=set)

    def entries(self, name: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = requests.get(f"{self.urls[name]}/_simulator/ledger", timeout=30).json()["entries"]
        return found

    def set(self, name: str, values: Mapping[str, Any]) -> None:
        requests.post(f"{self.urls[name]}/_simulator/settings", json=values, timeout=5).raise_for_status()


def choose_ports() -> Ports:
    companies = len(REGISTRY)
    first = free_ports(2 + 2 * companies)
    return Ports(web=first, gates=first + 1, simulators=first + 2 + companies)


def environment_of(servers: Mapping[str, str], ports: Ports) -> dict[str, str]:
    """For every process under test, and for this harness, which reads the same rows."""
    return {
        **os.environ,
        **servers,
        **SHORTENED,
        "LANGO_DEVELOPMENT": "1",
        "DJANGO_SETTINGS_MODULE": "config.settings",
        "PUBLIC_URL": f"http://127.0.0.1:{ports.doors}",
        "SIMULATORS_URL": "http://127.0.0.1",
        "SIMULATORS_PORT": str(ports.gates),
        "PYTHONUNBUFFERED": "1",
    }


def programs(ports: Ports) -> list[Program]:
    web = (
        f"-m granian --interface wsgi --workers 2 --blocking-threads 64 --host 127.0.0.1 --port {ports.web} "
        "--respawn-failed-workers --respawn-interval 0.1 --no-ws --log-level warning config.wsgi:application"
    )
    worker = "-m celery -A config.celery worker --pool threads --concurrency 8 -l warning"
    beat = "-m celery -A config.celery beat -l warning"
    # The server ends its own workers when it is asked to, and would leave them behind when it is killed.
    return [
        Program("web", web.split(), farewell="TERM"),
        Program("worker", worker.split()),
        Program("beat", beat.split()),
    ]


@contextmanager
def simulators(ports: Ports, environment: Mapping[str, str]) -> Iterator[Books]:
    """The outside world, which does not crash with us."""
    crew = Crew([Program("simulators", ["-m", "simulators", "--base-port", str(ports.simulators)])], environment, LOGS)
    crew.start()
    try:
        urls = {name: f"http://127.0.0.1:{ports.simulators + place}" for place, name in enumerate(REGISTRY)}
        for url in urls.values():
            await_answer(f"{url}/_simulator/health")
        yield Books(urls)
    finally:
        crew.stop()


@contextmanager
def crew_at_work(ports: Ports, environment: Mapping[str, str]) -> Iterator[Crew]:
    crew = Crew(programs(ports), environment, LOGS)
    crew.start()
    try:
        await_answer(f"http://127.0.0.1:{ports.web}/readyz")
        yield crew
    finally:
        crew.stop()


def await_answer(url: str) -> None:
    ends_at = time.monotonic() + SECONDS_TO_START
    while True:
        try:
            if requests.get(url, timeout=5).ok:
                return
        except requests.RequestException:
            if time.monotonic() > ends_at:
                raise
        time.sleep(0.05)


def prepare_folders() -> None:
    shutil.rmtree(LOGS, ignore_errors=True)
    LOGS.mkdir(parents=True)


@contextmanager
def own_database(url: str) -> Iterator[str]:
    """A database of this run's own at the same server, as every row in it will be compared; gone afterwards."""
    name, address = f"crash_{os.getpid()}", urlsplit(url)
    with psycopg.connect(url, autocommit=True) as maintaining:
        maintaining.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        try:
            yield urlunsplit(address._replace(path=f"/{name}"))
        finally:
            maintaining.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def migrate(environment: Mapping[str, str]) -> None:
    # Checks of the admin read tables that only this makes.
    words = [sys.executable, "manage.py", "migrate", "--verbosity", "0", "--skip-checks"]
    subprocess.run(words, cwd=ROOT, env=dict(environment), check=True)


def seed(books: Books, ports: Ports, receiver_url: str) -> tuple[str, str]:
    """A merchant with every account and an endpoint for all events: its API key, and the endpoint's secret."""
    from merchants import scopes, services

    merchant = services.create_merchant(name="Crash", by="crash")
    _, key = services.create_api_key(merchant=merchant, name="crash", owner="crash", scopes=scopes.known(), by="crash")
    for company in ALL:
        _seed_company(company, merchant, books.urls[company.name], ports)
        books.set(company.name, {**company.settings, **_door(company, merchant, ports)})
    endpoint, secret = services.create_webhook_endpoint(merchant=merchant, url=receiver_url, by="crash")
    endpoint.save(force_insert=True)
    return key.reveal(), secret.reveal()


def _seed_company(company: Company, merchant: "Merchant", url: str, ports: Ports) -> None:
    from merchants import services

    for place, credentials in enumerate(company.credentials):
        services.create_provider_account(
            merchant=merchant,
            provider=company.name,
            name=f"{company.name} {place + 1}",
            host="simulator",
            credentials=credentials,
            options=company.options(url),
            priority=10 * ALL.index(company) + place,
            by="crash",
        )


def _door(company: Company, merchant: "Merchant", ports: Ports) -> dict[str, str]:
    """Where the simulator is told to send its callbacks, where it is not told with each call."""
    from merchants.doors import account_token

    if not company.door:
        return {}
    account = merchant.provider_accounts.filter(provider=company.name).earliest("priority")
    return {company.door_in: f"http://127.0.0.1:{ports.doors}/callbacks/{account_token(account)}/{company.door}"}


def logged_faults() -> dict[str, int]:
    """How many lines of each program's log tell of an exception. For a person: a killed neighbour leaves some."""
    counted = {path.stem: path.read_text(errors="replace").count("Traceback") for path in sorted(LOGS.glob("*.log"))}
    return {name: count for name, count in counted.items() if count}
