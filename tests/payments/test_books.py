"""What payments, refunds and receipts post, over the API and against the simulators, to the cent."""

from datetime import date, timedelta
from decimal import Decimal
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, transaction

from core import clock
from core.money import Money
from events.models import Attention
from events.timeline import moments
from ledger import balances, checking
from ledger.models import Account, Transfer
from merchants import fees as schedules
from merchants.fees import Tier
from payments.models import Attempt, Fee, Operation, Overpayment, Payment, Receipt
from payments.providers.base import MoneyMoved, ReceiptKind, Report, Word
from payments.services import booking, refund_booking, settling
from payments.services.booking import Because
from payments.services.fees import ask
from payments.services.locking import lock_attempt, lock_operation
from tests.payments.test_stripe_webhooks import tell
from tests.payments.world import attention, events_of, reaches, refund_reaches, stripe_door, until

pytestmark = pytest.mark.django_db(transaction=True)

BECAUSE = Because(by="tests", source="answer")


def held(shop, kind, currency="USD"):
    """What stands on the merchant's account of that kind, or on the one of its provider accounts."""
    owners = [shop.merchant.pk, shop.stripe.pk, shop.mpesa.pk]
    found = Account.objects.filter(owner__in=owners, kind=kind, currency=currency).with_balance()
    return [account.balance for account in found]


def available(shop, currency="USD"):
    key = balances.Key(shop.merchant.pk, "merchant_payable", currency, False)
    return balances.of([key])[key].available


def facts_of(payment):
    """In order, with their phases."""
    rows = Transfer.objects.filter(cause=payment["id"]).order_by("pk")
    return [(row.fact, row.phase) for row in rows]


def schedule(account, currency, *tiers, method=""):
    return schedules.write_schedule(
        account=account,
        method=method,
        currency=currency,
        effective_from=clock.now() - timedelta(seconds=1),
        tax_percent=Decimal(0),
        tiers=tiers or [Tier(0, 30, Decimal("2.9"))],
        note="tests",
        by="tests",
    )


# Payments and refunds


def test_a_payment_that_succeeds_is_owed_to_the_merchant_and_held_by_the_provider(shop, caller):
    payment = caller.card()
    assert facts_of(payment) == [("payment_captured", "posted")]
    assert held(shop, "merchant_payable") == held(shop, "provider_clearing") == [1250]


def test_a_decline_posts_nothing(shop, caller):
    caller.card("pm_card_visa_chargeDeclined")
    assert not Transfer.objects.exists()


def test_an_authorization_posts_nothing_until_it_is_captured(shop, caller):
    payment = caller.card(capture="manual")
    assert facts_of(payment) == []
    caller.post(f"payments/{payment['id']}/capture", amount=800)
    assert held(shop, "merchant_payable") == [800]


def test_a_refund_is_reserved_while_it_is_open_and_posted_when_it_succeeds(world, shop, caller):
    payment = caller.prompt()
    world.mpesa.simulate(payment, "approve")
    reaches(shop, payment, "succeeded")
    refund = caller.post(f"payments/{payment['id']}/refunds", 201)
    assert facts_of(refund) == [("refund_reserved", "pending")]
    assert (held(shop, "merchant_payable", "KES"), available(shop, "KES")) == ([25_000], 0)

    refund_reaches(shop, refund, "succeeded")

    assert sorted(facts_of(refund)[1:]) == [("refund_paid", "posted"), ("refund_succeeded", "posted")]
    for kind in ("merchant_payable", "provider_clearing", "refunds"):
        assert held(shop, kind, "KES") == [0]


def test_a_refund_that_is_refused_gives_back_what_it_reserved(world, shop, caller):
    payment = caller.card()
    world.stripe.trouble("429", on="POST /v1/refunds")
    refund = caller.post(f"payments/{payment['id']}/refunds", 201)
    assert refund["state"] == "failed"
    assert facts_of(refund) == [("refund_reserved", "pending"), ("refund_released", "voided")]
    assert (held(shop, "merchant_payable"), available(shop)) == ([1250], 1250)


