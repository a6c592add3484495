"""Sealed columns: a data key per owner, and ciphertext that opens only in its own row and column.

A row's owner is its merchant, unless the row names another in `data_key_owner`: a subject, whose key is made once
(`make_data_key`) and destroyed with its erasure (`destroy_data_key`), and is asked of the database each time.
"""

import time
from collections.abc import Callable, Iterable
from typing import Any

from django.conf import settings
from django.db import IntegrityError, connection, transaction

from core import crypto
from core.crypto import Purpose, Secret
from events.keys import ring, unwrap, wrap
from events.models import DataKey

REMEMBERED_SECONDS = 60
"""How long a process goes on with a data key before it looks whether the key was retired or destroyed."""

_unwrapped: dict[tuple[str, str, bool], tuple[float, tuple[str, bytes]]] = {}


def owner_of(row: Any) -> str:
    """The merchant that a row belongs to: a public id, on the row or behind its foreign key."""
    return str(row.merchant_id if hasattr(row, "merchant_id") else row.merchant)


def data_key_owner_of(row: Any) -> str:
    """Whose data key seals the row's columns."""
    return str(getattr(row, "data_key_owner", "") or owner_of(row))


class KeyDestroyed(crypto.CannotOpen):
    """The subject's data key does not exist any more: what it sealed is gone for good."""


class SubjectKeys:
    """The data keys of several subjects, fetched at once and held only as long as this is."""

    def __init__(self) -> None:
        self._held: dict[tuple[str, bool], tuple[str, bytes]] = {}

    def fetch(self, rows: Iterable[Any]) -> None:
        wanted = {(data_key_owner_of(row), row.livemode) for row in rows} - set(self._held)
        found = DataKey.objects.filter(owner__in=[owner for owner, _ in wanted])
        self._held |= {(key.owner, key.livemode): (key.pk, unwrap(key)) for key in found}

    def of(self, row: Any) -> tuple[str, bytes]:
        """Raises KeyDestroyed."""
        name = (data_key_owner_of(row), row.livemode)
        if name not in self._held:
            self.fetch([row])
        if name not in self._held:
            raise KeyDestroyed(f"{name[0]} has no data key")
        return self._held[name]


def make_data_key(row: Any) -> None:
    """The key of a new subject, made in the transaction that inserts it."""
    _make(data_key_owner_of(row), row.livemode)


def destroy_data_key(row: Any) -> str:
    """Destroy the key of a subject, and with it whatever it sealed, anywhere. Gives the key's id."""
    owner = data_key_owner_of(row)
    if owner == owner_of(row):
        raise ValueError(f"{owner} is no subject: its key seals more than this row")
    key = DataKey.objects.get(owner=owner, livemode=row.livemode)
    key_id = str(key.pk)
    key.delete()
    return key_id


def seal(row: Any, column: str, plaintext: str | bytes, *, keys: SubjectKeys | None = None) -> None:
    """Set `row.column` to the ciphertext; the row needs its id, merchant and mode, and is not saved here.

    Raises KeyDestroyed for a row of a subject that has no key.
    """
    data = plaintext.encode() if isinstance(plaintext, str) else plaintext
    key_id, key = _data_key(row, keys)
    setattr(
        row,
        column,
        key_id.encode() + b"." + crypto.seal(data, key=key, context=_context(row, column, key_id)),
    )


def unseal(row: Any, column: str, *, keys: SubjectKeys | None = None) -> bytes:
    """The plaintext. Raises core.crypto.CannotOpen when the bytes were moved or altered, KeyDestroyed when erased."""
    sealed = bytes(getattr(row, column))
    key_id, _, body = sealed.partition(b".")
    key = _key_by_id(key_id.decode(), row, keys)
    return crypto.unseal(body, key=key, context=_context(row, column, key_id.decode()))


def unseal_secret(row: Any, column: str) -> Secret:
    return Secret(unseal(row, column).decode())


def fingerprints(kind: str, scope: str, value: str, *, livemode: bool) -> list[str]:
    """For looking up a sealed value, under every master key; the first is the one to store."""
    return ring().keyed_hashes(Purpose.FINGERPRINT, kind, scope, value, livemode=livemode)


def fingerprint(kind: str, scope: str, value: str, *, livemode: bool) -> str:
    held: crypto.KeyRing = settings.KEY_RING
    return held.keyed_hash(Purpose.FINGERPRINT, kind, scope, value, livemode=livemode)


def token_hash(token: str, *, livemode: bool) -> str:
    """What is stored of a path token."""
    held: crypto.KeyRing = settings.KEY_RING
    return held.keyed_hash(Purpose.PATH_TOKEN, token, livemode=livemode)


def token_hashes(token: str) -> list[str]:
    """Every form in which a path token, whose mode its caller does not say, may be stored."""
    held = ring()
    return [hashed for mode in (True, False) for hashed in held.keyed_hashes(Purpose.PATH_TOKEN, token, livemode=mode)]


def forget() -> None:
    """Look every data key up again, as a process that has just started does."""
    _unwrapped.clear()


def _context(row: Any, column: str, key_id: str) -> str:
    mode = "live" if row.livemode else "test"
    return f"{key_id}:{row._meta.db_table}:{column}:{row.pk}:{owner_of(row)}:{mode}"


def _data_key(row: Any, keys: SubjectKeys | None) -> tuple[str, bytes]:
    """A subject's data key; a merchant's is made on first use."""
    owner = owner_of(row)
    if data_key_owner_of(row) != owner:
        return (keys or SubjectKeys()).of(row)
    return _remembered(("owner", owner, row.livemode), lambda: _find_or_make(owner, row.livemode))


def _key_by_id(key_id: str, row: Any, keys: SubjectKeys | None) -> bytes:
    owner = owner_of(row)
    if data_key_owner_of(row) == owner:
        return _remembered((key_id, owner, row.livemode), lambda: _find(key_id, owner, row.livemode))[1]
    held_id, key = (keys or SubjectKeys()).of(row)
    if held_id != key_id:
        raise KeyDestroyed(f"data key {key_id} does not exist")
    return key


def _remembered(name: tuple[str, str, bool], find: Callable[[], tuple[str, bytes]]) -> tuple[str, bytes]:
    """Unwrapped keys are kept in memory for a while, but never one that a rollback could still take away."""
    held = _unwrapped.get(name)
    if held is not None and held[0] > time.monotonic():
        return held[1]
    found = find()
    if not connection.in_atomic_block:
        _unwrapped[name] = time.monotonic() + REMEMBERED_SECONDS, found
    return found


def _find_or_make(owner: str, livemode: bool) -> tuple[str, bytes]:
    held = DataKey.objects.filter(owner=owner, livemode=livemode, retired_at=None).first() or _make(owner, livemode)
    return held.pk, unwrap(held)


def _find(key_id: str, owner: str, livemode: bool) -> tuple[str, bytes]:
    held = DataKey.objects.filter(pk=key_id, owner=owner, livemode=livemode).first()
    if held is None:
        raise crypto.CannotOpen(f"data key {key_id} of {owner} does not exist")
    return held.pk, unwrap(held)


def _make(owner: str, livemode: bool) -> DataKey:
    made = DataKey(owner=owner, livemode=livemode)
    wrap(made, crypto.new_key())
    try:
        with transaction.atomic():
            made.save(force_insert=True)
    except IntegrityError:
        return DataKey.objects.get(owner=owner, livemode=livemode, retired_at=None)
    return made
