"""A QRIS code whose first provider is down: the payer scans the second's, and nobody has noticed."""

import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

from config.demonstration.shop import Shop
from config.demonstration.telling import CannotGoOn
from core.http import HttpFault, Request, send
from core.money import Money

_CHARGE = "POST /v2/charge"
_DEADLINE_SECONDS = 15.0


@dataclass(frozen=True, kw_only=True)
class Codes:
    """`first` and `second` are the simulators of the accounts, in the order in which they are asked."""

    shop: Shop
    first: str
    second: str
    timed: Callable[[], AbstractContextManager[Callable[[str], None]]]
    paid: Callable[[str, str, str], dict[str, Any]]

    def pay(self) -> dict[str, Any]:
        """The payment, once it is paid. Raises CannotGoOn."""
        with self.timed() as line:
            self._control(self.first, "trouble", do="reset_before", on=_CHARGE)
            line("Midtrans, the first account for QRIS, tears the next connection")
        with self.timed() as line:
            asked = {"amount": 4_550_000, "currency": "IDR", "method": "qris", "reference": "DEMO-5"}
            payment = self.shop.post("/v1/payments", asked)
            tried = " → ".join(f"{attempt['provider']} {attempt['state']}" for attempt in payment["attempts"])
            amount = Money(payment["amount"], payment["currency"])
            line(f"POST /v1/payments: {amount}, {payment['id']} is {payment['state']}; {tried}")
        if (payment["next_action"] or {}).get("type") != "qr" or len(payment["attempts"]) != 2:
            raise CannotGoOn(f"{payment['id']} did not go on at the second account: {payment['failure'] or tried}.")
        with self.timed() as line:
            reference = payment["attempts"][-1]["provider_reference"]
            self._control(self.second, "simulate", reference=reference, outcome="approve")
            line(f"the payer scans {payment['next_action']['qr_string'][:24]}…")
        return self.paid("payments", payment["id"], "webhook in, proved by a query: payment succeeded")

    def _control(self, simulator: str, what: str, **told: str) -> None:
        url, headers = f"{simulator}/_simulator/{what}", {"Content-Type": "application/json"}
        try:
            answer = send(Request("POST", url, headers, json.dumps(told).encode()), deadline=_DEADLINE_SECONDS)
        except HttpFault as fault:
            raise CannotGoOn(f"{url} does not answer: {fault}") from fault
        if answer.status != 200:
            raise CannotGoOn(f"POST {url} answered {answer.status}: {answer.body[:200].decode(errors='replace')}")