def test_a_refund_that_fails_days_after_it_succeeded_gives_the_money_back(world, shop, caller):
    world.listen_to_stripe(shop)
    payment = caller.card("pm_card_refundFail")
    refund = caller.post(f"payments/{payment['id']}/refunds", 201)
    refund_reaches(shop, refund, "failed")
    told = [fact for fact, _ in facts_of(refund)]
    assert sorted(told[:3]) == ["refund_paid", "refund_reserved", "refund_succeeded"]
    assert told[3:] == ["refund_failed", "refund_returned"]
    for kind, balance in (("merchant_payable", 1250), ("provider_clearing", 1250), ("refunds", 0)):
        assert held(shop, kind) == [balance]


def told_by_stripe(shop, payment, status, amount):
    """What Stripe says of a refund that was begun at its dashboard."""
    refund = {
        "id": "re_dashboard",
        "object": "refund",
        "status": status,
        "amount": amount,
        "currency": "usd",
        "payment_intent": payment["attempts"][0]["provider_id"],
        "metadata": {},
    }
    event = {"object": "event", "type": "refund.updated", "livemode": False, "data": {"object": refund}}
    assert tell(stripe_door(shop), event | {"id": f"evt_{status}"}).status_code == 200


def test_a_refunds_success_that_is_told_after_its_failure_leaves_the_money(shop, caller):
    payment = caller.card()
    for status in ("failed", "succeeded"):
        told_by_stripe(shop, payment, status, 500)

    refund = caller.get(f"payments/{payment['id']}/refunds")["data"][0]
    assert (refund["state"], attention()) == ("failed", [])
    assert [fact for fact, _ in facts_of(refund)] == ["refund_paid", "refund_returned"]
    assert (held(shop, "provider_clearing"), held(shop, "refunds")) == ([1250], [0])


def test_a_refund_of_which_another_sum_has_gone_is_for_a_person(world, shop, caller):
    payment = caller.prompt()
    world.mpesa.simulate(payment, "approve")
    reaches(shop, payment, "succeeded")
    world.mpesa.trouble("callback_missing", "POST /mpesa/reversal/v1/request")
    refund = caller.post(f"payments/{payment['id']}/refunds", 201)

    gone(refund, 10_000, "TKK1")
    assert (refund["id"], "parked") in attention()
    assert held(shop, "refunds", "KES") == [15_000]
    [finding] = checking.findings()
    assert "15000 that has not gone" in finding.told
    gone(refund, 15_000, "TKK2")
    assert held(shop, "refunds", "KES") == [0]


def gone(refund, amount, number):
    moved = MoneyMoved(ReceiptKind.REFUND, Money(amount, "KES"), number)
    with transaction.atomic():
        locked = lock_operation(Operation.objects.select_related("attempt").get(refund=refund["id"], kind="refund"))
        refund_booking.apply_to_refund(locked.refund, Report(Word.SUCCEEDED, moved=(moved,)), BECAUSE)


def test_a_refund_beyond_what_is_left_after_a_settlement_is_posted_and_told(shop, caller):
    payment = caller.card()
    Payment.objects.filter(pk=payment["id"]).update(fee_is_final=True)
    settling.settle_payment(Payment.objects.get(pk=payment["id"]), reference="po_1", on=date(2026, 11, 21))
    assert attention() == []

    told_by_stripe(shop, payment, "succeeded", 1250)

    assert held(shop, "merchant_payable") == [-1250]
    account = Account.objects.get(owner=shop.merchant.pk, kind="merchant_payable", currency="USD")
    assert attention() == [(account.pk, "overdrawn")]


# Receipts that are not what was asked


def receive(payment, amount, money_id, currency="USD"):
    moved = MoneyMoved(ReceiptKind.CAPTURE, Money(amount, currency), money_id)
    with transaction.atomic():
        attempt = lock_attempt(Attempt.objects.get(payment=payment["id"]))
        booking.apply_to_attempt(attempt, Report(Word.SUCCEEDED, moved=(moved,)), BECAUSE)


def test_a_second_receipt_is_an_overpayment_in_the_books(shop, caller):
    payment = caller.card()
    receive(payment, 1250, "ch_late")
    receive(payment, 1250, "ch_late")
    assert held(shop, "overpayment") == [1250]
    assert held(shop, "merchant_payable") == [1250]
    assert held(shop, "provider_clearing") == [2500]
    assert Overpayment.objects.get().amount == 1250


