"""A signature is worth as much as the chain behind its certificate."""

import datetime
from functools import lru_cache

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from core.certified_signatures import certified_rsa_sha256, check_authorities
from core.signatures import BadSignature

NOW = datetime.datetime(2026, 11, 20, 11, 5, 16, tzinfo=datetime.UTC)
DAY = datetime.timedelta(days=1)
NAME = "messages.example.com"
MESSAGE = b"tid|2026-11-20T11:05:16Z|9AB12345CD678901E|2081483530"


@lru_cache
def key(number: int) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


def pem(made: x509.Certificate) -> bytes:
    return made.public_bytes(serialization.Encoding.PEM)


def named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def built(subject: str, issuer: str, public, *, ends: datetime.datetime = NOW + DAY) -> x509.CertificateBuilder:
    return x509.CertificateBuilder(named(issuer), named(subject), public, 7, NOW - DAY, ends)


@lru_cache
def authority(number: int, issued_by: int = 0) -> x509.Certificate:
    """The certificate of an authority, by itself or by another."""
    signer, name = key(issued_by or number), f"authority {number}"
    usage = x509.KeyUsage(False, False, False, False, False, True, True, False, False)
    builder = built(name, f"authority {issued_by or number}", key(number).public_key())
    extended = (
        builder.add_extension(x509.BasicConstraints(True, None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key(number).public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False)
    )
    return extended.sign(signer, hashes.SHA256())


def leaf(issuer: int, *, name: str = NAME, ends: datetime.datetime = NOW + DAY, public=None) -> x509.Certificate:
    builder = built(name, f"authority {issuer}", public or key(9).public_key(), ends=ends)
    extended = (
        builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(key(issuer).public_key()), critical=False)
    )
    return extended.sign(key(issuer), hashes.SHA256())


def check(*chain: x509.Certificate, trusted: int = 1, signature: bytes | None = None, now: datetime.datetime = NOW):
    certified_rsa_sha256(
        message=MESSAGE,
        signature=signature or key(9).sign(MESSAGE, padding.PKCS1v15(), hashes.SHA256()),
        certificates=b"".join(pem(made) for made in chain),
        authorities=pem(authority(trusted)).decode() if trusted else "",
        name_suffix=".example.com",
        now=now,
    )


def test_a_signature_is_good_whose_certificate_an_authority_vouches_for():
    check(leaf(1))


def test_an_authority_between_may_come_with_the_certificate():
    check(leaf(2), authority(2, 1))
    with pytest.raises(BadSignature, match="no authority"):
        check(leaf(2))


def test_an_authority_between_may_be_trusted_itself():
    check(leaf(2), trusted=2)


def test_another_message_key_or_padding_does_not_fit():
    for signature in (
        key(9).sign(MESSAGE + b"1", padding.PKCS1v15(), hashes.SHA256()),
        key(8).sign(MESSAGE, padding.PKCS1v15(), hashes.SHA256()),
        key(9).sign(MESSAGE, padding.PKCS1v15(), hashes.SHA512()),
        b"x",
    ):
        with pytest.raises(BadSignature, match="does not fit"):
            check(leaf(1), signature=signature)


@pytest.mark.parametrize("trusted", [2, 0])
def test_a_stranger_s_certificate_is_worth_nothing(trusted: int):
    with pytest.raises(BadSignature, match="no authority"):
        check(leaf(1), trusted=trusted)


def test_an_expired_certificate_and_one_of_tomorrow_are_refused():
    with pytest.raises(BadSignature, match="no authority"):
        check(leaf(1, ends=NOW - DAY / 2))
    with pytest.raises(BadSignature, match="no authority"):
        check(leaf(1), now=NOW - 2 * DAY)


@pytest.mark.parametrize("name", ["messages.example.com.attacker.test", "example.com", "messagesexample.com"])
def test_a_certificate_for_another_name_is_refused(name: str):
    with pytest.raises(BadSignature, match="somebody else's"):
        check(leaf(1, name=name))


def test_a_key_of_another_kind_is_refused():
    other = ec.generate_private_key(ec.SECP256R1()).public_key()
    with pytest.raises(BadSignature, match="RSA"):
        check(leaf(1, public=other))


@pytest.mark.parametrize(
    "certificates", [b"", b"<html></html>", b"-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----"]
)
def test_what_is_no_certificate_is_refused(certificates: bytes):
    with pytest.raises(BadSignature, match="no PEM"):
        certified_rsa_sha256(
            message=MESSAGE, signature=b"", certificates=certificates, authorities="", name_suffix="", now=NOW
        )


def test_authorities_are_pem_or_nothing():
    check_authorities("")
    check_authorities(pem(authority(1)).decode())
    with pytest.raises(ValueError, match="PEM"):
        check_authorities("not a certificate")
