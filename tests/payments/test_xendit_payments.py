"""Xendit from the API call to the money: a code or a page, paid, lost, left alone, given back."""

import pytest

from core import qris
from core.money import Money
from events.models import Callback
from merchants import doors
from tests.payments.world import attention, counters, operations_of, path_of, receipts_of, until

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def account(xendit, shop):
    credentials = {"secret_key": "xnd_development_lango-simulator", "callback_token": "lango-simulator-callback-token"}
    return shop.account("xendit", credentials)


def pay(caller, method="qris", **more):
    return caller.post("payments", 201, **{"amount": 4_550_000, "currency": "IDR", "method": method, **more})


def test_a_code_is_shown_scanned_and_paid(world, xendit, account, caller):
    payment = pay(caller)
    assert payment["state"] == "requires_action"
    assert payment["next_action"]["type"] == "qr"
    assert qris.parse(payment["next_action"]["qr_string"]).amount == Money(4_550_000, "IDR")

    xendit.simulate(payment, "approve")
    with world.later(seconds=20):
        paid = caller.get(f"payments/{payment['id']}")

    [entry] = xendit.entries()
    assert (paid["state"], paid["captured_amount"], paid["next_action"]) == ("succeeded", 4_550_000, None)
    assert receipts_of(payment) == [("capture", 4_550_000, entry["receipt"])]
    assert path_of(payment) == ["created", "requires_action", "succeeded"]
    assert attention() == []


def test_an_invoice_leads_to_its_page_and_is_paid_there(world, xendit, account, caller):
    payment = pay(caller, "hosted_page", return_url="https://shop.example/back")
    assert payment["next_action"]["type"] == "redirect"
    xendit.simulate(payment, "approve")
    with world.later(seconds=20):
        assert caller.get(f"payments/{payment['id']}")["state"] == "succeeded"
    assert attention() == []


def test_an_invoice_whose_answer_was_lost_is_found_and_made_once(world, xendit, account, caller):
    xendit.trouble("reset_after", "POST /v2/invoices")
    payment = pay(caller, "hosted_page", return_url="https://shop.example/back")
    assert (payment["state"], payment["next_action"]) == ("processing", None)
    with world.later(seconds=20):
        assert caller.get(f"payments/{payment['id']}")["state"] == "requires_action"
    assert len(xendit.entries()) == 1
    assert xendit.calls("POST /v2/invoices") == 1


@pytest.mark.parametrize("trouble", ["reset_before", "reset_after"])
def test_a_code_whose_answer_was_lost_was_shown_to_nobody_and_ends(world, xendit, account, caller, trouble):
    xendit.trouble(trouble, "POST /qr_codes")
    payment = pay(caller)
    assert (payment["state"], payment["next_action"]) == ("processing", None)
    with world.later(seconds=20):
        ended = caller.get(f"payments/{payment['id']}")
    assert (ended["state"], ended["failure"]["code"]) == ("failed", "provider_unavailable")
    assert operations_of(payment) == [("create", "failed")]
    assert xendit.calls("POST /qr_codes") == 1
    assert attention() == []


def test_money_on_a_code_that_was_given_up_is_booked_all_the_same(world, xendit, account, caller):
    xendit.post("settings", webhook_url=doors.callback_url(account, "notifications"))
    xendit.trouble("reset_after", "POST /qr_codes")
    payment = pay(caller)
    with world.later(seconds=20):
        assert caller.get(f"payments/{payment['id']}")["state"] == "failed"
    [entry] = xendit.entries()
    xendit.simulate(entry["id"], "approve")
    world.work_until(lambda: counters(payment) == (4_550_000, 0, 0))
    assert caller.get(f"payments/{payment['id']}")["state"] == "succeeded"


def test_an_invoice_is_cancelled(xendit, account, caller):
    payment = pay(caller, "hosted_page", return_url="https://shop.example/back")
    assert caller.post(f"payments/{payment['id']}/cancel")["state"] == "cancelled"
    assert [entry["state"] for entry in xendit.entries()] == ["expired"]


def test_a_code_cannot_be_withdrawn_and_stays_payable(world, xendit, account, caller):
    payment = pay(caller)
    caller.refused(f"payments/{payment['id']}/cancel", 409, "not_cancellable")
    xendit.simulate(payment, "approve")
    with world.later(seconds=20):
        assert caller.get(f"payments/{payment['id']}")["state"] == "succeeded"


def test_a_payment_is_refunded_in_parts(world, xendit, account, caller):
    payment = pay(caller)
    xendit.simulate(payment, "approve")
    with world.later(seconds=20):
        first = caller.post(f"payments/{payment['id']}/refunds", 201, amount=1_000_000)
        rest = caller.post(f"payments/{payment['id']}/refunds", 201)
    assert [first["state"], rest["state"]] == ["pending", "pending"]
    until(lambda: [entry["state"] for entry in xendit.entries("refund")] == ["succeeded", "succeeded"])
    with world.later(seconds=60):
        states = [caller.get(f"refunds/{refund['id']}")["state"] for refund in (first, rest)]
    assert states == ["succeeded", "succeeded"]
    assert counters(payment)[0] == 4_550_000


@pytest.mark.parametrize("method", ["qris", "hosted_page"])
def test_a_refund_that_never_arrived_is_asked_about_for_a_week_and_then_given_up(
    world, xendit, account, caller, method
):
    payment = pay(caller, method, return_url="https://shop.example/back")
    xendit.simulate(payment, "approve")
    with world.later(seconds=20):
        xendit.trouble("reset_before", "POST /qr_codes/payments/{id}/refunds" if method == "qris" else "POST /refunds")
        refund = caller.post(f"payments/{payment['id']}/refunds", 201)
    for days in (1, 3):
        with world.later(days=days, minutes=5):
            assert caller.get(f"refunds/{refund['id']}")["state"] == "pending"
    with world.later(days=7, minutes=5):
        assert caller.get(f"refunds/{refund['id']}")["state"] == "failed"
        assert counters(payment) == (4_550_000, 0, 0)
    assert attention() == []


def test_an_invoice_that_never_arrived_is_asked_about_past_its_life_and_then_given_up(world, xendit, account, caller):
    xendit.trouble("reset_before", "POST /v2/invoices")
    payment = pay(caller, "hosted_page", return_url="https://shop.example/back")
    with world.later(hours=25):
        assert caller.get(f"payments/{payment['id']}")["state"] == "processing"
    with world.later(days=2):
        world.work()
    with world.later(days=3, minutes=5):
        assert caller.get(f"payments/{payment['id']}")["state"] == "failed"
    assert attention() == []


def test_a_webhook_is_taken_in_at_our_door_and_a_forged_one_is_kept_apart(xendit, account, caller):
    xendit.post("settings", webhook_url=doors.callback_url(account, "notifications"))
    xendit.simulate(pay(caller), "approve", callback="bad_signature")
    until(lambda: Callback.objects.filter(state=Callback.State.QUARANTINED).exists())
    xendit.simulate(pay(caller), "approve")
    until(lambda: len(xendit.callbacks()) == 2)
    assert sorted(told["result"] for told in xendit.callbacks()) == [200, 400]


def test_an_amount_that_xendit_cannot_carry_is_refused_before_anything_is_created(xendit, account, caller):
    caller.refused("payments", 400, "amount_not_representable", amount=4_550_050, currency="IDR", method="qris")
    assert xendit.entries() == []
