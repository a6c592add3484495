"""Refunds at Stripe: full, partial, pending, failing days later, and begun at Stripe's own dashboard."""

import pytest

from payments.models import Refund
from tests.payments.world import (
    STRIPE_KEY,
    attention,
    counters,
    events_of,
    operations_of,
    path_of,
    receipts_of,
    refund_reaches,
    session,
    until,
)

pytestmark = pytest.mark.django_db(transaction=True)

REFUND = "POST /v1/refunds"


@pytest.fixture
def paid(caller):
    return caller.card()


def refund(caller, payment, **body):
    return caller.post(f"payments/{payment['id']}/refunds", 201, **body)


def test_a_payment_is_refunded_whole(world, caller, paid):
    made = refund(caller, paid, reason="broken", metadata={"ticket": "7"})

    assert (made["state"], made["amount"], made["currency"]) == ("succeeded", 1250, "USD")
    assert (made["reason"], made["metadata"], made["origin"], made["failure"]) == (
        "broken",
        {"ticket": "7"},
        "api",
        None,
    )
    assert counters(paid) == (1250, 1250, 1250)
    [entry] = world.stripe.entries("refund")
    assert (entry["state"], entry["amount"], entry["payment"]) == (
        "succeeded",
        1250,
        paid["attempts"][0]["provider_id"],
    )
    assert receipts_of(paid)[1:] == [("refund", 1250, entry["id"])]
    assert path_of(made) == ["created", "succeeded"]
    assert events_of(made) == ["refund.succeeded"]
    shown = caller.get(f"payments/{paid['id']}")
    assert (shown["state"], shown["refunded_amount"], shown["captured_amount"]) == ("succeeded", 1250, 1250)
    assert caller.get(f"refunds/{made['id']}") == made


def test_a_payment_is_refunded_in_parts_and_never_beyond_what_was_captured(world, caller, paid):
    refund(caller, paid, amount=1000)
    problem = caller.refused(f"payments/{paid['id']}/refunds", 422, "refund_exceeds_captured", amount=251)
    assert problem["param"] == "/amount"
    assert counters(paid) == (1250, 1000, 1000)
    rest = refund(caller, paid)
    assert rest["amount"] == 250
    caller.refused(f"payments/{paid['id']}/refunds", 422, "refund_exceeds_captured")

    assert counters(paid) == (1250, 1250, 1250)
    assert [entry["amount"] for entry in world.stripe.entries("refund")] == [1000, 250]
    assert world.stripe.calls(REFUND) == 2
    assert [row["amount"] for row in caller.get(f"payments/{paid['id']}/refunds")["data"]] == [250, 1000]


def test_what_holds_no_money_is_not_refunded(world, caller):
    for payment in (caller.card(capture="manual"), caller.card("pm_card_visa_chargeDeclined")):
        caller.refused(f"payments/{payment['id']}/refunds", 409, "not_refundable")

    assert world.stripe.calls(REFUND) == 0
    assert not Refund.objects.exists()


def test_a_refund_that_waits_is_counted_and_then_succeeds(world, shop, caller):
    paid = caller.card("pm_card_pendingRefund")
    made = refund(caller, paid, amount=1000)
    assert made["state"] == "pending"
    assert counters(paid) == (1250, 1000, 0)
    caller.refused(f"payments/{paid['id']}/refunds", 422, "refund_exceeds_captured", amount=251)
    until(lambda: world.stripe.entries("refund")[0]["state"] == "succeeded")

    with world.later(seconds=6):
        refund_reaches(shop, made, "succeeded")

    assert counters(paid) == (1250, 1000, 1000)
    assert path_of(made) == ["created", "pending", "succeeded"]


def test_a_refund_that_fails_after_it_succeeded_gives_the_reserve_back(world, shop, caller):
    paid = caller.card("pm_card_refundFail")
    world.listen_to_stripe(shop)

    made = refund(caller, paid, amount=1000)

    failed = refund_reaches(shop, made, "failed")
    assert failed["failure"]["code"] == "expired_instrument"
    assert counters(paid) == (1250, 0, 0)
    assert path_of(made) == ["created", "succeeded", "failed"]
    assert events_of(made) == ["refund.succeeded", "refund.failed"]
    assert caller.get(f"payments/{paid['id']}")["refunded_amount"] == 0
    assert refund(caller, paid, amount=1250)["amount"] == 1250


def test_an_answer_that_was_lost_is_found_by_the_same_key(world, shop, caller, paid):
    world.stripe.trouble("reset_after", REFUND)
    made = refund(caller, paid, amount=400)
    assert made["state"] == "pending"
    assert counters(paid) == (1250, 400, 0)

    with world.later(seconds=6):
        refund_reaches(shop, made, "succeeded")

    assert [entry["amount"] for entry in world.stripe.entries("refund")] == [400]
    assert counters(paid) == (1250, 400, 400)
    assert ("refund", "succeeded") in operations_of(paid)


def test_a_webhook_finds_a_refund_whose_answer_was_lost(world, shop, caller, paid):
    world.listen_to_stripe(shop)
    world.stripe.trouble("reset_after", REFUND)

    made = refund(caller, paid, amount=400)

    refund_reaches(shop, made, "succeeded")
    assert Refund.objects.count() == 1
    assert counters(paid) == (1250, 400, 400)


def test_a_refund_that_stripe_refuses_gives_the_reserve_back(world, caller, paid):
    world.stripe.trouble("429", REFUND)

    made = refund(caller, paid)

    assert (made["state"], made["failure"]["code"]) == ("failed", "provider_unavailable")
    assert counters(paid) == (1250, 0, 0)
    assert refund(caller, paid)["state"] == "succeeded"


def test_a_refund_from_the_dashboard_is_booked_outside_our_check(world, shop, caller, paid):
    world.listen_to_stripe(shop)
    mine = refund(caller, paid, amount=1000)
    intent = paid["attempts"][0]["provider_id"]

    at_the_dashboard(world, intent, 250)

    world.work_until(lambda: counters(paid) == (1250, 1000, 1250))
    theirs, mine_again = caller.get(f"payments/{paid['id']}/refunds")["data"]
    assert mine_again["id"] == mine["id"]
    assert (theirs["origin"], theirs["state"], theirs["amount"]) == ("provider", "succeeded", 250)
    assert events_of(theirs) == ["refund.succeeded"]
    assert Refund.objects.count() == 2
    failed = caller.post(f"payments/{paid['id']}/refunds", 201, amount=250)
    assert (failed["state"], counters(paid)) == ("failed", (1250, 1000, 1250))
    assert attention() == []


def test_a_dashboard_refund_of_everything_is_told_once(world, shop, caller, paid):
    world.listen_to_stripe(shop, callback_mode="duplicate")

    at_the_dashboard(world, paid["attempts"][0]["provider_id"], 1250)

    world.work_until(lambda: counters(paid) == (1250, 0, 1250))
    until(lambda: len(world.stripe.callbacks()) >= 4)
    world.work()
    assert Refund.objects.count() == 1
    assert receipts_of(paid)[1:] == [("refund", 1250, world.stripe.entries("refund")[0]["id"])]


def at_the_dashboard(world, intent, amount):
    answer = session().post(
        f"{world.stripe.url}/v1/refunds",
        data={"payment_intent": intent, "amount": amount},
        headers={"Authorization": f"Bearer {STRIPE_KEY}"},
        timeout=8,
    )
    assert answer.status_code == 200, answer.text
