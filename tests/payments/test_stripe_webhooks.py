"""Stripe's events at our door: twice, out of order, forged, stale, of the other mode, early, and unknown."""

import hashlib
import hmac
import json
import time

import pytest

from core import clock
from events.models import Callback
from payments.models import Attempt
from tests.payments.world import (
    STRIPE_SIGNING_SECRET,
    attention,
    counters,
    events_of,
    operation,
    path_of,
    reaches,
    receipts_of,
    session,
    stripe_door,
    until,
)

pytestmark = pytest.mark.django_db(transaction=True)

CREATE = "POST /v1/payment_intents"


@pytest.fixture
def door(world, shop):
    """Our door, to which these tests speak for Stripe."""
    return stripe_door(shop)


@pytest.fixture
def listening(world, shop):
    """Stripe itself speaks to it."""
    return world.listen_to_stripe(shop)


def signed(body, *, secret=STRIPE_SIGNING_SECRET, age=0):
    moment = int(time.time()) - age
    digest = hmac.new(secret.encode(), f"{moment}.".encode() + body, hashlib.sha256).hexdigest()
    return {"Stripe-Signature": f"t={moment},v1={digest}", "Content-Type": "application/json"}


def event(kind="payment_intent.succeeded", *, intent="pi_1", status="succeeded", amount=1250, **more):
    subject = {
        "id": intent,
        "object": "payment_intent",
        "status": status,
        "amount": amount,
        "amount_received": amount,
        "amount_capturable": 0,
        "currency": "usd",
        "latest_charge": f"ch_{intent}",
        "next_action": None,
        "last_payment_error": None,
        "metadata": {},
    }
    whole = {"id": f"evt_{time.monotonic_ns()}", "object": "event", "type": kind, "livemode": False}
    return whole | {"created": int(time.time()), "data": {"object": subject | more.pop("subject", {})}} | more


def tell(door, document, **options):
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    return session().post(door, data=body, headers=signed(body, **options), timeout=8)


def test_a_webhook_moves_what_3d_secure_has_decided(world, caller, listening):
    asked = caller.card("pm_card_threeDSecure2Required", return_url="https://shop.example/")
    world.stripe.simulate(asked["attempts"][0]["provider_id"], "approve")

    paid = until(lambda: (found := caller.get(f"payments/{asked['id']}"))["state"] == "succeeded" and found)

    assert (paid["captured_amount"], paid["next_action"]) == (1250, None)
    assert events_of(asked) == ["payment.requires_action", "payment.succeeded"]
    assert Callback.objects.filter(state="processed", subject=asked["id"]).exists()


def test_duplicates_and_disorder_change_nothing(world, shop, caller, listening):
    for mode in ("duplicate", "reordered", "late"):
        world.stripe.post("settings", callback_mode=mode, callback_late_seconds=0.1)
        asked = caller.card("pm_card_threeDSecure2Required", return_url="https://shop.example/")
        world.stripe.simulate(asked["attempts"][0]["provider_id"], "approve")
        reaches(shop, asked, "succeeded")
        time.sleep(0.3)
        world.work()

        assert counters(asked) == (1250, 0, 0), mode
        assert len(receipts_of(asked)) == 1
        assert path_of(asked) == ["created", "requires_action", "succeeded"]
    assert attention() == []


def test_a_word_behind_the_present_state_is_kept_and_ignored(world, caller, door):
    paid = caller.card()
    intent = paid["attempts"][0]["provider_id"]
    behind = event("payment_intent.processing", intent=intent, status="processing")

    assert tell(door, behind).status_code == 200

    assert (
        caller.get(f"payments/{paid['id']}")
        == paid | {"attempts": [paid["attempts"][0] | {"provider_status": "processing"}]}
        or caller.get(f"payments/{paid['id']}") == paid
    )
    assert Callback.objects.filter(state="processed").latest("pk").subject == paid["id"]
    assert path_of(paid) == ["created", "succeeded"]


def test_a_word_that_contradicts_a_success_parks_and_moves_nothing(world, caller, door):
    paid = caller.card()
    contrary = event("payment_intent.canceled", intent=paid["attempts"][0]["provider_id"], status="canceled")

    assert tell(door, contrary).status_code == 200

    assert caller.get(f"payments/{paid['id']}")["state"] == "succeeded"
    assert counters(paid) == (1250, 0, 0)
    assert [reason for _, reason in attention()] == ["parked"]


def test_a_second_receipt_on_a_paid_payment_is_an_overpayment(world, caller, door):
    paid = caller.card()
    again = event(intent=paid["attempts"][0]["provider_id"], subject={"latest_charge": "ch_second"})

    assert tell(door, again).status_code == 200

    shown = caller.get(f"payments/{paid['id']}")
    assert (shown["state"], shown["captured_amount"]) == ("succeeded", 1250)
    assert receipts_of(paid)[1:] == [("capture", 1250, "ch_second")]
    assert (paid["id"], "overpaid") in attention()
    assert events_of(paid) == ["payment.succeeded", "payment.overpaid"]


def test_what_is_forged_or_stale_is_quarantined_and_moves_nothing(world, shop, caller, door):
    asked = caller.card("pm_card_threeDSecure2Required", return_url="https://shop.example/")
    body = json.dumps(event(intent=asked["attempts"][0]["provider_id"])).encode()
    http = session()
    good = signed(body)
    forged = [
        (body, {}),
        (body, signed(body, secret="whsec_of_somebody_else")),
        (body, signed(body, age=301)),
        (body, signed(body, age=-400)),
        (body.replace(b"1250", b"9250"), good),
        (body, good | {"Stripe-Signature": good["Stripe-Signature"].replace("v1=", "v0=")}),
        (b"", good),
    ]

    for sent, headers in forged:
        assert http.post(door, data=sent, headers=headers, timeout=8).status_code == 400

    assert list(Callback.objects.values_list("state", flat=True)) == ["quarantined"] * len(forged)
    assert attention() == [(shop.stripe.pk, "quarantined")]
    assert caller.get(f"payments/{asked['id']}") == asked
    assert http.post(door, data=body, headers=good, timeout=8).status_code == 200
    assert caller.get(f"payments/{asked['id']}")["state"] == "succeeded"


