"""The ring of master keys as the house uses it: what the settings hold, and what was inherited from earlier keys."""

from django.conf import settings

from core import crypto
from core.crypto import KeyRing, Purpose
from core.database import insert_ignoring
from events.models import DataKey, InheritedKey

OUTLIVING = (
    Purpose.API_KEY,
    Purpose.AUDIT,
    Purpose.DISPLAY,
    Purpose.FINGERPRINT,
    Purpose.PATH_TOKEN,
    Purpose.REQUEST,
)
"""Purposes whose keyed hashes lie in rows that may outlive their master key."""

Wrapped = DataKey | InheritedKey

_complete: tuple[KeyRing, KeyRing] | None = None


def ring() -> KeyRing:
    """The settings' ring with every inherited key: look-ups try those too. Read once in a process.

    Whatever a process must inherit was written before its ring lost the master key, so once is enough.
    """
    global _complete
    held: KeyRing = settings.KEY_RING
    if _complete is None or _complete[0] is not held:
        _complete = held, KeyRing(held.keys, inherited=_inherited(held))
    return _complete[1]


def _inherited(held: KeyRing) -> dict[tuple[str, Purpose, bool], bytes]:
    rows = InheritedKey.objects.exclude(from_key__in=held.keys)
    return {(row.from_key, Purpose(row.purpose), row.livemode): unwrap(row) for row in rows}


def inherit(key_id: str) -> None:
    """Keep the derived keys of a master key on the ring for the time after it, wrapped by the active one."""
    held: KeyRing = settings.KEY_RING
    for purpose in OUTLIVING:
        for livemode in (True, False):
            row = InheritedKey(from_key=key_id, purpose=purpose, livemode=livemode)
            wrap(row, held.derive(purpose, livemode=livemode, key_id=key_id))
            insert_ignoring(row)


def wrap(row: Wrapped, key: bytes) -> None:
    """Set the row's ciphertext, under the active master key; the row is not saved here."""
    held: KeyRing = settings.KEY_RING
    row.master_key = held.active
    row.wrapped = crypto.seal(key, key=_wrapping(row), context=row.context)


def unwrap(row: Wrapped) -> bytes:
    """Raises CannotOpen when the master key is not on the ring, or is another one of the same name."""
    return crypto.unseal(bytes(row.wrapped), key=_wrapping(row), context=row.context)


def _wrapping(row: Wrapped) -> bytes:
    held: KeyRing = settings.KEY_RING
    return held.derive(Purpose.WRAPPING, livemode=row.livemode, key_id=row.master_key)
