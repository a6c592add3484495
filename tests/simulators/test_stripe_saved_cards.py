"""Customers, saved cards and charges without their owner, by the published `stripe` library; the page by a browser."""

import pytest
import stripe

from tests.simulators.conftest import KEY

ASKS = "pm_card_authenticationRequired"


@pytest.fixture
def client(stripe_wire):
    return stripe.StripeClient(
        KEY,
        base_addresses={"api": stripe_wire.url},
        http_client=stripe.RequestsClient(),
        max_network_retries=0,
    )


@pytest.fixture
def customer(client):
    return client.v1.customers.create({"email": "njeri@example.com", "metadata": {"reference": "r1"}}).id


def set_up(client, customer, card="pm_card_visa", **more):
    params = {"customer": customer, "payment_method": card, "payment_method_types": ["card"], "confirm": True}
    return client.v1.setup_intents.create(params | more)


def charge(client, customer, method, **more):
    params = {
        "amount": 1250,
        "currency": "usd",
        "payment_method_types": ["card"],
        "customer": customer,
        "payment_method": method,
        "confirm": True,
        "off_session": True,
    }
    return client.v1.payment_intents.create(params | more)


def events(stripe_wire):
    return [event["type"] for event in stripe_wire.get("/v1/events?limit=100").json()["data"]][::-1]


def test_a_customer_is_made_changed_listed_and_deleted(client, customer):
    assert client.v1.customers.update(customer, {"name": "Njeri"}).name == "Njeri"
    assert [row.id for row in client.v1.customers.list({"email": "njeri@example.com"})] == [customer]
    method = set_up(client, customer).payment_method
    deleted = client.v1.customers.delete(customer)
    assert (deleted.id, deleted.deleted) == (customer, True)
    with pytest.raises(stripe.InvalidRequestError):
        client.v1.customers.retrieve(customer)
    assert client.v1.payment_methods.retrieve(method).customer is None


def test_a_card_is_set_up_shown_with_its_customer_and_charged(client, customer, stripe_wire):
    saved = set_up(client, customer, usage="off_session", expand=["payment_method"])
    assert (saved.status, saved.usage, saved.payment_method.customer) == ("succeeded", "off_session", customer)
    listed = client.v1.customers.payment_methods.list(customer, {"type": "card"})
    assert [row.id for row in listed] == [saved.payment_method.id]
    assert [row.id for row in client.v1.setup_intents.list({"customer": customer})] == [saved.id]
    paid = charge(client, customer, saved.payment_method.id)
    assert (paid.status, paid.customer) == ("succeeded", customer)
    assert events(stripe_wire)[:4] == [
        "customer.created",
        "setup_intent.created",
        "payment_method.attached",
        "setup_intent.succeeded",
    ]


def test_a_card_that_is_refused_is_told_with_the_set_up_inside(client, customer, stripe_wire):
    with pytest.raises(stripe.CardError) as refused:
        set_up(client, customer, "pm_card_visa_chargeDeclined")
    told = refused.value.error
    assert (refused.value.http_status, told.code, told.decline_code) == (402, "card_declined", "generic_decline")
    assert (told.setup_intent.status, told.setup_intent.payment_method) == ("requires_payment_method", None)
    assert events(stripe_wire)[-1] == "setup_intent.setup_failed"


@pytest.mark.parametrize(("outcome", "status"), [("approve", "succeeded"), ("decline", "requires_payment_method")])
def test_the_bank_s_page_of_a_set_up_leads_back(client, customer, stripe_wire, outcome, status):
    asked = set_up(client, customer, ASKS, return_url="https://shop.example/back?a=1")
    assert asked.status == "requires_action"
    url = asked.next_action.redirect_to_url.url
    assert "Save this card" in stripe_wire.http.get(url, timeout=5).text
    answer = stripe_wire.http.post(url, data={"outcome": outcome}, allow_redirects=False, timeout=5)
    back = answer.headers["Location"]
    assert back.startswith(f"https://shop.example/back?a=1&setup_intent={asked.id}&")
    assert back.endswith("succeeded" if outcome == "approve" else "failed")
    assert client.v1.setup_intents.retrieve(asked.id).status == status


