"""PayPal through our API and our door: the payer goes to its page, and its webhooks are believed as far as they go."""

from datetime import timedelta

import pytest
import requests

from core import clock
from events.models import Callback
from merchants import doors
from payments.models import Attempt, Operation, Refund
from tests.payments.world import (
    Company,
    attention,
    counters,
    operation,
    operations_of,
    path_of,
    reaches,
    receipts_of,
    refund_reaches,
    session,
    until,
)

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


CAPTURE = "POST /v2/checkout/orders/{order}/capture"


def test_what_the_payer_has_approved_is_collected_once(world, shop, account, paypal):
    payment = pay(shop)
    paypal.simulate(payment, "approve")
    paid = reaches(shop, payment, "succeeded")
    [receipt] = receipts_of(payment)
    assert (paid["captured_amount"], paid["next_action"]) == (1250, None)
    assert receipt == ("capture", 1250, paypal.entries("payment")[0]["receipt"])
    assert operations_of(payment) == [("create", "succeeded"), ("confirm", "succeeded")]
    assert path_of(payment) == ["created", "requires_action", "processing", "succeeded"]
    assert paypal.calls(CAPTURE) == 1
    assert attention() == []


def test_an_approval_is_found_by_asking_when_its_webhook_is_lost(world, shop, account, paypal):
    payment = pay(shop)
    paypal.simulate(payment, "approve", callback="missing")
    with world.later(seconds=25):
        reaches(shop, payment, "succeeded")
    assert paypal.calls(CAPTURE) == 1


def test_two_approvals_told_at_once_collect_once(world, shop, account, paypal):
    payment = pay(shop)
    paypal.simulate(payment, "approve", callback="duplicate")
    reaches(shop, payment, "succeeded")
    world.heard(2, account=account.pk)
    assert operations_of(payment) == [("create", "succeeded"), ("confirm", "succeeded")]


def test_a_manual_capture_is_held_first_and_collected_on_request(world, shop, account, paypal):
    payment = pay(shop, capture="manual")
    paypal.simulate(payment, "approve")
    reaches(shop, payment, "authorized")
    paid = shop.api.post(f"payments/{payment['id']}/capture", amount=1000)
    assert (paid["state"], paid["captured_amount"]) == ("succeeded", 1000)


AUTHORIZE = "POST /v2/checkout/orders/{order}/authorize"


@pytest.mark.parametrize("change", ["capture", "cancel"])
def test_what_is_held_can_be_changed_though_its_confirmation_was_never_answered(world, shop, account, paypal, change):
    payment = pay(shop, capture="manual")
    paypal.trouble("reset_after", AUTHORIZE)
    paypal.simulate(payment, "approve")
    reaches(shop, payment, "authorized")
    assert operation(payment, "confirm").state == "unknown"
    ended = shop.api.post(f"payments/{payment['id']}/{change}")
    assert ended["state"] == {"capture": "succeeded", "cancel": "cancelled"}[change]
    assert operations_of(payment) == [("create", "succeeded"), ("confirm", "succeeded"), (change, "succeeded")]
    assert paypal.calls(AUTHORIZE) == 1


def test_a_confirmation_that_late_news_has_queued_stands_in_no_ones_way(world, shop, account, paypal):
    payment = pay(shop, capture="manual")
    paypal.simulate(payment, "approve")
    reaches(shop, payment, "authorized")
    first = operation(payment, "confirm")
    Operation.objects.filter(pk=first.pk).update(state="created", due_at=None)
    assert shop.api.post(f"payments/{payment['id']}/cancel")["state"] == "cancelled"
    assert operations_of(payment) == [("create", "succeeded"), ("confirm", "failed"), ("cancel", "succeeded")]


