"""From empty servers to a healthy company: migrations, processes, seeds.

Import it only once the environment holds what the settings read: importing it sets Django up.
"""

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import django
import psycopg
import redis
from django.core.exceptions import ImproperlyConfigured
from psycopg.conninfo import make_conninfo

from config.demonstration.places import HOST, Places
from config.demonstration.processes import SECONDS_TO_STOP, Processes
from config.demonstration.telling import CannotGoOn, Teller

try:
    django.setup()
except (ImproperlyConfigured, ValueError) as error:
    raise CannotGoOn(f"The settings do not hold: {error}") from error

from celery import current_app
from django.conf import settings
from django.core.management import call_command
from django.db import DatabaseError, connection, transaction

from config.demonstration import seeding, till
from config.demonstration.credentials import Credentials
from core.http import HttpFault, Request, send
from ledger import checking
from merchants.models import Merchant
from payments.providers import REGISTRY

SECONDS_TO_BE_HEALTHY = 60.0
WEB_PROCESSES, WEB_THREADS, WORKER_THREADS = 2, 64, 20
STREAM_OPTIONS = ("--no-access-log", "--no-proxy-headers", "--timeout-graceful-shutdown", "3")
"""Who a request is from is for TRUSTED_PROXIES alone to say; and streams would never end by themselves."""
OLDEST_POSTGRES = 15
_POLL_SECONDS = 0.05
_PROBE_SECONDS, _PING_SECONDS = 2.0, 0.4


@dataclass(frozen=True, kw_only=True)
class Opening:
    """Its methods in their order, each told as it goes on."""

    places: Places
    processes: Processes
    teller: Teller
    credentials: Credentials

    def run(self) -> None:
        _require_servers()
        self._start_simulators()
        with self.teller.step("database migrated"):
            _migrate()
        with self.teller.step("the providers' simulators healthy"):
            for name in REGISTRY:
                self._await(name, partial(_answers, f"{seeding.simulator(self.places, name)}/_simulator/health"))
        with self.teller.step("demo merchant, accounts, staff and till seeded"):
            merchant = self._seed()
        self._start_company(merchant)
        with self.teller.step("web server healthy"):
            self._await("web server", partial(_answers, f"{self.places.url}/readyz"))
        with self.teller.step("live events healthy"):
            self._await("live events", partial(_answers, f"{self.places.streams_url}/readyz"))
        with self.teller.step("worker healthy"):
            self._await("worker", _worker_answers)
        with self.teller.step("beat healthy"):
            self._await("beat", _beat_has_planned)

    def _start_simulators(self) -> None:
        port, memory = str(self.places.simulators_port), str(self.places.folder / "simulators")
        self.processes.start(
            "simulators", sys.executable, "-m", "simulators", "--base-port", port, "--host", HOST, "--data", memory
        )

    def _start_company(self, merchant: Merchant) -> None:
        # What may be read of the till is a setting: the merchant comes before the company's processes.
        environment = self.processes.environment
        databases = till.setting(environment["DATABASE_URL"], merchant=merchant.pk)
        self.processes.environment = {**environment, "ORDER_DATABASES": databases}
        start, python = self.processes.start, sys.executable
        web = ("--interface", "wsgi", "--host", HOST, "--port", str(self.places.web_port))
        sizes = ("--workers", str(WEB_PROCESSES), "--blocking-threads", str(WEB_THREADS))
        # A worker that is told to stop while it starts does not hear it.
        patience = ("--workers-kill-timeout", str(SECONDS_TO_STOP // 2))
        start("web", python, "-m", "granian", *web, *sizes, *patience, "config.wsgi:application")
        at = ("--host", HOST, "--port", str(self.places.streams_port))
        start("streams", python, "-m", "uvicorn", *at, *STREAM_OPTIONS, "config.asgi:application")
        celery = (python, "-m", "celery", "-A", "config.celery")
        start("worker", *celery, "worker", "--pool", "threads", "--concurrency", str(WORKER_THREADS))
        start("beat", *celery, "beat", "--pidfile=")

    def _seed(self) -> Merchant:
        merchant = seeding.find_merchant(self.credentials)
        if merchant is None:
            merchant = seeding.seed_merchant(self.credentials, places=self.places)
        seeding.renew_key(merchant, self.credentials)
        seeding.seed_code_accounts(merchant, places=self.places)
        seeding.write_tariffs(merchant)
        seeding.connect_stripe(merchant, places=self.places)
        seeding.seed_staff(self.credentials)
        till.open_till()
        self.credentials.write(self.places.credentials)
        return merchant

    def _await(self, who: str, is_healthy: Callable[[], bool]) -> None:
        deadline = time.monotonic() + SECONDS_TO_BE_HEALTHY
        while not is_healthy():
            self.processes.require_alive()
            if time.monotonic() > deadline:
                raise CannotGoOn(
                    f"{who} was not healthy after {SECONDS_TO_BE_HEALTHY:.0f} s. Its log is in {self.places.folder}."
                )
            time.sleep(_POLL_SECONDS)


def _require_servers() -> None:
    """Servers that are given by URL may be away, or too old."""
    given: Any = settings.DATABASES["default"]
    words = {"host": "HOST", "port": "PORT", "user": "USER", "password": "PASSWORD", "dbname": "NAME"}
    database = make_conninfo("", **{word: given[name] or None for word, name in words.items()})
    try:
        with psycopg.connect(database, connect_timeout=5) as server:
            version = server.info.server_version // 10_000
        redis.Redis.from_url(settings.REDIS_URL, socket_timeout=5, socket_connect_timeout=5).ping()
    except psycopg.Error as error:
        raise CannotGoOn(f"The server of DATABASE_URL cannot be used: {error}") from error
    except redis.RedisError as error:
        raise CannotGoOn(f"The server of REDIS_URL cannot be used: {error}") from error
    if version < OLDEST_POSTGRES:
        raise CannotGoOn(f"The server of DATABASE_URL is PostgreSQL {version}; it takes {OLDEST_POSTGRES} or later.")


def _migrate() -> None:
    try:
        call_command("migrate", verbosity=0, interactive=False)
        _complete_books()
    except DatabaseError as error:
        raise CannotGoOn(f"The database of DATABASE_URL cannot be migrated: {error}") from error
    finally:
        connection.close()


def _complete_books() -> None:
    """Post what an earlier version, which kept no books, has left in this database."""
    for finding in checking.findings():
        if finding.mend:
            with transaction.atomic():
                finding.mend()


def _answers(url: str) -> bool:
    try:
        return send(Request("GET", url), deadline=_PROBE_SECONDS).status == 200
    except HttpFault:
        return False


def _worker_answers() -> bool:
    # What is asked before the worker listens is lost, so ask shortly and again.
    return bool(current_app.control.ping(timeout=_PING_SECONDS, limit=1))


def _beat_has_planned() -> bool:
    from django_celery_beat.models import PeriodicTask

    return bool(PeriodicTask.objects.filter(name="purge").exists())