def test_a_set_up_is_cancelled_while_it_is_open_and_not_afterwards(client, customer):
    asked = set_up(client, customer, ASKS, return_url="https://shop.example/back")
    cancelled = client.v1.setup_intents.cancel(asked.id, {"cancellation_reason": "abandoned"})
    assert (cancelled.status, cancelled.cancellation_reason) == ("canceled", "abandoned")
    done = set_up(client, customer)
    with pytest.raises(stripe.InvalidRequestError) as refused:
        client.v1.setup_intents.cancel(done.id)
    assert refused.value.code == "setup_intent_unexpected_state"
    assert refused.value.error.setup_intent.status == "succeeded"


def test_a_charge_that_wants_its_owner_is_an_error_with_the_intent_inside_which_can_be_confirmed(
    client, customer, stripe_wire
):
    asked = set_up(client, customer, ASKS, return_url="https://shop.example/back")
    stripe_wire.simulate(id=asked.id, outcome="approve")
    method = client.v1.setup_intents.retrieve(asked.id).payment_method
    with pytest.raises(stripe.CardError) as refused:
        charge(client, customer, method)
    told = refused.value.error
    assert (told.code, told.decline_code) == ("authentication_required", "authentication_required")
    assert (told.payment_intent.status, told.payment_method.id) == ("requires_payment_method", method)

    params = {"payment_method": method, "return_url": "https://shop.example/back"}
    again = client.v1.payment_intents.confirm(told.payment_intent.id, params)
    assert again.status == "requires_action"
    stripe_wire.simulate(id=again.id, outcome="approve")
    assert client.v1.payment_intents.retrieve(again.id).status == "succeeded"


def test_a_card_that_was_authenticated_when_saved_needs_no_owner_and_one_that_was_not_does(
    client, customer, stripe_wire
):
    asked = set_up(client, customer, "pm_card_authenticationRequiredOnSetup", return_url="https://shop.example/")
    stripe_wire.simulate(id=asked.id, outcome="approve")
    method = client.v1.setup_intents.retrieve(asked.id).payment_method
    assert charge(client, customer, method).status == "succeeded"
    with pytest.raises(stripe.CardError):
        charge(client, customer, "pm_card_authenticationRequiredOnSetup")


def test_what_is_paid_with_can_be_saved_by_the_payment(client, customer):
    paid = charge(client, customer, "pm_card_visa", off_session=False, setup_future_usage="off_session")
    assert client.v1.payment_methods.retrieve(paid.payment_method).customer == customer


def test_a_detached_card_can_never_be_used_again(client, customer, stripe_wire):
    method = client.v1.payment_methods.attach("pm_card_visa", {"customer": customer}).id
    assert client.v1.payment_methods.detach(method).customer is None
    for again in (
        lambda: client.v1.payment_methods.attach(method, {"customer": customer}),
        lambda: charge(client, customer, method),
        lambda: set_up(client, customer, method),
        lambda: client.v1.payment_methods.detach(method),
    ):
        with pytest.raises(stripe.InvalidRequestError):
            again()
    detached = [
        event for event in stripe_wire.get("/v1/events?limit=100").json()["data"] if "detached" in event["type"]
    ]
    assert [event["data"]["previous_attributes"] for event in detached] == [{"customer": customer}]


def test_another_customers_card_cannot_be_charged(client, customer):
    method = set_up(client, customer).payment_method
    other = client.v1.customers.create({}).id
    for somebody in (other, ""):
        with pytest.raises(stripe.InvalidRequestError):
            charge(client, somebody, method)


def test_the_month_of_a_card_is_changed_by_its_owner_or_renewed_by_its_bank(client, customer, stripe_wire):
    method = set_up(client, customer).payment_method
    changed = client.v1.payment_methods.update(method, {"card": {"exp_month": 2, "exp_year": 2027}})
    assert (changed.card.exp_month, changed.card.exp_year) == (2, 2027)
    stripe_wire.simulate(id=method, outcome="renew")
    assert client.v1.payment_methods.retrieve(method).card.exp_year == 2031
    assert events(stripe_wire)[-2:] == ["payment_method.updated", "payment_method.automatically_updated"]
