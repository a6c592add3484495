"""The one door to the network: a total deadline, certainty about what was sent, and a guard of addresses."""

import socket
import threading
import time
from contextlib import contextmanager, suppress

import pytest
from django.db import connection, transaction

from core import http, look_ups
from core.http import AddressRefused, AnswerLost, Busy, NotSent, Request, Response, send
from tests.payments.world import until

SOON = 5
"""Seconds in which a call with a deadline of less than one has come back, on a busy machine too."""


@contextmanager
def raw_server(talk):
    """Each connection is given to `talk(peer)` in a thread, and kept in the list that comes with the URL."""
    listening = socket.create_server(("127.0.0.1", 0))
    peers = []

    def serve():
        while True:
            try:
                peer, _ = listening.accept()
            except OSError:
                return
            peers.append(peer)
            threading.Thread(target=_quietly, args=(talk, peer), daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/", peers
    finally:
        listening.shutdown(socket.SHUT_RDWR)
        listening.close()
        for peer in peers:
            peer.close()


def _quietly(talk, peer):
    with suppress(OSError):
        talk(peer)


def _request(peer):
    received = b""
    while b"\r\n\r\n" not in received:
        chunk = peer.recv(65536)
        if not chunk:
            raise OSError
        received += chunk
    return received


def _reset(peer):
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
    peer.close()


def took(action):
    began = time.monotonic()
    action()
    return time.monotonic() - began


# What comes back


def test_it_gives_status_headers_in_lower_case_body_and_duration(company):
    company.answer = lambda *request: (201, {"X-Thing": "Yes"}, b"made")
    answer = send(Request("POST", f"{company.url}/a?b=c", {"X-Ours": "1"}, b"body"), deadline=5)
    assert (answer.status, answer.headers["x-thing"], answer.body) == (201, "Yes", b"made")
    assert 0 < answer.seconds < 5
    path, headers, body = company.received[0]
    assert (path, headers["x-ours"], headers["user-agent"], body) == ("/a?b=c", "1", "Lango/1", b"body")


@pytest.mark.parametrize("status", [400, 404, 500, 503])
def test_an_error_status_is_an_answer(company, status):
    company.answer = lambda *request: (status, {"Retry-After": "1"}, b"")
    assert send(Request("GET", company.url), deadline=5).status == status
    assert len(company.received) == 1


def test_a_redirect_is_an_answer_and_is_not_followed(company):
    company.answer = lambda *request: (302, {"Location": f"{company.url}/elsewhere"}, b"")
    assert send(Request("POST", company.url), deadline=5).status == 302
    assert [path for path, _, _ in company.received] == ["/"]


def test_proxy_variables_are_ignored(company, monkeypatch, refused_port):
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{refused_port}")
    assert send(Request("GET", company.url), deadline=5).status == 200


def test_secrets_do_not_show_in_reprs():
    request = Request("POST", "https://a.example", {"Authorization": "Bearer sk_test_1"}, b"phone=254")
    assert "sk_test_1" not in repr(request)
    assert "254" not in repr(request)
    assert "secret" not in repr(Response(200, {"set-cookie": "secret"}, b"secret", 0.1))


def test_a_body_above_the_cap_counts_as_lost(company):
    company.answer = lambda *request: (200, {}, b"x" * (http.MAX_BODY_BYTES + 1))
    with pytest.raises(AnswerLost, match="larger than"):
        send(Request("GET", company.url), deadline=5)
    company.answer = lambda *request: (200, {}, b"x" * http.MAX_BODY_BYTES)
    assert len(send(Request("GET", company.url), deadline=5).body) == http.MAX_BODY_BYTES


# Certainty about what was sent


def test_a_refused_connection_sent_nothing(refused_port):
    with pytest.raises(NotSent):
        send(Request("POST", f"http://127.0.0.1:{refused_port}/", body=b"x"), deadline=5)


def test_a_name_that_does_not_exist_sent_nothing(monkeypatch):
    monkeypatch.setattr(socket, "getaddrinfo", _resolver())
    with pytest.raises(NotSent):
        send(Request("POST", "http://merchant.example/"), deadline=5)


@pytest.mark.parametrize("url", ["ftp://a.example/", "http://", "http://a.example:99999/", "http://[::1"])
def test_a_url_that_cannot_be_called_sent_nothing(url):
    with pytest.raises(NotSent):
        send(Request("POST", url), deadline=5)


def test_a_listener_that_never_accepts_tls_sent_nothing(black_hole):
    def call():
        with pytest.raises(NotSent):
            send(Request("POST", f"https://127.0.0.1:{black_hole}/", body=b"x"), deadline=0.3)

    assert took(call) < SOON


def test_a_hang_after_the_request_is_an_answer_lost_at_the_deadline(black_hole):
    def call():
        with pytest.raises(AnswerLost):
            send(Request("POST", f"http://127.0.0.1:{black_hole}/", body=b"x"), deadline=0.3)

    assert 0.25 < took(call) < SOON


@pytest.mark.parametrize(
    "part",
    [
        b"",
        b"HTT",
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhal",
        b"nonsense\r\n\r\n",
    ],
)
@pytest.mark.parametrize("end", [socket.socket.close, _reset])
def test_half_an_answer_is_an_answer_lost(part, end):
    def talk(peer):
        _request(peer)
        peer.sendall(part)
        end(peer)

    with raw_server(talk) as (url, _), pytest.raises(AnswerLost):
        send(Request("POST", url, body=b"x"), deadline=5)


def test_a_connection_that_is_reset_while_we_write_may_have_been_read():
    def talk(peer):
        peer.recv(1)
        _reset(peer)

    with raw_server(talk) as (url, _), pytest.raises(AnswerLost):
        send(Request("POST", url, body=b"x" * 10_000_000), deadline=5)


def _answer_once(peer):
    _request(peer)
    peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")


def test_a_kept_connection_that_the_other_side_has_closed_is_replaced():
    def talk(peer):
        _answer_once(peer)
        peer.shutdown(socket.SHUT_RDWR)
        peer.close()
        closed.set()

    closed = threading.Event()
    with raw_server(talk) as (url, peers):
        for expected in (1, 2):
            assert send(Request("GET", url), deadline=5).status == 200
            assert len(peers) == expected
            assert closed.wait(5)
            closed.clear()


def test_a_kept_connection_that_dies_as_we_write_is_never_taken_for_nothing_sent():
    def talk(peer):
        _answer_once(peer)
        _request(peer)
        _reset(peer)

    with raw_server(talk) as (url, peers):
        send(Request("GET", url), deadline=5)
        with pytest.raises(AnswerLost):
            send(Request("POST", url, body=b"x"), deadline=5)
        assert len(peers) == 1


def test_connections_are_kept_and_a_fresh_request_has_its_own(company):
    def talk(peer):
        while True:
            _answer_once(peer)

    with raw_server(talk) as (url, peers):
        for _ in range(3):
            send(Request("GET", url), deadline=5)
        assert len(peers) == 1
        send(Request("POST", url, fresh=True), deadline=5)
        assert len(peers) == 2


# The deadline


def _dripping(before, *, pause):
    def talk(peer):
        _request(peer)
        peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        peer.sendall(before)
        while True:
            peer.sendall(b"x")
            time.sleep(pause)

    return talk


@pytest.mark.parametrize(
    "before",
    [
        b"",
        b"HTTP/1.1 200 OK\r\nX-Slow: ",
        b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffff\r\n",
    ],
)
@pytest.mark.parametrize("pause", [0.05, 0.0002])
def test_a_server_that_drips_one_byte_a_time_is_left_at_the_deadline(before, pause):
    def call():
        with pytest.raises(AnswerLost):
            send(Request("GET", url), deadline=0.3)

    with raw_server(_dripping(before, pause=pause)) as (url, _):
        assert took(call) < SOON


def test_a_server_that_reads_nothing_is_left_at_the_deadline(black_hole):
    def call():
        with pytest.raises(AnswerLost):
            send(Request("POST", f"http://127.0.0.1:{black_hole}/", body=b"x" * 20_000_000), deadline=0.3)

    assert took(call) < SOON


# The database


@pytest.mark.django_db(transaction=True)
def test_it_refuses_inside_a_transaction_and_sends_nothing(company):
    with transaction.atomic(), pytest.raises(RuntimeError, match="inside a database transaction"):
        send(Request("POST", company.url), deadline=5)
    assert company.received == []


@pytest.mark.django_db(transaction=True)
def test_it_gives_the_database_connection_back_before_it_calls(company):
    connection.ensure_connection()
    held = []
    company.answer = lambda *request: held.append(connection.pool.get_stats()["pool_available"]) or (200, {}, b"")
    before = connection.pool.get_stats()["pool_available"]
    send(Request("GET", company.url), deadline=5)
    assert connection.connection is None
    assert held == [before + 1]


# The guard of addresses

PRIVATE = [
    "10.0.0.1",
    "172.16.0.1",
    "192.168.1.1",
    "169.254.169.254",
    "100.64.0.1",
    "0.0.0.0",
    "0.1.2.3",
    "224.0.0.1",
    "239.255.255.255",
    "255.255.255.255",
    "192.0.2.1",
    "::",
    "fc00::1",
    "fe80::1",
    "ff02::1",
    "::ffff:10.0.0.1",
    "::ffff:169.254.169.254",
    "64:ff9b::a00:1",
    "2002:a00:1::1",
    "2001:0:a00:1::1",
    "::10.0.0.1",
    "fec0::1",
    "::ffff:0:a00:1",
    "::ffff:0:808:808",
    "192.88.99.1",
    "192.0.0.8",
    "192.0.0.170",
    "100::1",
    "100:0:0:1::1",
    "5f00::1",
    "3fff::1",
    "4000::1",
]
LOOPBACK = ["127.0.0.1", "127.1.2.3", "::1", "::ffff:127.0.0.1"]


def _resolver(*answers):
    """Stands where the name servers stand: each look-up gets the next answer, the last one for ever."""
    waiting = list(answers)

    def getaddrinfo(host, port, *arguments, **options):
        if not waiting:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        found = waiting.pop(0) if len(waiting) > 1 else waiting[0]
        asked.append(host)
        return [
            (socket.AF_INET6, socket.SOCK_STREAM, 6, "", (address, port, 0, 0))
            if ":" in address
            else (socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))
            for address in found
        ]

    asked = getaddrinfo.asked = []
    return getaddrinfo


