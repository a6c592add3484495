"""A code fails over also where its answer was lost: nobody can scan what has not passed through us (money.md 14)."""

from datetime import timedelta

import pytest

from core import clock
from events.models import Callback
from merchants import switches
from payments.models import Attempt, Operation, Overpayment, Receipt
from tests.payments.world import (
    attention,
    counters,
    events_of,
    operations_of,
    reaches,
    receipts_of,
)

pytestmark = pytest.mark.django_db(transaction=True)

CHARGE = "POST /v2/charge"
FIRST, SECOND = "SB-Mid-server-lango-simulator", "SB-Mid-server-lango-simulator-2"


@pytest.fixture
def accounts(shop, midtrans):
    """Two accounts of the shop's, in the order in which they are asked."""
    return [
        shop.account("midtrans", {"server_key": key}, priority=10 + place) for place, key in enumerate((FIRST, SECOND))
    ]


def code(caller, **more):
    return caller.post("payments", 201, **{"amount": 4_550_000, "currency": "IDR", "method": "qris", **more})


def tried(payment):
    return [(attempt["account"], attempt["state"]) for attempt in payment["attempts"]]


def reference_of(payment, place):
    return payment["attempts"][place]["provider_reference"]


@pytest.mark.parametrize(
    "trouble",
    ["reset_before", "reset_after", "timeout_after", "500_before", "html_before", "empty_before", "fault_before"],
)
def test_whatever_befalls_the_first_the_merchant_gets_a_code_of_the_second(midtrans, accounts, caller, trouble):
    midtrans.trouble(trouble, CHARGE)
    payment = code(caller)
    assert (payment["state"], payment["next_action"]["type"]) == ("requires_action", "qr")
    assert tried(payment) == [(accounts[0].pk, "abandoned"), (accounts[1].pk, "open")]
    assert operations_of(payment) == [("create", "unknown"), ("create", "succeeded")]
    assert events_of(payment) == ["payment.requires_action"]


def test_what_never_reached_the_first_is_over_once_it_has_been_asked_about(world, midtrans, accounts, shop, caller):
    midtrans.trouble("reset_before", CHARGE)
    payment = code(caller)
    with world.later(seconds=20):
        assert operations_of(payment) == [("create", "failed"), ("create", "succeeded")]
    assert caller.get(f"payments/{payment['id']}")["state"] == "requires_action"
    assert midtrans.calls(CHARGE) == 2
    assert attention() == []


def test_what_turns_out_to_wait_at_the_first_is_closed_there(world, midtrans, accounts, shop, caller):
    midtrans.trouble("timeout_after", CHARGE)
    payment = code(caller)
    with world.later(seconds=20):
        world.work_until(lambda: ("cancel", "succeeded") in operations_of(payment))
    states = {entry["reference"]: entry["state"] for entry in midtrans.entries()}
    assert states == {reference_of(payment, 0): "cancel", reference_of(payment, 1): "pending"}
    assert caller.get(f"payments/{payment['id']}")["state"] == "requires_action"
    assert midtrans.calls(CHARGE) == 2


def test_a_late_scan_of_the_first_s_code_pays_and_the_second_s_is_closed(world, midtrans, accounts, shop, caller):
    midtrans.trouble("timeout_after", CHARGE)
    payment = code(caller)
    midtrans.post("simulate", reference=reference_of(payment, 0), outcome="approve")
    paid = reaches(shop, payment, "succeeded")
    assert tried(paid)[0] == (accounts[0].pk, "succeeded")
    world.work_until(lambda: ("cancel", "succeeded") in operations_of(payment))
    states = {entry["reference"]: entry["state"] for entry in midtrans.entries()}
    assert states == {reference_of(payment, 0): "settlement", reference_of(payment, 1): "cancel"}
    assert counters(payment) == (4_550_000, 0, 0)


