"""What a key may do to its merchant's keys: make and replace them, within its own bounds (money.md 17)."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction

from core import addresses, clock
from core.crypto import Secret
from core.errors import BeyondOwnKey, Conflict, FieldError, InvalidRequest
from events import audit
from merchants import caps, expiry, services
from merchants.models import ApiKey
from merchants.services import Insert

LONGEST_OVERLAP = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Grant:
    """What a key may do, until when (None: without end) and from which addresses (empty: any)."""

    scopes: frozenset[str]
    expires_at: datetime | None
    allowed_addresses: tuple[str, ...]

    @classmethod
    def of(cls, key: ApiKey, **changes: Any) -> "Grant":
        """That of a key, with what is given in its place."""
        held = {name: changes.get(name, getattr(key, name)) for name in cls.__slots__}
        return cls(frozenset(held["scopes"]), held["expires_at"], tuple(held["allowed_addresses"]))


def create_key(*, own: ApiKey, name: str, grant: Grant, insert: Insert) -> tuple[ApiKey, Secret]:
    """Another key, made by `own`, whose owner answers for this one too: whoever asks is who gets it.

    Raises BeyondOwnKey, LimitReached, and InvalidRequest for an end that has passed.
    """
    _check_end(grant)
    _check_within(Grant.of(own), grant)
    return _create(own=own, name=name, grant=grant, insert=insert)


def rotate_key(key: ApiKey, *, own: ApiKey, grant: Grant, overlap: timedelta, insert: Insert) -> tuple[ApiKey, Secret]:
    """A key in the place of `key`, which itself ends after the overlap, or at its own end where that is earlier.

    Raises BeyondOwnKey, LimitReached, InvalidRequest for an end that has passed, and Conflict for a key that is not
    current.
    """
    _check_end(grant)
    _check_within(Grant.of(own), grant)
    with transaction.atomic():
        held = ApiKey.objects.select_for_update(of=("self",)).get(pk=key.pk)
        if not held.is_current:
            raise Conflict(f"{key.pk} is revoked or has expired. Create a key instead.")
        made = _create(own=own, name=held.name, grant=grant, insert=insert, api_version=held.api_version)
        ends_at = min(filter(None, (held.expires_at, clock.now() + overlap)))
        ApiKey.objects.filter(pk=held.pk).update(expires_at=ends_at, noticed_days=expiry.passed_mark(ends_at))
        audit.record(
            actor=own.pk,
            action="api_key.rotated",
            merchant=held.merchant_id,
            livemode=held.livemode,
            object_id=held.pk,
            detail={"successor": made[0].pk, "ends_at": clock.rfc3339(ends_at)},
        )
    return made


def _create(*, own: ApiKey, name: str, grant: Grant, insert: Insert, api_version: str = "") -> tuple[ApiKey, Secret]:
    with transaction.atomic():
        caps.demand_room_for_key(own.merchant, livemode=own.livemode)
        return services.create_api_key(
            merchant=own.merchant,
            livemode=own.livemode,
            name=name,
            owner=own.owner,
            scopes=grant.scopes,
            expires_at=grant.expires_at,
            allowed_addresses=grant.allowed_addresses,
            api_version=api_version,
            by=own.pk,
            insert=insert,
        )


def _check_end(grant: Grant) -> None:
    if grant.expires_at is not None and grant.expires_at <= clock.now():
        raise InvalidRequest.naming([FieldError("/expires_at", "that moment has passed")])


def _check_within(own: Grant, asked: Grant) -> None:
    faults = []
    more = sorted(asked.scopes - own.scopes)
    approving = sorted(scope for scope in asked.scopes & own.scopes if scope.endswith(":approve"))
    if more:
        faults.append(FieldError("/scopes", f"your own key lacks {', '.join(more)}", BeyondOwnKey.code))
    if approving:
        told = f"{', '.join(approving)} is given by two of the staff, never by a key"
        faults.append(FieldError("/scopes", told, BeyondOwnKey.code))
    if own.expires_at is not None and (asked.expires_at is None or asked.expires_at > own.expires_at):
        told = f"your own key ends at {clock.rfc3339(own.expires_at)}"
        faults.append(FieldError("/expires_at", told, BeyondOwnKey.code))
    if not _lie_within(asked.allowed_addresses, own.allowed_addresses):
        told = f"your own key may be used from {', '.join(own.allowed_addresses)} only"
        faults.append(FieldError("/allowed_addresses", told, BeyondOwnKey.code))
    if faults:
        raise BeyondOwnKey.naming(faults)


def _lie_within(asked: Iterable[str], own: Iterable[str]) -> bool:
    """Whether every address that is asked for is one of one's own; none at all means any."""
    inner, outer = addresses.networks(asked), addresses.networks(own)
    if not outer:
        return True
    return bool(inner) and all(any(_contains(block, each) for block in outer) for each in inner)


def _contains(outer: addresses.Network, inner: addresses.Network) -> bool:
    return (
        outer.version == inner.version
        and outer.network_address <= inner.network_address  # type: ignore[operator]  # of one version
        and inner.broadcast_address <= outer.broadcast_address  # type: ignore[operator]
    )
