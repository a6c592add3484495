"""What many tests stand on: a Redis of one's own, a caller of the API, a company that listens, a black hole."""

import json
import os
import socket
import threading
from collections.abc import Callable, Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import redis
from django.conf import settings as house
from django.db import connection
from django.test import Client

from events import work
from merchants import limits
from tests import factories, quick_flush
from tests.till import Till
from tests.till_mariadb import IS_INSTALLED, MISSING, MariaDBTill, mariadb_server


def pytest_configure(config):
    """Each xdist worker has a Redis database of its own, as pytest-django gives it one of PostgreSQL's."""
    if not house.configured:
        return
    if house.STATIC_ROOT:  # whitenoise warns where it is missing
        Path(house.STATIC_ROOT).mkdir(parents=True, exist_ok=True)
    quick_flush.use()
    house.REDIS_TIMEOUT = 5.0  # a machine that stalls for a moment is not a Redis that is away
    house.AUDIT_BATCH_SECONDS = 0.0  # what one test reads must not be written into the next
    number = 1 + int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    _use_redis(f"{house.REDIS_URL.rpartition('/')[0]}/{number}")


def _use_redis(url):
    house.REDIS_URL = house.CELERY_BROKER_URL = url
    house.CACHES["default"]["LOCATION"] = url
    from config.celery import app

    app.conf.broker_url = url
    app.set_default()
    app.amqp._producer_pool = None
    _forget_redis()


def _forget_redis():
    """The connections that a process keeps, and what it remembers of Redis being away."""
    for module in (work, limits):
        module._redis_away_until = 0.0
    work._client = limits._shared = None
    limits._local.reset()


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup, django_db_blocker):
    """A live server's thread keeps its connection as long as its caller does; the test database waits for neither."""
    yield
    others = (
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    with django_db_blocker.unblock(), connection.cursor() as cursor:
        cursor.execute(others)


@pytest.fixture(autouse=True)
def _empty_redis(request):
    if request.node.get_closest_marker("django_db"):
        redis.Redis.from_url(house.REDIS_URL).flushdb()
        _forget_redis()


@pytest.fixture
def redis_at():
    """`redis_at(url)` points the house at another Redis, as its setting does."""
    ours = house.REDIS_URL
    yield _use_redis
    _use_redis(ours)


@pytest.fixture
def refused_port() -> Iterator[int]:
    """A port that is taken, and on which nobody listens."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]


@pytest.fixture
def black_hole(settings) -> Iterator[int]:
    """A port that accepts and never answers. A Redis there is waited for as briefly as in production."""
    settings.REDIS_TIMEOUT = 0.04
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening.getsockname()[1]


class Api:
    """A merchant's program: calls `/v1` over Django's test client with one key."""

    def __init__(self, key):
        self.key = key
        self.client = Client(raise_request_exception=False)

    def call(self, method, path, body=None, *, presented=None, idempotency_key=None, **headers):
        """`headers` are named as in HTTP, with `_` for `-`."""
        sent = {"Authorization": f"Bearer {presented or self.key.presented}"}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        if idempotency_key:
            sent["Idempotency-Key"] = idempotency_key
        content = body if isinstance(body, str | bytes) else json.dumps({} if body is None else body)
        if method == "GET":
            return self.client.get(path, headers=sent)
        return self.client.generic(method, path, content, content_type="application/json", headers=sent)

    def get(self, path, **options):
        return self.call("GET", path, **options)

    def post(self, path, body=None, **options):
        return self.call("POST", path, body, **options)


@pytest.fixture
def api(db) -> Api:
    """A caller with a test key that has every scope."""
    return Api(factories.ApiKeyFactory())


class Company:
    """An HTTP server that keeps what it is sent; `answer(request)` says `(status, headers, body)`."""

    def __init__(self) -> None:
        company = self
        self.received: list[tuple[str, dict[str, str], bytes]] = []
        self.answer: Callable[..., tuple[int, dict[str, str], bytes]] = lambda *request: (200, {}, b"ok")

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                request = (self.path, {name.lower(): value for name, value in self.headers.items()}, body)
                company.received.append(request)
                status, headers, answer = company.answer(*request)
                self.send_response(status)
                for name, value in {"Content-Length": str(len(answer)), **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(answer)

            do_GET = do_POST

            def log_message(self, *arguments):
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 256  # Python's own 5 loses callers who come all at once

        self._server = Server(("127.0.0.1", 0), Handler)
        self.port = self._server.server_port
        self.url = f"http://127.0.0.1:{self.port}"
        threading.Thread(target=self._server.serve_forever, args=(0.005,), daemon=True).start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def company() -> Iterator[Company]:
    company = Company()
    yield company
    company.stop()


@pytest.fixture(scope="session")
def mariadb():
    """A MariaDB server, or a skip that says what is missing."""
    if not IS_INSTALLED:
        pytest.skip(MISSING)
    with mariadb_server() as server:
        yield server


@pytest.fixture(params=["postgresql", pytest.param("mariadb", marks=pytest.mark.slow)])
def make_till(request) -> Callable[[str], Till]:
    """Makes somebody else's database of a name, on each kind of server that orders may live on."""
    if request.param == "postgresql":
        return Till
    return partial(MariaDBTill, request.getfixturevalue("mariadb"))
