"""Runs against M-Pesa's simulator: what callbacks did not tell is found, once, whatever happens on the way."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import connection

from core import clock
from core.errors import Conflict
from events import work
from payments.models import Overpayment, Payment, Receipt, ReportedReceipt, UnallocatedReceipt
from payments.services import registering
from reconciliation import runs
from reconciliation.models import Discrepancy, Run, StagedLine
from tests.payments.world import (
    attention,
    audit_of,
    counters,
    events_of,
    operation,
    operations_of,
    path_of,
    reaches,
    receipts_of,
)
from tests.reconciliation.runs import cases, reconcile

pytestmark = pytest.mark.django_db(transaction=True)

PUSH = "POST /mpesa/stkpush/v1/processrequest"
QUERY = "POST /pulltransactions/v1/query"
REGISTER = "POST /pulltransactions/v1/register"


def paid_in_secret(world, caller, phone="254711000111", **more):
    """A payment whose payer has paid, and of which nobody has told us."""
    payment = caller.prompt(phone=phone, **more)
    world.mpesa.simulate(payment, "approve", callback="missing")
    return payment


def pay_by_hand(world, amount=250, reference="LUNCH", **more):
    """A customer pays the shop's paybill, and no confirmation comes. Its number."""
    wanted = {"short_code": "600111", "amount": amount, "reference": reference, "callback": "missing"} | more
    return world.mpesa.post("simulate", outcome="paybill", **wanted)["id"]


def receipt_of(world, payment):
    reference = payment["attempts"][0]["provider_reference"]
    [entry] = [entry for entry in world.mpesa.entries("payment") if entry["reference"] == reference]
    return entry["receipt"]


def reported(number):
    return ReportedReceipt.objects.filter(provider_money_id=number).first()


def figures(run):
    return (run.phase, run.counts["lines"], run.counts["matched"], run.counts["missing_here"], run.repaired)


def test_a_lost_callback_is_found_and_the_payment_succeeds_posted_announced_and_audited(world, shop, caller):
    payment = paid_in_secret(world, caller)
    run = reconcile(shop.mpesa)

    assert figures(run) == ("finished", 1, 0, 1, 1)
    assert run.totals == {"KES": {"listed": 25_000, "booked": 0, "repaired": 25_000}}
    assert reaches(shop, payment, "succeeded")["attempts"][0]["state"] == "succeeded"
    number = receipt_of(world, payment)
    assert receipts_of(payment) == [("capture", 25_000, number)]
    assert Receipt.objects.get().source == "reconciliation"
    assert events_of(payment)[-1] == "payment.succeeded"
    assert operation(payment).due_at is None
    [entry] = audit_of("reconciliation.repaired")
    [case] = Discrepancy.objects.all()
    assert (case.kind, case.key, case.outcome, case.booked_as) == ("missing_here", number, "repaired", payment["id"])
    assert (entry.actor, entry.object_id, entry.detail["discrepancy"]) == ("reconciliation", payment["id"], case.pk)
    assert attention() == []


def test_a_push_whose_answer_and_callback_were_lost_is_found_after_it_has_expired(world, shop, caller):
    world.mpesa.trouble("reset_after", PUSH)
    payment = paid_in_secret(world, caller)
    for seconds in (13, 21, 36, 61, 91, 121, 181, 301):
        with world.later(seconds=seconds):
            pass
    assert attention() == [(payment["id"], "unknown")]
    reconcile(shop.mpesa)
    found = caller.get(f"payments/{payment['id']}")
    assert (found["state"], found["late"]) == ("succeeded", True)
    assert path_of(payment)[-2:] == ["expired", "succeeded"]
    assert operations_of(payment) == [("create", "succeeded")]
    assert attention() == []


