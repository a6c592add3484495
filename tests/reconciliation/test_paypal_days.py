"""Days of PayPal's, over the wire: an ordinary one agrees line by line, one without webhooks is repaired by a run."""

from datetime import timedelta

import pytest

from core import clock
from events import work
from payments.models import Fee, Receipt, Refund
from reconciliation import runs
from reconciliation.models import Discrepancy, Run
from tests.payments.test_paypal_payments import account, pay, paypal
from tests.payments.world import attention, counters, events_of, operations_of, reaches, receipts_of, refund_reaches
from tests.reconciliation.runs import cases, reconcile

__all__ = ["account", "paypal"]

pytestmark = pytest.mark.django_db(transaction=True)

CAPTURE = "POST /v2/checkout/orders/{order}/capture"
REFUND = "POST /v2/payments/captures/{capture}/refund"


def tonight(account):
    """A run that judges all of today, as nothing of it can still be late."""
    with clock.shifted(timedelta(hours=9)):
        return reconcile(account)


def paid(shop, paypal, **changes):
    payment = pay(shop, **changes)
    paypal.simulate(payment, "approve")
    return reaches(shop, payment, "succeeded")


def held(shop, paypal, **changes):
    payment = pay(shop, capture="manual", **changes)
    paypal.simulate(payment, "approve")
    return reaches(shop, payment, "authorized")


def refund_of(shop, payment, amount):
    return shop.api.post(f"payments/{payment['id']}/refunds", 201, amount=amount)


def capture_of(payment):
    return Receipt.objects.get(attempt__payment=payment["id"], kind="capture").provider_money_id


def no_webhooks(paypal):
    """From now on nobody tells us of anything."""
    paypal.post("settings", webhook_url="")


def test_an_ordinary_day_agrees_line_by_line_with_its_fees_and_refunds(world, shop, account, paypal):
    first, second = paid(shop, paypal), paid(shop, paypal, amount=9_900)
    part = held(shop, paypal, amount=5_000)
    shop.api.post(f"payments/{part['id']}/capture", amount=4_000)
    reaches(shop, part, "succeeded")
    let_go = held(shop, paypal)
    shop.api.post(f"payments/{let_go['id']}/cancel")
    pay(shop)
    yen = paid(shop, paypal, amount=800, currency="JPY")
    refund_reaches(shop, refund_of(shop, first, 250), "succeeded")
    refund_reaches(shop, refund_of(shop, first, 1_000), "succeeded")
    refund_reaches(shop, refund_of(shop, part, 100), "succeeded")
    failing = paid(shop, paypal, amount=6_000)
    back = refund_reaches(shop, refund_of(shop, failing, 6_000), "succeeded")
    paypal.simulate(Refund.objects.get(pk=back["id"]).provider_id, "fail")
    refund_reaches(shop, back, "failed")
    assert counters(failing) == (6_000, 0, 0)
    paypal.simulate(capture_of(second), "refund")
    world.work_until(lambda: Refund.objects.filter(payment=second["id"], state="succeeded").exists())
    assert yen["state"] == "succeeded"
    assert Fee.objects.exclude(amount=None).count() == 5
    known = attention()

    run = tonight(account)
    left = 1_250 + 4_000 + 6_000 + 9_900 - 1_250 - 100 - 9_900
    assert cases() == []
    assert run.totals == {
        "JPY": {"listed": 800, "booked": 800, "repaired": 0},
        "USD": {"listed": left, "booked": left, "repaired": 0},
    }
    assert (run.counts["lines"], run.counts["matched"], run.unreadable) == (10, 10, {})
    assert attention() == known


