"""A payment of which nobody told us: the provider's own list shows it, and it is booked.

Import it only after `django.setup()`.
"""

import random
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

from config.demonstration.controls import control
from config.demonstration.seeding import OPERATOR
from config.demonstration.shop import Shop
from config.demonstration.telling import CannotGoOn
from core.money import Money
from merchants.models import ProviderAccount
from reconciliation import runs
from reconciliation.models import Run

_PUSH = "POST /mpesa/stkpush/v1/processrequest"


@dataclass(frozen=True, kw_only=True)
class Nightly:
    """`timed` tells a line with its duration, `patiently` looks until what it found is as it should be."""

    shop: Shop
    simulator: str
    timed: Callable[[], AbstractContextManager[Callable[[str], None]]]
    paid: Callable[[str, str, str], dict[str, Any]]
    patiently: Callable[..., Any]

    def repair(self) -> dict[str, Any]:
        """The payment, once reconciliation has found its money. Raises CannotGoOn."""
        payment = self._lose()
        with self.timed() as line:
            account = ProviderAccount.objects.get(pk=payment["attempts"][0]["account"])
            begun = runs.begin(account, occasion=Run.Occasion.PERSON, by=OPERATOR)
            if begun is None:
                raise CannotGoOn(f"A run of {account.pk} that a person began is still open.")
            path = f"/v1/reconciliation/runs/{begun.pk}"
            run = self.patiently(lambda: self.shop.get(path), until=lambda found: found["finished_at"])
            if not run["finished_at"]:
                raise CannotGoOn(f"{run['id']} did not finish: {run['phase']}.")
            line(f"a run of reconciliation, as every night: {_told(run)}")
        return self.paid("payments", payment["id"], "booked, posted and announced: payment succeeded")

    def _lose(self) -> dict[str, Any]:
        """A push whose answer is lost, and whose payer pays without M-Pesa telling of it."""
        with self.timed() as line:
            control(self.simulator, "trouble", do="reset_after", on=_PUSH)
            phone = f"25472{random.randrange(10**7):07}"
            asked = {"amount": 12_000, "currency": "KES", "method": "mpesa", "phone": phone, "reference": "DEMO-6"}
            payment = self.shop.post("/v1/payments", asked)
            amount = Money(payment["amount"], payment["currency"])
            line(f"POST /v1/payments: {amount}, {payment['id']}; M-Pesa's answer is lost: {payment['state']}")
        with self.timed() as line:
            reference = payment["attempts"][0]["provider_reference"]
            control(self.simulator, "simulate", reference=reference, outcome="approve", callback="missing")
            line("the payer pays, and the callback is lost, too")
        return payment


def _told(run: dict[str, Any]) -> str:
    counts = run["counts"]
    return f"{counts['lines']} lines, {counts['matched']} agree, {run['repaired']} repaired"