def test_a_push_of_which_nobody_can_tell_is_over_once_the_provider_lists_no_further_back(world, shop, caller):
    world.mpesa.trouble("reset_after", PUSH)
    payment = caller.prompt()
    world.mpesa.simulate(payment, "cancel", callback="missing")
    for seconds in (13, 21, 36, 61, 91, 121, 181, 301):
        with world.later(seconds=seconds):
            pass
    for hours in (1, 24, 47):
        with clock.shifted(timedelta(hours=hours)):
            reconcile(shop.mpesa)
        assert attention() == [(payment["id"], "unknown")]
    with clock.shifted(timedelta(hours=49)):
        reconcile(shop.mpesa)
    assert attention() == []
    over = caller.get(f"payments/{payment['id']}")
    assert (over["state"], over["attempts"][0]["state"]) == ("expired", "abandoned")
    assert operations_of(payment) == [("create", "failed")]
    assert events_of(payment) == ["payment.processing", "payment.expired"]

    pay_by_hand(world, reference=payment["attempts"][0]["provider_reference"])
    reconcile(shop.mpesa)
    assert caller.get(f"payments/{payment['id']}")["state"] == "succeeded"


def test_what_no_run_has_read_about_stays_listed(world, shop, caller):
    world.mpesa.trouble("reset_after", PUSH)
    payment = caller.prompt()
    for seconds in (13, 21, 36, 61, 91, 121, 181, 301):
        with world.later(seconds=seconds):
            pass
    with clock.shifted(timedelta(hours=49)):
        reconcile(shop.mpesa)
    assert attention() == [(payment["id"], "unknown")]
    assert caller.get(f"payments/{payment['id']}")["attempts"][0]["state"] == "open"


def test_a_receipt_that_a_query_left_without_number_gets_it(world, shop, caller):
    payment = paid_in_secret(world, caller)
    with world.later(seconds=13):
        reaches(shop, payment, "succeeded")
    assert receipts_of(payment) == [("capture", 25_000, None)]
    run = reconcile(shop.mpesa)
    assert receipts_of(payment) == [("capture", 25_000, receipt_of(world, payment))]
    assert counters(payment) == (25_000, 0, 0)
    assert (run.repaired, Overpayment.objects.count(), UnallocatedReceipt.objects.count()) == (1, 0, 0)


def test_money_without_a_payment_becomes_an_unallocated_receipt(world, shop, caller):
    number = pay_by_hand(world)
    reconcile(shop.mpesa)
    [unallocated] = UnallocatedReceipt.objects.select_related("receipt")
    assert (unallocated.reference, unallocated.money.amount) == ("LUNCH", 25_000)
    assert (unallocated.receipt.provider_money_id, unallocated.receipt.source) == (number, "reconciliation")
    assert cases() == [("missing_here", number, "repaired")]
    assert attention() == [(unallocated.pk, "unmatched")]


def test_our_reference_with_another_amount_is_no_exact_match(world, shop, caller):
    payment = caller.prompt()
    reference = payment["attempts"][0]["provider_reference"]
    pay_by_hand(world, amount=100, reference=reference)
    reconcile(shop.mpesa)
    [unallocated] = UnallocatedReceipt.objects.all()
    assert (unallocated.reference, unallocated.money.amount) == (reference, 10_000)
    assert caller.get(f"payments/{payment['id']}")["state"] == "requires_action"
    assert counters(payment) == (0, 0, 0)


def test_money_that_comes_twice_for_a_paid_payment_is_an_overpayment(world, shop, caller):
    payment = paid_in_secret(world, caller)
    pay_by_hand(world, reference=payment["attempts"][0]["provider_reference"])
    reconcile(shop.mpesa)
    assert counters(payment) == (25_000, 0, 0)
    assert [excess.amount for excess in Overpayment.objects.all()] == [25_000]
    assert attention() == [(payment["id"], "overpaid")]


def test_overlapping_windows_and_further_runs_change_nothing(world, shop, caller):
    payment = paid_in_secret(world, caller)
    pay_by_hand(world)
    first = reconcile(shop.mpesa)
    before = (Receipt.objects.count(), events_of(payment), cases(), attention())
    second, third = reconcile(shop.mpesa), reconcile(shop.mpesa, Run.Occasion.OFTEN)
    assert figures(first) == ("finished", 2, 0, 2, 2)
    assert figures(second) == figures(third) == ("finished", 2, 2, 0, 0)
    assert second.totals == {"KES": {"listed": 50_000, "booked": 50_000, "repaired": 0}}
    assert (Receipt.objects.count(), events_of(payment), cases(), attention()) == before
    assert third.since < second.until


