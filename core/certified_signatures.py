"""Signatures by a key whose certificate comes with the message: worth as much as the chain behind it."""

import warnings
from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache

import certifi
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.utils import CryptographyDeprecationWarning
from cryptography.x509.oid import NameOID
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError

from core.signatures import BadSignature


def certified_rsa_sha256(
    *, message: bytes, signature: bytes, certificates: bytes, authorities: str, name_suffix: str, now: datetime
) -> None:
    """RSA PKCS #1 v1.5 over the message, by the first of the PEM `certificates`; the others lead to an authority.

    `authorities` is the PEM of those who are trusted; empty means the public ones. The certificate's common name must
    end with `name_suffix`, such as ".example.com". Raises BadSignature.
    """
    chain = _chain(certificates)
    _check_chain(chain, authorities, name_suffix, now)
    key = chain[0].public_key()
    if not isinstance(key, RSAPublicKey):
        raise BadSignature("the certificate does not hold an RSA key")
    try:
        key.verify(signature, message, PKCS1v15(), SHA256())
    except InvalidSignature:
        raise BadSignature("the signature does not fit the message") from None


def check_authorities(pem: str) -> None:
    """Raises ValueError for a text that holds no PEM certificate; an empty one is fine."""
    if pem:
        _store(pem)


def _chain(pem: bytes) -> Sequence[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates(pem)
    except ValueError:
        raise BadSignature("what came is no PEM certificate") from None


def _check_chain(chain: Sequence[x509.Certificate], authorities: str, name_suffix: str, now: datetime) -> None:
    names = [str(name.value) for name in chain[0].subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
    if len(names) != 1 or not names[0].endswith(name_suffix):
        raise BadSignature("the certificate is somebody else's")
    try:
        verifier = PolicyBuilder().store(_store(authorities)).time(now).build_server_verifier(x509.DNSName(names[0]))
        verifier.verify(chain[0], list(chain[1:]))
    except (VerificationError, ValueError) as error:
        raise BadSignature("no authority that we trust vouches for the certificate today") from error


@lru_cache(maxsize=16)
def _store(pem: str) -> Store:
    with warnings.catch_warnings():
        # Some public authority's own certificate has a serial number that is none.
        warnings.simplefilter("ignore", CryptographyDeprecationWarning)
        return Store(x509.load_pem_x509_certificates((pem or certifi.contents()).encode()))
