"""Runs against Midtrans' simulator, which lists nothing: each of our payments is asked about, and compared."""

from datetime import timedelta

import pytest
import requests
from django.db import transaction

from core import clock, ids
from events import work
from payments.models import Payment, Receipt, Refund
from payments.services import posting
from reconciliation import runs
from reconciliation.models import Run
from tests import factories
from tests.payments.world import (
    attention,
    counters,
    events_of,
    reaches,
    receipts_of,
)
from tests.reconciliation.runs import cases, reconcile

pytestmark = pytest.mark.django_db(transaction=True)

SERVER_KEY = "SB-Mid-server-lango-simulator"
STATUS = "GET /v2/{id}/status"


@pytest.fixture
def account(midtrans, shop):
    return shop.account("midtrans", {"server_key": SERVER_KEY})


def pay(caller, method="qris", amount=4_550_000, **more):
    return caller.post("payments", 201, **{"amount": amount, "currency": "IDR", "method": method, **more})


def paid(midtrans, shop, caller, *given, **more):
    payment = pay(caller, *given, **more)
    midtrans.simulate(payment, "approve")
    return reaches(shop, payment, "succeeded")


def in_secret(midtrans, caller, *given, outcome="approve", **more):
    """A payment that is paid, and of which nobody tells us."""
    payment = pay(caller, *given, **more)
    midtrans.simulate(payment, outcome, callback="missing")
    return payment


def two_hours_later(account):
    """A run that judges all that was booked until now."""
    with clock.shifted(timedelta(hours=2)):
        return reconcile(account)


def findings(run):
    return {name: count for name, count in run.counts.items() if count and name not in ("lines", "matched")}


def theirs(midtrans):
    moved = [entry for entry in midtrans.entries() if entry["receipt"]]
    return sorted((entry["kind"], entry["amount"] * 100) for entry in moved)


def ours():
    kinds = {"capture": "payment", "refund": "refund"}
    return sorted((kinds[kind], amount) for kind, amount in Receipt.objects.values_list("kind", "amount"))


def reference_of(payment):
    return payment["attempts"][0]["provider_reference"]


def test_a_day_on_which_everything_is_told_ends_with_nothing_to_explain(world, midtrans, account, shop, caller):
    codes = [paid(midtrans, shop, caller, amount=1_000_000 * place) for place in (1, 2, 3)]
    wallet = paid(midtrans, shop, caller, "ewallet", return_url="https://shop.example/back")
    caller.post(f"payments/{pay(caller)['id']}/cancel")
    for outcome, state in (("expire", "expired"), ("decline", "failed")):
        payment = pay(caller)
        midtrans.simulate(payment, outcome)
        reaches(shop, payment, state)
    pay(caller)
    caller.post(f"payments/{codes[0]['id']}/refunds", 201, amount=250_000)
    caller.post(f"payments/{codes[0]['id']}/refunds", 201, amount=100_000)
    caller.post(f"payments/{wallet['id']}/refunds", 201)
    midtrans.trouble("result_202", "POST /v2/{id}/refund")
    assert caller.post(f"payments/{codes[1]['id']}/refunds", 201)["state"] == "failed"
    midtrans.simulate(codes[2], "refund")
    world.work_until(lambda: Refund.objects.filter(payment=codes[2]["id"], state="succeeded").exists())

    run = two_hours_later(account)

    assert (run.phase, findings(run), run.repaired, run.problem) == ("finished", {}, 0, "")
    assert (run.counts["lines"], run.counts["matched"]) == (8, 8)
    assert run.totals == {"IDR": {"listed": 2_650_000, "booked": 2_650_000, "repaired": 0}}
    assert (cases(), run.unreadable) == ([], {})
    assert ours() == theirs(midtrans)


def test_lost_notices_are_repaired_in_one_run_and_what_was_pending_is_closed(world, midtrans, account, shop, caller):
    payments = [
        in_secret(midtrans, caller),
        in_secret(midtrans, caller, "ewallet", return_url="https://shop.example/back"),
    ]
    known = paid(midtrans, shop, caller)
    midtrans.trouble("reset_after", "POST /v2/{id}/refund")
    refund = caller.post(f"payments/{known['id']}/refunds", 201, amount=1_000_000)
    assert refund["state"] == "pending"
    midtrans.simulate(known, "refund", callback="missing")

    run = two_hours_later(account)

    assert (findings(run), run.repaired) == ({"missing_here": 4}, 4)
    for payment in payments:
        assert caller.get(f"payments/{payment['id']}")["state"] == "succeeded"
        assert events_of(payment).count("payment.succeeded") == 1
    assert caller.get(f"refunds/{refund['id']}")["state"] == "succeeded"
    assert sorted(Refund.objects.values_list("origin", "amount", "state")) == [
        ("api", 1_000_000, "succeeded"),
        ("provider", 3_550_000, "succeeded"),
    ]
    assert counters(known) == (4_550_000, 1_000_000, 4_550_000)
    assert ours() == theirs(midtrans)
    assert attention() == []

    again = two_hours_later(account)
    assert (findings(again), again.counts["matched"]) == ({}, 5)