def test_a_callback_that_comes_after_all_is_the_same_money(world, shop, caller):
    payment = caller.prompt()
    world.mpesa.post("settings", callback_late_seconds=1.0)
    world.mpesa.simulate(payment, "approve", callback="late")
    reconcile(shop.mpesa)
    world.heard()
    reaches(shop, payment, "succeeded")
    assert receipts_of(payment) == [("capture", 25_000, receipt_of(world, payment))]
    assert (counters(payment), attention()) == ((25_000, 0, 0), [])


def test_money_that_a_confirmation_told_of_is_not_asked_about_any_longer(world, shop, caller):
    registering.register_doors(shop.mpesa, by="test")
    work.drain("registrations")
    world.mpesa.trouble("500_before", "POST /mpesa/transactionstatus/v1/query", times=5)
    number = pay_by_hand(world, callback="normal")
    world.work_until(lambda: reported(number))
    reconcile(shop.mpesa)
    world.work_until(lambda: reported(number).outcome == "confirmed")
    assert Receipt.objects.filter(provider_money_id=number).count() == 1


# The provider's bad days


@pytest.mark.parametrize("shape", ["nested", "text", "error"])
def test_an_empty_list_ends_the_run_with_nothing(world, shop, shape):
    world.mpesa.post("settings", pull_empty=shape)
    run = reconcile(shop.mpesa)
    assert (figures(run), run.totals, run.problem) == (("finished", 0, 0, 0, 0), {}, "")


def test_a_list_that_cannot_be_had_is_asked_for_again_from_where_it_stopped(world, shop, caller):
    world.mpesa.post("settings", pull_page=20)
    for _ in range(30):
        pay_by_hand(world, amount=1)
    world.mpesa.trouble("500_before", QUERY, times=2)
    run = reconcile(shop.mpesa)
    assert (run.phase, run.lines, run.tries) == ("reading", 0, 1)
    assert "500" in run.problem
    with clock.shifted(timedelta(seconds=31)):
        work.drain(runs.QUEUE)
    with clock.shifted(timedelta(seconds=160)):
        work.drain(runs.QUEUE)
    run.refresh_from_db()
    assert (run.phase, run.problem, run.repaired) == ("finished", "", 30)
    assert Receipt.objects.count() == 30


def test_a_provider_that_never_answers_is_shown_to_a_person_and_the_run_ends_with_its_reach(world, shop):
    world.mpesa.trouble("500_before", QUERY, times=50)
    run = reconcile(shop.mpesa)
    for minutes in (5, 10, 30, 70):
        with clock.shifted(timedelta(minutes=minutes)):
            work.drain(runs.QUEUE)
    assert attention() == [(run.pk, "failing")]
    with clock.shifted(timedelta(hours=60)):
        work.drain(runs.QUEUE)
    run.refresh_from_db()
    assert (run.phase, run.counts, cases(), attention()) == ("finished", {}, [], [])
    assert "no further back" in run.problem


@pytest.mark.parametrize("order", ["oldest_first", "newest_first"])
def test_a_list_that_changes_while_it_is_read_loses_nothing_and_doubles_nothing(world, shop, order):
    world.mpesa.post("settings", pull_page=20, pull_order=order, pull_intruders=2)
    numbers = {pay_by_hand(world, amount=5) for _ in range(50)}
    reconcile(shop.mpesa)
    world.mpesa.post("settings", pull_intruders=0)
    assert numbers <= set(Receipt.objects.values_list("provider_money_id", flat=True))
    reconcile(shop.mpesa)
    theirs = {entry["receipt"]: entry["amount"] * 100 for entry in world.mpesa.entries("payment")}
    assert dict(Receipt.objects.values_list("provider_money_id", "amount")) == theirs


