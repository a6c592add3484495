"""Events and their delivery: signatures, retries, and every way in which a webhook can go wrong."""

import hashlib
import hmac
import json
import time

import pytest
import requests

from simulators.stripe.webhooks import signature
from tests.simulators.conftest import until

ORDER = ["payment_intent.created", "charge.succeeded", "payment_intent.succeeded"]


def signed_at(secret, headers, body):
    """The time in the header, once the signature over the raw body is proven."""
    parts = dict(part.split("=") for part in headers["Stripe-Signature"].split(","))
    digest = hmac.new(secret.encode(), parts["t"].encode() + b"." + body, hashlib.sha256).hexdigest()
    assert hmac.compare_digest(digest, parts["v1"])
    return int(parts["t"])


def test_the_signature_agrees_with_the_golden_vector():
    body = b'{"id":"evt_1SampleW","object":"event"}'
    assert signature("whsec_sample_secret", 1795200004, body) == (
        "t=1795200004,v1=ed47594fdc7e0d6570751ead14111a125da7153c6964903e7e9e2a8d3760f6fa"
    )


def test_a_payment_tells_its_events_signed_and_in_order(stripe_wire, receiver):
    endpoint = stripe_wire.webhook(receiver)
    answer = stripe_wire.pay(key="one")
    events = receiver.wait(3)
    assert [event["type"] for event in events] == ORDER
    for path, headers, body in receiver.received:
        assert path == "/hook"
        assert abs(signed_at(endpoint["secret"], headers, body) - time.time()) < 5
    last = events[-1]
    assert (last["object"], last["livemode"], last["api_version"]) == ("event", False, "2023-08-16")
    assert last["request"] == {"id": answer.headers["Request-Id"], "idempotency_key": "one"}
    assert last["data"]["object"] == answer.json()
    assert events[0]["data"]["object"]["status"] == "requires_confirmation"
    assert [row["id"] for row in stripe_wire.get("/v1/events").json()["data"]] == [e["id"] for e in events][::-1]
    assert stripe_wire.get(f"/v1/events/{last['id']}").json()["type"] == "payment_intent.succeeded"
    by_type = stripe_wire.get("/v1/events", type="charge.succeeded").json()["data"]
    assert [event["id"] for event in by_type] == [events[1]["id"]]


def test_an_endpoint_hears_only_what_it_asked_for(stripe_wire, receiver):
    stripe_wire.webhook(receiver, "payment_intent.payment_failed")
    stripe_wire.pay()
    stripe_wire.pay("pm_card_chargeDeclined")
    event = receiver.wait(1)[0]
    time.sleep(0.1)
    assert len(receiver.received) == 1
    assert event["data"]["object"]["last_payment_error"]["decline_code"] == "generic_decline"


def test_the_secret_is_shown_once_and_an_endpoint_can_be_changed_and_removed(stripe_wire, receiver):
    endpoint = stripe_wire.webhook(receiver, "charge.refunded")
    path = f"/v1/webhook_endpoints/{endpoint['id']}"
    assert endpoint["secret"].startswith("whsec_")
    assert "secret" not in stripe_wire.get(path).json()
    assert "secret" not in stripe_wire.get("/v1/webhook_endpoints").json()["data"][0]
    changed = stripe_wire.post_form(path, {"disabled": "true", "enabled_events[]": "*"}).json()
    assert (changed["status"], changed["enabled_events"]) == ("disabled", ["*"])
    stripe_wire.pay()
    assert stripe_wire.delete(path).json() == {
        "id": endpoint["id"],
        "object": "webhook_endpoint",
        "deleted": True,
    }
    assert stripe_wire.get(path).status_code == 404
    time.sleep(0.1)
    assert receiver.received == []


def test_accounts_without_an_endpoint_use_the_one_from_the_settings(stripe_wire, receiver):
    stripe_wire.settings(webhook_url=f"{receiver.url}/default", webhook_secret="whsec_chosen")
    stripe_wire.pay()
    receiver.wait(3)
    path, headers, body = receiver.received[0]
    assert path == "/default"
    assert signed_at("whsec_chosen", headers, body)


def test_a_refused_delivery_is_retried_and_signed_anew(stripe_wire, receiver):
    stripe_wire.settings(callback_retries=[0.05, 1.1])
    endpoint = stripe_wire.webhook(receiver, "payment_intent.succeeded")
    receiver.statuses = [500, 302]
    stripe_wire.pay()
    receiver.wait(3)
    assert len({body for _, _, body in receiver.received}) == 1
    times = [signed_at(endpoint["secret"], headers, body) for _, headers, body in receiver.received]
    assert times[2] > times[0]

    def pending():
        return stripe_wire.get("/v1/events", type="payment_intent.succeeded").json()["data"][0]["pending_webhooks"]

    until(lambda: pending() == 0)


def test_a_delivery_is_given_up_when_the_schedule_ends(stripe_wire, receiver):
    stripe_wire.settings(callback_retries=[0.02, 0.02])
    stripe_wire.webhook(receiver, "payment_intent.succeeded")
    receiver.statuses = [500] * 5
    stripe_wire.pay()
    receiver.wait(3)
    time.sleep(0.15)
    assert len(receiver.received) == 3
    event = stripe_wire.get("/v1/events", type="payment_intent.succeeded").json()["data"][0]
    assert event["pending_webhooks"] == 1