def test_what_is_booked_in_a_transaction_that_rolls_back_leaves_no_state_and_no_posting(shop, caller):
    payment = caller.card(capture="manual")
    with transaction.atomic():
        receive(payment, 1250, "ch_undone")
        assert (state_of(payment), held(shop, "merchant_payable")) == ("succeeded", [1250])
        transaction.set_rollback(True)
    assert state_of(payment) == "authorized"
    assert (Receipt.objects.count(), held(shop, "merchant_payable"), facts_of(payment)) == (0, [], [])


def state_of(payment):
    return Payment.objects.get(pk=payment["id"]).state


def test_a_receipt_in_another_currency_is_suspended(shop, caller):
    payment = caller.card(capture="manual")
    receive(payment, 900, "ch_other", "EUR")
    assert held(shop, "suspense", "EUR") == held(shop, "provider_clearing", "EUR") == [900]
    assert held(shop, "merchant_payable") == []


def test_a_receipt_in_another_currency_stays_with_a_person_whatever_is_paid(shop, caller):
    paid, waiting = caller.card(), caller.card(capture="manual")
    receive(paid, 999, "ch_one", "EUR")
    receive(waiting, 999, "ch_two", "EUR")

    assert (paid["id"], "suspended") in attention()
    assert (state_of(paid), state_of(waiting)) == ("succeeded", "authorized")
    assert events_of(waiting) == ["payment.authorized", "payment.underpaid"]
    receive(waiting, 1250, "ch_three")
    assert (state_of(waiting), attention()) == (
        "succeeded",
        sorted([(paid["id"], "suspended"), (waiting["id"], "suspended")]),
    )


@pytest.mark.parametrize(
    ("told", "payable", "overpaid", "captured"),
    [(1250, [1250], [], 1250), (1000, [1000], [], 1000), (1300, [1250], [50], 1250)],
)
def test_a_receipt_that_comes_after_its_confirmation_corrects_it(shop, caller, told, payable, overpaid, captured):
    payment = caller.card(capture="manual")
    receive(payment, 1250, "")
    receive(payment, told, "ch_receipt")
    assert (held(shop, "merchant_payable"), held(shop, "overpayment")) == (payable, overpaid)
    assert held(shop, "provider_clearing") == [told]
    assert Payment.objects.get().captured_amount == captured


def test_a_receipt_that_corrects_the_currency_is_suspended(shop, caller):
    payment = caller.card(capture="manual")
    receive(payment, 1250, "")
    receive(payment, 1100, "ch_receipt", "EUR")
    assert held(shop, "merchant_payable") == [0]
    assert held(shop, "suspense", "EUR") == [1100]
    assert Payment.objects.get().underpaid


# Fees


def test_the_expected_fee_is_reserved_and_shown_until_the_provider_tells_the_final_one(world, shop, caller):
    schedule(shop.stripe, "USD", Tier(0, 50, Decimal(3)))
    payment = caller.card()
    assert payment["fee"] == {"amount": 88, "net_amount": 1162, "currency": "USD", "is_final": False}
    assert (held(shop, "merchant_payable"), available(shop)) == ([1250], 1162)

    fee = Fee.objects.get()
    until(lambda: ask(fee) or Fee.objects.get().amount is not None)

    shown = caller.get(f"payments/{payment['id']}")
    assert shown["fee"] == {"amount": 66, "net_amount": 1184, "currency": "USD", "is_final": True}
    assert shown["settlement"]["reference"].startswith("txn_")
    assert shown["settlement"]["is_settled"] is False
    assert held(shop, "merchant_payable") == held(shop, "provider_clearing") == [1184]
    assert held(shop, "fee_expense") == held(shop, "fee_income") == [66]


def test_a_fee_that_is_told_in_another_currency_exchanges_what_is_held(world, shop, caller):
    world.stripe.post("settings", settlement_currency="eur", settlement_rate=0.8)
    payment = caller.card()
    fee = Fee.objects.get()
    until(lambda: ask(fee) or Fee.objects.get().amount is not None)
    shown = caller.get(f"payments/{payment['id']}")
    assert shown["fee"] == {"amount": 59, "net_amount": 941, "currency": "EUR", "is_final": True}
    assert held(shop, "merchant_payable") == held(shop, "provider_clearing") == [0]
    assert held(shop, "merchant_payable", "EUR") == held(shop, "provider_clearing", "EUR") == [941]
    assert held(shop, "position") == held(shop, "position", "EUR") == [0]