def test_a_provider_that_only_repeats_its_first_page_is_read_a_few_times_and_not_for_ever(world, shop):
    world.mpesa.post("settings", pull_page=20, pull_ignores_offset=True)
    for _ in range(25):
        pay_by_hand(world, amount=1)
    run = reconcile(shop.mpesa)
    assert (run.phase, run.pages, run.counts["lines"], run.repaired) == ("finished", 4, 20, 20)


@pytest.mark.parametrize("wire", [{"clock_ahead_seconds": 420.0}, {"pull_dates": "local"}, {"pull_thousands": True}])
def test_neither_clocks_nor_separators_keep_money_from_being_found(world, shop, caller, wire):
    world.mpesa.post("settings", **wire)
    payment = paid_in_secret(world, caller, amount=125_000)
    reconcile(shop.mpesa)
    assert caller.get(f"payments/{payment['id']}")["captured_amount"] == 125_000


def test_when_callbacks_get_lost_doubled_and_late_everything_agrees_after_one_run(world, shop, caller):
    world.mpesa.post("settings", callback_drop_rate=0.3, callback_double_rate=0.2, callback_delay_rate=0.2)
    payments = [caller.prompt(phone=f"2547110002{place:02}", amount=100 * (place + 1)) for place in range(20)]
    for payment in payments:
        world.mpesa.simulate(payment, "approve")
    reconcile(shop.mpesa)
    world.work_until(lambda: Payment.objects.filter(state="succeeded").count() == len(payments))
    theirs = {entry["receipt"]: entry["amount"] * 100 for entry in world.mpesa.entries("payment")}
    assert dict(Receipt.objects.values_list("provider_money_id", "amount")) == theirs
    for payment in payments:
        assert counters(payment) == (payment["amount"], 0, 0)
        assert events_of(payment).count("payment.succeeded") == 1


# Registering


def test_the_short_code_is_registered_once_where_its_number_is_known(world, shop):
    shop.mpesa.options |= {"nominated_number": "254711000999"}
    shop.mpesa.revision += 1
    type(shop.mpesa).objects.filter(pk=shop.mpesa.pk).update(options=shop.mpesa.options, revision=shop.mpesa.revision)
    world.mpesa.post("settings", pull_needs_registration=True)
    runs_made = [reconcile(shop.mpesa), reconcile(shop.mpesa)]
    assert [run.phase for run in runs_made] == ["finished", "finished"]
    assert world.mpesa.calls(REGISTER) == 1


def test_a_registration_that_is_refused_keeps_nobody_from_asking(world, shop):
    shop.mpesa.options |= {"nominated_number": "254711000999"}
    type(shop.mpesa).objects.filter(pk=shop.mpesa.pk).update(options=shop.mpesa.options, revision=2)
    world.mpesa.trouble("500_before", REGISTER)
    run = reconcile(shop.mpesa)
    assert (run.phase, run.registered) == ("finished", False)
    assert reconcile(shop.mpesa).registered


# Who works on it


def test_a_worker_that_dies_after_any_step_is_followed_by_one_that_finishes_with_nothing_doubled(world, shop, caller):
    world.mpesa.post("settings", pull_page=20)
    payments = [paid_in_secret(world, caller, phone=f"2547110003{place:02}") for place in range(3)]
    for _ in range(25):
        pay_by_hand(world, amount=1)
    run = runs.begin(shop.mpesa, occasion=Run.Occasion.NIGHTLY, by="test")
    steps = 0
    while (run := Run.objects.select_related("account").get(pk=run.pk)).phase != "finished":
        # The same step once more, by a worker that does not know that another was faster.
        stale = Run.objects.select_related("account").get(pk=run.pk)
        runs._STEPS[run.phase](run)
        runs._STEPS[stale.phase](stale)
        steps += 1
        assert steps < 30
    assert (run.counts["lines"], run.lines, run.repaired) == (28, StagedLine.objects.count(), 28)
    assert Receipt.objects.count() == 28
    for payment in payments:
        assert events_of(payment).count("payment.succeeded") == 1


