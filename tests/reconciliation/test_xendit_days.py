"""Runs against Xendit's simulator: a day on which everything is told agrees, and what was not told is found, once."""

from datetime import timedelta

import pytest

from core import clock
from events import work
from merchants import doors
from payments.models import Attempt, Fee, Payment, Receipt, UnallocatedReceipt
from reconciliation import runs
from reconciliation.models import Discrepancy, Run
from tests.payments.world import (
    attention,
    counters,
    events_of,
    reaches,
    receipts_of,
    refund_reaches,
    until,
)
from tests.reconciliation.runs import cases, reconcile

pytestmark = pytest.mark.django_db(transaction=True)

LIST = "GET /transactions"


@pytest.fixture
def account(xendit, shop):
    credentials = {"secret_key": "xnd_development_lango-simulator", "callback_token": "lango-simulator-callback-token"}
    made = shop.account("xendit", credentials)
    xendit.post("settings", webhook_url=doors.callback_url(made, "notifications"))
    return made


def pay(caller, method="qris", amount=4_550_000, **more):
    return caller.post("payments", 201, **{"amount": amount, "currency": "IDR", "method": method, **more})


def paid(xendit, shop, caller, *given, **more):
    payment = pay(caller, *given, **more)
    xendit.simulate(payment, "approve")
    return reaches(shop, payment, "succeeded")


def in_secret(xendit, caller, *given, outcome="approve", **more):
    """A payment that is paid, and of which nobody tells us."""
    payment = pay(caller, *given, **more)
    xendit.simulate(payment, outcome, callback="missing")
    return payment


def refund_in_secret(xendit, caller, payment, **more):
    xendit.post("settings", callback_mode="missing")
    refund = caller.post(f"payments/{payment['id']}/refunds", 201, **more)
    until(lambda: all(entry["state"] != "pending" for entry in xendit.entries("refund")))
    xendit.post("settings", callback_mode="normal")
    return refund


def two_hours_later(account):
    """A run that judges all that was booked until now."""
    with clock.shifted(timedelta(hours=2)):
        return reconcile(account)


def findings(run):
    return {name: count for name, count in run.counts.items() if count and name not in ("lines", "matched")}


def theirs(xendit):
    """What Xendit has on its books, by our references: what came in, and what went back."""
    return sorted((entry["kind"], entry["amount"] * 100) for entry in xendit.entries() if has_moved(entry))


def has_moved(entry):
    return entry["receipt"] and entry["state"] in ("paid", "settled", "succeeded")


def ours():
    kinds = {"capture": "payment", "refund": "refund"}
    return sorted((kinds[kind], amount) for kind, amount in Receipt.objects.values_list("kind", "amount"))


def test_a_day_on_which_everything_is_told_ends_with_nothing_to_explain(world, xendit, account, shop, caller):
    codes = [paid(xendit, shop, caller, amount=1_000_000 * place) for place in (1, 2, 3)]
    invoice = paid(xendit, shop, caller, "hosted_page", return_url="https://shop.example/back")
    for method in ("qris", "hosted_page"):
        xendit.simulate(pay(caller, method, return_url="https://shop.example/back"), "expire")
    given_back = [
        caller.post(f"payments/{codes[0]['id']}/refunds", 201, amount=250_000),
        caller.post(f"payments/{invoice['id']}/refunds", 201),
    ]
    for refund in given_back:
        refund_reaches(shop, refund, "succeeded")
    failed = caller.post(f"payments/{codes[2]['id']}/refunds", 201, amount=2_030_000)
    refund_reaches(shop, failed, "failed")
    with clock.shifted(timedelta(minutes=6)):
        work.drain("fees")
    assert Fee.objects.filter(amount__isnull=False).count() == 4

    run = two_hours_later(account)

    assert (run.phase, findings(run), run.repaired, run.problem) == ("finished", {}, 0, "")
    assert (run.counts["lines"], run.counts["matched"]) == (7, 6)
    assert run.totals == {"IDR": {"listed": 5_750_000, "booked": 5_750_000, "repaired": 0}}
    assert (cases(), run.unreadable) == ([], {})
    assert ours() == theirs(xendit)


