"""What happens to every request, whoever it is for: a name, and a clear answer while PostgreSQL is away."""

import io
import json
import re
import socket
import threading
import time

import pytest
from django.core.wsgi import get_wsgi_application
from django.db import OperationalError, connection
from django.http import HttpResponse
from django.test import RequestFactory
from psycopg.errors import (
    AdminShutdown,
    CannotConnectNow,
    ConnectionFailure,
    DeadlockDetected,
    DiskFull,
    LockNotAvailable,
    QueryCanceled,
    TooManyConnections,
)
from psycopg_pool import PoolTimeout

from core.logging import request_id
from core.middleware import DatabaseAway, RequestId, WholeBody, is_database_away
from tests import factories


def named(given=None):
    """The id that a request is given, as it sees it itself and as the answer shows it."""
    seen = []

    def view(request):
        seen.append((request.request_id, request_id.get()))
        return HttpResponse()

    headers = {} if given is None else {"X-Request-Id": given}
    response = RequestId(view)(RequestFactory().get("/", headers=headers))
    assert seen == [(response["X-Request-Id"],) * 2]
    assert request_id.get() == ""
    return response["X-Request-Id"]


def test_a_sane_request_id_of_the_callers_own_is_kept():
    assert named("order-20417.retry_1") == "order-20417.retry_1"


@pytest.mark.parametrize(
    "given", [None, "", "short", "x" * 65, "with space", "semi;colon", "<script>alert(1)</script>"]
)
def test_any_other_is_replaced_by_a_new_one(given):
    made = {named(given), named(given)}
    assert len(made) == 2
    assert all(re.fullmatch(r"[A-Z0-9]{20}", identifier) for identifier in made)


def whole(**meta):
    """The answer to a request whose server gives the body as `meta` says."""
    request = RequestFactory().post("/v1/payments")
    del request.META["CONTENT_LENGTH"]
    request.META |= {"wsgi.input_terminated": True, "wsgi.input": io.BytesIO(b""), **meta}
    return WholeBody(lambda request: HttpResponse("taken"))(request)


def test_a_body_in_chunks_is_refused_rather_than_read_as_empty():
    for meta in (
        {"HTTP_TRANSFER_ENCODING": "chunked"},
        {"HTTP_TRANSFER_ENCODING": "chunked", "CONTENT_LENGTH": "2"},
        {"wsgi.input": io.BytesIO(b'{"amount": 100}')},
    ):
        response = whole(**meta)
        assert (response.status_code, response["Content-Type"]) == (411, "application/problem+json")
        assert json.loads(response.content)["code"] == "length_required"


def test_no_body_at_all_and_a_measured_one_go_through():
    assert whole().content == b"taken"
    assert whole(**{"wsgi.input": io.BytesIO(b"{}"), "CONTENT_LENGTH": "2"}).content == b"taken"


def test_a_server_that_does_not_end_its_stream_is_not_read_from():
    assert whole(**{"wsgi.input_terminated": False, "wsgi.input": None}).content == b"taken"


@pytest.mark.parametrize("fault", [OperationalError("gone"), PoolTimeout("no connection")])
def test_a_view_whose_database_is_away_answers_503_with_when_to_come_back(fault):
    request = RequestFactory().get("/admin/")
    request.request_id = "R-12345678"
    response = DatabaseAway(lambda request: HttpResponse()).process_exception(request, fault)
    assert response.status_code == 503
    assert response["Retry-After"] == "2"
    assert response["Content-Type"] == "application/problem+json"
    assert json.loads(response.content)["request_id"] == "R-12345678"


def raised(kind):
    """As Django raises what the server names."""
    try:
        raise OperationalError("told by the server") from kind()
    except OperationalError as fault:
        return fault


@pytest.mark.parametrize("kind", [AdminShutdown, CannotConnectNow, ConnectionFailure, TooManyConnections])
def test_a_server_that_says_so_itself_is_away(kind):
    assert is_database_away(raised(kind))


@pytest.mark.parametrize("kind", [QueryCanceled, DeadlockDetected, DiskFull, LockNotAvailable])
def test_a_fault_of_the_statement_is_not_the_database_being_away(kind):
    assert not is_database_away(raised(kind))