@pytest.fixture(params=[True, False], ids=["loopback allowed", "loopback refused"])
def loopback_allowed(request, settings):
    settings.OUTGOING_LOOPBACK_ALLOWED = request.param
    return request.param


@pytest.mark.parametrize("address", PRIVATE)
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_name_that_resolves_to_a_private_address_is_refused(monkeypatch, address, scheme, loopback_allowed):
    monkeypatch.setattr(socket, "getaddrinfo", _resolver([address]))
    with pytest.raises(AddressRefused, match="not a public address"):
        send(Request("POST", f"{scheme}://merchant.example/hook"), deadline=5)


@pytest.mark.parametrize("address", LOOPBACK)
def test_loopback_is_refused_unless_the_setting_opens_it(monkeypatch, settings, company, address):
    url = f"http://merchant.example:{company.port}/"
    monkeypatch.setattr(socket, "getaddrinfo", _resolver([address]))
    settings.OUTGOING_LOOPBACK_ALLOWED = False
    with pytest.raises(AddressRefused):
        send(Request("POST", url), deadline=5)
    assert company.received == []


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "0x7f000001", "2130706433", "127.1", "0177.0.0.1", "[::1]", "[::ffff:7f00:1]"]
)
def test_no_spelling_of_loopback_gets_through(settings, company, host):
    settings.OUTGOING_LOOPBACK_ALLOWED = False
    with pytest.raises(AddressRefused):
        send(Request("POST", f"http://{host}:{company.port}/"), deadline=5)
    assert company.received == []


