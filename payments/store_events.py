"""What the screens and tills of a store are told of its payments: ids, order, amount, state (security.md 5)."""

from typing import Any

import orjson

from core import clock
from events.models import Event

CHANNEL = "order:channel:"
EVERY_CHANNEL = f"{CHANNEL}store_*"


def channel_of(store: str) -> str:
    """The Redis channel on which a store's events are published."""
    return f"{CHANNEL}{store}"


def message(event: Event) -> dict[str, Any]:
    """What is told of an event of a store. `id` is its position: later ones are higher, and none comes twice."""
    order = event.data["order"]
    return {
        "id": event.position,
        "type": event.type,
        "payment": event.subject,
        "order": {"source": order["source"], "id": order["id"]} if order else None,
        "store": event.store,
        "amount": event.data["amount"],
        "currency": event.data["currency"],
        "state": event.data["state"],
        "at": clock.rfc3339(event.created_at),
    }


def encoded(event: Event) -> bytes:
    """The message as it is published and streamed: JSON on one line."""
    return orjson.dumps(message(event))