def test_of_two_runs_of_an_account_one_waits_until_the_other_has_gone_on(world, shop):
    for occasion in (Run.Occasion.NIGHTLY, Run.Occasion.OFTEN):
        runs.begin(shop.mpesa, occasion=occasion, by="test")
    queue = work._drains[runs.QUEUE]
    [claimed] = work.claim(queue, free=8)
    assert work.claim(queue, free=8) == []
    runs.pursue(claimed)
    [second] = work.claim(queue, free=8)
    assert second.pk != claimed.pk
    runs.pursue(second)
    assert Run.objects.filter(phase="finished").count() == 2


def test_runs_that_meet_after_all_book_everything_once(world, shop, caller):
    payments = [paid_in_secret(world, caller, phone=f"2547110004{place:02}") for place in range(4)]
    for occasion in (Run.Occasion.NIGHTLY, Run.Occasion.OFTEN, Run.Occasion.PERSON):
        runs.begin(shop.mpesa, occasion=occasion, by="test")

    def pursue(run):
        try:
            runs.pursue(run)
        finally:
            connection.close()

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(pursue, list(Run.objects.all())))
    assert Run.objects.filter(phase="finished").count() == 3
    assert Receipt.objects.count() == 4
    assert Discrepancy.objects.count() == 4
    for payment in payments:
        assert events_of(payment).count("payment.succeeded") == 1


def test_one_run_of_an_occasion_is_open_at_a_time(world, shop):
    assert runs.begin(shop.mpesa, occasion=Run.Occasion.OFTEN, by="test") is not None
    assert runs.begin(shop.mpesa, occasion=Run.Occasion.OFTEN, by="test") is None
    assert runs.begin_all(occasion=Run.Occasion.NIGHTLY, zone="Africa/Nairobi") == 1
    assert runs.begin_all(occasion=Run.Occasion.PERSON, zone="Asia/Tokyo") == 0
    assert [entry.action for entry in audit_of("reconciliation.begun")] == []


def test_a_run_that_a_person_begins_is_audited_and_what_lists_nothing_is_refused(world, shop):
    run = runs.begin(shop.mpesa, occasion=Run.Occasion.PERSON, by="staff:1")
    [entry] = audit_of("reconciliation.begun")
    assert (entry.actor, entry.detail) == ("staff:1", {"run": run.pk})
    lists_nothing = shop.account("ipaymu", {"va": "1179000899", "api_key": "SANDBOX-key"})
    with pytest.raises(Conflict):
        runs.begin(lists_nothing, occasion=Run.Occasion.PERSON, by="staff:1")


def test_what_cannot_be_booked_is_left_for_a_person_and_keeps_no_other_waiting(world, shop, caller):
    run = runs.begin(shop.mpesa, occasion=Run.Occasion.NIGHTLY, by="test")
    poison = Discrepancy.objects.create(
        run=run, account=shop.mpesa, merchant=shop.merchant, livemode=False, kind="missing_here", key="X",
        direction="capture", listed_amount=100, listed_currency="???",
    )  # fmt: skip
    payment = paid_in_secret(world, caller)
    work.drain(runs.QUEUE)
    reaches(shop, payment, "succeeded")
    assert attention() == sorted([(poison.pk, "failing"), (shop.mpesa.pk, "discrepancy")])


# Missing there


def test_a_receipt_without_number_that_no_line_explains_is_missing_there_until_it_has_one(world, shop, caller):
    payment = caller.prompt()
    world.mpesa.simulate(payment, "approve", callback="missing")
    with world.later(seconds=13):
        reaches(shop, payment, "succeeded")
    world.mpesa.post("settings", pull_hours=0.000001)
    Receipt.objects.update(created_at=clock.now() - timedelta(hours=3))
    reconcile(shop.mpesa)
    [receipt] = Receipt.objects.all()
    assert cases() == [("missing_there", receipt.pk, "open")]
    assert caller.get(f"payments/{payment['id']}")["state"] == "succeeded"
    assert attention() == [(shop.mpesa.pk, "discrepancy")]

    world.mpesa.post("settings", pull_hours=48.0)
    reconcile(shop.mpesa)
    number = receipt_of(world, payment)
    assert cases() == [("missing_here", number, "repaired"), ("missing_there", receipt.pk, "explained")]
    assert attention() == []