def test_one_private_address_among_public_ones_is_not_called(monkeypatch, settings, company):
    settings.OUTGOING_LOOPBACK_ALLOWED = False
    monkeypatch.setattr(socket, "getaddrinfo", _resolver(["127.0.0.1", "1.1.1.1"]))
    with pytest.raises(AddressRefused):
        send(Request("POST", f"http://merchant.example:{company.port}/"), deadline=5)
    assert company.received == []


def test_rebinding_finds_no_second_look_up_to_answer_differently(monkeypatch, company):
    """The address that was checked is the address that is called."""
    resolver = _resolver(["127.0.0.1"], ["10.0.0.1"])
    monkeypatch.setattr(socket, "getaddrinfo", resolver)
    url = f"http://merchant.example:{company.port}/"
    assert send(Request("POST", url, fresh=True), deadline=5).status == 200
    assert resolver.asked == ["merchant.example"]
    with pytest.raises(AddressRefused):
        send(Request("POST", url, fresh=True), deadline=5)
    assert company.received[0][1]["host"] == f"merchant.example:{company.port}"
    assert len(company.received) == 1


def test_a_redirect_to_a_private_address_is_not_followed(company):
    company.answer = lambda *request: (307, {"Location": "http://169.254.169.254/latest/meta-data"}, b"")
    assert send(Request("POST", company.url), deadline=5).status == 307


