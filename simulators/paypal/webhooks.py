"""Subscriptions, events, signed deliveries, and PayPal's own word on whether an event is genuine.

Source: PayPal's OpenAPI file notifications_webhooks_v1 and developer.paypal.com/api/rest/webhooks.
"""

from __future__ import annotations

import base64
import json
import random
import re
import time
import uuid
import zlib
from collections.abc import Mapping
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding

from simulators.callbacks import Callback, Sender
from simulators.paypal import amounts, certificates
from simulators.paypal.books import LETTERS, Books, Cause, link, new_id, now
from simulators.paypal.errors import PaypalError, invalid, missing, not_found
from simulators.paypal.magic import MAGIC_AMOUNTS
from simulators.paypal.settings import PaypalSettings
from simulators.server import Answer, Request

JSON = dict[str, Any]
ALGORITHM = "SHA256withRSA"
OLD_SECONDS = 30 * 86_400
MOST_SUBSCRIPTIONS = 10
STRANGER = "https://certs.example"
FIELDS = {
    "auth_algo": 100,
    "cert_url": 500,
    "transmission_id": 50,
    "transmission_sig": 500,
    "transmission_time": 100,
    "webhook_id": 50,
}
RESOURCE_VERSIONS = {"checkout-order": "2.0", "capture": "2.0", "authorization": "2.0", "refund": "2.0"}


class Webhooks:
    def __init__(self, books: Books, settings: PaypalSettings, sender: Sender) -> None:
        self._books, self._settings, self._sender = books, settings, sender
        self.base_url = ""

    # Events

    def publish(self, cause: Cause) -> None:
        """Send what a cause has gathered. Not to be called under the lock."""
        by_mode: dict[str, list[Callback]] = {}
        for type, kind, row in cause.events:
            event = self._event(type, kind, row)
            mode = cause.callback_mode or _magic_mode(row) or self._settings.callback_mode
            about = str(row.get("order") or row.get("id") or event["id"])
            for url, webhook_id in self._wanting(cause.app, type):
                by_mode.setdefault(mode, []).append(self._callback(event, url, webhook_id, mode, about))
        cause.events = []
        for mode, callbacks in by_mode.items():
            self._sender.send(callbacks, mode)

    def _event(self, type: str, kind: str, row: JSON) -> JSON:
        with self._books.lock:
            event: JSON = {
                "id": "WH-" + "-".join("".join(random.choices(LETTERS, k=17)) for _ in range(2)),
                "event_version": "1.0",
                "create_time": time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime()),
                "resource_type": kind,
                "resource_version": RESOURCE_VERSIONS.get(kind, "1.0"),
                "event_type": type,
                "summary": type.replace(".", " ").capitalize(),
                "resource": self._resource(kind, row),
            }
            itself = f"{self.base_url}/v1/notifications/webhooks-events/{event['id']}"
            event["links"] = [link(itself, "self"), link(f"{itself}/resend", "resend", "POST")]
            self._books.events.put(str(event["id"]), {"app": row["app"], "event": event})
        return event

    def _resource(self, kind: str, row: JSON) -> JSON:
        if kind == "checkout-order":
            return self._books.order_view(row, self.base_url)
        if kind in ("dispute", "payment-approval", "payment_token"):
            return dict(row["resource"])
        shown = self._books.payment_view(row, self.base_url)
        if kind == "refund":
            return shown
        related = {"order_id": row["order"]}
        if row["parent"] != row["order"]:
            related["authorization_id"] = row["parent"]
        return shown | {"supplementary_data": {"related_ids": related}}

    def _wanting(self, app: str, type: str) -> list[tuple[str, str]]:
        subscribed = [row for row in self._books.subscriptions.rows() if row["app"] == app]
        if not subscribed and self._settings.webhook_url:
            return [(self._settings.webhook_url, self._settings.webhook_id)]
        return [(row["url"], row["id"]) for row in subscribed if not {"*", type}.isdisjoint(row["types"])]

    def _callback(self, event: JSON, url: str, webhook_id: str, mode: str, about: str) -> Callback:
        body = json.dumps(event).encode()

        def write() -> tuple[bytes, Mapping[str, str]]:
            return body, self._signed(body, webhook_id, mode)

        return Callback(url, f"{event['id']} {event['event_type']}", write, about)

    def _signed(self, body: bytes, webhook_id: str, mode: str) -> Mapping[str, str]:
        """The headers of one transmission: each has an id and a time of its own."""
        age = OLD_SECONDS if mode == "old_timestamp" else 0
        stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - age))
        transmission, checksum = str(uuid.uuid4()), zlib.crc32(body) ^ (mode == "bad_checksum")
        signed_for = "0XX00000XX000000X" if mode == "wrong_webhook" else webhook_id
        signed = certificates.signature(f"{transmission}|{stamp}|{signed_for}|{checksum}".encode())
        if mode == "bad_signature":
            signed = bytes(reversed(signed))
        host = STRANGER if mode == "foreign_certificate" else self.base_url
        return {
            "Content-Type": "application/json",
            "User-Agent": "PayPal/AUHD-214.0-58",
            "PAYPAL-TRANSMISSION-ID": transmission,
            "PAYPAL-TRANSMISSION-TIME": stamp,
            "PAYPAL-TRANSMISSION-SIG": base64.b64encode(signed).decode(),
            "PAYPAL-CERT-URL": f"{host}/v1/notifications/certs/{certificates.ID}",
            "PAYPAL-AUTH-ALGO": ALGORITHM,
            "PAYPAL-AUTH-VERSION": "v2",
        }

    # Calls

    def certificate(self, request: Request) -> Answer:
        if request.parameters["certificate"] != certificates.ID:
            raise not_found()
        return Answer(200, certificates.certificate().encode(), "text/plain")

    def verify(self, app: str, request: Request) -> JSON:
        """Whether this was sent to that subscription. The event counts byte for byte, as it stands in the request."""
        body = request.document or {}
        for name, longest in FIELDS.items():
            value = body.get(name)
            if not isinstance(value, str) or not value:
                raise missing(f"/{name}")
            if len(value) > longest:
                raise invalid(f"/{name}", "INVALID_STRING_LENGTH")
        event = _raw(request.body)
        if not event or not isinstance(body.get("webhook_event"), dict):
            raise missing("/webhook_event")
        return {"verification_status": "SUCCESS" if self._is_genuine(app, body, event) else "FAILURE"}

    def _is_genuine(self, app: str, told: JSON, event: bytes) -> bool:
        known = {row["id"] for row in self._books.subscriptions.rows() if row["app"] == app}
        certified = told["cert_url"] == f"{self.base_url}/v1/notifications/certs/{certificates.ID}"
        if told["webhook_id"] not in known | {self._settings.webhook_id} or not certified:
            return False
        names = [told[name] for name in ("transmission_id", "transmission_time", "webhook_id")]
        message = "|".join([*names, str(zlib.crc32(event))]).encode()
        try:
            signed = base64.b64decode(told["transmission_sig"], validate=True)
            certificates.key().public_key().verify(signed, message, padding.PKCS1v15(), hashes.SHA256())
        except (InvalidSignature, ValueError):
            return False
        # PayPal knows what it has sent: a body that merely has the same checksum is none of its events.
        known_event = self._books.events.get(str(told["webhook_event"].get("id")))
        is_own = known_event is not None and known_event["event"] == told["webhook_event"]
        return bool(told["auth_algo"] == ALGORITHM and is_own)

    def subscribe(self, app: str, body: JSON) -> JSON:
        url, types = body.get("url"), body.get("event_types")
        if not isinstance(url, str) or not url.startswith(("https://", "http://")):
            raise missing("/url") if not url else invalid("/url")
        if not isinstance(types, list) or not types:
            raise missing("/event_types")
        mine = [row for row in self._books.subscriptions.rows() if row["app"] == app]
        if any(row["url"] == url for row in mine):
            raise PaypalError(400, "WEBHOOK_URL_ALREADY_EXISTS")
        if len(mine) >= MOST_SUBSCRIPTIONS:
            raise PaypalError(400, "WEBHOOK_NUMBER_LIMIT_EXCEEDED")
        row: JSON = {"id": new_id(), "app": app, "url": url, "types": [type["name"] for type in types]}
        self._books.subscriptions.put(row["id"], row)
        return self.shown(row)

    def shown(self, row: JSON) -> JSON:
        itself = f"{self.base_url}/v1/notifications/webhooks/{row['id']}"
        types = [{"name": type, "description": type} for type in row["types"]]
        return {"id": row["id"], "url": row["url"], "event_types": types, "links": [link(itself, "self")]}

    def subscriptions(self, app: str) -> JSON:
        return {"webhooks": [self.shown(row) for row in self._books.subscriptions.rows() if row["app"] == app]}

    def subscription(self, app: str, id: str) -> JSON:
        row = self._books.subscriptions.get(id)
        if row is None or row["app"] != app:
            raise not_found()
        return row

    def unsubscribe(self, app: str, id: str) -> None:
        self._books.subscriptions.remove(self.subscription(app, id)["id"])

    def event(self, app: str, id: str) -> JSON:
        row = self._books.events.get(id)
        if row is None or row["app"] != app:
            raise not_found()
        event: JSON = row["event"]
        return event

    def events(self, app: str) -> JSON:
        found = [row["event"] for row in self._books.events.newest_first() if row["app"] == app]
        return {"events": found[:10], "count": min(len(found), 10), "links": []}

    def resend(self, app: str, id: str, mode: str) -> JSON:
        event = self.event(app, id)
        mode = mode or self._settings.callback_mode
        wanting = self._wanting(app, event["event_type"])
        self._sender.send(
            [self._callback(event, url, webhook_id, mode, event["id"]) for url, webhook_id in wanting], mode
        )
        return event


