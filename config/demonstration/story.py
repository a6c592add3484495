"""The main job, done over HTTP the way a merchant, a payer with a phone and a payer with a browser do it."""

import random
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import urlencode, urljoin

from config.demonstration.credentials import Credentials
from config.demonstration.paybill import Paybill
from config.demonstration.receiver import Inbox
from config.demonstration.shop import Refused, Shop
from config.demonstration.telling import CannotGoOn, Teller
from core.http import HttpFault, Request, Response, send
from core.money import Money

PATIENCE_SECONDS = 30.0
POLL_SECONDS = 0.04
SETTLE_SECONDS = 0.25
ENDED = ("succeeded", "failed", "cancelled", "expired")
_DEADLINE_SECONDS = 15.0

Found = TypeVar("Found")


@dataclass
class Outcome:
    """What a run achieved, as its last line of JSON tells it."""

    payments_succeeded: int = 0
    orders_paid: int = 0
    refunds_succeeded: int = 0
    webhooks_verified: int = 0
    books_balance: bool = False


@dataclass(frozen=True, kw_only=True)
class Story:
    """`require_alive` is asked while waiting, and raises when one of our processes has died.

    `simulators` are their addresses by name.
    """

    shop: Shop
    inbox: Inbox
    teller: Teller
    web: str
    simulators: dict[str, str]
    streams: str
    require_alive: Callable[[], None]

    def connect_webhooks(self, credentials: Credentials) -> None:
        """Tell Lango where this run's receiver listens, and trust the endpoint's secret."""
        wanted = {"url": self.inbox.url, "is_enabled": True}
        if credentials.endpoint:
            self.shop.patch(f"/v1/webhook-endpoints/{credentials.endpoint}", wanted)
        else:
            made = self.shop.post("/v1/webhook-endpoints", {"url": self.inbox.url, "description": "Demo receiver"})
            credentials.endpoint, credentials.endpoint_secret = made["id"], made["secret"]
        self.inbox.trust(credentials.secret)

    def newest_event(self) -> str:
        """The id of the latest event before the story, or nothing."""
        found = self.shop.get("/v1/events?limit=1")["data"]
        return found[0]["id"] if found else ""

    def tell(self, outcome: Outcome) -> None:
        """Perform everything, adding to `outcome` as it succeeds. Raises CannotGoOn at the first step that fails."""
        before = self.newest_event()
        paid_by_phone = self._pay_by_phone()
        outcome.payments_succeeded += 1
        paid_by_card = self._pay_by_card()
        outcome.payments_succeeded += 1
        self._charge_a_saved_card()
        outcome.payments_succeeded += 1
        self._receive_by_paybill()
        outcome.payments_succeeded += 1
        for _ in self._lunch_hour():
            outcome.payments_succeeded += 1
            outcome.orders_paid += 1
        self._reconcile()
        outcome.payments_succeeded += 1
        for payment in (paid_by_card, paid_by_phone):
            self._refund(payment)
            outcome.refunds_succeeded += 1
        outcome.webhooks_verified = self._verify_webhooks(before)
        self._show_balance(paid_by_phone, paid_by_card)

    def _pay_by_phone(self) -> dict[str, Any]:
        self.teller.say("\n  An M-Pesa payment, approved on the simulated phone")
        with self._timed() as line:
            payment = self.shop.post(
                "/v1/payments",
                {
                    "amount": 25_000,
                    "currency": "KES",
                    "method": "mpesa",
                    # Another payer each time: a phone shows one prompt at a time.
                    "phone": f"25472{random.randrange(10**7):07}",
                    "reference": "DEMO-1",
                },
            )
            line(f"POST /v1/payments: {_amount(payment)}, {payment['id']} is {payment['state']}")
        prompt = payment["attempts"][0]["provider_id"]
        if not prompt:
            raise CannotGoOn(f"M-Pesa did not take the payment: {payment['failure'] or payment['state']}.")
        with self._timed() as line:
            _visit("POST", f"{self.simulators['mpesa']}/_simulator/phone", {"id": prompt, "outcome": "approve"})
            line("the payer enters the PIN on the phone")
        return self._await("payments", payment["id"], "callback in, proved by a query: payment succeeded")

    def _receive_by_paybill(self) -> None:
        self.teller.say("\n  Money that comes by itself to the M-Pesa paybill")
        Paybill(
            shop=self.shop, simulator=self.simulators["mpesa"], timed=self._timed, patiently=self._patiently
        ).receive()

    def _lunch_hour(self) -> Iterator[dict[str, Any]]:
        """Each payment, once it is made."""
        from config.demonstration.lunch import Lunch

        self.teller.say("\n  Lunch at a counter, paid by QRIS")
        lunch = Lunch(
            shop=self.shop,
            simulators=self.simulators,
            timed=self._timed,
            paid=self._await,
            patiently=self._patiently,
            web=self.web,
            streams=self.streams,
        )
        store, sources = lunch.open()
        with lunch.screens(store) as screens:
            self.teller.say("\n  An order that the POS rang up")
            yield (first := lunch.pay_pos_order(store, sources["pos"]))
            self.teller.say("\n  An order of the ERP, with the first provider down")
            yield (second := lunch.pay_erp_order(store, sources["erp"]))
            lunch.show_paid(screens, [first, second])

    def _reconcile(self) -> None:
        from config.demonstration.nightly import Nightly

        self.teller.say("\n  A payment whose answer and callback are lost, found by reconciliation")
        Nightly(
            shop=self.shop,
            simulator=self.simulators["mpesa"],
            timed=self._timed,
            paid=self._await,
            patiently=self._patiently,
        ).repair()

    def _pay_by_card(self) -> dict[str, Any]:
        self.teller.say("\n  A card payment with 3-D Secure")
        with self._timed() as line:
            payment = self.shop.post(
                "/v1/payments",
                {
                    "amount": 4_900,
                    "currency": "USD",
                    "method": "card",
                    "payment_method": "pm_card_threeDSecure2Required",
                    "return_url": f"{self.web}/demo/result",
                    "reference": "DEMO-2",
                },
            )
            line(f"POST /v1/payments: {_amount(payment)}, {payment['id']} is {payment['state']}")
        action = payment["next_action"] or {}
        if action.get("type") != "redirect":
            raise CannotGoOn(f"The card payment asks for no 3-D Secure: {payment['failure'] or payment['state']}.")
        self._pass_challenge(action["url"])
        return self._await("payments", payment["id"], "signed callback in: payment succeeded")

    def _charge_a_saved_card(self) -> None:
        self.teller.say("\n  A card that a customer has saved, charged while they are away")
        with self._timed() as line:
            customer = self.shop.post("/v1/customers", {"name": "Njeri Kamau"})["id"]
            saved = self.shop.post(
                "/v1/saved-methods", {"customer": customer, "method": "card", "payment_method": "pm_card_visa"}
            )
            line(f"POST /v1/saved-methods: {saved['id']} is {saved['state']}")
        if saved["state"] != "active":
            raise CannotGoOn(f"The card was not saved: {saved['failure'] or saved['state']}.")
        with self._timed() as line:
            charge = {"amount": 1_900, "currency": "USD", "saved_method": saved["id"], "off_session": True}
            payment = self.shop.post("/v1/payments", charge | {"reference": "DEMO-3"})
            line(f"POST /v1/payments: {_amount(payment)} from {_card(saved)}, {payment['id']} is {payment['state']}")
        self._await("payments", payment["id"], "payment succeeded")

    def _pass_challenge(self, url: str) -> None:
        """Follow the bank's page as a browser does: see it, press its button, be led back to the shop."""
        with self._timed() as line:
            page = _visit("GET", url)
            pressed = re.search(rb'<form method="post" action="([^"]+)"', page.body)
            line("the browser shows the bank's page")
        if pressed is None:
            raise CannotGoOn(f"The page {url} offers no button to complete the challenge.")
        with self._timed() as line:
            answer = _visit("POST", urljoin(url, pressed[1].decode()), {"outcome": "approve"})
            hops = 0
            while 300 <= answer.status < 400 and hops < 5:
                answer, hops = _visit("GET", answer.headers["location"]), hops + 1
            line(f"the payer confirms, and is led back to the shop in {hops} hops ({answer.status})")
        if answer.status != 200:
            raise CannotGoOn(f"The browser ended on a page that answers {answer.status}.")

    def _refund(self, payment: dict[str, Any]) -> None:
        name = "reversal" if payment["method"] == "mpesa" else "refund"
        self.teller.say(f"\n  A {name} of the {payment['method']} payment")
        with self._timed() as line:
            refund = self.shop.post(f"/v1/payments/{payment['id']}/refunds", {"reason": "The demo"})
            line(f"POST /v1/payments/…/refunds: {_amount(refund)}, {refund['id']} is {refund['state']}")
        self._await("refunds", refund["id"], "refund succeeded")

    def _show_balance(self, *payments: dict[str, Any]) -> None:
        """What the payments cost, and what is owed to the merchant after all of it."""
        self.teller.say("\n  What it came to")
        for payment in payments:
            with self._timed() as line:
                fee = self.shop.get(f"/v1/payments/{payment['id']}")["fee"]
                told = "is charged" if fee["is_final"] else "is expected, until the provider tells"
                line(f"{payment['method']}: a fee of {Money(fee['amount'], fee['currency'])} {told}")
        with self._timed() as line:
            held = self.shop.get("/v1/balance")["currencies"]
            line("GET /v1/balance: " + ", ".join(str(Money(row["amount"], row["currency"])) for row in held))

    def _await(self, kind: str, public_id: str, told: str) -> dict[str, Any]:
        with self._timed() as line:
            found = self._patiently(
                lambda: self.shop.get(f"/v1/{kind}/{public_id}"), until=lambda found: found["state"] in ENDED
            )
            if found["state"] != "succeeded":
                raise CannotGoOn(f"{public_id} is {found['state']} and not succeeded: {found['failure']}.")
            line(told)
        return found

    def _verify_webhooks(self, before: str) -> int:
        """Wait until each event of this run has been delivered and verified, and no more of them appear."""
        self.teller.say("\n  Every event, delivered to the merchant and verified with `standardwebhooks`")
        with self._timed() as line:
            published: set[str] = set()
            is_last = False
            while not is_last:
                latest = self._patiently(
                    lambda: self._published_after(before), until=lambda found: found <= set(self.inbox.verified)
                )
                is_last, published = latest == published, latest
                time.sleep(SETTLE_SECONDS)
            missing = published - set(self.inbox.verified)
            line(f"{len(published)} events, {len(published - missing)} verified, {self.inbox.refused} refused")
        if missing or self.inbox.refused:
            raise CannotGoOn(f"{len(missing)} webhooks did not arrive, and {self.inbox.refused} did not verify.")
        return len(published)

    def _published_after(self, before: str) -> set[str]:
        found: set[str] = set()
        cursor = ""
        while True:
            page = self.shop.get(f"/v1/events?limit=100{cursor}")
            ids = [event["id"] for event in page["data"]]
            # Ids sort by time, and the list begins with the newest.
            found |= {event for event in ids if event > before}
            if not page["has_more"] or (ids and ids[-1] <= before):
                return found
            cursor = "&" + urlencode({"cursor": page["next_cursor"]})

    def _patiently(self, look: Callable[[], Found], *, until: Callable[[Found], bool]) -> Found:
        """What was found when it was as it should be, or when patience ended."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        found = look()
        while not until(found) and time.monotonic() < deadline:
            self.require_alive()
            time.sleep(POLL_SECONDS)
            found = look()
        return found

    @contextmanager
    def _timed(self) -> Iterator[Callable[[str], None]]:
        """Gives a function that ends the line begun here; a refusal by the API ends the story instead."""
        began = time.monotonic()
        try:
            yield lambda text: self.teller.say(f"  {1000 * (time.monotonic() - began):7.0f} ms  {text}")
        except Refused as problem:
            raise CannotGoOn(str(problem)) from problem


def _visit(method: str, url: str, form: dict[str, str] | None = None) -> Response:
    headers = {"Content-Type": "application/x-www-form-urlencoded"} if form else {}
    try:
        answer = send(Request(method, url, headers, urlencode(form or {}).encode()), deadline=_DEADLINE_SECONDS)
    except HttpFault as fault:
        raise CannotGoOn(f"{url} does not answer: {fault}") from fault
    if answer.status >= 400:
        raise CannotGoOn(f"{method} {url} answered {answer.status}.")
    return answer


def _card(saved: dict[str, Any]) -> str:
    return f"{saved['card']['brand']} {saved['card']['last4']}"


def _amount(document: dict[str, Any]) -> str:
    return str(Money(document["amount"], document["currency"]))
