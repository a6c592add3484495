"""How a saved method looks from outside: in answers, and in events without what could be acted on."""

from typing import Any

from core import clock
from payments.models import SavedMethod


def present_saved_method(saved: SavedMethod) -> dict[str, Any]:
    """The saved method as the API shows it to the merchant whose it is."""
    return {
        "id": saved.pk,
        "object": "saved_method",
        "state": saved.state,
        "customer": saved.customer_id,
        "method": saved.method,
        "provider": saved.account.provider,
        "account": saved.account_id,
        "is_default": saved.is_default,
        "card": _card(saved),
        "payer_hint": saved.payer_hint or None,
        "provider_id": saved.provider_id or None,
        "provider_status": saved.provider_status or None,
        "next_action": saved.next_action,
        "failure": {"code": saved.failure_code, "message": saved.failure_message} if saved.failure_code else None,
        "return_url": saved.return_url or None,
        "metadata": saved.metadata,
        "livemode": saved.livemode,
        "created_at": clock.rfc3339(saved.created_at),
    }


def saved_method_snapshot(saved: SavedMethod) -> dict[str, Any]:
    """As events carry it: no address where anybody could act on it, and of a card only its month and brand."""
    shown = present_saved_method(saved)
    action, card = shown["next_action"], shown["card"]
    return {
        **shown,
        "card": {**card, "last4": None, "fingerprint": None} if card else None,
        "payer_hint": None,
        "next_action": {"type": action["type"]} if action else None,
    }


def _card(saved: SavedMethod) -> dict[str, Any] | None:
    """What may be shown of a card; None until the provider has told it."""
    if not saved.brand:
        return None
    return {
        "brand": saved.brand,
        "last4": saved.last4 or None,
        "exp_month": saved.exp_month,
        "exp_year": saved.exp_year,
        "fingerprint": saved.fingerprint or None,
    }
