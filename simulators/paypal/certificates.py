"""The certificate that signs messages, the authority behind it, and a stranger's. They protect nothing.

Fixed test keys, so that they are the same from run to run.
Source: developer.paypal.com/api/rest/webhooks (SHA256withRSA, certificates of a subject under paypal.com).
"""

from __future__ import annotations

import datetime
from functools import lru_cache

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

EXPONENT = 65537
FIRST_PRIME = int(
    "e503bed4999f2145ddde939527990581486d149568f8e3ac3cbddeefa16378e37ce3291a30ab1d795f5981932c982d72"
    "1789dfe84c07e02ba96595c78bbc7160e95f41a28ae2f5d93832d0c4729850417c27876a57d9977659ea2e42c0678472"
    "5fa0e0755ecc8f43d452cd8f685abcea43aa5db7deddc3c0720321ad2951e47b",
    16,
)
SECOND_PRIME = int(
    "baf2918174219016c246279819ca13423835e912a5f56ed5183f1c5028d6ab28f81d71cb134d1721a12ad67701ef6843"
    "d524f76a8712ef0b19354ec87343402f79dd3bc776ddaf154d1ae75ea536e61bde972c23961571e9eace755b054be2f9"
    "19e2f77f077cb08155a57cb3dc7ee4e851cd549213f58418b1b43fd7cb5279c3",
    16,
)
AUTHORITY, STRANGER = 20_417, 66_619
SUBJECT = "messageverificationcerts.paypal.com"
ID = "CERT-360caa42-fca2a594-1d93a270"
FROM, UNTIL = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC), datetime.datetime(2046, 1, 1, tzinfo=datetime.UTC)


@lru_cache(maxsize=1)
def key() -> rsa.RSAPrivateKey:
    p, q = FIRST_PRIME, SECOND_PRIME
    d = rsa.rsa_recover_private_exponent(EXPONENT, p, q)
    first, second = rsa.rsa_crt_dmp1(d, p), rsa.rsa_crt_dmq1(d, q)
    public = rsa.RSAPublicNumbers(EXPONENT, p * q)
    return rsa.RSAPrivateNumbers(p, q, d, first, second, rsa.rsa_crt_iqmp(p, q), public).private_key()


@lru_cache(maxsize=4)
def authority(number: int = AUTHORITY) -> str:
    """The certificate of the authority, PEM; byte for byte the same every time."""
    return _pem(_authority(number))


@lru_cache(maxsize=4)
def certificate(number: int = AUTHORITY) -> str:
    """The certificate of the key that signs messages, PEM, with that authority's signature."""
    usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])
    builder = (
        _builder(SUBJECT, "simulated PayPal authority, test only", key().public_key(), 2)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(SUBJECT)]), critical=False)
        .add_extension(usage, critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(_authority_key(number).public_key()), critical=False
        )
    )
    return _pem(builder.sign(_authority_key(number), hashes.SHA256(), ecdsa_deterministic=True))


def signature(message: bytes) -> bytes:
    return key().sign(message, padding.PKCS1v15(), hashes.SHA256())


@lru_cache(maxsize=4)
def _authority(number: int) -> x509.Certificate:
    name, signer = "simulated PayPal authority, test only", _authority_key(number)
    usage = x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=True,
        crl_sign=True,
        encipher_only=False,
        decipher_only=False,
    )
    builder = (
        _builder(name, name, signer.public_key(), 1)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(signer.public_key()), critical=False)
    )
    return builder.sign(signer, hashes.SHA256(), ecdsa_deterministic=True)


def _authority_key(number: int) -> ec.EllipticCurvePrivateKey:
    return ec.derive_private_key(number, ec.SECP256R1())


def _builder(
    subject: str, issuer: str, public: rsa.RSAPublicKey | ec.EllipticCurvePublicKey, serial: int
) -> x509.CertificateBuilder:
    return x509.CertificateBuilder(
        issuer_name=x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]),
        subject_name=x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject)]),
        public_key=public,
        serial_number=serial,
        not_valid_before=FROM,
        not_valid_after=UNTIL,
    )


def _pem(made: x509.Certificate) -> str:
    return made.public_bytes(serialization.Encoding.PEM).decode()