def test_stripe_itself_with_a_wrong_secret_or_clock_is_quarantined(world, caller, listening):
    for mode in ("bad_signature", "old_timestamp"):
        world.stripe.post("settings", callback_mode=mode)
        expected = len(world.stripe.callbacks()) + 3  # created, succeeded, the charge
        caller.card()
        until(lambda: len(world.stripe.callbacks()) >= expected)  # noqa: B023  (called at once)
        assert {told["result"] for told in world.stripe.callbacks()} == {400}
    assert set(Callback.objects.values_list("state", flat=True)) == {"quarantined"}


def test_an_event_of_the_other_mode_is_quarantined(world, caller, door):
    asked = caller.card("pm_card_threeDSecure2Required", return_url="https://shop.example/")

    tell(door, event(intent=asked["attempts"][0]["provider_id"], livemode=True))

    assert Callback.objects.get().state == "quarantined"
    assert caller.get(f"payments/{asked['id']}") == asked


def test_an_event_of_another_account_is_not_ours(world, caller, door, other_shop):
    theirs = other_shop.api.card("pm_card_threeDSecure2Required", return_url="https://shop.example/")

    tell(door, event(intent=theirs["attempts"][0]["provider_id"]))

    assert Callback.objects.get().state == "unmatched"
    assert other_shop.api.get(f"payments/{theirs['id']}") == theirs


def test_unknown_types_are_ignored_and_unknown_words_and_shapes_are_parked(world, caller, door):
    asked = caller.card("pm_card_threeDSecure2Required", return_url="https://shop.example/")
    intent = asked["attempts"][0]["provider_id"]
    cases = [
        (event("customer.created"), "ignored"),
        (event("payment_intent.made_up"), "ignored"),
        (event(intent=intent, status="requires_prayer"), "parked"),
        (event(intent=intent, subject={"amount_received": "1250"}), "parked"),
        (event(intent=intent, subject={"amount_received": -1}), "parked"),
        (event(intent=intent, subject={"currency": "xyz"}), "parked"),
        (event(intent=intent, subject={"object": "charge"}), "parked"),
        (event(livemode="no"), "parked"),
        (b"[]", "parked"),
        (b"{", "parked"),
        (b"\xff", "parked"),
    ]

    for document, state in cases:
        assert tell(door, document).status_code == 200
        assert Callback.objects.latest("pk").state == state, document

    assert counters(asked) == (0, 0, 0)
    assert caller.get(f"payments/{asked['id']}")["state"] in ("requires_action", "processing")


def test_an_event_that_comes_before_our_own_commit_is_matched_later(world, shop, caller, listening):
    """The answer was lost, so that no row knows the intent; the event names our reference."""
    world.stripe.trouble("reset_after", CREATE)
    held = caller.card()

    paid = reaches(shop, held, "succeeded")

    assert paid["attempts"][0]["provider_id"] == world.stripe.entries()[0]["id"]
    assert counters(held) == (1250, 0, 0)
    assert len(world.stripe.entries()) == 1
    with world.later(seconds=6):
        assert receipts_of(held) == [("capture", 1250, world.stripe.entries()[0]["receipt"])]


def test_an_unmatched_event_is_tried_again_and_then_listed(world, shop, caller, door):
    early = event(intent="pi_early", subject={"latest_charge": "ch_early"})
    tell(door, early)
    callback = Callback.objects.get()
    assert (callback.state, callback.due_at is not None) == ("unmatched", True)
    asked = caller.card("pm_card_threeDSecure2Required", return_url="https://shop.example/")
    Attempt.objects.filter(payment=asked["id"]).update(provider_id="pi_early")

    with world.later(seconds=6):
        callback.refresh_from_db()

    assert (callback.state, callback.subject) == ("processed", asked["id"])
    assert counters(asked) == (1250, 0, 0)
    tell(door, event(intent="pi_never"))
    for seconds in (6, 40, 170, 800, 4500, 9000):
        with world.later(seconds=seconds):
            pass
    never = Callback.objects.latest("pk")
    assert (never.state, never.due_at) == ("unmatched", None)
    assert attention() == [(never.pk, "unmatched")]


def test_a_repeat_of_one_that_was_processed_is_not_processed_again(world, caller, door):
    asked = caller.card("pm_card_threeDSecure2Required", return_url="https://shop.example/")
    document = event(intent=asked["attempts"][0]["provider_id"])
    for _ in range(3):
        assert tell(door, document).status_code == 200

    assert Callback.objects.count() == 1
    assert counters(asked) == (1250, 0, 0)
    assert Callback.objects.get().tries <= 1


def test_what_a_wrong_signature_names_is_asked_about(world, shop, caller, door):
    """The secret may have been changed at Stripe: the news may be true."""
    asked = caller.card("pm_card_threeDSecure2Required", return_url="https://shop.example/")
    intent = asked["attempts"][0]["provider_id"]
    world.stripe.simulate(intent, "approve")
    for document in (b"{", event(intent="pi_unknown"), event("payment_intent.canceled", intent=intent)):
        assert tell(door, document, secret="whsec_other").status_code == 400

    assert operation(asked).due_at <= clock.now()
    reaches(shop, asked, "succeeded")
    assert set(Callback.objects.values_list("state", flat=True)) == {"quarantined"}
