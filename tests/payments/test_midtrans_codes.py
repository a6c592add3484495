"""Midtrans from the API call to the money: a code that is shown, scanned, lost, forged, or left alone."""

from datetime import datetime, timedelta

import pytest

from core import clock, qris
from core.money import Money
from events.models import Callback
from tests.payments.world import (
    attention,
    counters,
    events_of,
    operations_of,
    path_of,
    reaches,
    receipts_of,
    until,
)

pytestmark = pytest.mark.django_db(transaction=True)

CHARGE, STATUS = "POST /v2/charge", "GET /v2/{id}/status"


@pytest.fixture
def account(midtrans, shop):
    return shop.account("midtrans", {"server_key": "SB-Mid-server-lango-simulator"})


def code(caller, **more):
    """A payment by QRIS as it is answered."""
    return caller.post("payments", 201, **{"amount": 4_550_000, "currency": "IDR", "method": "qris", **more})


def test_a_code_is_shown_scanned_and_paid(midtrans, account, shop, caller):
    payment = code(caller)
    assert payment["state"] == "requires_action"
    assert payment["next_action"]["type"] == "qr"
    assert qris.parse(payment["next_action"]["qr_string"]).amount == Money(4_550_000, "IDR")

    midtrans.simulate(payment, "approve")
    paid = reaches(shop, payment, "succeeded")

    [entry] = midtrans.entries()
    assert (paid["captured_amount"], paid["next_action"]) == (4_550_000, None)
    assert receipts_of(payment) == [("capture", 4_550_000, entry["id"])]
    assert path_of(payment) == ["created", "requires_action", "succeeded"]
    assert events_of(payment) == ["payment.requires_action", "payment.succeeded"]
    assert attention() == []


def test_a_lost_answer_is_asked_for_again_by_its_key_and_the_code_is_shown(world, midtrans, account, shop, caller):
    midtrans.trouble("reset_after", CHARGE)
    payment = code(caller)
    assert (payment["state"], payment["next_action"]) == ("processing", None)
    with world.later(seconds=20):
        shown = caller.get(f"payments/{payment['id']}")
    assert (shown["state"], shown["next_action"]["type"]) == ("requires_action", "qr")
    assert midtrans.calls(CHARGE) == 2
    assert len(midtrans.entries()) == 1


def test_a_key_older_than_five_minutes_is_only_looked_up_and_a_code_that_nobody_was_shown_is_closed(
    world, midtrans, account, shop, caller
):
    midtrans.trouble("reset_after", CHARGE)
    payment = code(caller)
    with clock.shifted(timedelta(minutes=4, seconds=1)):
        world.work()
    failed = reaches(shop, payment, "failed")
    assert failed["failure"]["code"] == "provider_unavailable"
    assert midtrans.calls(CHARGE) == 1
    assert operations_of(payment) == [("create", "succeeded"), ("cancel", "succeeded")]
    assert [entry["state"] for entry in midtrans.entries()] == ["cancel"]


def test_a_code_that_is_cancelled_or_expires_ends_the_payment(world, midtrans, account, shop, caller):
    cancelled = code(caller)
    assert caller.post(f"payments/{cancelled['id']}/cancel")["state"] == "cancelled"
    midtrans.post("settings", expiry_seconds=0.1)
    expired = code(caller)
    reaches(shop, expired, "expired")
    assert attention() == []


def test_a_decline_fails_the_payment(midtrans, account, shop, caller):
    payment = code(caller)
    midtrans.simulate(payment, "decline")
    failed = reaches(shop, payment, "failed")
    assert failed["failure"]["code"] == "declined"


def test_a_changed_status_moves_nothing_but_what_the_query_says(world, midtrans, account, shop, caller):
    payment = code(caller)
    midtrans.simulate(payment, "decline", callback="tampered")
    reaches(shop, payment, "failed")
    assert counters(payment) == (0, 0, 0)


def test_a_forged_notice_is_quarantined_and_moves_nothing(world, midtrans, account, shop, caller):
    payment = code(caller)
    midtrans.simulate(payment, "approve", callback="bad_signature")
    until(lambda: Callback.objects.filter(state=Callback.State.QUARANTINED).exists())
    assert counters(payment) == (0, 0, 0)
    with world.later(seconds=20):
        assert caller.get(f"payments/{payment['id']}")["state"] == "succeeded"


def test_money_that_comes_after_the_end_is_booked(world, midtrans, account, shop, caller):
    payment = code(caller)
    caller.post(f"payments/{payment['id']}/cancel")
    midtrans.simulate(payment, "late_success")
    late = reaches(shop, payment, "succeeded")
    assert (late["late"], late["captured_amount"]) == (True, 4_550_000)


def test_a_payment_is_refunded_in_parts_and_a_denied_refund_gives_its_sum_back(world, midtrans, account, shop, caller):
    payment = code(caller)
    midtrans.simulate(payment, "approve")
    reaches(shop, payment, "succeeded")
    first = caller.post(f"payments/{payment['id']}/refunds", 201, amount=1_000_000)
    midtrans.trouble("result_202", "POST /v2/{id}/refund")
    denied = caller.post(f"payments/{payment['id']}/refunds", 201, amount=3_000_000)
    rest = caller.post(f"payments/{payment['id']}/refunds", 201)
    assert [refund["state"] for refund in (first, denied, rest)] == ["succeeded", "failed", "succeeded"]
    assert counters(payment) == (4_550_000, 4_550_000, 4_550_000)
    assert [entry["amount"] for entry in midtrans.entries("refund")] == [10_000, 35_500]


def test_a_refund_whose_answer_was_lost_is_found_by_its_key(world, midtrans, account, shop, caller):
    payment = code(caller)
    midtrans.simulate(payment, "approve")
    reaches(shop, payment, "succeeded")
    midtrans.trouble("500_after", "POST /v2/{id}/refund")
    refund = caller.post(f"payments/{payment['id']}/refunds", 201)
    assert refund["state"] == "pending"
    with world.later(seconds=10):
        assert caller.get(f"refunds/{refund['id']}")["state"] == "succeeded"
    assert len(midtrans.entries("refund")) == 1


def test_a_refund_from_the_dashboard_is_booked_as_midtrans_shows_it(world, midtrans, account, shop, caller):
    payment = code(caller)
    midtrans.simulate(payment, "approve")
    reaches(shop, payment, "succeeded")
    midtrans.simulate(payment, "refund")
    world.work_until(lambda: counters(payment)[2])
    [refund] = caller.get(f"payments/{payment['id']}/refunds")["data"]
    assert (refund["state"], refund["amount"]) == ("succeeded", 4_550_000)
    assert counters(payment) == (4_550_000, 0, 4_550_000)
    assert not Callback.objects.filter(state__in=[Callback.State.PARKED, Callback.State.UNMATCHED]).exists()


def test_a_code_ends_when_midtrans_says_although_the_merchant_named_no_end(midtrans, account, shop, caller):
    payment = code(caller)
    ends = datetime.fromisoformat(payment["expires_at"]) - datetime.fromisoformat(payment["created_at"])
    assert timedelta(minutes=14) < ends <= timedelta(minutes=16)
