"""Disputes and inquiries: opened by the payer's bank, answered by the merchant, decided by the bank.

Source: docs.stripe.com/disputes/how-disputes-work, docs.stripe.com/api/disputes, docs.stripe.com/testing (winning and
losing evidence) and Stripe's OpenAPI document. The fee is Stripe's of the United States, in smallest units of whatever
currency the balance has.
"""

from __future__ import annotations

from typing import Any

from simulators.stripe.account import Account, Cause
from simulators.stripe.errors import StripeError
from simulators.stripe.objects import EVIDENCE, dispute

JSON = dict[str, Any]
UPDATE_PARAMETERS = ("evidence", "metadata", "submit")
FEE = 1500
LONGEST_EVIDENCE = 150_000
ANSWERABLE = ("needs_response", "warning_needs_response")
UNDER_REVIEW = {"needs_response": "under_review", "warning_needs_response": "warning_under_review"}
# By the `uncategorized_text` that is submitted, as in Stripe's test mode.
DECIDING_TEXTS = {"winning_evidence": "dispute_won", "losing_evidence": "dispute_lost"}


def open(account: Account, cause: Cause, paid: JSON) -> None:
    """The bank takes the money back at once."""
    opened = _open(account, paid, inquiry=False)
    _withdraw(account, opened)
    account.tell(cause, "charge.dispute.created", opened)
    account.tell(cause, "charge.dispute.funds_withdrawn", opened)


def inquire(account: Account, cause: Cause, paid: JSON) -> None:
    """The bank only asks: no money moves, and the charge can still be refunded."""
    account.tell(cause, "charge.dispute.created", _open(account, paid, inquiry=True))


def _open(account: Account, paid: JSON, *, inquiry: bool) -> JSON:
    opened = account.keep(dispute(paid, inquiry=inquiry))
    paid |= {"dispute": opened["id"], "disputed": True}
    account.keep(paid)
    return opened


def _withdraw(account: Account, opened: JSON) -> None:
    line = account.book_line(opened, -opened["amount"], "adjustment", dispute_fee=FEE)
    opened["balance_transactions"] = [*opened["balance_transactions"], line]
    account.keep(opened)


def escalate(account: Account, cause: Cause, paid: JSON) -> None:
    """An inquiry becomes a dispute, under the same id."""
    asked = account.need("dispute", paid["dispute"])
    before = asked["status"]
    asked |= {"status": "needs_response", "is_charge_refundable": False, "reason": "fraudulent"}
    _withdraw(account, asked)
    account.tell(cause, "charge.dispute.updated", asked, {"status": before})
    account.tell(cause, "charge.dispute.funds_withdrawn", asked)


def close(account: Account, cause: Cause, paid: JSON, status: str) -> None:
    """`won`, `lost` or `warning_closed`. A dispute that is won gives the money back, without its fee."""
    closed = account.need("dispute", paid["dispute"])
    closed["status"] = status
    account.keep(closed)
    account.tell(cause, "charge.dispute.closed", closed)
    if status == "won":
        reinstate(account, cause, paid)


def reinstate(account: Account, cause: Cause, paid: JSON) -> None:
    """The money comes back, also after a loss: the dispute is then won."""
    returned = account.need("dispute", paid["dispute"])
    line = account.book_line(returned, returned["amount"], "adjustment")
    returned |= {"status": "won", "balance_transactions": [*returned["balance_transactions"], line]}
    account.keep(returned)
    account.tell(cause, "charge.dispute.funds_reinstated", returned)


def update(account: Account, cause: Cause, asked: JSON) -> JSON:
    """Stage evidence, or submit all of it, which is Stripe's default."""
    parameters = cause.parameters
    given, submit = parameters.group("evidence"), parameters.boolean("submit")
    metadata = parameters.metadata(asked["metadata"])
    _check(asked, given)
    evidence = asked["evidence"] | given
    details = asked["evidence_details"] | {"has_evidence": any(evidence.values())}
    before = asked["status"]
    asked |= {"evidence": evidence, "evidence_details": details, "metadata": metadata}
    if submit is not False and details["has_evidence"]:
        details["submission_count"] += 1
        asked["status"] = UNDER_REVIEW[before]
    account.keep(asked)
    account.tell(cause, "charge.dispute.updated", asked, {"status": before})
    return asked


def _check(asked: JSON, given: JSON) -> None:
    unknown = [name for name in given if name not in EVIDENCE]
    if unknown:
        param = f"evidence[{unknown[0]}]"
        raise StripeError(f"Received unknown parameter: {param}", code="parameter_unknown", param=param)
    if sum(len(str(text)) for text in given.values()) > LONGEST_EVIDENCE:
        raise StripeError("The combined length of evidence is limited to 150,000 characters.", param="evidence")
    if asked["status"] not in ANSWERABLE:
        raise StripeError(f"This dispute is {asked['status']} and takes no evidence any more.", executed=True)


def accept(account: Account, cause: Cause, asked: JSON) -> JSON:
    if asked["status"] != "needs_response":
        raise StripeError(f"This dispute is {asked['status']} and cannot be closed.", executed=True)
    close(account, cause, account.need("charge", asked["charge"]), "lost")
    return asked


def status_of(account: Account, intent: JSON) -> str:
    """Of the dispute of a paid intent; empty where there is none."""
    paid = account.get(intent["latest_charge"] or "")
    found = account.get(paid["dispute"]) if paid and paid["dispute"] else None
    return str(found["status"]) if found else ""
