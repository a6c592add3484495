"""How many of something a merchant may have at a time, in each mode: what one has must leave room for all."""

from django.conf import settings
from django.db.models import Q, QuerySet

from core import clock
from core.errors import LimitReached
from merchants.models import ApiKey, Merchant, WebhookEndpoint


def demand_room_for_endpoint(merchant: Merchant, *, livemode: bool) -> None:
    """Raises LimitReached. Belongs into the transaction that adds an enabled endpoint."""
    enabled = WebhookEndpoint.objects.filter(merchant=merchant, livemode=livemode, is_enabled=True)
    _demand_room(merchant, enabled, settings.ENDPOINTS_PER_MERCHANT, "enabled webhook endpoints")


def demand_room_for_key(merchant: Merchant, *, livemode: bool) -> None:
    """Raises LimitReached. Belongs into the transaction that adds a key."""
    unended = Q(expires_at=None) | Q(expires_at__gt=clock.now())
    current = ApiKey.objects.filter(unended, merchant=merchant, livemode=livemode, revoked_at=None)
    _demand_room(merchant, current, settings.KEYS_PER_MERCHANT, "current API keys")


def _demand_room(merchant: Merchant, rows: QuerySet[ApiKey] | QuerySet[WebhookEndpoint], most: int, what: str) -> None:
    """Two that are added at once are counted one after the other: the merchant's row is locked first."""
    Merchant.objects.select_for_update(no_key=True).get(pk=merchant.pk)
    if rows.count() >= most:
        raise LimitReached(f"A merchant has at most {most} {what} in each mode.")