def test_what_is_held_can_be_captured_though_whoever_confirmed_it_has_died(world, shop, account, paypal):
    payment = pay(shop, capture="manual")
    paypal.trouble("reset_after", AUTHORIZE)
    paypal.simulate(payment, "approve")
    reaches(shop, payment, "authorized")
    Operation.objects.filter(pk=operation(payment, "confirm").pk).update(state="sending")
    assert shop.api.post(f"payments/{payment['id']}/capture")["state"] == "succeeded"
    assert operations_of(payment) == [("create", "succeeded"), ("confirm", "succeeded"), ("capture", "succeeded")]


def test_a_declined_card_brings_the_payer_back_and_another_approval_is_collected(world, shop, account, paypal):
    payment = pay(shop)
    paypal.simulate(payment, "instrument_declined")
    world.work_until(lambda: ("confirm", "succeeded") in operations_of(payment))
    waiting = shop.api.get(f"payments/{payment['id']}")
    assert (waiting["state"], waiting["next_action"]["type"]) == ("requires_action", "redirect")
    with world.later(seconds=70):
        assert paypal.calls(CAPTURE) == 1
    paypal.simulate(payment, "approve")
    reaches(shop, payment, "succeeded")
    assert paypal.calls(CAPTURE) == 2


def test_a_payer_who_comes_back_after_a_decline_is_collected_from_without_a_webhook(world, shop, account, paypal):
    payment = pay(shop)
    paypal.simulate(payment, "instrument_declined")
    world.work_until(lambda: ("confirm", "succeeded") in operations_of(payment))
    waiting = shop.api.get(f"payments/{payment['id']}")
    paypal.post("settings", callback_mode="missing")
    page = session().post(waiting["next_action"]["url"], data={"outcome": "approve"}, allow_redirects=False, timeout=5)
    assert session().get(page.headers["Location"], allow_redirects=False, timeout=5).status_code == 302
    reaches(shop, payment, "succeeded")
    assert paypal.calls(CAPTURE) == 2


def test_a_refusal_fails_the_payment(world, shop, account, paypal):
    payment = pay(shop)
    paypal.simulate(payment, "decline")
    assert reaches(shop, payment, "failed")["failure"]["code"] == "declined"


def test_an_approval_after_the_end_is_left_uncollected(world, shop, account, paypal):
    payment = pay(shop)
    assert shop.api.post(f"payments/{payment['id']}/cancel")["state"] == "cancelled"
    paypal.simulate(payment, "approve")
    world.heard(account=account.pk)
    assert paypal.calls(CAPTURE) == 0
    assert ("confirm", "succeeded") not in operations_of(payment)


def test_a_confirmation_of_unknown_outcome_is_sent_again_and_collects_once(world, shop, account, paypal):
    payment = pay(shop)
    paypal.trouble("reset_after", CAPTURE)
    paypal.simulate(payment, "approve", callback="missing")
    with world.later(seconds=25):
        world.work_until(lambda: ("confirm", "unknown") in operations_of(payment) or paypal.calls(CAPTURE))
    with world.later(seconds=45):
        reaches(shop, payment, "succeeded")
    assert [entry["kind"] for entry in paypal.entries("payment") if entry["receipt"]] == ["payment"]
    assert counters(payment) == (1250, 0, 0)


def test_a_confirmation_is_not_sent_again_after_the_payment_s_time(world, shop, account, paypal):
    payment = pay(shop, expires_at=(clock.now() + timedelta(minutes=30)).isoformat())
    paypal.trouble("reset_before", CAPTURE)
    paypal.simulate(payment, "approve")
    world.work_until(lambda: ("confirm", "unknown") in operations_of(payment))
    tried = paypal.calls(CAPTURE)
    with world.later(minutes=31):
        assert paypal.calls(CAPTURE) == tried
    with world.later(minutes=70):
        assert paypal.calls(CAPTURE) == tried
    assert counters(payment) == (0, 0, 0)


def test_a_cancel_waits_for_a_confirmation_under_way(world, shop, account, paypal):
    payment = pay(shop)
    paypal.trouble("reset_before", CAPTURE)
    paypal.simulate(payment, "approve")
    world.work_until(lambda: ("confirm", "unknown") in operations_of(payment))
    shop.api.refused(f"payments/{payment['id']}/cancel", 409, "not_cancellable")
    assert [kind for kind, _ in operations_of(payment)] == ["create", "confirm"]


