"""SNAP BI, the open API of Indonesian payments: what is signed, and by whom.

Source: the standard's asymmetric scheme as its providers document it: METHOD ":" path ":" the lower-case hex SHA-256 of
the minified body ":" X-TIMESTAMP, signed by RSA (PKCS #1 v1.5, SHA-256), in base64.
"""

import base64
import binascii
import hashlib
import json
from datetime import datetime, timedelta, timezone
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key

from core.crypto import Secret
from core.signatures import BadSignature

_JAKARTA = timezone(timedelta(hours=7))
_SPACE = b" \t\r\n"


def minified(document: Any) -> bytes:
    """Without the space that JSON does not need; slashes and letters stay as they are."""
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode()


def without_space(body: bytes) -> bytes:
    """A JSON text as it came, less the space between its parts: never written anew, as that could change it."""
    kept, in_text, escaped = bytearray(), False, False
    for byte in body:
        if in_text or byte not in _SPACE:
            kept.append(byte)
        if byte == 0x22 and not escaped:
            in_text = not in_text
        escaped = in_text and byte == 0x5C and not escaped
    return bytes(kept)


def timestamp(moment: datetime) -> str:
    """`2026-03-01T09:00:00+07:00`."""
    return moment.astimezone(_JAKARTA).isoformat(timespec="seconds")


def string_to_sign(*, method: str, path: str, body: bytes, timestamp: str) -> str:
    return f"{method}:{path}:{hashlib.sha256(without_space(body)).hexdigest()}:{timestamp}"


def sign(text: str, *, private_key: Secret) -> str:
    return base64.b64encode(_private(private_key).sign(text.encode(), PKCS1v15(), SHA256())).decode()


def verify(text: str, *, signature: str, public_key: str) -> None:
    """Raises BadSignature."""
    try:
        given = base64.b64decode(signature, validate=True)
        _public(public_key).verify(given, text.encode(), PKCS1v15(), SHA256())
    except (binascii.Error, ValueError, InvalidSignature):
        raise BadSignature("the signature does not fit the message") from None


def check_private_key(pem: Secret) -> None:
    """Raises ValueError for what is no RSA key, and repeats nothing of it."""
    _private(pem)


def check_public_key(pem: str) -> None:
    """Raises ValueError."""
    _public(pem)


def _private(pem: Secret) -> RSAPrivateKey:
    try:
        key = load_pem_private_key(pem.reveal().encode(), password=None)
    except (TypeError, ValueError):
        raise ValueError("the private key is no PEM key without a password") from None
    if not isinstance(key, RSAPrivateKey):
        raise ValueError("the private key is not of RSA")
    return key


def _public(pem: str) -> RSAPublicKey:
    try:
        key = load_pem_public_key(pem.encode())
    except ValueError:
        raise ValueError("the public key is no PEM key") from None
    if not isinstance(key, RSAPublicKey):
        raise ValueError("the public key is not of RSA")
    return key
