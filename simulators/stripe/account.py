"""One Stripe account: everything that one secret key can see."""

from __future__ import annotations

import hashlib
import random
import threading
from dataclasses import dataclass, field
from typing import Any

from simulators.memory import Memory, Table
from simulators.stripe.errors import missing
from simulators.stripe.form import Parameters
from simulators.stripe.idempotency import IdempotencyKeys
from simulators.stripe.objects import LETTERS, balance_transaction, new_id, now
from simulators.stripe.settings import StripeSettings

JSON = dict[str, Any]
EVENTS_KEPT = 20_000
# What may be expanded or looked up, by the first letters of its id.
TABLES = {
    "pi": "payment_intents",
    "seti": "setup_intents",
    "cus": "customers",
    "ch": "charges",
    "re": "refunds",
    "pm": "payment_methods",
    "txn": "balance_transactions",
    "dp": "disputes",
    "evt": "events",
    "we": "webhook_endpoints",
}


@dataclass
class Cause:
    """Why something happens: the call behind it (none for clocks and the bank's page), and its events."""

    parameters: Parameters = field(default_factory=lambda: Parameters({}, ()))
    request_id: str | None = None
    idempotency_key: str | None = None
    version: str = ""
    origin: str = ""
    callback_mode: str = ""
    events: list[JSON] = field(default_factory=list)


class Account:
    """The tables of one account. Whoever reads and then changes them holds `lock`."""

    def __init__(self, memory: Memory, key: str, settings: StripeSettings) -> None:
        digest = hashlib.sha256(key.encode()).hexdigest()
        self.key, self.id = key, f"acct_1{digest[:15]}"
        self.settings = settings
        self.lock = threading.RLock()
        self.tables: dict[str, Table[JSON]] = {
            prefix: memory.table(f"{self.id}/{name}") for prefix, name in TABLES.items()
        }
        # What we must remember about an intent and Stripe does not show.
        self.notes: Table[JSON] = memory.table(f"{self.id}/notes")
        self.secrets: Table[str] = memory.table(f"{self.id}/webhook_secrets")
        self.idempotency_keys = IdempotencyKeys(memory, f"{self.id}/idempotency_keys")

    def get(self, id: str) -> JSON | None:
        table = self.tables.get(id.partition("_")[0])
        return table.get(id) if table else None

    def need(self, kind: str, id: str, *, param: str = "id", status: int = 404) -> JSON:
        """The object of that kind ("payment_intent", "refund", …), or StripeError resource_missing."""
        found = self.get(id)
        if found is None or found["object"] != kind:
            raise missing(kind, id, param, status)
        return found

    def keep(self, document: JSON) -> JSON:
        self.tables[document["id"].partition("_")[0]].put(document["id"], document)
        return document

    def book(self, source: JSON, amount: int, type: str) -> str:
        """A new line of the balance for a charge or refund; gives its id."""
        return str(self.book_line(source, amount, type)["id"])

    def book_line(self, source: JSON, amount: int, type: str, *, dispute_fee: int = 0) -> JSON:
        """The new line itself."""
        currency = self.settings.settlement_currency or source["currency"]
        rate = None if currency == source["currency"] else self.settings.settlement_rate
        line = balance_transaction(source, amount, type, currency=currency, rate=rate, dispute_fee=dispute_fee)
        return self.keep(line)

    def tell(self, cause: Cause, type: str, document: JSON, previous: JSON | None = None) -> None:
        """Record an event with a snapshot of the object; it is sent once the account is unlocked.

        Source: docs.stripe.com/api/events/object.
        """
        data: JSON = {"object": _snapshot(document)}
        if previous is not None:
            data["previous_attributes"] = previous
        event: JSON = {
            "id": new_id("evt"),
            "object": "event",
            "api_version": cause.version,
            "created": now(),
            "data": data,
            "livemode": False,
            "pending_webhooks": 0,
            "request": {"id": cause.request_id, "idempotency_key": cause.idempotency_key},
            "type": type,
        }
        events = self.tables["evt"]
        events.put(event["id"], event)
        if len(events) > EVENTS_KEPT and (oldest := events.oldest()):
            events.remove(oldest[0])
        cause.events.append(event)

    def new_webhook_secret(self) -> str:
        return "whsec_" + "".join(random.choices(LETTERS, k=32))

    def clear(self) -> None:
        with self.lock:
            for table in self.tables.values():
                table.clear()
            self.notes.clear()
            self.secrets.clear()
            self.idempotency_keys.clear()


def _snapshot(value: Any) -> Any:
    """A copy that no later change reaches; it shares the words, which are most of the memory."""
    if isinstance(value, dict):
        return {key: _snapshot(item) for key, item in value.items()}
    return [_snapshot(item) for item in value] if isinstance(value, list) else value
