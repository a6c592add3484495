"""Companies' own OpenAPI documents, held against what our adapters write beside what the contract sends."""

from dataclasses import replace
from urllib.parse import urlsplit

import jsonschema
import pytest

from core.clock import now
from core.crypto import Secret
from core.http import Request, Response
from core.money import Money
from payments.providers.base import Connection, Kind, Order
from payments.providers.disputes import EVIDENCE_FIELDS
from payments.providers.saving import SavingOrder
from payments.providers.statements import Window
from payments.providers.stripe import Credentials, Options, Stripe
from tests.contracts.descriptions import called, check_described, descriptions
from tests.contracts.world import MemoryTokens

BASE = "https://api.stripe.com"
ORDER = Order(
    Kind.CREATE,
    "REF1",
    "op1",
    Money(1250, "USD"),
    str,
    "https://shop.example/back",
    "card",
    instrument=Secret("pm_card_visa"),
    description="Order 20417",
    provider_id="pi_1",
    target_id="du_1",
)
SAVING = SavingOrder("op1", "REF1", "cus_1", Secret("pm_card_visa"), "https://shop.example/back", "seti_1", "pm_1")
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


def stripe() -> Stripe:
    def never(request: Request) -> Response:
        raise AssertionError("nothing may be sent")

    options = Options(statement_descriptor_suffix="ACME")
    return Stripe(Connection(BASE, False, Credentials(Secret("sk_test_x"), ()), options, now, never, MemoryTokens()))


def written() -> dict[str, Request]:
    """Every request that the adapter can write, by what it is for."""
    adapter = stripe()
    orders: dict[str, Order] = {str(kind): replace(ORDER, kind=kind) for kind in adapter.capabilities.operations}
    orders["held"] = replace(ORDER, manual_capture=True)
    orders["absent"] = replace(ORDER, customer_id="cus_1", off_session=True)
    evidence = {name: "x" * longest for name, longest in EVIDENCE_FIELDS.items()}
    orders["evidence in full"] = replace(ORDER, kind=Kind.EVIDENCE, evidence=evidence, submits=True)
    made = {name: adapter.step(order).request for name, order in orders.items()}
    kinds = {**orders, "refund by id": replace(ORDER, kind=Kind.REFUND, target_id="re_1")}
    made |= {f"question about {name}": adapter.fetch(order).request for name, order in kinds.items()}
    made["newest"] = adapter.fetch(replace(ORDER, provider_id="")).request
    made["cost"] = adapter.fetch_cost(ORDER).request
    made["statement"] = adapter.statement(Window(now(), now()), "txn_1").request
    made["lost set-up"] = adapter.fetch_setup(replace(SAVING, setup_id="")).request
    for name in ("introduce", "set_up", "fetch_setup", "cancel_setup", "detach", "fetch_method"):
        made[name] = getattr(adapter, name)(SAVING).request
    return made


@pytest.mark.parametrize("name", written())
def test_stripe_s_own_description_takes_what_we_send(name: str):
    check_described("stripe", BASE, [written()[name]])


def test_every_call_that_is_described_is_one_that_is_made():
    described = descriptions("stripe")
    made = {called(described, request.method, urlsplit(request.url).path) for request in written().values()}
    assert made == {call for call in described if call.startswith(("GET", "POST"))}


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/payment_intents", b"amount=12.50&currency=usd"),
        ("/v1/payment_intents", b"amount=1250&currency=usd&confirm=yes"),
        ("/v1/payment_intents", b"amount=1250&currency=usd&capture_method=later"),
        ("/v1/payment_intents", b"amount=1250"),
        ("/v1/payment_intents", b"amount=1250&currency=usd&tip=1"),
        ("/v1/payment_intents", b"amount=1250&amount=1250&currency=usd"),
        ("/v1/payment_intents", b"amount=1250&currency=usd&description=" + b"x" * 1001),
        ("/v1/disputes/du_1", b"evidence[mood]=sad"),
        ("/v1/refunds", b"payment_intent[]=pi_1"),
        ("/v1/refunds/re_1/undo", b""),
    ],
)
def test_what_the_description_does_not_take_is_found(path: str, body: bytes):
    with pytest.raises((AssertionError, jsonschema.ValidationError)):
        check_described("stripe", BASE, [Request("POST", BASE + path, FORM, body)])


def test_a_company_that_publishes_no_description_is_held_to_none():
    assert descriptions("mpesa") == {}
    check_described("mpesa", BASE, [Request("POST", f"{BASE}/anything", {}, b"anything")])


def test_a_description_says_where_it_comes_from_and_under_which_licence():
    for name in ("paypal", "stripe"):
        assert all(descriptions(name)[said] for said in ("source", "licence", "changes"))
