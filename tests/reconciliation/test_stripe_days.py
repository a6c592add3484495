"""Days of Stripe's, over the wire: an ordinary one agrees line by line, one without webhooks is repaired by a run."""

from datetime import timedelta

import pytest
import requests

from core import clock
from events import work
from payments.models import Attempt, Dispute, DisputeMovement, Fee, Operation, Payment, Receipt, Refund
from reconciliation.models import Discrepancy
from tests.payments.world import attention, counters, events_of, reaches, receipts_of, refund_reaches
from tests.reconciliation.runs import cases, reconcile

pytestmark = pytest.mark.django_db(transaction=True)

LIST = "GET /v1/balance_transactions"


def two_hours_later(account):
    """A run that judges all of today, as nothing of it can still be late."""
    with clock.shifted(timedelta(hours=2)):
        return reconcile(account)


def fees_told():
    """How many captures' costs are known, once they have been asked for."""
    with clock.shifted(timedelta(minutes=6)):
        work.drain("fees")
    return Fee.objects.exclude(amount=None).count()


def refund_of(caller, payment, amount, status=201):
    return caller.post(f"payments/{payment['id']}/refunds", status, amount=amount)


def held_and_captured(caller, amount=1000):
    held = caller.card(capture="manual")
    return caller.post(f"payments/{held['id']}/capture", amount=amount)


def made_in_secret(world):
    """From now on nobody tells us of anything."""
    world.stripe.post("settings", webhook_url="")


def from_dashboard(world, **form):
    """A call with the account's own key from somewhere else than here."""
    key = {"Authorization": "Bearer sk_test_lango_simulator"}
    answer = requests.post(f"{world.stripe.url}/v1/refunds", data=form, headers=key, timeout=5)
    assert answer.status_code == 200, answer.text
    return answer.json()["id"]


def charge_of(payment):
    return Receipt.objects.get(attempt__payment=payment["id"], kind="capture").provider_money_id


def intent_of(payment):
    return Payment.objects.get(pk=payment["id"]).attempts.get().provider_id


def test_an_ordinary_day_agrees_line_by_line_with_its_fees_refunds_and_disputes(world, shop, caller):
    world.listen_to_stripe(shop)
    paid = [caller.card(amount=amount) for amount in (1250, 2500, 99_900)]
    part = held_and_captured(caller)
    caller.card("pm_card_visa_chargeDeclined")
    held = caller.card(capture="manual")
    caller.post(f"payments/{held['id']}/cancel")
    refund_reaches(shop, refund_of(caller, paid[0], 250), "succeeded")
    refund_reaches(shop, refund_of(caller, paid[0], 1000), "succeeded")
    refund_reaches(shop, refund_of(caller, part, 400), "succeeded")
    failing = caller.card("pm_card_refundFail", amount=4000)
    refund_reaches(shop, refund_of(caller, failing, 4000), "failed")
    pending = caller.card("pm_card_pendingRefund", amount=3000)
    world.stripe.post("settings", refund_seconds=600)
    refund_of(caller, pending, 3000)
    disputed = caller.card("pm_card_createDispute", amount=7000)
    world.work_until(lambda: DisputeMovement.objects.count() == 1)
    world.stripe.simulate(disputed, "dispute_won")
    world.work_until(lambda: DisputeMovement.objects.count() == 2)
    lost = caller.card("pm_card_createDispute", amount=8000)
    world.work_until(lambda: Dispute.objects.count() == 2)
    dashboard = from_dashboard(world, charge=charge_of(paid[1]), amount=500)
    world.work_until(lambda: Refund.objects.filter(provider_id=dashboard, state="succeeded").exists())
    assert lost["state"] == "succeeded"
    assert fees_told() == 8
    known = attention()

    run = two_hours_later(shop.stripe)
    captured = 1250 + 2500 + 99_900 + 1000 + 4000 + 3000 + 7000 + 8000
    left = captured - 250 - 1000 - 400 - 500 - 7000 + 7000 - 8000
    assert cases() == []
    assert run.totals == {"USD": {"listed": left, "booked": left, "repaired": 0}}
    # The failed refund is listed twice under one number, and the one that is pending is nobody's money yet.
    assert (run.counts["matched"], run.counts["lines"], run.unreadable) == (16, 17, {})
    assert attention() == known


def test_after_a_day_without_webhooks_one_run_repairs_what_is_certain(world, shop, caller):
    world.listen_to_stripe(shop)
    paid = caller.card(amount=2500)
    pending = caller.card("pm_card_pendingRefund", amount=3000)
    asked = caller.card("pm_card_authenticationRequired", return_url="https://shop.example/back")
    disputed = caller.card(amount=8_000)
    world.heard()
    made_in_secret(world)
    world.stripe.simulate(disputed, "dispute")
    waiting = refund_of(caller, pending, 3000)
    world.stripe.simulate(asked, "approve")
    dashboard = from_dashboard(world, payment_intent=intent_of(paid), amount=700)
    until_listed(world, waiting)

    run = two_hours_later(shop.stripe)
    assert (run.counts["missing_here"], run.repaired) == (4, 4)
    assert {outcome for *_, outcome in cases()} == {"repaired"}
    assert run.totals["USD"]["repaired"] == run.totals["USD"]["listed"] - run.totals["USD"]["booked"]
    assert reaches(shop, asked, "succeeded")
    assert receipts_of(asked)[0][1] == 1250
    assert caller.get(f"refunds/{waiting['id']}")["state"] == "succeeded"
    [found] = Refund.objects.filter(provider_id=dashboard)
    assert (found.origin, found.state, found.payment_id) == ("provider", "succeeded", paid["id"])
    assert counters(paid) == (2500, 0, 700)
    assert counters(pending) == (3000, 3000, 3000)
    assert "refund.succeeded" in events_of(waiting)
    dispute = Dispute.objects.get(payment=disputed["id"])
    assert (dispute.state, dispute.movements.get().amount) == ("needs_response", 8_000)
    assert events_of({"id": dispute.pk}) == ["dispute.needs_response"]
    assert Discrepancy.objects.get(direction="withdrawn").booked_as == dispute.pk
    again = two_hours_later(shop.stripe)
    assert (again.counts["matched"], again.repaired) == (again.counts["lines"], 0)
    assert again.totals["USD"]["listed"] == again.totals["USD"]["booked"]


