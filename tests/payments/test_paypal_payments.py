"""PayPal through our API and our door: the payer goes to its page, and its webhooks are believed as far as they go."""

import pytest
import requests

from events.models import Callback
from merchants import doors
from payments.models import Attempt
from tests.payments.world import Company, session, until

pytestmark = pytest.mark.django_db(transaction=True)

WEBHOOK = "9AB12345CD678901E"


@pytest.fixture
def paypal(world, companies):
    company = Company(companies.url("paypal"))
    company.post("reset")
    yield company
    company.post("reset")


@pytest.fixture
def account(shop, paypal):
    authority = requests.get(f"{paypal.url}/_simulator/certificate", timeout=5).text
    credentials = {"client_id": "lango-simulator-client", "client_secret": "lango-simulator-secret"}
    made = shop.account("paypal", credentials, {"webhook_ids": [WEBHOOK], "certificate_authorities": authority})
    paypal.post("settings", webhook_url=doors.callback_url(made, "events"), callback_retries=[])
    return made


def pay(shop, **changes):
    body = {"amount": 1250, "currency": "USD", "method": "paypal", "return_url": "https://shop.example/back"}
    return shop.api.post("payments", 201, **body | changes)


def test_the_payer_is_sent_to_paypal_s_page_and_comes_back_to_us(shop, account, paypal):
    payment = pay(shop)
    assert (payment["state"], payment["next_action"]["type"]) == ("requires_action", "redirect")
    page = session().post(payment["next_action"]["url"], data={"outcome": "cancel"}, allow_redirects=False, timeout=5)
    back = session().get(page.headers["Location"], allow_redirects=False, timeout=5)
    assert back.headers["Location"] == f"https://shop.example/back?payment={payment['id']}"
    attempt = Attempt.objects.get(payment=payment["id"])
    [entry] = paypal.entries("payment")
    assert (entry["id"], entry["reference"]) == (attempt.provider_id, attempt.provider_reference)


def test_a_currency_that_paypal_does_not_take_is_refused_before_anything_is_created(shop, account, paypal):
    asked = {"amount": 25_000, "method": "paypal", "return_url": "https://shop.example/back"}
    shop.api.refused("payments", 400, "no_provider_available", currency="KES", **asked)
    shop.api.refused("payments", 400, "amount_not_representable", currency="BRL", **asked)
    assert paypal.entries() == []


def test_a_webhook_of_paypal_is_taken_in_at_our_door_and_a_forged_one_is_kept_apart(shop, account, paypal):
    payment = pay(shop)
    paypal.simulate(payment, "approve")
    until(lambda: Callback.objects.filter(account=account.pk).count() == 1)
    paypal.simulate(payment, "approve", callback="bad_checksum")
    until(lambda: len(paypal.callbacks()) == 2)
    assert sorted(told["result"] for told in paypal.callbacks()) == [200, 400]
    [forged] = Callback.objects.filter(account=account.pk, state=Callback.State.QUARANTINED)
    assert forged.note == "the signature does not fit the message"
