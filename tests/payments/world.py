"""Our API and doors over HTTP, the companies' simulators on the other side, and a worker that runs when told."""

import socket
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cached_property
from itertools import pairwise
from typing import Any

import requests

import simulators
from core import clock
from events import work
from events.models import Attention, AuditEntry, Callback, Event, Transition
from merchants import doors, services
from merchants.models import Delivery, Merchant, ProviderAccount
from merchants.scopes import known
from payments.models import Attempt, Operation, Payment, Receipt, Refund

PATIENCE = 8.0
PHONE = "254711000111"
QUEUES = ("outbox", "operations", "saved_methods", "callbacks", "reported_receipts", "operations", "deliveries")
STRIPE_KEY = "sk_test_lango_simulator"
STRIPE_SIGNING_SECRET = "whsec_lango_simulator"
MPESA = {
    "consumer_key": "lango-simulator-key",
    "consumer_secret": "lango-simulator-secret",
    "passkey": "lango-simulator-passkey-600111",
    "initiator_name": "lango-operator",
    "initiator_password": "Simulator-Pass-1!",
}

SECOND_APP = {name: f"{MPESA[name]}-2" for name in ("consumer_key", "consumer_secret")}
"""For a second M-Pesa account beside the shop's: an app serves one."""


def until(found: Callable[[], Any], *, seconds: float = PATIENCE) -> Any:
    """The first true value of `found()`."""
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        if value := found():
            return value
        time.sleep(0.02)
    raise AssertionError("it did not happen in time")


def free_neighbours() -> int:
    """The first of as many ports as there are simulators: a provider's goes by its place. Nothing listens on them."""
    while True:
        with ExitStack() as held, suppress(OSError, OverflowError):
            first = _bound(held, 0)
            for place in range(1, len(simulators.REGISTRY)):
                _bound(held, first + place)
            return first


def _bound(held: ExitStack, port: int) -> int:
    probe = held.enter_context(socket.socket())
    probe.bind(("127.0.0.1", port))
    return int(probe.getsockname()[1])


def session() -> requests.Session:
    made = requests.Session()
    made.trust_env = False
    made.mount("http://", requests.adapters.HTTPAdapter(pool_maxsize=128))
    return made