def until_listed(world, refund):
    """Until Stripe itself has settled a refund that was pending there."""
    reference = Refund.objects.get(pk=refund["id"]).provider_id

    def settled():
        return [
            entry
            for entry in world.stripe.entries("refund")
            if entry["id"] == reference and entry["state"] == "succeeded"
        ]

    world.work_until(settled)


def test_a_balance_in_another_currency_agrees_too(world, shop, caller):
    world.stripe.post("settings", settlement_currency="eur", settlement_rate=0.85)
    world.listen_to_stripe(shop)
    paid = caller.card(amount=2500)
    refund_reaches(shop, refund_of(caller, paid, 250), "succeeded")
    caller.card("pm_card_createDispute", amount=8000)
    world.work_until(lambda: DisputeMovement.objects.count() == 1)
    assert fees_told() == Fee.objects.filter(currency="EUR").count() == 2
    run = two_hours_later(shop.stripe)
    assert (cases(), run.counts["matched"]) == ([], 4)
    assert sorted(run.totals) == ["EUR", "USD"]


def test_a_fee_that_was_told_otherwise_is_a_case(world, shop, caller):
    caller.card(amount=2500)
    assert fees_told() == 1
    Fee.objects.update(amount=1)
    reconcile(shop.stripe)
    [case] = Discrepancy.objects.all()
    assert (case.kind, case.booked_fee, case.listed_fee) == ("fee", 1, 102)


def test_a_payment_whose_creation_was_never_answered_learns_its_id_and_can_be_refunded(world, shop, caller):
    world.stripe.trouble("reset_after", "POST /v1/payment_intents")
    payment = caller.card(amount=2500)
    assert payment["state"] == "processing"
    run = reconcile(shop.stripe)
    assert run.repaired == 1
    assert caller.get(f"payments/{payment['id']}")["state"] == "succeeded"
    assert intent_of(payment).startswith("pi_")
    assert Operation.objects.get(kind="create").state == "succeeded"
    refund_reaches(shop, refund_of(caller, payment, 500), "succeeded")


def test_a_refund_whose_answer_was_lost_is_found_by_our_key_and_not_booked_twice(world, shop, caller):
    payment = caller.card(amount=2500)
    world.stripe.trouble("reset_after", "POST /v1/refunds")
    refund = refund_of(caller, payment, 500)
    assert refund["state"] == "pending"
    run = reconcile(shop.stripe)
    assert run.repaired == 1
    assert caller.get(f"refunds/{refund['id']}")["state"] == "succeeded"
    assert Refund.objects.count() == 1
    assert Operation.objects.get(kind="refund").state == "succeeded"
    assert counters(payment) == (2500, 500, 500)


def test_money_that_another_system_took_at_the_account_is_unallocated_and_its_refund_waits_for_a_person(world, shop):
    key = {"Authorization": "Bearer sk_test_lango_simulator"}
    form = {"amount": 900, "currency": "usd", "payment_method": "pm_card_visa", "confirm": "true"}
    form |= {"payment_method_types[]": "card", "capture_method": "automatic"}
    made = requests.post(f"{world.stripe.url}/v1/payment_intents", data=form, headers=key, timeout=5).json()
    back = from_dashboard(world, payment_intent=made["id"], amount=100)
    run = reconcile(shop.stripe)
    assert cases() == [("missing_here", made["latest_charge"], "repaired"), ("missing_here", back, "open")]
    assert run.repaired == 1
    assert Attempt.objects.count() == 0


def test_a_page_at_a_time_everything_is_read_newest_first(world, shop, caller):
    """More lines than a page has."""
    key = {"Authorization": "Bearer sk_test_lango_simulator"}
    payment = caller.card(amount=99_900)
    for _ in range(104):
        form = {"payment_intent": intent_of(payment), "amount": 100}
        requests.post(f"{world.stripe.url}/v1/refunds", data=form, headers=key, timeout=5)
    run = reconcile(shop.stripe)
    assert (run.pages, run.lines, run.repaired) == (2, 105, 104)
    assert counters(payment) == (99_900, 0, 10_400)


def test_a_dispute_that_stripe_does_not_tell_of_waits_for_the_next_run(world, shop, caller):
    disputed = caller.card(amount=8_000)
    world.stripe.simulate(disputed, "dispute", callback="missing")
    world.stripe.trouble("500_before", "GET /v1/disputes/{dispute}")
    run = reconcile(shop.stripe)
    assert (run.counts["missing_here"], run.repaired, Dispute.objects.count()) == (1, 0, 0)
    assert attention() == [(shop.stripe.pk, "discrepancy")]
    run = reconcile(shop.stripe)
    assert (run.repaired, Dispute.objects.count()) == (1, 1)
    assert "discrepancy" not in {reason for _, reason in attention()}


def test_every_night_a_week_is_read_again_and_after_a_pause_as_much_as_was_left_out(world, shop):
    run = reconcile(shop.stripe)
    assert run.until - run.since == timedelta(days=7)
    with clock.shifted(timedelta(days=10)):
        later = reconcile(shop.stripe)
    assert later.since == run.until - timedelta(hours=2)
