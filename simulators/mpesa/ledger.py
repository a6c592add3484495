"""M-PESA's payments and reversals, for tests to compare with ours."""

from __future__ import annotations

from simulators.ledger import LedgerEntry
from simulators.mpesa.books import Books, Conversation, Prompt, Transaction
from simulators.mpesa.words import SUCCESS


def known_as(prompt: Prompt) -> set[str]:
    """What the caller may know a prompt by, also when the answer with its id was lost."""
    return {prompt.id, prompt.merchant_id, prompt.reference, prompt.phone}


def ledger_of(books: Books) -> list[LedgerEntry]:
    """Oldest first, payments before refunds. A payment's amount is what moved, else what was asked."""
    with books.lock:
        payments = [_payment(books, prompt) for prompt in books.prompts.rows()]
        asked = [row for row in books.conversations.rows() if row.kind == "reversal"]
        payments += [_by_customer(row) for row in books.transactions.rows() if row.payment == row.receipt]
        return payments + [_refund(books, conversation) for conversation in asked]


def _payment(books: Books, prompt: Prompt) -> LedgerEntry:
    paid = books.transactions.get(prompt.receipt)
    return LedgerEntry(
        id=prompt.id,
        kind="payment",
        reference=prompt.reference,
        idempotency_key=None,
        amount=paid.amount if paid else prompt.amount,
        unit="whole",
        currency="KES",
        state="waiting" if not prompt.result else "paid" if paid else "failed",
        receipt=prompt.receipt or None,
        payment=None,
        account=prompt.short_code,
        detail=prompt.result or None,
        references=known_as(prompt),
    )


def _by_customer(paid: Transaction) -> LedgerEntry:
    """A payment by paybill or till, which no prompt asked for."""
    return LedgerEntry(
        id=paid.receipt,
        kind="payment",
        reference=paid.reference,
        idempotency_key=None,
        amount=paid.amount,
        unit="whole",
        currency="KES",
        state="paid",
        receipt=paid.receipt,
        payment=None,
        account=paid.short_code,
        detail=None,
        references={paid.receipt, paid.reference, paid.phone},
    )


def _refund(books: Books, conversation: Conversation) -> LedgerEntry:
    original = books.transactions.get(conversation.fields["receipt"])
    done = bool(conversation.receipt)
    state = "succeeded" if done else "failed" if conversation.result else "waiting"
    return LedgerEntry(
        id=conversation.id,
        kind="refund",
        reference=original.reference if original else "",
        idempotency_key=None,
        amount=int(conversation.fields["amount"]),
        unit="whole",
        currency="KES",
        state=state,
        receipt=conversation.receipt or None,
        payment=original.payment if original else None,
        account=conversation.fields["party"],
        detail=conversation.result if conversation.result != SUCCESS else None,
        references={conversation.originator_id, conversation.fields["receipt"]},
    )
