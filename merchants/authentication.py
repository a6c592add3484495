"""Who calls the API: keys, scopes, addresses, rate limits, and the audit of each (api.md, security.md 6, 7)."""

from dataclasses import dataclass, field
from datetime import timedelta
from functools import lru_cache
from typing import Any

from django.conf import settings
from django.db import connection
from rest_framework.authentication import BaseAuthentication
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from core import addresses, clock
from core.crypto import Purpose
from core.database import columns_of, read
from core.errors import Forbidden, RateLimited, Unauthorized
from events import audit, keys
from merchants import limits
from merchants.models import ApiKey, Merchant
from merchants.request_log import facts_of

_USE_IS_NOTED_EVERY = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Caller:
    """The key behind a request, and what the answer's headers say of its limit."""

    key: ApiKey
    address: str
    headers: dict[str, str] = field(default_factory=dict)

    is_authenticated = True

    @property
    def merchant(self) -> Merchant:
        return self.key.merchant

    @property
    def livemode(self) -> bool:
        return self.key.livemode

    @property
    def actor(self) -> str:
        return str(self.key.pk)


def key_hash(presented: str) -> str:
    """The keyed hash under which a key is stored; its mode stands in the key itself."""
    return _hashes(presented)[0]


def _hashes(presented: str) -> list[str]:
    return keys.ring().keyed_hashes(Purpose.API_KEY, presented, livemode=presented.startswith("sk_live_"))


class ApiKeyAuthentication(BaseAuthentication):
    """`Authorization: Bearer sk_…` or `X-API-Key: sk_…`. One answer for unknown, expired and revoked."""

    def authenticate(self, request: Request) -> tuple[Caller, ApiKey]:
        address = addresses.client_address(request.META, trusted_proxies=settings.TRUSTED_PROXIES)
        key = _find(_presented(request))
        if key is None:
            raise _refuse_unknown(address)
        fault = _fault(key, address)
        if fault:
            raise _refuse_known(request, key, address, fault)
        caller = Caller(key, address, _limited(request, key, address))
        _note_use(key, address)
        return caller, key

    def authenticate_header(self, request: Request) -> str:
        return "Bearer"


def _presented(request: Request) -> str:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    return str(token.strip() if scheme.lower() == "bearer" else request.headers.get("X-API-Key", ""))


def _find(presented: str) -> ApiKey | None:
    if not presented.startswith("sk_") or len(presented) > 200:
        return None
    with connection.cursor() as cursor:
        cursor.execute(_statement(), [_hashes(presented)])
        found = cursor.fetchone()
    if found is None:
        return None
    width = len(ApiKey._meta.concrete_fields)
    key = read(ApiKey, found[:width])
    key.merchant = read(Merchant, found[width:])
    return key


@lru_cache(maxsize=1)
def _statement() -> str:
    """Of every request's cost the ORM took a fifth to write this anew."""
    columns = f"{columns_of(ApiKey, 'k')}, {columns_of(Merchant, 'm')}"
    return (
        f"SELECT {columns} FROM {ApiKey._meta.db_table} k JOIN {Merchant._meta.db_table} m ON m.id = k.merchant_id "  # noqa: S608  (names from models)
        "WHERE k.hash = ANY(%s) LIMIT 1"
    )


def _refuse_unknown(address: str) -> Unauthorized:
    """A flood is limited by address before it is counted, and counted rather than stored."""
    _limit_refusals(address)
    audit.count_refused("unknown_key", address)
    return _unauthorized()


def _limit_refusals(address: str) -> None:
    """Alike for every key that is refused: else the limit would tell a key that once was good from one that never was,
    and whoever holds the former could fill the audit log."""
    limits.check(settings.RATE_LIMIT_PER_ADDRESS, "address", addresses.block(address))


def _refuse_known(request: Request, key: ApiKey, address: str, fault: str) -> Unauthorized:
    _limit_refusals(address)
    _record_or_count(request, key, address, fault, status=Unauthorized.status)
    return _unauthorized()


def _fault(key: ApiKey, address: str) -> str:
    if key.revoked_at is not None:
        return "revoked"
    if not key.is_current:
        return "expired"
    if not key.merchant.is_active:
        return "merchant_inactive"
    if key.allowed_addresses and not addresses.is_listed(address, key.allowed_addresses):
        return "address_not_allowed"
    return ""


def _limited(request: Request, key: ApiKey, address: str) -> dict[str, str]:
    try:
        headers = limits.check(settings.RATE_LIMIT_PER_KEY, "key", key.pk)
        limits.check(settings.RATE_LIMIT_PER_MERCHANT, "merchant", key.merchant_id, "live" if key.livemode else "test")
        return headers
    except RateLimited:
        _record_or_count(request, key, address, "rate_limited", status=RateLimited.status)
        raise


def _unauthorized() -> Unauthorized:
    return Unauthorized("The API key is missing or not current. Send it as `Authorization: Bearer sk_…`.")


def _record_or_count(request: Request, key: ApiKey, address: str, reason: str, *, status: int) -> None:
    """A flood leaves some rows a minute, and then one that counts (security.md 6)."""
    try:
        limits.check(settings.REFUSALS_RECORDED_PER_KEY, "refusal", key.pk)
    except RateLimited:
        audit.count_refused(reason, address)
    else:
        _record_refusal(request, key, address, reason, status=status)


def _record_refusal(request: Request, key: ApiKey, address: str, reason: str, *, status: int, **detail: str) -> None:
    audit.record(
        actor=key.pk,
        action="api.refused",
        merchant=key.merchant_id,
        livemode=key.livemode,
        address=address,
        request=facts_of(request, status=status),
        detail={"reason": reason, **detail},
    )


def _note_use(key: ApiKey, address: str) -> None:
    """When and from where a key was last used, written at most once a minute."""
    now = clock.now()
    if key.last_used_at is None or now - key.last_used_at >= _USE_IS_NOTED_EVERY:
        ApiKey.objects.filter(pk=key.pk).update(last_used_at=now, last_used_address=address)


class HasScope(BasePermission):
    """Each view names the scope that each method needs: `scopes = {"GET": "payments:read", …}`.

    A method that it has and names no scope for is for nobody; one that it has not is answered 405 afterwards.
    """

    def has_permission(self, request: Request, view: Any) -> bool:
        scope = _scope_of(view, str(request.method))
        caller: Caller = request.user  # type: ignore[assignment]  # our authentication gives no other
        if scope in caller.key.scopes or not hasattr(view, str(request.method).lower()):
            return True
        status = Forbidden.status
        _record_refusal(request, caller.key, caller.address, "scope_missing", status=status, scope=scope)
        raise Forbidden(f"This key lacks the scope {scope}.", param=scope)


def _scope_of(view: Any, method: str) -> str:
    """What a view can do is told to whoever may read there, or do anything where there is nothing to read."""
    scopes: dict[str, str] = view.scopes
    if method not in ("HEAD", "OPTIONS"):
        return scopes.get(method, "")
    return scopes.get("GET") or next(iter(scopes.values()), "")