def test_lost_webhooks_are_repaired_in_one_run_and_what_was_pending_is_closed(world, xendit, account, shop, caller):
    code = in_secret(xendit, caller)
    invoice = in_secret(xendit, caller, "hosted_page", return_url="https://shop.example/back")
    known = paid(xendit, shop, caller)
    refund = refund_in_secret(xendit, caller, known, amount=1_000_000)
    assert refund["state"] == "pending"

    run = two_hours_later(account)

    assert (findings(run), run.repaired) == ({"missing_here": 3}, 3)
    for payment in (code, invoice):
        assert caller.get(f"payments/{payment['id']}")["state"] == "succeeded"
        assert events_of(payment).count("payment.succeeded") == 1
    assert caller.get(f"refunds/{refund['id']}")["state"] == "succeeded"
    assert counters(known) == (4_550_000, 1_000_000, 1_000_000)
    [(_, _, number)] = receipts_of(invoice)
    assert number == Attempt.objects.get(payment=invoice["id"]).provider_id
    assert ours() == theirs(xendit)
    assert attention() == []

    again = two_hours_later(account)
    assert (findings(again), again.counts["matched"]) == ({}, 4)
    assert again.totals == {"IDR": {"listed": 12_650_000, "booked": 12_650_000, "repaired": 0}}


def test_a_webhook_that_comes_after_its_money_was_found_changes_nothing(world, xendit, account, shop, caller):
    xendit.post("settings", callback_late_seconds=1.0)
    payments = [pay(caller), pay(caller, "hosted_page", return_url="https://shop.example/back")]
    for payment in payments:
        xendit.simulate(payment, "approve", callback="late")
    assert reconcile(account).repaired == 2
    world.heard(2)
    for payment in payments:
        assert counters(payment) == (4_550_000, 0, 0)
        assert events_of(payment).count("payment.succeeded") == 1
    assert (Receipt.objects.count(), attention()) == (2, [])


def test_money_that_came_after_the_end_succeeds_late(world, xendit, account, shop, caller):
    payment = pay(caller, "hosted_page", return_url="https://shop.example/back")
    xendit.simulate(payment, "expire")
    reaches(shop, payment, "expired")
    xendit.simulate(payment, "late_success", callback="missing")
    reconcile(account)
    found = caller.get(f"payments/{payment['id']}")
    assert (found["state"], found["late"]) == ("succeeded", True)


def test_an_invoice_whose_answer_was_lost_learns_its_id_with_its_money(world, xendit, account, caller):
    xendit.trouble("reset_after", "POST /v2/invoices")
    payment = in_secret(xendit, caller, "hosted_page", return_url="https://shop.example/back")
    assert reconcile(account).repaired == 1
    assert caller.get(f"payments/{payment['id']}")["state"] == "succeeded"
    assert counters(payment) == (4_550_000, 0, 0)
    assert findings(two_hours_later(account)) == {}


def test_an_invoice_that_cannot_be_asked_about_now_is_booked_by_the_next_run(world, xendit, account, caller):
    payment = in_secret(xendit, caller, "hosted_page", return_url="https://shop.example/back")
    xendit.trouble("500_before", "GET /v2/invoices/{id}")
    assert reconcile(account).repaired == 0
    assert [(kind, outcome) for kind, _, outcome in cases()] == [("missing_here", "open")]
    assert reconcile(account).repaired == 1
    assert counters(payment) == (4_550_000, 0, 0)
    assert (UnallocatedReceipt.objects.count(), attention()) == (0, [])


def test_a_refund_whose_answer_was_lost_is_found_by_its_key(world, xendit, account, shop, caller):
    for method in ("qris", "hosted_page"):
        payment = paid(xendit, shop, caller, method, return_url="https://shop.example/back")
        xendit.trouble(
            "reset_after", "POST /refunds" if method == "hosted_page" else "POST /qr_codes/payments/{id}/refunds"
        )
        refund = refund_in_secret(xendit, caller, payment)
        assert refund["state"] == "pending"
        reconcile(account)
        assert caller.get(f"refunds/{refund['id']}")["state"] == "succeeded"
        assert counters(payment) == (4_550_000, 4_550_000, 4_550_000)
    assert ours() == theirs(xendit)


