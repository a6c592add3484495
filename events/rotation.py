"""Master keys rotated while everything serves: data keys are wrapped anew, hashes made anew, the rest inherited.

The house registers what it can hash anew, because it holds the sealed original, and what it cannot.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import cast

from django.conf import settings

from core.crypto import CannotOpen, KeyRing
from events import keys
from events.keys import Wrapped
from events.models import AuditEntry, DataKey, IdempotencyKey, InheritedKey

WRAPPED: tuple[type[Wrapped], ...] = (DataKey, InheritedKey)


class WrongRing(Exception):
    """The master keys in the settings are not those that a rotation needs; says what to change."""


@dataclass(frozen=True, slots=True)
class Hashed:
    """Rows that carry a hash under a master key. `rekey` hashes anew what it can and says how many rows changed."""

    name: str
    rekey: Callable[[], int]


@dataclass(frozen=True, slots=True)
class Kept:
    """Rows whose hash cannot be made anew, because nobody holds what was hashed; `count` counts them all."""

    name: str
    count: Callable[[], int]


_hashed: dict[str, Hashed] = {}
_kept: dict[str, Kept] = {}


def register(part: Hashed | Kept) -> None:
    if isinstance(part, Hashed):
        _hashed[part.name] = part
    else:
        _kept[part.name] = part


def hashed() -> list[Hashed]:
    return list(_hashed.values())


def kept() -> list[Kept]:
    return list(_kept.values())


def earlier_keys(*, named: Sequence[str] = ()) -> list[str]:
    """The master keys to rotate away from. Raises WrongRing, before anything is changed.

    `named` are keys that the caller knows to have been in use, though no data key was ever wrapped by them.
    """
    ring: KeyRing = settings.KEY_RING
    _refuse_missing(ring)
    left = set(InheritedKey.objects.values_list("from_key", flat=True))
    if ring.active in left:
        raise WrongRing(
            f"{ring.active!r} stands first in MASTER_KEYS, but was rotated away from. Put the new key first."
        )
    for unknown in set(named) - set(ring.keys):
        raise WrongRing(f"{unknown!r} is not in MASTER_KEYS.")
    earlier = [key_id for key_id in ring.keys if key_id != ring.active]
    _refuse_unused(ring, set(earlier) - left - _in_use() - set(named))
    return earlier


def _in_use() -> set[str]:
    return {
        key_id for model in WRAPPED for key_id in model._default_manager.values_list("master_key", flat=True).distinct()
    }


def _refuse_missing(ring: KeyRing) -> None:
    for missing in sorted(_in_use() - set(ring.keys)):
        count = sum(uses(missing).values())
        raise WrongRing(
            f"{count} data keys are wrapped by the master key {missing!r}, which is not in MASTER_KEYS. Put it back "
            "behind the active key and run this again: what they seal cannot be opened without it."
        )


def _refuse_unused(ring: KeyRing, unused: set[str]) -> None:
    for key_id in sorted(unused):
        raise WrongRing(
            f"Nothing was ever wrapped by {key_id!r}, which stands behind {ring.active!r} in MASTER_KEYS. If it is the "
            f"new key, put it first. If it was in use before {ring.active!r}, say so: --from {key_id}."
        )


def uses(key_id: str) -> dict[str, int]:
    """How many rows are wrapped by a master key, by the table's name."""
    return {
        str(model._meta.verbose_name_plural): model._default_manager.filter(master_key=key_id).count()
        for model in WRAPPED
    }


def rewrap(*, batch: int, pause: float) -> Iterator[int]:
    """Wrap everything by the active master key, a batch at a time; yields how many rows each batch changed.

    Each row is changed by itself and only from what was read, so a run that was killed is simply run again.
    Raises WrongRing for a key of the right name with other bytes.
    """
    ring: KeyRing = settings.KEY_RING
    for model in WRAPPED:
        waiting = model._default_manager.exclude(master_key=ring.active).order_by("pk")
        while rows := cast("list[Wrapped]", list(waiting[:batch])):
            yield sum(_rewrap(row) for row in rows)
            time.sleep(pause)


def _rewrap(row: Wrapped) -> int:
    before = row.master_key
    try:
        plain = keys.unwrap(row)
    except CannotOpen as fault:
        raise WrongRing(
            f"MASTER_KEYS holds other bytes under the name {before!r} than those that wrapped {row.context}. "
            "Give the key its right bytes and run this again."
        ) from fault
    keys.wrap(row, plain)
    held = type(row)._default_manager.filter(pk=row.pk, master_key=before)
    return held.update(wrapped=row.wrapped, master_key=row.master_key)


register(Kept("idempotency keys", IdempotencyKey.objects.count))
register(Kept("audit entries", AuditEntry.objects.count))