class Company:
    """What lies under a simulator's `/_simulator/`."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._http = session()

    def post(self, what: str, **values: Any) -> Any:
        answer = self._http.post(f"{self.url}/_simulator/{what}", json=values, timeout=PATIENCE)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def trouble(self, do: str, on: str = "*", **more: Any) -> None:
        self.post("trouble", do=do, on=on, **more)

    def waiting(self) -> list[dict[str, Any]]:
        """The trouble that has not befallen a call yet."""
        return self._http.get(f"{self.url}/_simulator/trouble", timeout=PATIENCE).json()["waiting"]

    def simulate(self, payment: dict[str, Any] | str, outcome: str, **more: Any) -> Any:
        """Let the payer do something; a payment is known by its reference, as its id may be lost."""
        if isinstance(payment, str):
            return self.post("simulate", id=payment, outcome=outcome, **more)
        reference = payment["attempts"][-1]["provider_reference"]
        return self.post("simulate", reference=reference, outcome=outcome, **more)

    def ledger(self) -> dict[str, Any]:
        return self._http.get(f"{self.url}/_simulator/ledger", timeout=PATIENCE).json()

    def callbacks(self) -> list[dict[str, Any]]:
        """Every attempt at a callback, with its URL and what came of it."""
        return self._http.get(f"{self.url}/_simulator/callbacks", timeout=PATIENCE).json()["callbacks"]

    def entries(self, kind: str = "") -> list[dict[str, Any]]:
        return [entry for entry in self.ledger()["entries"] if kind in ("", entry["kind"])]

    def calls(self, route: str) -> int:
        return self.ledger()["calls"].get(route, 0)


class Api:
    """A merchant's own client: JSON over HTTP with a key, and an Idempotency-Key on every POST."""

    def __init__(self, base_url: str, key: str) -> None:
        self.base_url, self.key = base_url, key
        self._http = session()

    def send(self, method: str, path: str, *, key: str | None = None, **options: Any) -> requests.Response:
        headers = {"Authorization": f"Bearer {self.key}"} | options.pop("headers", {})
        if method == "POST" and key != "":
            headers["Idempotency-Key"] = key or uuid.uuid4().hex
        url = f"{self.base_url}{path}" if path.startswith("/") else f"{self.base_url}/v1/{path}"
        options.setdefault("timeout", 30)
        return self._http.request(method, url, headers=headers, allow_redirects=False, **options)

    def get(self, path: str, **query: Any) -> Any:
        answer = self.send("GET", path, params=query)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def post(self, path: str, status: int = 200, *, key: str | None = None, **body: Any) -> Any:
        answer = self.send("POST", path, key=key, json=body)
        assert answer.status_code == status, answer.text
        return answer.json()

    def refused(self, path: str, status: int, code: str, *, key: str | None = None, **body: Any) -> Any:
        """The problem that answers a POST."""
        answer = self.send("POST", path, key=key, json=body)
        problem = answer.json()
        assert (answer.status_code, problem["code"]) == (status, code), answer.text
        assert answer.headers["Content-Type"] == "application/problem+json"
        assert problem["request_id"] == answer.headers["X-Request-Id"]
        return problem

    def card(self, method: str = "pm_card_visa", amount: int = 1250, currency: str = "USD", **more: Any) -> Any:
        """A card payment as it is answered."""
        body = {"amount": amount, "currency": currency, "method": "card", "payment_method": method} | more
        return self.post("payments", 201, key=body.pop("key", None), **body)

    def save_card(self, method: str = "pm_card_visa", status: int = 201, **more: Any) -> Any:
        """A card that is saved for a customer, new unless one is named, as it is answered."""
        customer = more.pop("customer", None) or self.post("customers", 201, name="Njeri Kamau")["id"]
        body = {"customer": customer, "method": "card", "payment_method": method} | more
        return self.post("saved-methods", status, key=body.pop("key", None), **body)

    def charge(self, saved: dict[str, Any], amount: int = 1250, currency: str = "USD", **more: Any) -> Any:
        """A payment by a saved method without its owner, as it is answered."""
        body = {"amount": amount, "currency": currency, "saved_method": saved["id"], "off_session": True} | more
        return self.post("payments", 201, key=body.pop("key", None), **body)

    def prompt(self, phone: str = PHONE, amount: int = 25_000, **more: Any) -> Any:
        """An M-Pesa payment as it is answered."""
        body = {"amount": amount, "currency": "KES", "method": "mpesa", "phone": phone} | more
        return self.post("payments", 201, key=body.pop("key", None), **body)


@dataclass
class Shop:
    """A merchant with a key and an account at each company's simulator."""

    world: "World"
    merchant: Merchant
    key: str
    api: Api
    app: str = ""

    @cached_property
    def stripe(self) -> ProviderAccount:
        return self.account("stripe", {"secret_key": STRIPE_KEY, "webhook_secrets": [STRIPE_SIGNING_SECRET]})

    @cached_property
    def mpesa(self) -> ProviderAccount:
        app = {name: MPESA[name] + self.app for name in ("consumer_key", "consumer_secret")}
        return self.account("mpesa", MPESA | app, self.world.mpesa_options())

    def account(self, provider: str, credentials: dict[str, Any], options: Any = None, **more: Any) -> ProviderAccount:
        return services.create_provider_account(
            merchant=self.merchant,
            provider=provider,
            name=provider.title(),
            host="simulator",
            credentials=credentials,
            options=options,
            by="test",
            **more,
        )

    def key_with(self, *scopes: str, **more: Any) -> Api:
        """Another key of this merchant."""
        _, secret = services.create_api_key(
            merchant=self.merchant, name="other", owner="test", scopes=scopes or known(), by="test", **more
        )
        return Api(self.api.base_url, secret.reveal())