def test_the_next_address_of_a_name_is_tried_where_the_first_refuses(monkeypatch, company):
    monkeypatch.setattr(socket, "getaddrinfo", _resolver(["::1", "127.0.0.1"]))
    assert send(Request("POST", f"http://merchant.example:{company.port}/"), deadline=5).status == 200


def test_an_address_that_does_not_answer_leaves_time_for_the_next(monkeypatch, company):
    monkeypatch.setattr(socket, "getaddrinfo", _resolver(["127.0.0.2", "127.0.0.1"]))
    with socket.socket() as silent, socket.socket() as first, socket.socket() as second:
        silent.bind(("127.0.0.2", company.port))
        silent.listen(0)  # takes one that nobody accepts, and then lets connections wait
        for peer in (first, second):
            peer.setblocking(False)
            peer.connect_ex(("127.0.0.2", company.port))
        assert send(Request("POST", f"http://merchant.example:{company.port}/"), deadline=4).status == 200


def test_name_servers_that_hang_do_not_hold_a_call_beyond_its_deadline(monkeypatch):
    answer, asked = threading.Event(), []

    def getaddrinfo(host, *arguments, **options):
        asked.append(host)
        answer.wait(60)
        return []

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    try:
        for _ in range(3):
            with pytest.raises(NotSent):
                send(Request("POST", "http://hanging.example/"), deadline=0.1)
        assert asked == ["hanging.example"]  # by one thread, however many calls wait for it
    finally:
        answer.set()


def test_so_many_names_are_looked_up_at_once_and_no_more(monkeypatch):
    until(lambda: not look_ups._under_way)
    answer = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *arguments, **options: answer.wait(60) or [])
    monkeypatch.setattr(look_ups, "MOST_AT_ONCE", 2)
    try:
        for _ in range(2):
            for name in ("a", "b", "c"):
                with pytest.raises(NotSent):
                    send(Request("POST", f"http://{name}.example/"), deadline=0.1)
        assert {host for host, _ in look_ups._under_way} == {"a.example", "b.example"}
    finally:
        answer.set()


# Slots


def test_a_party_has_so_many_slots_and_no_more():
    with http.slot("acct_a", limit=2), http.slot("acct_a", limit=2):
        with pytest.raises(Busy, match="2 calls to acct_a"), http.slot("acct_a", limit=2):
            pass
        with http.slot("acct_b", limit=2):
            pass
    with http.slot("acct_a", limit=1):
        pass


def test_a_slot_is_given_back_when_the_call_fails():
    for _ in range(3):
        with pytest.raises(ZeroDivisionError), http.slot("acct_c", limit=1):
            1 / 0  # noqa: B018
