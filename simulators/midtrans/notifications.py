"""Notifications: signed, sent where the charge said, and retried by what is answered.

Source: docs.midtrans.com/reference/https-notification-webhooks.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace

from simulators.callbacks import Callback, Sender
from simulators.midtrans.books import JSON, Books, Transaction, document
from simulators.midtrans.words import DENY, SETTLEMENT

HEADERS = {"Content-Type": "application/json", "User-Agent": "Veritrans"}
RETRIES: Mapping[int | str, int] = {500: 1, 503: 4, 400: 2, 404: 2, 301: 0, 302: 0, 303: 0}
MOST_RETRIES, MOST_HOPS = 5, 5


def tries_after(result: int | str) -> int:
    """How many retries an answer is worth. Anything unlisted, and no answer at all, is worth most."""
    return RETRIES.get(result, MOST_RETRIES)


class Notifications:
    def __init__(self, books: Books, sender: Sender) -> None:
        self._books, self._sender = books, sender

    def written(self, transaction: Transaction, mode: str, **more: object) -> list[Callback]:
        """The news of this moment, for every address; `mode` may spoil it."""
        signed_by = "SB-Mid-server-of-somebody-else" if mode == "bad_signature" else transaction.server_key
        told = document(
            self._books, replace(transaction, server_key=signed_by), message="midtrans payment notification"
        )
        body = json.dumps(_tampered(told | more) if mode == "tampered" else told | more).encode()
        label = f"{transaction.id} {transaction.status}"
        return [
            Callback(url, label, lambda: (body, HEADERS), transaction.id, tries_after=tries_after, hops=MOST_HOPS)
            for url in transaction.urls
        ]

    def send(self, callbacks: list[Callback], mode: str) -> None:
        if callbacks:
            self._sender.send(callbacks, mode)


def _tampered(told: JSON) -> JSON:
    """Another status under a signature that still fits, as the code stays what it was."""
    return told | {"transaction_status": DENY if told["transaction_status"] == SETTLEMENT else SETTLEMENT}