@dataclass
class World:
    base_url: str
    stripe: Company
    mpesa: Company
    certificate: str
    shops: list[Shop] = field(default_factory=list)

    def shop(self, name: str = "Duka", app: str = "") -> Shop:
        merchant = services.create_merchant(name=name, by="test")
        _, secret = services.create_api_key(merchant=merchant, name="key", owner="test", scopes=known(), by="test")
        made = Shop(self, merchant, secret.reveal(), Api(self.base_url, secret.reveal()), app)
        self.shops.append(made)
        return made

    def mpesa_options(self, **changes: Any) -> dict[str, Any]:
        options = {"shortcode": "600111", "certificate": self.certificate, "source_addresses": ["127.0.0.1"]}
        return options | changes

    def listen_to_stripe(self, shop: Shop, **changes: Any) -> str:
        """Have Stripe send its events to the shop's door."""
        url = stripe_door(shop)
        self.stripe.post("settings", **{"webhook_url": url, "callback_retries": [], **changes})
        return url

    # The worker

    def work(self) -> bool:
        """One round of every queue, in this thread; true so that it can be waited on."""
        for name in QUEUES:
            work.drain(name)
        return True

    def work_until(self, found: Callable[[], Any], *, seconds: float = PATIENCE) -> Any:
        return until(lambda: self.work() and found(), seconds=seconds)

    @contextmanager
    def later(self, **by: float) -> Iterator[None]:
        """Stand at a later moment, with the work that is due then done."""
        with clock.shifted(timedelta(**by)):
            self.work()
            yield

    def heard(self, count: int = 1, **about: Any) -> list[Callback]:
        """Wait until that many callbacks are stored, and work until none of them waits."""
        until(lambda: Callback.objects.filter(**about).count() >= count)
        self.work()
        return list(Callback.objects.filter(**about).order_by("pk"))


def stripe_door(shop: Shop) -> str:
    """Where Stripe's events for this shop come in."""
    return doors.callback_url(shop.stripe, "events")


# What our own books say


def reaches(shop: Shop, payment: dict[str, Any], state: str) -> dict[str, Any]:
    """Work until the API shows the payment in that state."""

    def shown() -> dict[str, Any] | None:
        found = shop.api.get(f"payments/{payment['id']}")
        return found if found["state"] == state else None

    return shop.world.work_until(shown)


def saved_reaches(shop: Shop, saved: dict[str, Any], state: str) -> dict[str, Any]:
    def shown() -> dict[str, Any] | None:
        found = shop.api.get(f"saved-methods/{saved['id']}")
        return found if found["state"] == state else None

    return shop.world.work_until(shown)


def refund_reaches(shop: Shop, refund: dict[str, Any], state: str) -> dict[str, Any]:
    def shown() -> dict[str, Any] | None:
        found = shop.api.get(f"refunds/{refund['id']}")
        return found if found["state"] == state else None

    return shop.world.work_until(shown)


def path_of(row: Payment | Attempt | Operation | Refund | dict[str, Any]) -> list[str]:
    """The states that a subject has gone through, from its transitions."""
    subject = row["id"] if isinstance(row, dict) else row.pk
    steps = list(Transition.objects.filter(subject=subject).order_by("sequence"))
    assert all(before.to_state == after.from_state for before, after in pairwise(steps))
    return [step.from_state for step in steps[:1]] + [step.to_state for step in steps]


def events_of(subject: dict[str, Any]) -> list[str]:
    return list(Event.objects.filter(subject=subject["id"]).order_by("sequence").values_list("type", flat=True))


def operations_of(payment: dict[str, Any]) -> list[tuple[str, str]]:
    found = Operation.objects.filter(attempt__payment=payment["id"]).order_by("pk")
    return [(operation.kind, operation.state) for operation in found]


def operation(payment: dict[str, Any], kind: str = "create") -> Operation:
    return Operation.objects.filter(attempt__payment=payment["id"], kind=kind).latest("pk")


def receipts_of(payment: dict[str, Any]) -> list[tuple[str, int, str | None]]:
    found = Receipt.objects.filter(attempt__payment=payment["id"]).order_by("pk")
    return [(receipt.kind, receipt.amount, receipt.provider_money_id) for receipt in found]


def attention() -> list[tuple[str, str]]:
    """(subject, reason) of everything that waits for a person."""
    return sorted(Attention.objects.filter(closed_at=None).values_list("subject", "reason"))


def counters(payment: dict[str, Any]) -> tuple[int, int, int]:
    """captured, reserved and refunded."""
    return Payment.objects.values_list("captured_amount", "refund_reserved", "refunded_amount").get(pk=payment["id"])


def nothing_was_written() -> bool:
    return not (Payment.objects.exists() or Operation.objects.exists() or Event.objects.exists())


def audit_of(action: str) -> list[AuditEntry]:
    return list(AuditEntry.objects.filter(action=action).order_by("pk"))


def deliveries() -> list[tuple[str, str]]:
    return [(delivery.event.type, delivery.state) for delivery in Delivery.objects.select_related("event")]
