"""Sealing, fingerprints and keyed hashes, all under one ring of master keys.

Every use has a key of its own, derived by HKDF from a master key and separated by purpose and by
mode, so that a value made for one purpose or mode means nothing in another.
"""

import base64
import hashlib
import hmac
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

_VERSION = b"\x01"
_NONCE_BYTES = 12
KEY_BYTES = 32


class Purpose(StrEnum):
    """What a derived key is for."""

    WRAPPING = "wrapping"
    FINGERPRINT = "fingerprint"
    API_KEY = "api-key"
    DISPLAY = "display-token"
    PATH_TOKEN = "path-token"
    REQUEST = "request"
    AUDIT = "audit"


class CannotOpen(Exception):
    """The sealed bytes were not made by this key for this row and column, or were altered."""


@dataclass(frozen=True, slots=True, repr=False)
class Secret:
    """A text that shows itself nowhere: not in reprs, logs or messages. `reveal()` gives it out."""

    _text: str

    def __repr__(self) -> str:
        return "Secret(•••)"

    def __str__(self) -> str:
        return "•••"

    def __bool__(self) -> bool:
        return bool(self._text)

    def reveal(self) -> str:
        return self._text


@dataclass(frozen=True, slots=True, repr=False)
class KeyRing:
    """Master keys by id; the first is the one that new values are made under.

    `inherited` holds derived keys of master keys that have left the ring, so that hashes which cannot be made anew
    are still found: by the master key's id, purpose and `livemode`.
    """

    keys: Mapping[str, bytes]
    inherited: Mapping[tuple[str, Purpose, bool], bytes] = field(default_factory=dict)

    def __repr__(self) -> str:
        return f"KeyRing({', '.join(self.keys)})"

    @classmethod
    def parse(cls, text: str) -> "KeyRing":
        """From `id:base64,id:base64`, each key of 32 bytes. Raises ValueError that names the fault."""
        keys: dict[str, bytes] = {}
        for part in filter(None, (item.strip() for item in text.split(","))):
            key_id, _, encoded = part.partition(":")
            if not key_id or key_id in keys:
                raise ValueError(f"master key {key_id!r} has no name of its own")
            try:
                key = base64.b64decode(encoded, validate=True)
            except ValueError as error:
                raise ValueError(f"master key {key_id!r} is not valid base64") from error
            if len(key) != KEY_BYTES:
                raise ValueError(f"master key {key_id!r} has {len(key)} bytes instead of {KEY_BYTES}")
            keys[key_id] = key
        if not keys:
            raise ValueError("no master key is given: expected id:base64[,id:base64…]")
        return cls(keys)

    @property
    def active(self) -> str:
        return next(iter(self.keys))

    def derive(self, purpose: Purpose, *, livemode: bool, key_id: str | None = None) -> bytes:
        """A 32-byte key for one purpose and mode. Raises CannotOpen for a key id that is not held."""
        chosen = key_id or self.active
        if chosen in self.keys:
            return _derive(self.keys[chosen], f"lango:{purpose}:{'live' if livemode else 'test'}")
        if (chosen, purpose, livemode) in self.inherited:
            return self.inherited[chosen, purpose, livemode]
        raise CannotOpen(f"master key {chosen!r} is not on the ring")

    def keyed_hash(self, purpose: Purpose, *parts: str, livemode: bool, key_id: str | None = None) -> str:
        """Hex HMAC-SHA256 over unambiguously joined parts."""
        message = b"".join(len(part.encode()).to_bytes(4, "big") + part.encode() for part in parts)
        key = self.derive(purpose, livemode=livemode, key_id=key_id)
        return hmac.new(key, message, hashlib.sha256).hexdigest()

    def keyed_hashes(self, purpose: Purpose, *parts: str, livemode: bool) -> list[str]:
        """The same under every key on the ring and every inherited one, for look-ups; the first is the one to store."""
        gone = [key for key, of, mode in self.inherited if (of, mode) == (purpose, livemode) and key not in self.keys]
        return [self.keyed_hash(purpose, *parts, livemode=livemode, key_id=key) for key in (*self.keys, *gone)]


@lru_cache(maxsize=256)
def _derive(master: bytes, label: str) -> bytes:
    return HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=None, info=label.encode()).derive(master)


def new_key() -> bytes:
    return os.urandom(KEY_BYTES)


def seal(plaintext: bytes, *, key: bytes, context: str) -> bytes:
    """AES-256-GCM under a fresh nonce; `context` must be given again to open."""
    nonce = os.urandom(_NONCE_BYTES)
    return _VERSION + nonce + _cipher(key).encrypt(nonce, plaintext, _VERSION + context.encode())


def unseal(sealed: bytes, *, key: bytes, context: str) -> bytes:
    """The inverse of `seal`; raises CannotOpen for any other key, context or byte."""
    if sealed[:1] != _VERSION:
        raise CannotOpen("sealed by a version that this code does not know")
    nonce, body = sealed[1 : 1 + _NONCE_BYTES], sealed[1 + _NONCE_BYTES :]
    try:
        return _cipher(key).decrypt(nonce, body, _VERSION + context.encode())
    except InvalidTag as error:
        raise CannotOpen(f"cannot open what was sealed for {context}") from error


@lru_cache(maxsize=256)
def _cipher(key: bytes) -> AESGCM:
    return AESGCM(key)


def matches(given: str, expected: str) -> bool:
    """Constant-time comparison of two texts."""
    return hmac.compare_digest(given.encode(), expected.encode())
