"""SNAP BI: what is hashed and signed, by the vector of the provider sheet and by a key pair made here."""

import datetime
import hashlib

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from core import snap
from core.crypto import Secret
from core.signatures import BadSignature

BODY = (
    b'{"partnerReferenceNo":"ORD-7781","amount":{"value":"45500.00","currency":"IDR"},"merchantId":"M001"}',
    "7a47aa5b543576f0611008d43b47953a65e5633d31432179d523eebc0d2cf42c",
)
NOW = "2026-03-01T09:00:00+07:00"


@pytest.fixture(scope="module")
def pair():
    return pems(rsa.generate_private_key(65537, 2048))


def pems(key):
    pem, none = serialization.Encoding.PEM, serialization.NoEncryption()
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, none).decode()
    public = key.public_key().public_bytes(pem, serialization.PublicFormat.SubjectPublicKeyInfo).decode()
    return Secret(private), public


def text(body=BODY[0]):
    return snap.string_to_sign(method="POST", path="/v1.0/qr/qr-mpm-generate", body=body, timestamp=NOW)


def test_the_golden_hash_stands_in_what_is_signed():
    assert text() == f"POST:/v1.0/qr/qr-mpm-generate:{BODY[1]}:{NOW}"
    assert text(b"").split(":")[2] == hashlib.sha256(b"").hexdigest()


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        (b'{ "a" :\t1,\r\n "b": [ 1, 2 ] }', b'{"a":1,"b":[1,2]}'),
        (b'{"a": "x  y"}', b'{"a":"x  y"}'),
        (rb'{"a": "\" b", "c": "d\\" , "e": 1}', rb'{"a":"\" b","c":"d\\","e":1}'),
        (rb'{"url": "https:\/\/x.example/"}', rb'{"url":"https:\/\/x.example/"}'),
        ('{"a": "é"}'.encode(), '{"a":"é"}'.encode()),
        (b'{"b": 1.50, "a": 1}', b'{"b":1.50,"a":1}'),
    ],
)
def test_only_the_space_between_the_parts_of_a_body_is_left_out(written, kept):
    assert snap.without_space(written) == kept


def test_what_is_sent_has_no_needless_space_and_its_slashes_as_they_are():
    assert snap.minified({"a": "https://x.example/é", "b": [1]}) == '{"a":"https://x.example/é","b":[1]}'.encode()


def test_times_are_those_of_jakarta():
    moment = datetime.datetime(2026, 3, 1, 2, 0, 0, 500_000, tzinfo=datetime.UTC)
    assert snap.timestamp(moment) == NOW


def test_a_signature_fits_its_text_and_key_alone(pair):
    private, public = pair
    signature = snap.sign(text(), private_key=private)
    snap.verify(text(), signature=signature, public_key=public)
    stranger = pems(rsa.generate_private_key(65537, 2048))[1]
    for changed, given, key in (
        (text(b"{}"), signature, public),
        (text(), signature, stranger),
        (text(), signature[:-4], public),
        (text(), "", public),
        (text(), "é", public),
    ):
        with pytest.raises(BadSignature):
            snap.verify(changed, signature=given, public_key=key)


def test_keys_that_are_none_are_named_and_not_repeated(pair):
    private, public = pair
    snap.check_private_key(private)
    snap.check_public_key(public)
    elliptic, its_public = pems(ec.generate_private_key(ec.SECP256R1()))
    for wrong in (Secret("no key at all"), elliptic, Secret("")):
        with pytest.raises(ValueError, match="private key") as refused:
            snap.check_private_key(wrong)
        assert "no key at all" not in str(refused.value)
    for public_pem in ("no key at all", its_public, ""):
        with pytest.raises(ValueError, match="public key"):
            snap.check_public_key(public_pem)