@pytest.mark.parametrize("how", ["setting", "trouble", "amount"])
def test_webhooks_come_twice(stripe_wire, receiver, how):
    arrange(stripe_wire, "duplicate", how)
    stripe_wire.webhook(receiver, "payment_intent.succeeded")
    stripe_wire.pay(amount=6661100 if how == "amount" else 500)
    first, second = receiver.wait(2)
    assert first == second


@pytest.mark.parametrize("how", ["setting", "trouble", "amount"])
def test_webhooks_come_in_reverse(stripe_wire, receiver, how):
    stripe_wire.webhook(receiver)
    arrange(stripe_wire, "reordered", how)
    stripe_wire.pay(amount=6661300 if how == "amount" else 500)
    assert [event["type"] for event in receiver.wait(3)] == ORDER[::-1]


@pytest.mark.parametrize("how", ["setting", "trouble", "amount"])
def test_webhooks_never_come_and_the_event_can_be_listed(stripe_wire, receiver, how):
    stripe_wire.webhook(receiver)
    arrange(stripe_wire, "missing", how)
    stripe_wire.pay(amount=6661400 if how == "amount" else 500)
    time.sleep(0.15)
    assert receiver.received == []
    assert len(stripe_wire.get("/v1/events").json()["data"]) == 3


@pytest.mark.parametrize("how", ["setting", "trouble", "amount"])
def test_webhooks_come_before_the_answer(stripe_wire, receiver, how):
    stripe_wire.webhook(receiver)
    arrange(stripe_wire, "before_answer", how)
    stripe_wire.pay(amount=6661500 if how == "amount" else 500)
    assert len(receiver.received) == 3


def test_webhooks_come_late(stripe_wire, receiver):
    stripe_wire.settings(callback_late_seconds=1.5)
    stripe_wire.webhook(receiver)
    stripe_wire.pay(amount=6661200)
    time.sleep(0.15)
    assert receiver.received == []
    receiver.wait(3)


@pytest.mark.parametrize("how", ["setting", "trouble", "amount"])
def test_a_forged_signature_does_not_verify(stripe_wire, receiver, how):
    endpoint = stripe_wire.webhook(receiver)
    arrange(stripe_wire, "bad_signature", how)
    stripe_wire.pay(amount=6661900 if how == "amount" else 500)
    receiver.wait(1)
    _, headers, body = receiver.received[0]
    with pytest.raises(AssertionError):
        signed_at(endpoint["secret"], headers, body)


@pytest.mark.parametrize("how", ["setting", "trouble", "amount"])
def test_an_old_timestamp_is_signed_rightly(stripe_wire, receiver, how):
    endpoint = stripe_wire.webhook(receiver)
    arrange(stripe_wire, "old_timestamp", how)
    stripe_wire.pay(amount=6662000 if how == "amount" else 500)
    receiver.wait(1)
    _, headers, body = receiver.received[0]
    assert signed_at(endpoint["secret"], headers, body) < time.time() - 3000


def test_a_refund_tells_charge_and_refund_and_its_later_failure(stripe_wire, receiver):
    intent = stripe_wire.pay("pm_card_refundFail").json()
    stripe_wire.webhook(receiver)
    stripe_wire.post_form("/v1/refunds", {"payment_intent": intent["id"], "amount": 500})
    events = receiver.wait(5)
    types = ["charge.refunded", "refund.created", "refund.updated", "refund.failed", "charge.refund.updated"]
    assert [event["type"] for event in events] == types
    assert events[0]["data"]["object"]["amount_refunded"] == 500
    assert events[2]["data"]["previous_attributes"] == {"status": "succeeded"}


def test_3d_secure_is_told_without_a_call_behind_it(stripe_wire, receiver):
    stripe_wire.webhook(receiver, "payment_intent.requires_action", "payment_intent.succeeded")
    intent = stripe_wire.pay("pm_card_threeDSecure2Required").json()
    receiver.wait(1)  # two events that are on their way at once may arrive in either order
    stripe_wire.simulate(id=intent["id"], outcome="approve", callback="duplicate")
    events = receiver.wait(3)
    assert [event["type"].split(".")[1] for event in events] == ["requires_action", "succeeded", "succeeded"]
    assert events[1]["request"] == {"id": None, "idempotency_key": None}


def test_a_dispute_is_told(stripe_wire, receiver):
    stripe_wire.webhook(receiver, "charge.dispute.created", "charge.dispute.closed")
    intent = stripe_wire.pay("pm_card_createDispute").json()
    receiver.wait(1)  # two events that are on their way at once may arrive in either order
    stripe_wire.simulate(id=intent["id"], outcome="dispute_won")
    assert [e["data"]["object"]["status"] for e in receiver.wait(2)] == ["needs_response", "won"]


def test_every_attempt_is_in_the_callback_log(stripe_wire, receiver):
    stripe_wire.webhook(receiver, "payment_intent.succeeded")
    stripe_wire.pay()
    receiver.wait(1)

    def log():
        return requests.get(f"{stripe_wire.url}/_simulator/callbacks", timeout=5).json()["callbacks"]

    entry = until(log)[0]
    assert entry["result"] == 200
    assert json.loads(receiver.received[0][2])["id"] in entry["about"]


def arrange(wire, mode, how):
    if how == "setting":
        wire.settings(callback_mode=mode)
    elif how == "trouble":
        wire.trouble(on="POST /v1/payment_intents", do=f"callback_{mode}")