def test_a_charge_whose_answer_was_lost_is_found_by_our_reference(world, midtrans, account, caller):
    midtrans.trouble("reset_after", "POST /v2/charge")
    payment = in_secret(midtrans, caller)
    assert reconcile(account).repaired == 1
    assert caller.get(f"payments/{payment['id']}")["state"] == "succeeded"
    [entry] = midtrans.entries()
    assert receipts_of(payment) == [("capture", 4_550_000, entry["id"])]


def test_money_that_came_after_the_end_succeeds_late(world, midtrans, account, shop, caller):
    payment = pay(caller)
    caller.post(f"payments/{payment['id']}/cancel")
    midtrans.simulate(payment, "late_success", callback="missing")
    reconcile(account)
    found = caller.get(f"payments/{payment['id']}")
    assert (found["state"], found["late"]) == ("succeeded", True)


def test_a_notice_that_comes_after_its_money_was_found_changes_nothing(world, midtrans, account, shop, caller):
    payment = pay(caller)
    midtrans.post("settings", callback_late_seconds=1.0)
    midtrans.simulate(payment, "approve", callback="late")
    assert reconcile(account).repaired == 1
    world.heard(2)
    assert (counters(payment), Receipt.objects.count(), attention()) == ((4_550_000, 0, 0), 1, [])


def paid_long_ago(midtrans, shop, account):
    """A payment that was made and paid three weeks ago: ids say so. At Midtrans it is new."""
    charge = {
        "payment_type": "qris",
        "transaction_details": {"order_id": "LONGAGO", "gross_amount": 45_500},
    }
    told = requests.post(f"{midtrans.url}/v2/charge", json=charge, auth=(SERVER_KEY, ""), timeout=5).json()
    midtrans.simulate(told["transaction_id"], "approve", callback="missing")
    ago = clock.now() - timedelta(days=20)
    attempt = factories.AttemptFactory(
        id=ids.first_id("att", ago), account=account, payment__merchant=shop.merchant, payment__method="qris",
        payment__amount=4_550_000, payment__currency="IDR", payment__captured_amount=4_550_000,
        payment__state="succeeded", state="succeeded", provider_reference="LONGAGO", provider_id=told["transaction_id"],
    )  # fmt: skip
    numbered = {"id": ids.first_id("rcpt", ago), "provider_money_id": attempt.provider_id, "created_at": ago}
    with transaction.atomic():
        posting.post_capture(factories.ReceiptFactory(attempt=attempt, **numbered), excess=0)
    return attempt


def test_of_a_payment_of_long_ago_that_is_given_back_today_everything_agrees(midtrans, account, shop, caller):
    attempt = paid_long_ago(midtrans, shop, account)
    assert reconcile(account).counts["lines"] == 0
    caller.post(f"payments/{attempt.payment_id}/refunds", 201, amount=1_000_000)
    run = two_hours_later(account)
    assert (findings(run), run.counts["matched"]) == ({}, 2)
    assert run.totals == {"IDR": {"listed": 3_550_000, "booked": 3_550_000, "repaired": 0}}


def test_what_is_older_than_the_window_is_not_asked_about_any_more(midtrans, account, shop, caller):
    paid(midtrans, shop, caller)
    before = midtrans.calls(STATUS)
    with clock.shifted(timedelta(days=3)):
        assert reconcile(account).counts["lines"] == 0
    assert midtrans.calls(STATUS) == before


def test_after_nights_without_a_run_as_much_is_asked_about_as_was_left_out(midtrans, account, caller):
    run = reconcile(account)
    assert run.until - run.since == timedelta(days=2)
    payment = in_secret(midtrans, caller)
    with clock.shifted(timedelta(days=9)):
        later = reconcile(account)
    assert (later.since, later.repaired) == (run.until - timedelta(hours=2), 1)
    assert counters(payment) == (4_550_000, 0, 0)


def test_what_never_came_to_midtrans_is_not_asked_about(midtrans, account, caller):
    midtrans.trouble("429", "POST /v2/charge")
    caller.post("payments", 201, amount=4_550_000, currency="IDR", method="qris")
    assert reconcile(account).counts["lines"] == 0
    assert midtrans.calls(STATUS) == 0


def test_money_that_midtrans_does_not_know_is_missing_there_and_fails_no_payment(midtrans, account, shop, caller):
    payment = paid(midtrans, shop, caller)
    [(_, _, number)] = receipts_of(payment)
    midtrans.post("reset")
    run = two_hours_later(account)
    assert cases() == [("missing_there", number, "open")]
    assert run.totals == {"IDR": {"listed": 0, "booked": 4_550_000, "repaired": 0}}
    assert caller.get(f"payments/{payment['id']}")["state"] == "succeeded"
    assert attention() == [(account.pk, "discrepancy")]