def test_a_fee_that_is_never_told_is_handed_to_a_person(world, shop, caller):
    world.stripe.post("settings", balance_delay_seconds=3600)
    payment = caller.card()
    fee = Fee.objects.get()
    with world.later(days=8):
        ask(fee)
    assert Fee.objects.get().due_at is None
    item = Attention.objects.get(subject=payment["id"])
    assert item.detail == f"stripe has not told what {fee.receipt_id} cost"


def test_a_provider_that_is_away_is_asked_for_the_fee_again(world, shop, caller):
    caller.card()
    fee = Fee.objects.get()
    world.stripe.trouble("500_before")
    ask(fee)
    again = Fee.objects.get()
    assert (again.amount, again.asked) == (None, 1)
    assert again.due_at > clock.now()


def test_where_the_provider_tells_no_fee_the_schedule_is_its_tariff(world, shop, caller):
    schedule(shop.mpesa, "KES", Tier(0, 0, Decimal(0)), Tier(20_000, 550, Decimal(0)))
    payment = caller.prompt()
    world.mpesa.simulate(payment, "approve")
    shown = reaches(shop, payment, "succeeded")
    assert shown["fee"] == {"amount": 550, "net_amount": 24_450, "currency": "KES", "is_final": True}
    assert held(shop, "merchant_payable", "KES") == held(shop, "provider_clearing", "KES") == [24_450]


def test_without_a_schedule_and_without_word_from_the_provider_no_fee_is_claimed(world, shop, caller):
    payment = caller.prompt()
    world.mpesa.simulate(payment, "approve")
    shown = reaches(shop, payment, "succeeded")
    assert (shown["fee"], shown["settlement"]) == (None, None)
    assert not Fee.objects.exists()


# Settlement


def test_a_settlement_clears_what_the_provider_held_and_is_shown_on_the_payment(world, shop, caller):
    payment = caller.card()
    fee = Fee.objects.get()
    until(lambda: ask(fee) or Fee.objects.get().amount is not None)
    row = Payment.objects.get()
    assert settling.settle_payment(row, reference="po_1", on=date(2026, 11, 23)) == Money(1184, "USD")
    shown = caller.get(f"payments/{payment['id']}")
    assert shown["settlement"] == {"reference": "po_1", "date": "2026-11-23", "is_settled": True}
    assert held(shop, "merchant_payable") == held(shop, "provider_clearing") == [0]


# The check


def test_the_check_finds_and_posts_what_the_books_miss(shop, caller):
    payment = caller.card()
    refund = caller.post(f"payments/{payment['id']}/refunds", 201, amount=250)
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE ledger_transfer, ledger_entry, ledger_unsummed")
    told = "\n".join(finding.told for finding in checking.findings())
    assert refund["id"] in told
    for receipt in Receipt.objects.all():
        assert receipt.pk in told

    with pytest.raises(CommandError, match="mended"):
        call_command("check_books", "--fix", stdout=StringIO())
    call_command("check_books", stdout=StringIO())

    assert held(shop, "merchant_payable") == [1000]


def test_the_check_finds_a_balance_that_is_not_the_sum_of_its_entries(shop, caller):
    caller.card()
    Account.objects.filter(kind="merchant_payable").update(posted=-7)
    with pytest.raises(CommandError):
        call_command("check_books", stdout=StringIO())
    with pytest.raises(CommandError):
        call_command("check_books", "--fix", stdout=StringIO())
    call_command("check_books", stdout=StringIO())
    assert held(shop, "merchant_payable") == [1250]


def test_summing_in_the_background_changes_no_balance(shop, caller):
    caller.card()
    before = held(shop, "merchant_payable")
    assert balances.sum_up_some()
    assert not balances.sum_up_some()
    assert held(shop, "merchant_payable") == before
    assert Account.objects.get(kind="merchant_payable").posted == -1250


def test_the_history_of_a_payment_shows_its_postings(shop, caller):
    payment = caller.card()
    told = [moment for moment in moments([payment["id"]]) if moment.kind == "posting"]
    assert [moment.title for moment in told] == ["books: payment captured, posted"]
    assert "credit merchant payable USD 12.50" in told[0].detail
