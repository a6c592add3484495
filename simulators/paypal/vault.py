"""Saved PayPal accounts: a setup token that its payer approves becomes a payment token, which is then charged.

Source: PayPal's OpenAPI file vault_payment_tokens_v3 (setup-tokens, payment-tokens). Cards are not simulated.
"""

from __future__ import annotations

import random
import string
from typing import Any

from simulators.paypal.books import PAYER, Books, Cause, link, new_id
from simulators.paypal.errors import invalid, missing, refused

JSON = dict[str, Any]
WAITING = "PAYER_ACTION_REQUIRED"
EMAIL = "buyer@example.com"
LETTERS = string.digits + string.ascii_lowercase


class Vault:
    """A row is {"id", "kind": "setup" | "token", "app", "key", "return_url", "cancel_url", "document"}."""

    def __init__(self, books: Books) -> None:
        self._books = books

    def set_up(self, cause: Cause, body: JSON) -> JSON:
        """A setup token that waits for its payer."""
        source = body.get("payment_source")
        wallet = source.get("paypal") if isinstance(source, dict) else None
        if not isinstance(wallet, dict):
            raise missing("/payment_source/paypal")
        context = wallet.get("experience_context") or {}
        for name in ("return_url", "cancel_url"):
            if not str(context.get(name, "")).startswith(("https://", "http://")):
                raise missing(f"/payment_source/paypal/experience_context/{name}")
        kept = {name: wallet[name] for name in ("description", "usage_type", "customer_type") if name in wallet}
        document = {"status": WAITING, "customer": _customer(body), "payment_source": {"paypal": kept}}
        addresses = {name: context[name] for name in ("return_url", "cancel_url")}
        return self._keep(cause, "setup", new_id(), document, **addresses)

    def save(self, cause: Cause, body: JSON) -> JSON:
        """The payment token of an approved setup token, which is used up by it."""
        source = body.get("payment_source")
        token = source.get("token") if isinstance(source, dict) else None
        if not isinstance(token, dict) or not token.get("id"):
            raise missing("/payment_source/token/id")
        if token.get("type") != "SETUP_TOKEN":
            raise invalid("/payment_source/token/type")
        setup = self._books.saved(cause.app, "setup", str(token["id"]))
        if setup["document"]["status"] != "APPROVED":
            raise refused("TOKEN_NOT_APPROVED" if setup["document"]["status"] == WAITING else "TOKEN_ALREADY_USED")
        setup["document"]["status"] = "VAULTED"
        self._books.keep(setup)
        wallet = setup["document"]["payment_source"]["paypal"] | {"email_address": EMAIL, "account_id": PAYER}
        document = {"customer": setup["document"]["customer"], "payment_source": {"paypal": wallet}}
        saved = self._keep(cause, "token", _token_id(), document)
        told = {"app": cause.app, "resource": self.view(saved, "")}
        cause.events.append(("VAULT.PAYMENT-TOKEN.CREATED", "payment_token", told))
        return saved

    def _keep(self, cause: Cause, kind: str, id: str, document: JSON, **addresses: str) -> JSON:
        row = {"id": id, "kind": kind, "app": cause.app, "key": cause.key, "return_url": "", "cancel_url": ""}
        return self._books.keep({**row, **addresses, "document": {"id": id, "status": "CREATED", **document}})

    def listed(self, app: str, customer: str, origin: str) -> JSON:
        if not customer:
            raise missing("customer_id")
        mine = [row for row in self._books.vault.rows() if row["app"] == app and row["kind"] == "token"]
        kept = [row for row in mine if row["document"]["customer"]["id"] == customer]
        page = f"{origin}/v3/vault/payment-tokens?customer_id={customer}"
        return {
            "customer": {"id": customer},
            "payment_tokens": [self.view(row, origin) for row in kept],
            "links": [link(page, "self")],
        }

    def delete(self, app: str, id: str) -> None:
        """Nothing to delete is as good as deleted."""
        row = self._books.vault.get(id)
        if row is not None and row["app"] == app and row["kind"] == "token":
            self._books.vault.remove(id)

    def view(self, row: JSON, origin: str) -> JSON:
        document = {name: value for name, value in row["document"].items() if name != "update_time"}
        if row["kind"] == "setup":
            itself = f"{origin}/v3/vault/setup-tokens/{row['id']}"
            ways = [link(itself, "self")]
            if document["status"] == WAITING:
                ways.append(link(f"{origin}/_simulator/agreements/approve?token={row['id']}", "approve"))
            if document["status"] == "APPROVED":
                ways.append(link(f"{origin}/v3/vault/payment-tokens", "confirm", "POST"))
            return document | {"links": ways}
        del document["status"]
        itself = f"{origin}/v3/vault/payment-tokens/{row['id']}"
        return document | {"links": [link(itself, "self"), link(itself, "delete", "DELETE")]}


def _customer(body: JSON) -> JSON:
    given = body.get("customer")
    id = given.get("id") if isinstance(given, dict) else ""
    return {"id": str(id or "".join(random.choices(LETTERS, k=10)))}


def _token_id() -> str:
    return "".join(random.choices(LETTERS, k=8))