def test_a_status_that_cannot_be_read_is_shown_and_nothing_of_that_payment_is_missed(midtrans, account, shop, caller):
    payment, other = paid(midtrans, shop, caller), paid(midtrans, shop, caller)
    type(account).objects.filter(pk=account.pk).update(
        options={"status_words": {"partial_refund": "unknown"}}, revision=account.revision + 1
    )
    midtrans.simulate(payment, "refund", callback="missing")
    caller.post(f"payments/{other['id']}/refunds", 201, amount=1_000_000)
    account.refresh_from_db()
    run = two_hours_later(account)
    assert list(run.unreadable) == [other["attempts"][0]["id"]]
    assert (findings(run), run.counts["matched"], run.repaired) == ({"missing_here": 1}, 1, 1)


# Bad days


def test_a_midtrans_that_does_not_answer_is_asked_again_from_where_it_stopped(world, midtrans, account, caller):
    payments = [in_secret(midtrans, caller) for _ in range(5)]
    before = midtrans.calls(STATUS)
    midtrans.trouble("500_before", STATUS, containing=reference_of(payments[2]), times=2)
    run = reconcile(account)
    assert (run.phase, run.lines, run.cursor) == ("reading", 2, payments[1]["attempts"][0]["id"])
    assert "500" in run.problem
    with clock.shifted(timedelta(minutes=40)):
        work.drain(runs.QUEUE)
    run.refresh_from_db()
    assert (run.phase, run.repaired, run.problem) == ("finished", 5, "")
    assert midtrans.calls(STATUS) - before <= 5 + 2
    assert Payment.objects.filter(state="succeeded").count() == 5


def test_a_window_without_payments_ends_the_run_with_nothing(world, midtrans, account):
    run = reconcile(account)
    assert (run.phase, run.counts["lines"], run.totals, run.problem) == ("finished", 0, {}, "")
    assert midtrans.calls(STATUS) == 0


def test_many_payments_are_asked_about_page_by_page_each_once(world, midtrans, account, caller):
    payments = [in_secret(midtrans, caller, amount=1_000_000 + 100 * place) for place in range(23)]
    run = reconcile(account)
    assert (run.phase, run.pages, run.repaired) == ("finished", 2, 23)
    assert midtrans.calls(STATUS) == 23
    for payment in payments:
        assert counters(payment) == (payment["amount"], 0, 0)


def test_a_worker_that_dies_after_any_step_is_followed_by_one_that_finishes_with_nothing_doubled(
    midtrans, account, caller
):
    payments = [in_secret(midtrans, caller) for _ in range(3)]
    run = runs.begin(account, occasion=Run.Occasion.NIGHTLY, by="test")
    while (run := Run.objects.select_related("account").get(pk=run.pk)).phase != "finished":
        # The same step once more, by a worker that does not know that another was faster.
        stale = Run.objects.select_related("account").get(pk=run.pk)
        runs._STEPS[run.phase](run)
        runs._STEPS[stale.phase](stale)
    assert (run.counts["lines"], run.lines, run.repaired, run.pages) == (3, 3, 3, 1)
    for payment in payments:
        assert events_of(payment).count("payment.succeeded") == 1


def test_a_payment_that_is_told_while_the_others_are_asked_about_is_no_finding(world, midtrans, account, shop, caller):
    payments = [in_secret(midtrans, caller) for _ in range(2)]
    run = runs.begin(account, occasion=Run.Occasion.NIGHTLY, by="test")
    payments.append(in_secret(midtrans, caller))
    late = pay(caller)
    runs._STEPS["reading"](Run.objects.select_related("account").get(pk=run.pk))
    midtrans.simulate(late, "approve")
    reaches(shop, late, "succeeded")
    work.drain(runs.QUEUE)
    run.refresh_from_db()
    assert (findings(run), run.repaired) == ({"missing_here": 2}, 2)
    assert reconcile(account).repaired == 1
    assert Payment.objects.filter(state="succeeded").count() == 4


def test_each_payment_is_asked_about_once_a_night_and_whenever_a_person_wants(midtrans, account):
    runs.begin_all(occasion=Run.Occasion.OFTEN)
    assert not Run.objects.filter(account=account).exists()
    assert runs.begin_all(occasion=Run.Occasion.NIGHTLY, zone="Asia/Jakarta") == 1
    assert runs.begin(account, occasion=Run.Occasion.PERSON, by="staff:1") is not None


def test_when_notices_get_lost_doubled_and_late_everything_agrees_after_one_run(world, midtrans, account, shop, caller):
    rates = {"callback_drop_rate": 0.3, "callback_double_rate": 0.2, "callback_delay_rate": 0.2}
    midtrans.post("settings", callback_late_seconds=0.2, **rates)
    payments = [pay(caller, amount=1_000_000 + 100 * place) for place in range(12)]
    for payment in payments:
        midtrans.simulate(payment, "approve")
    reconcile(account)
    world.work_until(lambda: Payment.objects.filter(state="succeeded").count() == len(payments))
    for payment in payments:
        assert counters(payment) == (payment["amount"], 0, 0)
        assert events_of(payment).count("payment.succeeded") == 1
    assert ours() == theirs(midtrans)
    assert findings(two_hours_later(account)) == {}
