"""What PayPal remembers: orders, what was paid for them, events, subscriptions. And how it shows them.

Source: PayPal's OpenAPI files (order, capture, authorization, refund, link_description).
"""

from __future__ import annotations

import random
import string
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from simulators.memory import Memory, Table
from simulators.paypal.errors import not_found

JSON = dict[str, Any]
LETTERS = string.digits + string.ascii_uppercase
PAYER = "SAMPLEPAYER01"
SAVED = ("setup", "token")
PATHS = {"capture": "captures", "authorization": "authorizations", "refund": "refunds"}
SHOWN_UNIT = ("reference_id", "custom_id", "invoice_id", "description", "soft_descriptor", "amount", "items")


@dataclass
class Cause:
    """A call, or what happens without one; it gathers the events that are sent once the lock is free."""

    app: str
    origin: str = ""
    key: str = ""
    callback_mode: str = ""
    mock_issue: str = ""
    events: list[tuple[str, str, JSON]] = field(default_factory=list)


class Books:
    """Whoever reads or changes a row holds `lock`. Rows are plain JSON, so that they outlive the process.

    An order is {"id", "app", "key", "document", "return_url", "cancel_url", "refuses", "created"}; a payment
    {"id", "kind", "app", "key", "order", "parent", "document"}.
    """

    def __init__(self, memory: Memory) -> None:
        self.lock = threading.RLock()
        self.orders: Table[JSON] = memory.table("orders")
        self.payments: Table[JSON] = memory.table("payments")
        self.events: Table[JSON] = memory.table("events")
        self.subscriptions: Table[JSON] = memory.table("subscriptions")
        self.vault: Table[JSON] = memory.table("vault")
        # So that no call has to look through everything: payments by order, and orders by app and paid invoice.
        self._by_order: dict[str, list[JSON]] = {}
        self._paying: dict[tuple[str, str], str] = {}
        for row in self.payments.rows():
            self._index(row)

    def _index(self, row: JSON) -> None:
        self._by_order.setdefault(row["order"], []).append(row)
        invoice = row["document"].get("invoice_id")
        if invoice and row["kind"] != "refund":
            self._paying.setdefault((row["app"], invoice), row["order"])

    def order_paying(self, app: str, invoice: str) -> str:
        """The order that has paid this invoice; empty when none has."""
        return self._paying.get((app, invoice), "")

    def clear(self) -> None:
        with self.lock:
            for table in (self.orders, self.payments, self.events, self.subscriptions, self.vault):
                table.clear()
            self._by_order.clear()
            self._paying.clear()

    def order(self, app: str, id: str) -> JSON:
        return _own(self.orders.get(id), app)

    def payment(self, app: str, kind: str, id: str) -> JSON:
        row = _own(self.payments.get(id), app)
        if row["kind"] != kind:
            raise not_found()
        return row

    def saved(self, app: str, kind: str, id: str) -> JSON:
        """A setup or payment token."""
        row = _own(self.vault.get(id), app)
        if row["kind"] != kind:
            raise not_found()
        return row

    def find(self, id: str) -> JSON | None:
        return self.orders.get(id) or self.payments.get(id) or self.vault.get(id)

    def keep(self, row: JSON) -> JSON:
        row["document"]["update_time"] = now()
        kind = row.get("kind")
        (self.orders if kind is None else self.vault if kind in SAVED else self.payments).put(row["id"], row)
        return row

    def add(self, kind: str, cause: Cause, order: JSON, parent: str, document: JSON) -> JSON:
        made = new_id()
        stamped = {"id": made, **document, "create_time": now()}
        row = {
            "id": made,
            "kind": kind,
            "app": order["app"],
            "key": cause.key,
            "order": order["id"],
            "parent": parent,
            "document": stamped,
        }
        self._index(row)
        return self.keep(row)

    def of(self, order_id: str, kind: str) -> list[JSON]:
        return [row for row in self._by_order.get(order_id, []) if row["kind"] == kind]

    def under(self, above: JSON, kind: str) -> list[JSON]:
        """What was made of an authorization or a capture."""
        return [row for row in self.of(above["order"], kind) if row["parent"] == above["id"]]

    # How it is shown

    def order_view(self, order: JSON, origin: str) -> JSON:
        units = [{name: unit[name] for name in SHOWN_UNIT if name in unit} for unit in order["document"]["units"]]
        for place, unit in enumerate(units):
            payments = dict(self._payments_of(order, str(place), origin))
            if payments:
                unit["payments"] = payments
        document = {name: value for name, value in order["document"].items() if name != "units"}
        return document | {"purchase_units": units, "links": self.order_links(order, origin)}

    def _payments_of(self, order: JSON, place: str, origin: str) -> Iterator[tuple[str, list[JSON]]]:
        """Of one purchase unit, by kind."""
        for kind, name in PATHS.items():
            rows = [row for row in self.of(order["id"], kind) if row["document"].get("unit", "0") == place]
            if rows:
                yield name, [self.payment_view(row, origin) for row in rows]

    def order_links(self, order: JSON, origin: str) -> list[JSON]:
        itself, status = f"{origin}/v2/checkout/orders/{order['id']}", order["document"]["status"]
        links = [link(itself, "self")]
        if status == "PAYER_ACTION_REQUIRED":
            links.append(link(approval_page(order, origin), "payer-action"))
        if status == "CREATED":
            links += [link(approval_page(order, origin), "approve"), link(itself, "update", "PATCH")]
        if status in ("CREATED", "APPROVED"):
            verb = "capture" if order["document"]["intent"] == "CAPTURE" else "authorize"
            links.append(link(f"{itself}/{verb}", verb, "POST"))
        return links

    def payment_view(self, row: JSON, origin: str) -> JSON:
        shown = {name: value for name, value in row["document"].items() if name != "unit"}
        return shown | {"links": self.payment_links(row, origin)}

    def payment_links(self, row: JSON, origin: str) -> list[JSON]:
        base = f"{origin}/v2/payments"
        itself = f"{base}/{PATHS[row['kind']]}/{row['id']}"
        above = self.payments.get(row["parent"])
        up = f"{base}/{PATHS[above['kind']]}/{above['id']}" if above else f"{origin}/v2/checkout/orders/{row['order']}"
        verbs = {"capture": ("refund",), "authorization": ("capture", "void", "reauthorize"), "refund": ()}
        ways = [link(f"{itself}/{verb}", verb, "POST") for verb in verbs[row["kind"]]]
        return [link(itself, "self"), *ways, link(up, "up")]


def _own(row: JSON | None, app: str) -> JSON:
    if row is None or row["app"] != app:
        raise not_found()
    return row


def approval_page(order: JSON, origin: str) -> str:
    return f"{origin}/_simulator/checkoutnow?token={order['id']}"


def link(href: str, rel: str, method: str = "GET") -> JSON:
    return {"href": href, "rel": rel, "method": method}


def reversal_id(capture: JSON) -> str:
    """The id of what PayPal takes back by itself, of a capture."""
    return str(capture["id"])[::-1]


def new_id() -> str:
    return "".join(random.choices(LETTERS, k=17))


def now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
