"""What Stripe pays out to the merchant's bank.

Source: docs.stripe.com/api/payouts and docs.stripe.com/reports/balance-transaction-types. Only the line of the
balance is there: the API of payouts is not simulated.
"""

from __future__ import annotations

from typing import Any

from simulators.stripe.account import Account
from simulators.stripe.objects import new_id

JSON = dict[str, Any]


def pay_out(account: Account) -> JSON:
    """Everything that the balance holds, whether or not it is available yet, in one line for each currency."""
    with account.lock:
        held: dict[str, int] = {}
        for line in account.tables["txn"].rows():
            held[line["currency"]] = held.get(line["currency"], 0) + line["net"]
        ids = []
        for currency, amount in held.items():
            if amount > 0:
                source = {"id": new_id("po"), "currency": currency, "description": "STRIPE PAYOUT"}
                ids.append(account.book_line(source, -amount, "payout")["id"])
    return {"id": ",".join(ids), "state": "pending"}
