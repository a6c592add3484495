"""Tokens of the screens in a store: read-only, of one store, short-lived, kept as a hash (security.md 15)."""

import secrets
from collections.abc import Callable
from datetime import datetime, timedelta

from django.db import transaction

from core import clock
from core.crypto import Purpose, Secret
from core.database import insert_all
from core.errors import Conflict, LimitReached
from events import audit, keys, rotation
from merchants.models import DisplayToken, Store

LIFETIME, LONGEST = timedelta(days=1), timedelta(days=7)
MOST_PER_STORE = 100

Insert = Callable[[DisplayToken], None]


def create_token(
    store: Store, *, name: str, lifetime: timedelta, by: str, insert: Insert = insert_all
) -> tuple[DisplayToken, Secret]:
    """The token's row, and the token itself: 256 random bits, given out here and never again. Raises LimitReached."""
    presented = Secret(f"{_prefix(store.livemode)}{secrets.token_hex(32)}")
    token = DisplayToken(
        store=store,
        merchant_id=store.merchant_id,
        livemode=store.livemode,
        name=name,
        hash=_hashes(presented.reveal(), livemode=store.livemode)[0],
        last_four=presented.reveal()[-4:],
        expires_at=clock.now() + lifetime,
    )
    with transaction.atomic():
        _demand_room(store)
        insert(token)
        _record(token, "display_token.created", by, expires_at=clock.rfc3339(token.expires_at))
    return token, presented


def rotate_token(
    token: DisplayToken, *, lifetime: timedelta, overlap: timedelta, by: str, insert: Insert = insert_all
) -> tuple[DisplayToken, Secret]:
    """A token in the place of this one, which itself ends after the overlap, or at its own end where that is earlier.

    Raises Conflict for a token that is not current, and LimitReached.
    """
    with transaction.atomic():
        held = DisplayToken.objects.select_for_update(of=("self",)).select_related("store").get(pk=token.pk)
        if not held.is_current:
            raise Conflict(f"{token.pk} is revoked or has expired. Create a token instead.")
        ends_at: datetime = min(held.expires_at, clock.now() + overlap)
        DisplayToken.objects.filter(pk=held.pk).update(expires_at=ends_at)
        made = create_token(held.store, name=held.name, lifetime=lifetime, by=by, insert=insert)
        _record(held, "display_token.rotated", by, successor=made[0].pk, ends_at=clock.rfc3339(ends_at))
    return made


def revoke_token(token: DisplayToken, *, by: str) -> None:
    """Refused from its next use on. Twice is the same as once."""
    with transaction.atomic():
        if DisplayToken.objects.filter(pk=token.pk, revoked_at=None).update(revoked_at=clock.now()):
            _record(token, "display_token.revoked", by)


def find(presented: str, *, store: str) -> DisplayToken | None:
    """The current token that a screen presents for this very store, with its store; None for whatever else it is."""
    livemode = presented.startswith(_prefix(True))
    if not presented.startswith(_prefix(livemode)) or len(presented) > 100:
        return None
    rows = DisplayToken.objects.select_related("store__merchant").filter(
        hash__in=_hashes(presented, livemode=livemode), store=store, livemode=livemode
    )
    token = rows.first()
    usable = token is not None and token.is_current and token.store.is_enabled and token.store.merchant.is_active
    return token if usable else None


def _prefix(livemode: bool) -> str:
    return "display_live_" if livemode else "display_test_"


def _hashes(presented: str, *, livemode: bool) -> list[str]:
    return keys.ring().keyed_hashes(Purpose.DISPLAY, presented, livemode=livemode)


def _demand_room(store: Store) -> None:
    """Two that are added at once are counted one after the other: the store's row is locked first."""
    Store.objects.select_for_update(no_key=True).get(pk=store.pk)
    current = DisplayToken.objects.filter(store=store, revoked_at=None, expires_at__gt=clock.now())
    if current.count() >= MOST_PER_STORE:
        raise LimitReached(f"A store has at most {MOST_PER_STORE} current display tokens.")


def _record(token: DisplayToken, action: str, by: str, **detail: object) -> None:
    audit.record(
        actor=by,
        action=action,
        merchant=token.merchant_id,
        livemode=token.livemode,
        object_id=token.pk,
        detail={"store": token.store_id, **detail},
    )


rotation.register(rotation.Kept("display tokens", DisplayToken.objects.count))
