"""A lunch hour at one counter: orders of a POS and of an ERP, paid by QRIS and marked paid where they live.

The first provider is down for the second order: its code comes from another, and nobody has noticed.
Import it only after `django.setup()`.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any

from django.conf import settings

from config.demonstration import till
from config.demonstration.controls import control
from config.demonstration.screens import Screens, watching
from config.demonstration.shop import Shop
from config.demonstration.telling import CannotGoOn
from core.money import Money

STORE = "Lunch counter"
SOURCES = {"pos": "POS", "erp": "ERP"}
_CHARGE = "POST /v2/charge"


@dataclass(frozen=True, kw_only=True)
class Lunch:
    """`simulators` are the addresses by name; those that issue codes are asked in this order."""

    shop: Shop
    simulators: dict[str, str]
    timed: Callable[[], AbstractContextManager[Callable[[str], None]]]
    paid: Callable[[str, str, str], dict[str, Any]]
    patiently: Callable[..., Any]
    web: str
    streams: str

    @contextmanager
    def screens(self, store: str) -> Iterator[Screens]:
        """A screen and a till at the counter, which are told of what is paid there until the block ends."""
        with self.timed() as line:
            token = self.shop.post(f"/v1/stores/{store}/display-tokens", {"name": "The demo's screen"})["secret"]
            line(f"its screens, until tomorrow: {self.web}/display/{store}#token={token}, and …/kitchen#…")
        with watching(self.streams, settings.REDIS_URL, store=store, token=token) as screens:
            yield screens

    def show_paid(self, screens: Screens, payments: list[dict[str, Any]]) -> None:
        """Wait until both show all of them as paid. Raises CannotGoOn."""
        with self.timed() as line:
            told = self.patiently(
                lambda: [row["id"] for row in payments if screens.show(row["id"], "succeeded")],
                until=lambda told: len(told) == len(payments),
            )
            if len(told) < len(payments):
                raise CannotGoOn(f"Of {len(payments)} orders that were paid, the screens show {len(told)}.")
            line(f"the screen, by its stream, and a till, by the Redis channel, show {len(told)} orders as paid")

    def open(self) -> tuple[str, dict[str, str]]:
        """The counter and, by schema, the sources of its orders: those of an earlier demo, or new ones."""
        with self.timed() as line:
            store = self._named("/v1/stores", STORE, zone="Asia/Jakarta", default_method="qris")
            sources = {
                schema: self._named("/v1/order-sources", name, database=till.NAME, schema=schema)
                for schema, name in SOURCES.items()
            }
            line(f"a store, {store}, with its POS {sources['pos']} and its ERP {sources['erp']}")
        return store, sources

    def pay_pos_order(self, store: str, source: str) -> dict[str, Any]:
        """The payment, once its order is marked paid. Raises CannotGoOn."""
        money = Money(4_550_000, "IDR")
        number = till.ring_up(money)
        payment = self._ask(money, store=store, source=source, number=number)
        self._scan(payment)
        paid = self.paid("payments", payment["id"], "webhook in, proved by a query: payment succeeded")
        with self.timed() as line:
            till.require_paid(till.pos_status, number, patiently=self.patiently)
            line(f"order {number} is marked paid in the POS's own database")
        return paid

    def pay_erp_order(self, store: str, source: str) -> dict[str, Any]:
        """The same for the ERP's, while the first provider is down."""
        money = Money(54_600_000, "IDR")
        number = till.sell(money)
        with self.timed() as line:
            control(self.simulators["midtrans"], "trouble", do="reset_before", on=_CHARGE)
            line("Midtrans, the first account for QRIS, tears the next connection")
        payment = self._ask(money, store=store, source=source, number=number)
        if len(payment["attempts"]) != 2:
            raise CannotGoOn(f"{payment['id']} did not go on at the second account: {payment['failure']}.")
        self._scan(payment)
        paid = self.paid("payments", payment["id"], "webhook in, proved by a query: payment succeeded")
        with self.timed() as line:
            till.require_paid(till.erp_status, number, patiently=self.patiently)
            line(f"order {number} is marked paid in the ERP's own database")
        return paid

    def _ask(self, money: Money, *, store: str, source: str, number: str) -> dict[str, Any]:
        with self.timed() as line:
            order = {"source": source, "id": number}
            asked = {"amount": money.amount, "currency": money.currency, "store": store, "order": order}
            payment = self.shop.post("/v1/payments", asked | {"reference": "DEMO-5"})
            tried = " → ".join(f"{attempt['provider']} {attempt['state']}" for attempt in payment["attempts"])
            line(f"POST /v1/payments: order {number}, {money}, {payment['id']} is {payment['state']}; {tried}")
        if (payment["next_action"] or {}).get("type") != "qr":
            raise CannotGoOn(f"{payment['id']} has no code to be paid by: {payment['failure'] or tried}.")
        return payment

    def _scan(self, payment: dict[str, Any]) -> None:
        with self.timed() as line:
            asked = payment["attempts"][-1]
            simulator = self.simulators[asked["provider"]]
            control(simulator, "simulate", reference=asked["provider_reference"], outcome="approve")
            line(f"the payer scans {payment['next_action']['qr_string'][:24]}…")

    def _named(self, path: str, name: str, **facts: str) -> str:
        known = self.shop.get(f"{path}?limit=100")["data"]
        found = next((row["id"] for row in known if row["name"] == name), None)
        return str(found or self.shop.post(path, {"name": name, **facts})["id"])
