"""The published `stripe` library against the simulator, with nothing but its address changed."""

import pytest
import requests
import stripe

from tests.simulators.conftest import KEY


@pytest.fixture
def client(stripe_wire):
    return stripe.StripeClient(
        KEY,
        base_addresses={"api": stripe_wire.url},
        http_client=stripe.RequestsClient(),
        max_network_retries=0,
    )


def create(client, card="pm_card_visa", key=None, **more):
    params = {
        "amount": 12500,
        "currency": "usd",
        "payment_method_types": ["card"],
        "payment_method": card,
        "confirm": True,
        "metadata": {"attempt": "att_7f3c"},
    }
    options = {"idempotency_key": key} if key else {}
    return client.v1.payment_intents.create(params | more, options)


def test_the_library_pays_captures_and_refunds(client):
    held = create(client, capture_method="manual", key="one")
    assert (held.status, held.metadata["attempt"]) == ("requires_capture", "att_7f3c")
    captured = client.v1.payment_intents.capture(held.id, {"amount_to_capture": 10000, "expand": ["latest_charge"]})
    assert (captured.amount_received, captured.latest_charge.amount_captured) == (10000, 10000)
    refund = client.v1.refunds.create({"payment_intent": held.id, "amount": 2500, "metadata": {"why": "broken"}})
    assert (refund.status, refund.amount) == ("succeeded", 2500)
    assert [row.id for row in client.v1.refunds.list({"payment_intent": held.id})] == [refund.id]
    assert client.v1.payment_intents.retrieve(held.id).status == "succeeded"


def test_the_library_reads_what_a_payment_cost(client):
    paid = create(client, capture_method="automatic", expand=["latest_charge.balance_transaction"])
    line = paid.latest_charge.balance_transaction
    assert (line.amount, line.fee, line.fee_details[0].type) == (12500, 392, "stripe_fee")
    assert client.v1.balance_transactions.retrieve(line.id).net == 12108
    assert [row.id for row in client.v1.balance_transactions.list({"source": paid.latest_charge.id})] == [line.id]


def test_the_library_pages_through_the_balance_with_what_each_line_is_of(client):
    paid = [create(client, capture_method="automatic") for _ in range(2)]
    refund = client.v1.refunds.create({"payment_intent": paid[0].id, "amount": 2500})
    listed = client.v1.balance_transactions.list({"limit": 1, "expand": ["data.source"]}).auto_paging_iter()
    told = [(line.type, line.source.id, line.source.payment_intent) for line in listed]
    assert told == [
        ("refund", refund.id, paid[0].id),
        ("charge", paid[1].latest_charge, paid[1].id),
        ("charge", paid[0].latest_charge, paid[0].id),
    ]


def test_the_library_pages_through_a_list(client):
    ids = [create(client).id for _ in range(3)]
    listed = client.v1.payment_intents.list({"limit": 1}).auto_paging_iter()
    assert [intent.id for intent in listed] == ids[::-1]


def test_the_library_raises_its_own_errors(client, stripe_wire):
    with pytest.raises(stripe.CardError) as declined:
        create(client, "pm_card_chargeDeclinedInsufficientFunds")
    assert (declined.value.code, declined.value.error.decline_code) == ("card_declined", "insufficient_funds")
    assert declined.value.error.payment_intent["status"] == "requires_payment_method"
    with pytest.raises(stripe.InvalidRequestError) as missing:
        client.v1.payment_intents.retrieve("pi_none")
    assert (missing.value.http_status, missing.value.code) == (404, "resource_missing")
    create(client, key="one")
    with pytest.raises(stripe.IdempotencyError):
        create(client, key="one", amount=500)
    stripe_wire.trouble(do="429")
    with pytest.raises(stripe.RateLimitError):
        create(client)
    stripe_wire.trouble(do="reset_before")
    with pytest.raises(stripe.APIConnectionError):
        create(client)
    address = {"api": stripe_wire.url}
    stranger = stripe.StripeClient("sk_live_x", base_addresses=address, http_client=stripe.RequestsClient())
    with pytest.raises(stripe.AuthenticationError):
        stranger.v1.payment_intents.list()


def test_the_library_retries_a_lost_answer_into_one_payment(stripe_wire):
    client = stripe.StripeClient(
        KEY,
        base_addresses={"api": stripe_wire.url},
        http_client=stripe.RequestsClient(),
        max_network_retries=2,
    )
    stripe_wire.trouble(on="POST /v1/payment_intents", do="reset_after")
    paid = create(client)
    assert paid.status == "succeeded"
    assert [entry["id"] for entry in stripe_wire.entries()] == [paid.id]


def test_the_library_follows_3d_secure_and_verifies_the_webhook(client, receiver):
    endpoint = client.v1.webhook_endpoints.create(
        {"url": f"{receiver.url}/hook", "enabled_events": ["payment_intent.succeeded"]}
    )
    intent = create(client, "pm_card_threeDSecure2Required", return_url="https://shop.example/return")
    assert intent.next_action.type == "redirect_to_url"
    page = intent.next_action.redirect_to_url.url
    requests.post(page, data={"outcome": "approve"}, allow_redirects=False, timeout=5)
    receiver.wait(1)
    _, headers, body = receiver.received[0]
    event = stripe.Webhook.construct_event(body, headers["Stripe-Signature"], endpoint.secret)
    assert (event.type, event.data.object.id) == ("payment_intent.succeeded", intent.id)
    with pytest.raises(stripe.SignatureVerificationError):
        stripe.Webhook.construct_event(body + b" ", headers["Stripe-Signature"], endpoint.secret)
    client.v1.webhook_endpoints.delete(endpoint.id)


def test_the_library_refuses_an_old_and_a_forged_webhook(client, stripe_wire, receiver):
    endpoint = stripe_wire.webhook(receiver, "payment_intent.succeeded")
    for mode in ("old_timestamp", "bad_signature"):
        receiver.received.clear()
        stripe_wire.settings(callback_mode=mode)
        create(client)
        receiver.wait(1)
        _, headers, body = receiver.received[0]
        with pytest.raises(stripe.SignatureVerificationError):
            stripe.Webhook.construct_event(body, headers["Stripe-Signature"], endpoint["secret"])