def test_money_that_no_payment_of_ours_explains_waits_for_a_person(world, xendit, account):
    xendit.post("settings", transactions_intruders=1)
    reconcile(account)
    xendit.post("settings", transactions_intruders=0)
    reconcile(account)
    [unallocated] = UnallocatedReceipt.objects.all()
    assert unallocated.money.amount == 100_000
    assert attention() == [(unallocated.pk, "unmatched")]


def test_another_fee_than_was_told_is_a_case(world, xendit, account, shop, caller):
    paid(xendit, shop, caller)
    with clock.shifted(timedelta(minutes=6)):
        work.drain("fees")
    xendit.post("settings", fee_thousandths=9.0)
    run = two_hours_later(account)
    assert findings(run) == {"fee": 1}
    [case] = Discrepancy.objects.all()
    assert (case.booked_fee, case.listed_fee) == (35_353, 45_455)


# Bad days


def test_a_list_that_cannot_be_had_goes_on_where_it_stopped_half_an_hour_later(world, xendit, account, caller):
    xendit.post("settings", transactions_page=2)
    payments = [in_secret(xendit, caller) for _ in range(5)]
    run = runs.begin(account, occasion=Run.Occasion.NIGHTLY, by="test")
    runs._STEPS["reading"](Run.objects.select_related("account").get(pk=run.pk))
    xendit.trouble("500_before", LIST)
    work.drain(runs.QUEUE)
    run.refresh_from_db()
    assert (run.phase, run.pages, run.lines) == ("reading", 1, 2)
    assert "500" in run.problem
    with clock.shifted(timedelta(minutes=40)):
        work.drain(runs.QUEUE)
    run.refresh_from_db()
    assert (run.phase, run.pages, run.repaired) == ("finished", 3, 5)
    assert Payment.objects.filter(state="succeeded").count() == len(payments)


def test_an_empty_window_ends_the_run_with_nothing(world, xendit, account):
    run = reconcile(account)
    assert (run.phase, run.counts["lines"], run.totals, run.problem) == ("finished", 0, {}, "")


@pytest.mark.parametrize(
    "wire",
    [
        {"transactions_doubled": True},
        {"transactions_intruders": 1},
        {"transactions_order": "oldest_first", "transactions_intruders": 1},
        {"clock_ahead_seconds": 480.0},
        {"transactions_amounts": "thousands"},
        {"transactions_amounts": "text"},
    ],
)
def test_whatever_happens_to_the_list_nothing_is_lost_and_nothing_doubled(world, xendit, account, caller, wire):
    xendit.post("settings", transactions_page=2, **wire)
    payments = [in_secret(xendit, caller, amount=125_000_000) for _ in range(5)]
    run = reconcile(account)
    assert (run.phase, run.unreadable) == ("finished", {})
    for payment in payments:
        assert counters(payment) == (125_000_000, 0, 0)
    xendit.post("settings", transactions_intruders=0)
    reconcile(account)
    assert ours() == theirs(xendit)
    assert findings(reconcile(account)) == {}


def test_when_webhooks_get_lost_doubled_and_late_everything_agrees_after_one_run(world, xendit, account, shop, caller):
    rates = {"callback_drop_rate": 0.3, "callback_double_rate": 0.2, "callback_delay_rate": 0.2}
    xendit.post("settings", callback_late_seconds=0.2, **rates)
    methods = ["qris", "hosted_page"] * 6
    back = {"return_url": "https://shop.example/back"}
    payments = [pay(caller, method, 1_000_000 + 100 * place, **back) for place, method in enumerate(methods)]
    for payment in payments:
        xendit.simulate(payment, "approve")
    reconcile(account)
    world.work_until(lambda: Payment.objects.filter(state="succeeded").count() == len(payments))
    for payment in payments:
        assert counters(payment) == (payment["amount"], 0, 0)
        assert events_of(payment).count("payment.succeeded") == 1
    assert ours() == theirs(xendit)
    world.work_until(lambda: findings(two_hours_later(account)) == {})
