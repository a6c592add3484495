"""Webhooks: a token that is the same each time, and an id that stays through the retries. Any 2xx ends them."""

from __future__ import annotations

import json
import uuid

from simulators.callbacks import Callback, Sender
from simulators.xendit.books import JSON, stamp
from simulators.xendit.settings import XenditSettings

SPOILT = {"PAID": "EXPIRED", "EXPIRED": "PAID", "SUCCEEDED": "FAILED", "COMPLETED": "FAILED", "FAILED": "SUCCEEDED"}


class Webhooks:
    def __init__(self, settings: XenditSettings, sender: Sender) -> None:
        self._settings, self._sender = settings, sender

    def send(self, told: JSON, mode: str, *, about: str, url: str = "") -> None:
        """To the dashboard's address unless another is given. What nobody listens to is told to nobody."""
        mode = mode or self._settings.callback_mode
        url = url or self._settings.webhook_url
        if not url:
            return
        token = "a-token-of-somebody-else" if mode == "bad_signature" else self._settings.callback_token
        body = json.dumps(_tampered(told) if mode == "tampered" else told).encode()
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "Xendit",
            "x-callback-token": token,
            "webhook-id": str(uuid.uuid4()),
        }
        label = f"{about} {told.get('event') or told.get('status')}"
        self._sender.send([Callback(url, label, lambda: (body, headers), about)], mode)


def envelope(event: str, business: str, at: float, data: JSON, **more: str) -> JSON:
    return {"event": event, **more, "business_id": business, "created": stamp(at), "data": data}


def _tampered(told: JSON) -> JSON:
    """Another status under a token that fits: it covers nothing."""
    inner = told.get("data")
    if isinstance(inner, dict):
        return told | {"data": _tampered(inner)}
    return told | {"status": SPOILT.get(told["status"], told["status"])}
