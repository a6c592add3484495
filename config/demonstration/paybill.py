"""Money that comes by itself: a payer uses the paybill unasked, and the merchant says whose payment it is."""

import random
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

from config.demonstration.controls import control
from config.demonstration.shop import Shop
from config.demonstration.telling import CannotGoOn
from core.money import Money

SHORT_CODE, REFERENCE, SHILLINGS = "600111", "DEMO-4", 300


@dataclass(frozen=True, kw_only=True)
class Paybill:
    """`timed` tells a line with its duration, `patiently` looks until what it found is as it should be."""

    shop: Shop
    simulator: str
    timed: Callable[[], AbstractContextManager[Callable[[str], None]]]
    patiently: Callable[..., Any]

    def receive(self) -> dict[str, Any]:
        """The payment that was made of the money. Raises CannotGoOn."""
        self._register()
        with self.timed() as line:
            number = self._pay()
            line(f"a payer sends KES {SHILLINGS} to paybill {SHORT_CODE}, account {REFERENCE}: receipt {number}")
        with self.timed() as line:
            receipt = self._unallocated(number)
            amount = Money(receipt["amount"], receipt["currency"])
            line(f"validated, confirmed, proven by a query: {amount} is {receipt['id']}, nobody's payment yet")
        with self.timed() as line:
            made = self.shop.post(
                f"/v1/unallocated-receipts/{receipt['id']}/assign", {"new_payment": {"reference": REFERENCE}}
            )
            payment = self.shop.get(f"/v1/payments/{made['payment']}")
            line(f"POST /v1/unallocated-receipts/…/assign: {payment['id']} is {payment['state']}")
        if payment["state"] != "succeeded":
            raise CannotGoOn(f"{payment['id']} has its money and is {payment['state']}.")
        return payment

    def _register(self) -> None:
        """Have M-Pesa told our addresses, as a merchant does once."""
        accounts = self.shop.get("/v1/provider-accounts?limit=100")["data"]
        account = next(f"/v1/provider-accounts/{row['id']}" for row in accounts if row["provider"] == "mpesa")
        with self.timed() as line:
            made = self.shop.post(f"{account}/register-callbacks", {})
            told = self.patiently(
                lambda: self.shop.get(f"{account}/registrations/{made['id']}"),
                until=lambda found: found["outcome"] not in ("waiting", "sending"),
            )
            line(f"POST /v1/provider-accounts/…/register-callbacks: {told['outcome']}")
        if told["outcome"] != "registered":
            raise CannotGoOn(f"M-Pesa did not take our addresses: {told['message'] or told['outcome']}.")

    def _pay(self) -> str:
        asked = {
            "outcome": "paybill",
            "short_code": SHORT_CODE,
            "amount": SHILLINGS,
            "reference": REFERENCE,
            "phone": f"25472{random.randrange(10**7):07}",
        }
        paid = control(self.simulator, "simulate", **asked)
        if paid.get("state") != "paid":
            raise CannotGoOn(f"The payment to the paybill was not let through: {paid}.")
        return str(paid["id"])

    def _unallocated(self, number: str) -> dict[str, Any]:
        found: list[dict[str, Any]] = self.patiently(
            lambda: [
                row
                for row in self.shop.get(f"/v1/unallocated-receipts?state=open&reference={REFERENCE}")["data"]
                if row["provider_money_id"] == number
            ],
            until=bool,
        )
        if not found:
            raise CannotGoOn(f"The money of {number} did not come to be an unallocated receipt.")
        return found[0]