@pytest.mark.django_db
def test_a_statement_that_takes_too_long_is_our_fault_and_told_as_such(api):
    def slow(execute, sql, *arguments):
        if "FROM merchants_apikey" in sql:
            execute("SET LOCAL statement_timeout = 1", None, *arguments[1:])
            execute("SELECT pg_sleep(5)", None, *arguments[1:])
        return execute(sql, *arguments)

    with connection.execute_wrapper(slow):
        response = api.get("/v1/events")
    assert (response.status_code, response.json()["code"]) == (500, "internal_error")


def test_other_faults_are_not_the_databases():
    middleware = DatabaseAway(lambda request: HttpResponse())
    assert middleware.process_exception(RequestFactory().get("/"), ValueError("x")) is None
    assert not is_database_away(ValueError("x"))


class Cable:
    """A TCP proxy in front of PostgreSQL that can be pulled out and put back."""

    def __init__(self, target):
        self._target = target
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]
        self._ends = []
        self._is_in = True
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            try:
                near, _ = self._listening.accept()
            except OSError:
                return
            if not self._is_in:
                near.close()
                continue
            far = socket.create_connection(self._target)
            self._ends += [near, far]
            for source, sink in ((near, far), (far, near)):
                threading.Thread(target=self._carry, args=(source, sink), daemon=True).start()

    def _carry(self, source, sink):
        try:
            while data := source.recv(65536):
                sink.sendall(data)
        except OSError:
            pass

    def pull(self):
        self._is_in = False
        for end in self._ends:
            end.shutdown(socket.SHUT_RDWR)
        self._ends.clear()

    def put_back(self):
        self._is_in = True

    def destroy(self):
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()


@pytest.fixture
def cable(transactional_db):
    """This process's own connections go through a cable, as a deployment's go through a network."""
    given = connection.settings_dict
    connection.close()
    connection.close_pool()
    cable = Cable((given["HOST"], int(given["PORT"])))
    pool = given["OPTIONS"]["pool"]
    connection.settings_dict = {
        **given,
        "HOST": "127.0.0.1",
        "PORT": cable.port,
        "OPTIONS": {**given["OPTIONS"], "pool": {**pool, "timeout": 0.3}},
    }
    yield cable
    connection.close()
    connection.close_pool()
    connection.settings_dict = given
    cable.destroy()


def ask(method, path, presented=""):
    """Through the WSGI application itself: Django's test client keeps connections that a server gives back."""
    request = RequestFactory().generic(method, path, headers={"Authorization": f"Bearer {presented}"})
    told = {}
    response = get_wsgi_application()(request.environ, lambda status, headers: told.update(headers, status=status))
    body = b"".join(response)
    response.close()
    return int(told["status"][:3]), told, body


@pytest.mark.parametrize(
    ("method", "path", "usual"),
    [
        ("GET", "/v1/payments", 200),
        ("GET", "/v1/events", 200),
        ("POST", "/v1/payments", 400),
        ("POST", "/callbacks/0123456789abcdef0123456789abcdef/events", 404),
        ("GET", "/return/0123456789abcdef0123456789abcdef", 404),
    ],
)
def test_while_postgresql_is_away_it_answers_503_and_recovers_without_a_restart(cable, method, path, usual):
    presented = factories.ApiKeyFactory().presented
    assert ask(method, path, presented)[0] == usual
    cable.pull()
    for _ in range(2):
        status, headers, body = ask(method, path, presented)
        assert status == 503
        assert headers["Content-Type"] == "application/problem+json"
        assert headers["Retry-After"] == "2"
        assert json.loads(body)["code"] == "service_unavailable"
        assert json.loads(body)["request_id"] == headers["X-Request-Id"]
    assert ask("GET", "/healthz")[0] == 200
    assert ask("GET", "/readyz")[0] == 503
    cable.put_back()
    ends = time.monotonic() + 5
    while (status := ask(method, path, presented)[0]) == 503 and time.monotonic() < ends:
        time.sleep(0.05)
    assert status == usual
    assert ask("GET", "/readyz")[0] == 200