def test_refunds_are_given_back_and_one_from_the_dashboard_is_proven_and_booked(world, shop, account, paypal):
    payment = pay(shop)
    paypal.simulate(payment, "approve")
    reaches(shop, payment, "succeeded")
    refund = shop.api.post(f"payments/{payment['id']}/refunds", 201, amount=250)
    refund_reaches(shop, refund, "succeeded")
    paypal.simulate(payment, "refund")
    world.work_until(lambda: counters(payment)[2] == 1250)
    assert counters(payment) == (1250, 250, 1250)
    refunds = shop.api.get(f"payments/{payment['id']}/refunds")["data"]
    assert sorted(refund["amount"] for refund in refunds) == [250, 1000]


def test_a_refund_that_comes_back_after_it_had_succeeded_has_failed(world, shop, account, paypal):
    payment = pay(shop)
    paypal.simulate(payment, "approve")
    reaches(shop, payment, "succeeded")
    refund = shop.api.post(f"payments/{payment['id']}/refunds", 201, amount=250)
    refund_reaches(shop, refund, "succeeded")
    paypal.simulate(Refund.objects.get().provider_id, "fail")
    refund_reaches(shop, refund, "failed")
    assert counters(payment) == (1250, 0, 0)
    assert path_of(refund)[-2:] == ["succeeded", "failed"]


def test_a_refund_that_somebody_else_tells_of_is_not_believed(world, shop, account, paypal):
    payment = pay(shop)
    paypal.simulate(payment, "approve")
    reaches(shop, payment, "succeeded")
    paypal.trouble("500_before", "POST /v1/notifications/verify-webhook-signature", times=100)
    paypal.simulate(payment, "refund")
    until(lambda: Callback.objects.filter(account=account.pk, state="received").exists())
    world.work()
    assert counters(payment) == (1250, 0, 0)


def test_a_dispute_is_found_by_the_money_that_it_is_of_and_left_to_a_person(world, shop, account, paypal):
    payment = pay(shop)
    paypal.simulate(payment, "approve")
    reaches(shop, payment, "succeeded")
    paypal.simulate(payment, "dispute")
    world.work_until(lambda: Callback.objects.filter(state="parked").exists())
    [parked] = Callback.objects.filter(state="parked")
    assert parked.subject == payment["id"]
    assert parked.note.endswith(f"disputes {payment['id']}; answer it at paypal's dashboard")
    assert attention() == [(parked.pk, "parked")]


def test_another_merchant_s_genuine_order_is_unknown_at_this_merchant_s_door(world, shop, other_shop, account, paypal):
    """Two shops share an app at PayPal: one's door has the other's order told to it, rightly signed."""
    authority = account.options["certificate_authorities"]
    credentials = {"client_id": "lango-simulator-client", "client_secret": "lango-simulator-secret"}
    options = {"webhook_ids": [WEBHOOK], "certificate_authorities": authority}
    other = other_shop.account("paypal", credentials, options)
    payment = pay(shop)
    paypal.post("settings", webhook_url=doors.callback_url(other, "events"))
    paypal.simulate(payment, "approve")
    [stray] = world.heard(account=other.pk)
    assert (stray.state, stray.note.split(" is ")[0]) == ("unmatched", "no payment here")
    assert shop.api.get(f"payments/{payment['id']}")["state"] == "requires_action"
    assert paypal.calls(CAPTURE) == 0


def test_what_paypal_kept_is_told_by_the_capture_and_is_final(world, shop, account, paypal):
    payment = pay(shop)
    paypal.simulate(payment, "approve")
    paid = reaches(shop, payment, "succeeded")
    fee = round(1250 * 0.0349) + 49
    assert (paid["fee"]["amount"], paid["fee"]["is_final"]) == (fee, True)
