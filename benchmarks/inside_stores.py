"""What `benchmarks.hand` does for `broadcast` and `displays`: stores with screens, and something that happens there."""

import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.db import transaction

from benchmarks.inside import BY
from core import clock, ids
from events import outbox
from events.models import Event
from merchants import display_tokens, services, stores
from merchants.models import Merchant, Store
from merchants.scopes import known
from payments.store_events import channel_of


def counter(*, host: str) -> dict[str, Any]:
    """A merchant who takes QRIS codes at that host in one store: its key, and what follows the store."""
    merchant = services.create_merchant(name="Counter", by=BY)
    _, key = services.create_api_key(merchant=merchant, name="load", owner="load", scopes=list(known()), by=BY)
    services.create_provider_account(
        merchant=merchant,
        provider="midtrans",
        name=host,
        host=host,
        credentials={"server_key": f"SB-Mid-server-{host}"},
        by=BY,
    )
    ((store, token),) = _screens(merchant, stores_wanted=1, screens=1)
    return {"key": key.reveal(), "store": store, "token": token, "channel": channel_of(store)}


def displays(*, stores: int, screens: int) -> dict[str, Any]:
    """So many stores with so many screens each: the store and the token of every screen."""
    merchant = services.create_merchant(name="Displays", by=BY)
    return {"screens": _screens(merchant, stores_wanted=stores, screens=screens)}


def _screens(merchant: Merchant, *, stores_wanted: int, screens: int) -> list[list[str]]:
    made = []
    for number in range(stores_wanted):
        store = stores.create_store(merchant=merchant, livemode=False, by=BY, name=f"Store {number}", zone="UTC")
        made += [[store.pk, _token(store)] for _ in range(screens)]
    return made


def _token(store: Store) -> str:
    return display_tokens.create_token(store, name="screen", lifetime=timedelta(days=1), by=BY)[1].reveal()


def happen(*, store: str) -> dict[str, Any]:
    """One event of a store, committed, then given its position and published. `at` is from when it was committed."""
    merchant = Store.objects.get(pk=store).merchant_id
    with transaction.atomic():
        event = Event.objects.create(
            merchant=merchant,
            livemode=False,
            type="payment.succeeded",
            subject=ids.new_id("pay"),
            sequence=1,
            store=store,
            data={"order": None, "amount": 25_000, "currency": "IDR", "state": "succeeded"},
            api_version="2026-11-20",
            created_at=clock.now(),
        )
    at = time.monotonic()
    while outbox.dispatch():
        pass
    event.refresh_from_db()
    return {"at": at, "position": event.position}


def behind() -> dict[str, Any]:
    """How far each reader of the outbox has still to go."""
    return {"behind": outbox.behind()}


COMMANDS: dict[str, Callable[..., dict[str, Any]]] = {
    command.__name__: command for command in (counter, displays, happen, behind)
}
