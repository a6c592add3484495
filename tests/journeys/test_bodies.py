"""A body that comes in pieces, through the server that production runs, is never taken for an empty one."""

import json
import socket
from urllib.parse import urlsplit

import pytest

from merchants.models import ApiKey
from payments.models import Refund
from tests.payments.world import Api

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

REFUSED = b'"code": "length_required"'
DATA, HEADERS, SETTINGS = 0, 1, 4
END_STREAM, END_HEADERS = 1, 4


def chunked(url, api, body):
    """The answer to a POST whose JSON body comes in two chunks."""
    place = urlsplit(url)
    head = (
        f"POST {place.path} HTTP/1.1\r\nHost: {place.netloc}\r\nAuthorization: Bearer {api.key}\r\n"
        "Idempotency-Key: in-chunks\r\nContent-Type: application/json\r\n"
        "Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
    )
    text = json.dumps(body).encode()
    chunks = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in (text[:4], text[4:]))
    with socket.create_connection((place.hostname, place.port), timeout=60) as peer:
        peer.sendall(head.encode() + chunks + b"0\r\n\r\n")
        return b"".join(iter(lambda: peer.recv(65536), b""))


def framed(url, api, body):
    """The answer to a POST by HTTP/2, which needs neither a length nor a word for its absence."""
    place = urlsplit(url)
    named = {
        ":method": "POST",
        ":scheme": "http",
        ":path": place.path,
        ":authority": place.netloc,
        "authorization": f"Bearer {api.key}",
        "idempotency-key": "in-frames",
        "content-type": "application/json",
    }
    block = b"".join(b"\0" + text(name) + text(value) for name, value in named.items())
    with socket.create_connection((place.hostname, place.port), timeout=60) as peer, peer.makefile("rb") as answer:
        peer.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(SETTINGS, 0, 0, b""))
        peer.sendall(frame(HEADERS, END_HEADERS, 1, block) + frame(DATA, END_STREAM, 1, json.dumps(body).encode()))
        told, ended = b"", False
        while not ended:
            head = answer.read(9)
            payload = answer.read(int.from_bytes(head[:3]))
            told += payload if head[3] == DATA else b""
            ended = head[3] in (DATA, HEADERS) and bool(head[4] & END_STREAM)
    return told


def frame(kind, flags, stream, payload):
    return len(payload).to_bytes(3) + bytes([kind, flags]) + stream.to_bytes(4) + payload


def text(given):
    """A header's name or value as HPACK writes it uncompressed, shorter than 127 bytes."""
    return bytes([len(given)]) + given.encode()


@pytest.mark.parametrize("sent", [chunked, framed])
def test_a_refund_and_a_rotation_in_pieces_are_refused_rather_than_read_as_asking_for_all(world, shop, web, sent):
    api = Api(web, shop.key)
    payment = api.card()

    refund = sent(f"{web}/v1/payments/{payment['id']}/refunds", api, {"amount": 100})
    rotation = sent(f"{web}/v1/api-keys/{ApiKey.objects.get().pk}/rotate", api, {"scopes": ["payments:read"]})

    assert REFUSED in refund
    assert REFUSED in rotation
    assert not Refund.objects.exists()
    assert ApiKey.objects.count() == 1
    assert api.post(f"payments/{payment['id']}/refunds", 201, amount=100)["amount"] == 100
