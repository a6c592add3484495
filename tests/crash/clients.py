"""Merchants and payers: good clients, which repeat a request with its Idempotency-Key until it is answered."""

import itertools
import random
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import requests

from tests.crash import payers
from tests.crash.companies import ALL

ANSWER_SECONDS = 60.0
OUTCOME_SECONDS = 8.0
PAUSE = 0.2
Json = dict[str, Any]

_phones = itertools.count(int(time.time()) % 1_000_000)


class NoAnswer(Exception):
    """The API did not answer in all that time."""


@dataclass
class Diary:
    """What the clients lived to see: the objects that each key was answered with, and what was wrong."""

    objects: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    wrongs: list[str] = field(default_factory=list)
    requests: int = 0
    repeats: int = 0


class Client:
    """One merchant's programme. `simulators` are the base URLs by name, where the payers are."""

    def __init__(self, *, api: str, key: str, simulators: dict[str, str], diary: Diary, chance: random.Random) -> None:
        self._api, self._key, self._simulators = api, key, simulators
        self._diary, self.chance = diary, chance

    def do_something(self) -> None:
        """One journey of a payment, by chance; never raises."""
        journeys, weights = zip(*_JOURNEYS, strict=True)
        journey: Callable[[Client], None] = self.chance.choices(journeys, weights)[0]
        try:
            journey(self)
        except NoAnswer as error:
            self._diary.wrongs.append(f"client: {error}")

    def warm_up(self) -> None:
        """One payment of each method, undisturbed."""
        self.pay_by_card("pm_card_visa")
        self.pay_by_phone("approve")
        self.register_paybill()
        for company in ALL:
            for way in company.ways:
                if waiting := payers.ask(self, way, provider=company.name):
                    self.answer(waiting, way.approve)

    def register_paybill(self) -> None:
        """From then on M-Pesa asks about, and tells of, what payers send by themselves, and of prompts' money."""
        accounts = self.get("/v1/provider-accounts")["data"]
        account = next(f"/v1/provider-accounts/{row['id']}" for row in accounts if row["provider"] == "mpesa")
        made = self.post(f"{account}/register-callbacks", {}) or {}
        ends_at = time.monotonic() + ANSWER_SECONDS
        while (told := self.get(f"{account}/registrations/{made['id']}"))["outcome"] != "registered":
            if time.monotonic() > ends_at or told["outcome"] not in ("waiting", "sending"):
                raise NoAnswer(f"the paybill's addresses: {told}")
            time.sleep(PAUSE)

    # Requests.

    def post(self, path: str, body: Json, *, refusals: tuple[str, ...] = ()) -> Json | None:
        """The object, however often it has to be asked; None for a refusal that the journey reckons with.

        A refusal that says to ask again in a moment is no end: asked again it is another request.
        """
        ends_at = time.monotonic() + ANSWER_SECONDS
        while True:
            key = str(uuid4())
            answer = self._insist("POST", path, body, key)
            document: Json = answer.json()
            if not str(document.get("detail")).endswith("Ask again in a moment.") or time.monotonic() > ends_at:
                break
            time.sleep(PAUSE)
        if answer.ok:
            self._diary.objects[key].add(document["id"])
            return document
        if document.get("code") not in refusals:
            self._diary.wrongs.append(f"client: POST {path} with key {key}: {answer.status_code} {document}")
        return None

    def get(self, path: str) -> Json:
        document: Json = self._insist("GET", path, None, "").json()
        return document

    def _insist(self, method: str, path: str, body: Json | None, key: str) -> requests.Response:
        ends_at, self._diary.requests = time.monotonic() + ANSWER_SECONDS, self._diary.requests + 1
        headers = {"Authorization": f"Bearer {self._key}"} | ({"Idempotency-Key": key} if key else {})
        last = ""
        while time.monotonic() < ends_at:
            try:
                answer = requests.request(method, self._api + path, json=body, headers=headers, timeout=20)
            except requests.RequestException as error:
                last = type(error).__name__
            else:
                if not _is_worth_repeating(answer):
                    return answer
                last = f"{answer.status_code} {answer.text[:200]}"
            self._diary.repeats += 1
            time.sleep(PAUSE * self.chance.uniform(1, 3))
        raise NoAnswer(f"{method} {path} with key {key}: {last}")

    def wait_for(self, payment_id: str, *states: str) -> Json | None:
        """The payment once it is in one of the states; None when it does not get there in time."""
        ends_at = time.monotonic() + OUTCOME_SECONDS
        while time.monotonic() < ends_at:
            payment = self.get(f"/v1/payments/{payment_id}")
            if payment["state"] in states:
                return payment
            if payment["state"] in ("failed", "cancelled", "expired"):
                return None
            time.sleep(PAUSE)
        return None

    # Payers.

    def tell(self, provider: str, reference: str, outcome: str, *, after: float = 0.0) -> None:
        """A payer acts as soon as there is something to act on, whatever became of our processes."""

        def act() -> None:
            time.sleep(after)
            ends_at = time.monotonic() + OUTCOME_SECONDS
            while time.monotonic() < ends_at:
                with suppress(requests.RequestException):
                    url = f"{self._simulators[provider]}/_simulator/simulate"
                    if (
                        requests.post(url, json={"reference": reference, "outcome": outcome}, timeout=5).status_code
                        != 404
                    ):
                        return
                time.sleep(0.1)

        threading.Thread(target=act, daemon=True).start()

    def answer(self, payment: Json, outcome: str) -> None:
        """Whoever is asked for the payment now acts."""
        newest = payment["attempts"][-1]
        self.tell(newest["provider"], newest["provider_reference"], outcome, after=self.chance.uniform(0.0, 0.8))

    def pay_by_paybill(self, reference: str, shillings: int, *, callback: str = "") -> None:
        """A payer sends money by themselves. Where validation is not answered, M-Pesa lets it through."""
        asked = {"outcome": "paybill", "short_code": "600111", "amount": shillings, "reference": reference}
        phone = f"254711{next(_phones) % 1_000_000:06d}"
        with suppress(requests.RequestException):
            url = f"{self._simulators['mpesa']}/_simulator/simulate"
            requests.post(url, json={**asked, "phone": phone, "callback": callback}, timeout=20)

    # Steps.

    def pay_by_card(self, token: str, *, capture: str = "automatic") -> Json:
        body = {
            "amount": self.chance.randrange(500, 90_000),
            "currency": self.chance.choice(("USD", "KES", "EUR")),
            "method": "card",
            "payment_method": token,
            "capture": capture,
            "return_url": "http://127.0.0.1/back",
        }
        if body["currency"] == "KES":
            body["amount"] = body["amount"] + 50_000
        return self.post("/v1/payments", body) or {}

    def save_card(self) -> str:
        """The id of a card that is kept; empty when that does not come about in time."""
        customer = self.post("/v1/customers", {"name": "Njeri Kamau"}) or {}
        body = {"customer": customer.get("id", ""), "method": "card", "payment_method": "pm_card_visa"}
        saved = self.post("/v1/saved-methods", body) or {}
        ends_at = time.monotonic() + OUTCOME_SECONDS
        while saved and saved["state"] != "active" and time.monotonic() < ends_at:
            time.sleep(PAUSE)
            saved = self.get(f"/v1/saved-methods/{saved['id']}")
        return str(saved["id"]) if saved.get("state") == "active" else ""

    def some_shillings(self) -> int:
        return self.chance.randrange(10, 900)

    def pay_by_phone(self, outcome: str) -> Json:
        phone = f"254711{next(_phones) % 1_000_000:06d}"
        if outcome:
            self.tell("mpesa", phone, outcome, after=self.chance.uniform(0.0, 0.8))
        amount = self.some_shillings() * 100
        body = {"amount": amount, "currency": "KES", "method": "mpesa", "phone": phone}
        return self.post("/v1/payments", body) or {}

    def refund(self, payment: Json | None, *, part: bool = False) -> None:
        if payment is None:
            return
        body = {"amount": payment["captured_amount"] // 3} if part else {}
        # The receipt of a prompt whose callback was lost is not seen before the pull, which is a later issue's.
        self.post(f"/v1/payments/{payment['id']}/refunds", body, refusals=("not_refundable",))


def _is_worth_repeating(answer: requests.Response) -> bool:
    if answer.status_code >= 500:
        return True
    return answer.status_code == 409 and answer.json().get("code") == "idempotency_in_progress"


# Journeys.


def _card(client: Client) -> None:
    client.pay_by_card("pm_card_visa")


def _declined_card(client: Client) -> None:
    client.pay_by_card("pm_card_visa_chargeDeclined")


def _challenge(outcome: str) -> Callable[[Client], None]:
    def journey(client: Client) -> None:
        payment = client.pay_by_card("pm_card_authenticationRequired")
        waiting = client.wait_for(payment["id"], "requires_action") if payment else None
        if waiting:
            client.tell("stripe", waiting["attempts"][0]["provider_reference"], outcome)

    return journey


def _held_card(client: Client) -> None:
    payment = client.pay_by_card("pm_card_visa", capture="manual")
    held = client.wait_for(payment["id"], "authorized") if payment else None
    if held:
        part = {"amount": held["amount"] - 100} if held["amount"] % 2 else {}
        client.post(f"/v1/payments/{held['id']}/capture", part)


def _let_go_card(client: Client) -> None:
    payment = client.pay_by_card("pm_card_visa", capture="manual")
    held = client.wait_for(payment["id"], "authorized") if payment else None
    if held:
        client.post(f"/v1/payments/{held['id']}/cancel", {})


def _refunded_card(client: Client) -> None:
    payment = client.pay_by_card("pm_card_visa")
    paid = client.wait_for(payment["id"], "succeeded") if payment else None
    client.refund(paid, part=True)
    client.refund(paid, part=True)


def _saved_card(client: Client) -> None:
    """Saved, charged twice while its owner is away, and given up."""
    saved = client.save_card()
    if not saved:
        return
    for amount in (1_250, 66_622_00):
        charge = {"amount": amount, "currency": "USD", "saved_method": saved, "off_session": True}
        client.post("/v1/payments", charge)
    client.post(f"/v1/saved-methods/{saved}/detach", {})


def _phone(outcome: str) -> Callable[[Client], None]:
    return lambda client: client.pay_by_phone(outcome) and None


def _reversed_phone(client: Client) -> None:
    payment = client.pay_by_phone("approve")
    client.refund(client.wait_for(payment["id"], "succeeded") if payment else None)


def _by_paybill(times: int) -> Callable[[Client], None]:
    """The prompt is left alone, and its reference paid by hand: once, or as often as that."""

    def journey(client: Client) -> None:
        payment = client.pay_by_phone("")
        for _ in range(times if payment else 0):
            reference = payment["attempts"][0]["provider_reference"]
            client.pay_by_paybill(reference, payment["amount"] // 100, callback="duplicate")

    return journey


def _unasked(client: Client) -> None:
    for callback in ("", "duplicate"):
        client.pay_by_paybill(f"LUNCH {uuid4().hex[:8]}", client.some_shillings(), callback=callback)


_JOURNEYS: tuple[tuple[Callable[[Client], None], int], ...] = (
    (_card, 2),
    (_declined_card, 2),
    (_challenge("approve"), 2),
    (_challenge("decline"), 1),
    (_held_card, 3),
    (_let_go_card, 2),
    (_refunded_card, 3),
    (_saved_card, 4),
    (_phone("approve"), 2),
    (_phone("decline"), 1),
    (_phone(""), 1),
    (_reversed_phone, 5),
    (_by_paybill(1), 2),
    (_by_paybill(2), 1),
    (_unasked, 2),
    *payers.journeys(),
)
