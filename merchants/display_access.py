"""Who may follow a store: a display token, shown in a header; whatever else is refused, limited and counted."""

from collections.abc import Collection

from django.conf import settings

from core import addresses, clock
from core.errors import Unauthorized
from events import audit
from merchants import display_tokens, limits
from merchants.models import DisplayToken
from merchants.request_log import ANSWERED

REVOKED, EXPIRED, STORE_DISABLED, MERCHANT_INACTIVE = (
    "token_revoked",
    "token_expired",
    "store_disabled",
    "merchant_inactive",
)
DETAILS = {
    REVOKED: "The display token was revoked. Give this screen another one.",
    EXPIRED: "The display token has expired. Give this screen another one.",
    STORE_DISABLED: "The store is switched off. The screen can come back when it is switched on.",
    MERCHANT_INACTIVE: "The merchant of this store is not active.",
}
"""Why an open stream ends, for the screen and whoever stands before it."""


class DisplayTokenRefused(Unauthorized):
    """The display token is missing, expired, revoked or of another store, or its store is switched off. One answer
    stands for all of these. API keys open no stream."""

    code, title = "display_token_refused", "The display token was not accepted"
    remedy = (
        "Send a current token of this very store as `Authorization: Bearer display_…`. "
        "`POST /v1/stores/{id}/display-tokens` makes one."
    )


def admit(authorization: str, *, store: str, address: str) -> DisplayToken:
    """The token of `Bearer display_…`, with its store, where it opens this one.

    Raises DisplayTokenRefused, with one answer for unknown, ended and another store's, and RateLimited.
    """
    scheme, _, presented = authorization.partition(" ")
    presented = presented.strip() if scheme.lower() == "bearer" else ""
    token = display_tokens.find(presented, store=store) if "\x00" not in store else None
    if token is None:
        limits.check(settings.RATE_LIMIT_PER_ADDRESS, "address", addresses.block(address))
        audit.count_refused("unknown_display_token", address)
        raise DisplayTokenRefused(_told(presented))
    limits.check(settings.RATE_LIMIT_PER_KEY, "display", token.pk)
    return token


def note_opened(token: DisplayToken, *, address: str) -> None:
    """Write down that a stream of its store was opened, as of every request with a key."""
    row = audit.entry(
        actor=token.pk,
        action=ANSWERED,
        merchant=token.merchant_id,
        livemode=token.livemode,
        object_id=token.store_id,
        address=address,
        request=audit.RequestFacts("GET", "/v1/stores/{store_id}/stream", 200),
    )
    audit.record_read(row)


def _told(presented: str) -> str:
    if presented.startswith("sk_"):
        return (
            "An API key opens no stream, and belongs on no screen. Make a display token of this store by "
            "`POST /v1/stores/{id}/display-tokens`, and send that."
        )
    return (
        "The display token is missing, not current, or of another store. Send it as "
        "`Authorization: Bearer display_…`, never in the address."
    )


def ended(tokens: Collection[str]) -> dict[str, str]:
    """Of these tokens, by id, those that open their store no longer, each with the word that says why."""
    rows = DisplayToken.objects.filter(pk__in=tokens).select_related("store__merchant")
    found = {token.pk: _fault(token) for token in rows}
    return {token: fault for token in tokens if (fault := found.get(token, REVOKED))}


def _fault(token: DisplayToken) -> str:
    if token.revoked_at is not None:
        return REVOKED
    if token.expires_at <= clock.now():
        return EXPIRED
    if not token.store.is_enabled:
        return STORE_DISABLED
    return "" if token.store.merchant.is_active else MERCHANT_INACTIVE
