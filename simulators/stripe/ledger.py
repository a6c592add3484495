"""An account's payments and refunds, for tests to compare with ours."""

from __future__ import annotations

from typing import Any

from simulators.ledger import LedgerEntry
from simulators.stripe.account import Account
from simulators.stripe.bank import known_as

JSON = dict[str, Any]


def ledger_of(account: Account) -> list[LedgerEntry]:
    """Oldest first, payments before refunds. A payment's amount is what was received, else what was asked."""
    with account.lock:
        payments = [_payment(account, intent) for intent in account.tables["pi"].rows()]
        return payments + [_refund(account, refund) for refund in account.tables["re"].rows()]


def _payment(account: Account, intent: JSON) -> LedgerEntry:
    paid = intent["status"] in ("succeeded", "requires_capture")
    error = intent["last_payment_error"] or {}
    return LedgerEntry(
        id=intent["id"],
        kind="payment",
        reference=_reference(intent),
        idempotency_key=_key(account, intent),
        amount=intent["amount_received"] or intent["amount"],
        unit="minor",
        currency=intent["currency"],
        state=intent["status"],
        receipt=intent["latest_charge"] if paid else None,
        payment=None,
        account=account.key,
        detail=error.get("decline_code") or error.get("code"),
        references=known_as(account, intent),
    )


def _refund(account: Account, refund: JSON) -> LedgerEntry:
    intent = account.get(refund["payment_intent"]) or {"metadata": {}}
    return LedgerEntry(
        id=refund["id"],
        kind="refund",
        reference=_reference(refund, intent),
        idempotency_key=_key(account, refund),
        amount=refund["amount"],
        unit="minor",
        currency=refund["currency"],
        state=refund["status"],
        receipt=refund["balance_transaction"],
        payment=refund["payment_intent"],
        account=account.key,
        detail=refund["failure_reason"],
        references=known_as(account, refund) | {refund["payment_intent"], *intent["metadata"].values()},
    )


def _reference(*documents: JSON) -> str:
    """The first metadata called `reference`, else the first metadata at all."""
    named = [document["metadata"].get("reference") for document in documents]
    every = [value for document in documents for value in document["metadata"].values()]
    return next((str(value) for value in (*named, *every) if value), "")


def _key(account: Account, document: JSON) -> str | None:
    notes = account.notes.get(document["id"]) or {}
    key: str | None = notes.get("idempotency_key")
    return key