def test_when_both_codes_are_scanned_both_receipts_are_booked_and_the_merchant_is_told(
    world, midtrans, accounts, shop, caller
):
    midtrans.trouble("timeout_after", CHARGE)
    payment = code(caller)
    midtrans.post("simulate", reference=reference_of(payment, 1), outcome="approve")
    reaches(shop, payment, "succeeded")
    midtrans.post("simulate", reference=reference_of(payment, 0), outcome="approve")
    world.work_until(lambda: Overpayment.objects.filter(payment=payment["id"]).exists())
    numbers = {entry["reference"]: entry["id"] for entry in midtrans.entries()}
    assert sorted(receipts_of(payment)) == sorted(
        ("capture", 4_550_000, numbers[reference_of(payment, place)]) for place in (0, 1)
    )
    [over] = Overpayment.objects.filter(payment=payment["id"])
    assert (over.amount, over.receipt.attempt.account_id) == (4_550_000, accounts[0].pk)
    assert "payment.overpaid" in events_of(payment)
    assert attention() == [(payment["id"], "overpaid")]
    assert counters(payment) == (4_550_000, 0, 0)


def test_news_in_the_wrong_order_ends_as_in_the_right_one(world, midtrans, accounts, shop, caller):
    payment = code(caller)
    midtrans.post("settings", callback_mode="reordered")
    midtrans.simulate(payment, "approve")
    midtrans.simulate(payment, "refund")
    world.work_until(lambda: counters(payment)[2])
    world.heard(2)
    assert counters(payment) == (4_550_000, 0, 4_550_000)
    assert caller.get(f"payments/{payment['id']}")["state"] == "succeeded"
    assert not Callback.objects.filter(state__in=["parked", "unmatched"]).exists()


def test_news_of_a_refund_alone_tells_that_it_was_paid_before(world, midtrans, accounts, shop, caller):
    payment = code(caller)
    midtrans.simulate(payment, "approve", callback="missing")
    midtrans.simulate(payment, "refund")
    world.work_until(lambda: counters(payment)[2])
    assert counters(payment) == (4_550_000, 0, 4_550_000)
    assert caller.get(f"payments/{payment['id']}")["state"] == "succeeded"
    assert attention() == []


def test_callbacks_refunds_and_cancels_go_on_at_a_provider_that_is_switched_off(
    world, midtrans, accounts, shop, caller
):
    payment, other = code(caller), code(caller)
    switch = next(row for row in switches.switches() if row.provider == "midtrans")
    switches.switch_provider_off(switch, by="staff:asha")
    caller.refused("payments", 400, "no_provider_available", amount=4_550_000, currency="IDR", method="qris")
    midtrans.simulate(payment, "approve")
    reaches(shop, payment, "succeeded")
    assert caller.post(f"payments/{payment['id']}/refunds", 201)["state"] == "succeeded"
    assert caller.post(f"payments/{other['id']}/cancel")["state"] == "cancelled"


def test_a_code_of_another_merchant_is_not_found_by_a_forged_notice(
    world, midtrans, accounts, shop, other_shop, caller
):
    """One who knows our order's number and signs with a key of their own, at their own door."""
    account = other_shop.account("midtrans", {"server_key": SECOND})
    theirs = code(other_shop.api)
    mine = code(caller)
    own_door = Operation.objects.get(attempt__payment=theirs["id"]).pk
    told = midtrans.simulate(theirs, "approve")
    reaches(other_shop, theirs, "succeeded")
    assert told["state"] == "settlement"
    assert own_door
    assert Receipt.objects.filter(account=account).count() == 1
    assert Attempt.objects.get(payment=mine["id"]).state == "open"
    assert counters(mine) == (0, 0, 0)


def test_a_primary_that_rests_costs_the_payer_nothing_and_comes_back_by_itself(
    world, midtrans, accounts, shop, caller, settings
):
    settings.BREAKER_FAILURES = 2
    for _ in range(2):
        midtrans.trouble("reset_before", CHARGE)
        assert tried(code(caller))[-1] == (accounts[1].pk, "open")
    calls = midtrans.calls(CHARGE)
    assert tried(code(caller)) == [(accounts[1].pk, "open")]
    assert midtrans.calls(CHARGE) == calls + 1
    with clock.shifted(timedelta(minutes=5)):
        assert tried(code(caller)) == [(accounts[0].pk, "open")]
        assert tried(code(caller)) == [(accounts[0].pk, "open")]