def _magic_mode(row: JSON) -> str:
    document = row.get("document") or {}
    amount = document.get("amount") or next((unit["amount"] for unit in document.get("units", [])), None)
    trouble = MAGIC_AMOUNTS.get(amounts.hundredths(amount) or 0, "")
    return trouble.removeprefix("callback_") if trouble.startswith("callback_") else ""


def _raw(body: bytes) -> bytes:
    """The event as it was written, of any spacing; empty where there is none."""
    found = re.search(rb'"webhook_event"\s*:\s*', body)
    if not found:
        return b""
    text = body[found.end() :].decode("utf-8", "replace")
    try:
        _, end = json.JSONDecoder().raw_decode(text)
    except ValueError:
        return b""
    return text[:end].encode()


def dispute(paid: JSON, status: str, outcome: str = "") -> JSON:
    """The resource of an event about a dispute, as far as it is documented for webhooks."""
    resource: JSON = {
        "dispute_id": f"PP-D-{paid['id'][:6]}",
        "create_time": now(),
        "update_time": now(),
        "disputed_transactions": [{"seller_transaction_id": paid["id"]}],
        "reason": "MERCHANDISE_OR_SERVICE_NOT_RECEIVED",
        "status": status,
        "dispute_amount": paid["document"]["amount"],
    }
    return resource | ({"dispute_outcome": {"outcome_code": outcome}} if outcome else {})
