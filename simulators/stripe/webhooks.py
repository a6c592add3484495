"""Webhook endpoints, and signed deliveries to them.

Source: docs.stripe.com/webhooks (signatures, delivery) and docs.stripe.com/api/webhook_endpoints.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from collections.abc import Mapping
from typing import Any

from simulators.callbacks import Callback, Sender
from simulators.stripe.account import Account, Cause
from simulators.stripe.cards import MAGIC_AMOUNTS
from simulators.stripe.errors import StripeError
from simulators.stripe.form import Parameters
from simulators.stripe.objects import new_id, now
from simulators.stripe.settings import StripeSettings

JSON = dict[str, Any]
OLD_SECONDS = 3600
USER_AGENT = "Stripe/1.0 (+https://stripe.com/docs/webhooks)"
ENDPOINT_PARAMETERS = (
    "url",
    "enabled_events",
    "api_version",
    "connect",
    "description",
    "metadata",
    "disabled",
)


def signature(secret: str, timestamp: int, body: bytes) -> str:
    """The `Stripe-Signature` header; the secret is used whole, with its `whsec_` prefix."""
    digest = hmac.new(secret.encode(), f"{timestamp}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={timestamp},v1={digest}"


def deliver(account: Account, cause: Cause, sender: Sender, settings: StripeSettings) -> None:
    """Send the events of a cause to every endpoint that wants them. Not to be called under the lock."""
    events, cause.events = cause.events, []
    by_mode: dict[str, list[Callback]] = {}
    for event in events:
        mode = cause.callback_mode or _magic_mode(event) or settings.callback_mode
        for url, secret, version in _wanting(account, event["type"], settings):
            event["pending_webhooks"] += 1
            by_mode.setdefault(mode, []).append(_callback(account, event, url, secret, version, mode))
    for mode, callbacks in by_mode.items():
        sender.send(callbacks, mode)


def _magic_mode(event: JSON) -> str:
    amount = event["data"]["object"].get("amount", 0)
    trouble = MAGIC_AMOUNTS.get(amount, "")
    return trouble.removeprefix("callback_") if trouble.startswith("callback_") else ""


def _wanting(account: Account, type: str, settings: StripeSettings) -> list[tuple[str, str, str | None]]:
    endpoints = account.tables["we"].rows()
    if not endpoints and settings.webhook_url:
        return [(settings.webhook_url, settings.webhook_secret, None)]
    return [
        (endpoint["url"], account.secrets.get(endpoint["id"]) or "", endpoint["api_version"])
        for endpoint in endpoints
        if endpoint["status"] == "enabled" and not {"*", type}.isdisjoint(endpoint["enabled_events"])
    ]


def _callback(account: Account, event: JSON, url: str, secret: str, version: str | None, mode: str) -> Callback:
    body = json.dumps(event | {"api_version": version or event["api_version"]}).encode()

    def write() -> tuple[bytes, Mapping[str, str]]:
        age = OLD_SECONDS if mode == "old_timestamp" else 0
        key = "whsec_of_somebody_else" if mode == "bad_signature" else secret
        headers = {"Content-Type": "application/json; charset=utf-8", "User-Agent": USER_AGENT}
        return body, headers | {"Stripe-Signature": signature(key, int(time.time()) - age, body)}

    def done() -> None:
        with account.lock:
            event["pending_webhooks"] = max(event["pending_webhooks"] - 1, 0)

    about = event["data"]["object"]
    payment = about.get("payment_intent") or about["id"]
    return Callback(url, f"{event['id']} {event['type']}", write, payment, done)


def create_endpoint(account: Account, parameters: Parameters) -> JSON:
    """The only answer that holds the `secret`."""
    url, events = _url(parameters.required("url")), parameters.texts("enabled_events")
    if not events:
        raise StripeError("Missing required param: enabled_events.", code="parameter_missing", param="enabled_events")
    endpoint: JSON = {
        "id": new_id("we"),
        "object": "webhook_endpoint",
        "api_version": parameters.text("api_version"),
        "application": None,
        "created": now(),
        "description": parameters.text("description"),
        "enabled_events": events,
        "livemode": False,
        "metadata": parameters.metadata({}),
        "status": "enabled",
        "url": url,
    }
    secret = account.new_webhook_secret()
    account.secrets.put(endpoint["id"], secret)
    return account.keep(endpoint) | {"secret": secret}


def update_endpoint(account: Account, endpoint: JSON, parameters: Parameters) -> JSON:
    if "url" in parameters:
        endpoint["url"] = _url(parameters.required("url"))
    endpoint["enabled_events"] = parameters.texts("enabled_events") or endpoint["enabled_events"]
    if "description" in parameters:
        endpoint["description"] = parameters.text("description")
    if (disabled := parameters.boolean("disabled")) is not None:
        endpoint["status"] = "disabled" if disabled else "enabled"
    endpoint["metadata"] = parameters.metadata(endpoint["metadata"])
    return account.keep(endpoint)


def delete_endpoint(account: Account, endpoint: JSON) -> JSON:
    account.tables["we"].remove(endpoint["id"])
    account.secrets.remove(endpoint["id"])
    return {"id": endpoint["id"], "object": "webhook_endpoint", "deleted": True}


def _url(url: str) -> str:
    if not url.startswith(("http://", "https://")):
        raise StripeError("Invalid URL: An explicit scheme (such as https) must be provided.", param="url")
    return url