def test_after_a_day_without_webhooks_one_run_repairs_what_is_certain(world, shop, account, paypal):
    told, pending = paid(shop, paypal), paid(shop, paypal, amount=6_662_600)
    asked = pay(shop, amount=3_300)
    no_webhooks(paypal)
    paypal.post("settings", pending_seconds=0.1)
    paypal.trouble("reset_after", CAPTURE)
    paypal.simulate(asked, "approve")
    with world.later(seconds=21):
        pass
    waiting = refund_of(shop, pending, 6_662_600)
    world.work_until(lambda: {entry["state"] for entry in paypal.entries("refund")} == {"succeeded"})
    paypal.simulate(capture_of(told), "refund")
    assert (operations_of(asked)[-1], waiting["state"]) == (("confirm", "unknown"), "pending")

    run = tonight(account)
    assert (run.counts["missing_here"], run.repaired) == (3, 3)
    assert {outcome for *_, outcome in cases()} == {"repaired"}
    assert run.totals["USD"]["repaired"] == run.totals["USD"]["listed"] - run.totals["USD"]["booked"]
    assert shop.api.get(f"payments/{asked['id']}")["state"] == "succeeded"
    assert operations_of(asked)[-1] == ("confirm", "succeeded")
    assert [amount for _, amount, _ in receipts_of(asked)] == [3_300]
    assert shop.api.get(f"refunds/{waiting['id']}")["state"] == "succeeded"
    [found] = Refund.objects.filter(payment=told["id"])
    assert (found.origin, found.state, found.amount) == ("provider", "succeeded", 1_250)
    assert counters(told) == (1_250, 0, 1_250)
    assert "refund.succeeded" in events_of(waiting)
    again = tonight(account)
    assert (again.counts["matched"], again.repaired) == (again.counts["lines"], 0)
    assert again.totals["USD"]["listed"] == again.totals["USD"]["booked"]


def test_a_refund_whose_answer_was_lost_is_found_by_our_key_and_not_booked_twice(world, shop, account, paypal):
    payment = paid(shop, paypal)
    no_webhooks(paypal)
    paypal.trouble("reset_after", REFUND)
    refund = refund_of(shop, payment, 500)
    assert refund["state"] == "pending"
    assert tonight(account).repaired == 1
    assert shop.api.get(f"refunds/{refund['id']}")["state"] == "succeeded"
    assert Refund.objects.count() == 1
    assert operations_of(payment)[-1] == ("refund", "succeeded")
    assert counters(payment) == (1_250, 500, 500)


def test_money_that_is_credited_in_another_currency_agrees_too(world, shop, account, paypal):
    paypal.post("settings", receivable_currency="EUR", receivable_rate=0.9)
    payment = paid(shop, paypal)
    refund_reaches(shop, refund_of(shop, payment, 250), "succeeded")
    assert Fee.objects.get().currency == "EUR"
    run = tonight(account)
    assert (cases(), run.counts["matched"]) == ([], 2)
    assert list(run.totals) == ["USD"]


def test_money_that_paypal_takes_back_by_itself_is_left_for_a_person(world, shop, account, paypal):
    payment = paid(shop, paypal)
    no_webhooks(paypal)
    paypal.simulate(capture_of(payment), "reverse")
    run = tonight(account)
    [case] = Discrepancy.objects.all()
    assert (case.kind, case.direction, case.outcome, case.provider_status) == (
        "missing_here",
        "refund",
        "open",
        "T1106 S",
    )
    assert run.repaired == 0
    assert Refund.objects.count() == 0


def test_a_fee_that_was_told_otherwise_is_a_case(world, shop, account, paypal):
    paid(shop, paypal)
    Fee.objects.update(amount=1)
    tonight(account)
    [case] = Discrepancy.objects.all()
    assert (case.kind, case.booked_fee, case.listed_fee) == ("fee", 1, 93)


def test_what_paypal_has_not_listed_yet_is_not_missed(world, shop, account, paypal):
    paypal.post("settings", report_seconds=3_600)
    paid(shop, paypal)
    for occasion in Run.Occasion.NIGHTLY, Run.Occasion.OFTEN:
        run = reconcile(account, occasion)
        assert (run.phase, sum(run.counts.values()), run.problem) == ("finished", 0, "")


def test_while_paypal_s_reports_are_further_behind_nothing_is_judged(world, shop, account, paypal):
    paid(shop, paypal)
    paypal.post("settings", report_seconds=8 * 86_400)
    run = reconcile(account)
    assert (run.phase, run.problem) == ("reading", "PayPal's reports are further behind than it promises")
    assert cases() == []
    paypal.post("settings", report_seconds=0)
    with clock.shifted(timedelta(minutes=1)):
        work.drain(runs.QUEUE)
    assert Run.objects.get().counts["matched"] == 1


def test_a_day_of_many_lines_is_read_page_by_page(world, shop, account, paypal):
    for payment in [paid(shop, paypal) for _ in range(3)]:
        refund_reaches(shop, refund_of(shop, payment, 250), "succeeded")
    paypal.post("settings", report_page=2)
    run = tonight(account)
    assert (run.counts["matched"], cases()) == (6, [])


def test_an_app_that_was_not_given_transaction_search_is_shown_to_a_person(world, shop, account, paypal):
    paypal.post("settings", report_allowed=False)
    run = reconcile(account)
    assert (run.phase, run.problem) == ("reading", "PayPal does not allow this to the app")
