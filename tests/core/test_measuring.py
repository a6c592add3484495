"""Calls and requests are told to listeners by names that are no ids, and each request is one line of the log."""

import json
import logging

import pytest
from django.http import HttpResponse
from django.test import Client, RequestFactory

from core import http, measuring
from core.http import AnswerLost, Busy, NotSent, Request
from core.logging import JsonFormatter
from core.middleware import Measured
from tests import factories


class Heard:
    """A listener that keeps what it is told, durations apart."""

    def __init__(self):
        self.told, self.seconds = [], []

    def request_done(self, *, seconds, **facts):
        self._keep("request", seconds, facts)

    def call_done(self, *, seconds, **facts):
        self._keep("call", seconds, facts)

    def _keep(self, kind, seconds, facts):
        self.seconds.append(seconds)
        self.told.append((kind, facts))

    def in_flight_changed(self, **facts):
        self.told.append(("in flight", facts))

    def refused_by_cap(self, **facts):
        self.told.append(("refused", facts))

    def streams_changed(self, **facts):
        self.told.append(("streams", facts))

    def streamed(self, *, seconds, **facts):
        self._keep("streamed", seconds, facts)


@pytest.fixture
def heard():
    listener = Heard()
    measuring.register(listener)
    yield listener
    measuring._listeners.remove(listener)


def call(party, purpose, outcome):
    return ("call", {"party": party, "purpose": purpose, "outcome": outcome})


@pytest.mark.parametrize("status", [204, 302, 404, 500])
def test_a_call_is_told_with_its_purpose_and_class_of_status(company, heard, status):
    company.answer = lambda *request: (status, {}, b"")
    with measuring.purpose("create"):
        http.send(Request("POST", company.url), deadline=2, party="acme")
    assert heard.told == [call("acme", "create", f"{status // 100}xx")]
    assert 0 < heard.seconds[0] < 2


def test_what_was_certainly_not_sent_is_told_apart_from_what_was_lost(heard, refused_port, black_hole):
    with pytest.raises(NotSent):
        http.send(Request("GET", f"http://127.0.0.1:{refused_port}/"), deadline=1)
    with pytest.raises(AnswerLost):
        http.send(Request("GET", f"http://127.0.0.1:{black_hole}/"), deadline=0.1, party="acme")
    assert heard.told == [call("other", "other", "not_sent"), call("acme", "other", "lost")]


def test_places_in_flight_and_refusals_are_told_by_party_and_not_by_account(heard):
    with http.slot("acct_1", limit=1, party="acme"), pytest.raises(Busy), http.slot("acct_1", limit=1, party="acme"):
        pass
    up, down = (("in flight", {"party": "acme", "by": by}) for by in (1, -1))
    assert heard.told == [up, ("refused", {"party": "acme"}), down]


def test_a_request_is_told_by_the_pattern_of_its_route(db, heard):
    key = factories.ApiKeyFactory()
    for path in ("/v1/payments/pay_secret", "/callbacks/0123456789abcdef/events", "/v1/nothing/here", "/nowhere"):
        Client().get(path, headers={"Authorization": f"Bearer {key.presented}"})
    requests = [(facts["route"], facts["method"], facts["status"]) for kind, facts in heard.told if kind == "request"]
    assert requests == [
        ("v1/payments/<str:payment_id>", "GET", 404),
        ("callbacks/<str:token>/<str:door>", "GET", 405),
        ("v1/<anything:rest>", "GET", 404),
        ("none", "GET", 404),
    ]


def test_a_method_of_a_callers_own_making_is_no_name(heard):
    Measured(lambda request: HttpResponse())(RequestFactory().generic("BREW", "/"))
    assert heard.told == [("request", {"route": "none", "method": "OTHER", "status": 200})]


def test_a_request_is_one_line_with_its_id_route_status_and_duration(db, caplog):
    caplog.set_level(logging.INFO, "core.middleware")
    written = []
    handler = logging.Handler()
    handler.emit = lambda record: written.append(JsonFormatter().format(record))
    logging.getLogger("core.middleware").addHandler(handler)
    try:
        Client().post("/callbacks/0123456789abcdef0123456789abcdef/events", headers={"X-Request-Id": "R-12345678"})
    finally:
        logging.getLogger("core.middleware").removeHandler(handler)
    line = json.loads(written[0])
    assert len(written) == 1
    assert (line["message"], line["request_id"], line["status"]) == ("request", "R-12345678", 404)
    assert (line["route"], line["method"]) == ("callbacks/<str:token>/<str:door>", "POST")
    assert 0 <= line["milliseconds"] < 5000
    assert "0123456789abcdef" not in written[0]


@pytest.mark.parametrize("path", ["/healthz", "/metrics"])
def test_what_machines_ask_every_few_seconds_is_not_worth_a_line(db, caplog, path):
    caplog.set_level(logging.INFO)
    Client().get(path)
    assert [record for record in caplog.records if record.name == "core.middleware"] == []
