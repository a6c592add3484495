"""The certificate with which callers encrypt an initiator's password, and the key that opens it.

A fixed test key, so that the certificate stays the same from run to run. It protects nothing.
Source: developer.safaricom.co.ke, "Security Credentials" (RSA, PKCS #1 v1.5, base64).
"""

from __future__ import annotations

import base64
import binascii
import datetime
from functools import lru_cache

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

EXPONENT = 65537
FIRST_PRIME = int(
    "fe60a234acdc530b30d6fc5de7e216e81832266af0becced86d41c7acf758b5b60dd7aed4e36ba2650ea04e77e6df341"
    "95b3872e521c785b26840ee9507e09c7e4ba4fa3f7f49a64b73256e0ff473efae15154829e3c1d9e8e595dff2d157d93"
    "feda07f326064d74f5e31d1cca1aeea10422a793fdb302eb68549d94f3cd747f",
    16,
)
SECOND_PRIME = int(
    "c7f08dfce7503c290c457631564c70426bc6bb17c261863c00edea842749ae25a4e4628909ab7c976e40492379668bbd"
    "72919f4759ddf3cbf5eff0dc2078b157b01151fd5f630fca901de2db49c576bba6457ab66d74cb8a12076ba9f01e689a"
    "2cca9fa05a0bac6d7440ca32f85f34c8606b0dff11baa11ad09d13b7ac22f091",
    16,
)


@lru_cache(maxsize=1)
def _key() -> rsa.RSAPrivateKey:
    p, q = FIRST_PRIME, SECOND_PRIME
    d = rsa.rsa_recover_private_exponent(EXPONENT, p, q)
    first, second = rsa.rsa_crt_dmp1(d, p), rsa.rsa_crt_dmq1(d, q)
    public = rsa.RSAPublicNumbers(EXPONENT, p * q)
    return rsa.RSAPrivateNumbers(p, q, d, first, second, rsa.rsa_crt_iqmp(p, q), public).private_key()


@lru_cache(maxsize=1)
def certificate() -> str:
    """The X.509 certificate, PEM; byte for byte the same every time."""
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "simulated M-PESA, test only")])
    builder = x509.CertificateBuilder(
        issuer_name=name,
        subject_name=name,
        public_key=_key().public_key(),
        serial_number=1,
        not_valid_before=datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC),
        not_valid_after=datetime.datetime(2046, 1, 1, tzinfo=datetime.UTC),
    )
    return builder.sign(_key(), hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()


def opened(credential: str) -> str | None:
    """The password in a SecurityCredential; None when it was not made with our certificate."""
    try:
        return _key().decrypt(base64.b64decode(credential, validate=True), padding.PKCS1v15()).decode()
    except (binascii.Error, ValueError):
        return None
