"""A confirmation of paybill money proves nothing: M-Pesa is asked by its number, and the answer alone books."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import connection, transaction

from core import clock
from events import sealing
from events.models import Callback
from ledger.models import Transfer
from merchants import services
from merchants.doors import callback_url
from payments.models import Operation, Payment, Receipt, ReportedReceipt, UnallocatedReceipt
from payments.providers.base import MoneyMoved, ReceiptKind, Report, Word
from payments.services import arriving, booking, reporting
from payments.services.booking import Because
from payments.services.locking import lock_operation
from tests import staff
from tests.payments.test_mpesa_c2b import (
    confirmation,
    paid_unheard,
    pay,
    reference_of,
    registered,
    send,
    told,
)
from tests.payments.world import MPESA, attention, counters, events_of, reaches, receipts_of, session, until

__all__ = ["registered"]

pytestmark = pytest.mark.django_db(transaction=True)

STATUS = "POST /mpesa/transactionstatus/v1/query"
LAST = 60 + 300 + 1800 + 1800
"""Seconds after which nothing more is asked."""


def asked(world):
    return world.mpesa.calls(STATUS)


def reported():
    return ReportedReceipt.objects.get()


def without_initiator(shop):
    services.set_credentials(
        shop.mpesa, {name: value for name, value in MPESA.items() if not name.startswith("initiator")}, by="tests"
    )


def to_the_end(world):
    """Stand at each of the times at which it is asked about, until there is none any more."""
    later = timedelta(0)
    while (due_at := reported().due_at) is not None:
        later = max(later, due_at - clock.now() + timedelta(seconds=1))
        with clock.shifted(later):
            world.work()
            until(lambda: Callback.objects.filter(door="receipt").count() >= len(reported().conversations))
            world.work()


def nothing_is_booked():
    return not (Receipt.objects.exists() or Transfer.objects.exists() or UnallocatedReceipt.objects.exists())


# What the answer does


def test_a_confirmation_books_nothing_until_mpesa_shows_the_receipt(world, shop, caller, registered):
    payment = caller.prompt()
    world.mpesa.post("settings", result_seconds=3600)
    pay(world, reference_of(payment), validation="missing")
    world.heard(1, door="confirmation")
    assert asked(world) == 1
    assert nothing_is_booked()
    row = reported()
    assert (row.outcome, row.payment_id, row.asked, len(row.conversations)) == ("waiting", payment["id"], 1, 1)
    shown = caller.get(f"payments/{payment['id']}")
    assert (shown["state"], shown["unconfirmed"]) == ("requires_action", False)


def test_the_amount_is_the_one_that_mpesa_names(world, shop, caller, registered):
    payment = caller.prompt()
    number = paid_unheard(world, amount=100)
    send(shop.mpesa, confirmation(number, reference_of(payment), amount="250.00"))
    told(world)
    assert receipts_of(payment) == [("capture", 10_000, number)]
    shown = caller.get(f"payments/{payment['id']}")
    assert (shown["state"], shown["underpaid"], shown["unconfirmed"]) == ("processing", True, False)


def test_what_is_booked_already_is_not_asked_about(world, shop, caller, registered):
    payment = caller.prompt()
    world.mpesa.post("settings", confirmation_mode="missing")
    world.mpesa.simulate(payment, "approve")
    reaches(shop, payment, "succeeded")
    [(_, _, number)] = receipts_of(payment)
    send(shop.mpesa, confirmation(number, reference_of(payment)))
    [callback] = world.heard(1, door="confirmation")
    assert (callback.state, callback.note, callback.subject) == ("processed", "booked before", payment["id"])
    assert (asked(world), ReportedReceipt.objects.count()) == (0, 0)


def test_an_answer_that_never_comes_is_asked_for_again(world, shop, registered):
    world.mpesa.trouble("callback_missing", STATUS)
    paid = pay(world, "LUNCH", validation="missing")
    world.heard(1, door="confirmation")
    assert (asked(world), reported().outcome) == (1, "waiting")
    with world.later(seconds=61):
        assert asked(world) == 2
        until(lambda: world.work() and reported().outcome == "confirmed")
    assert Receipt.objects.get().provider_money_id == paid["id"]


@pytest.mark.parametrize("trouble", ["timeout_after", "500_before", "429"])
def test_a_question_that_fails_is_put_again(world, shop, registered, trouble):
    world.mpesa.trouble(trouble, STATUS)
    pay(world, "LUNCH", validation="missing")
    world.heard(1, door="confirmation")
    with world.later(seconds=61):
        until(lambda: world.work() and reported().outcome == "confirmed")
    assert Receipt.objects.count() == 1


def test_a_question_that_died_in_mpesas_queue_says_nothing(world, shop, registered):
    world.mpesa.trouble("queue_timeout_before", STATUS)
    pay(world, "LUNCH", validation="missing")
    world.heard(1, door="confirmation")
    [callback] = world.heard(1, door="receipt-late")
    assert (callback.state, reported().outcome) == ("ignored", "waiting")


# Forged


def test_a_forger_who_knows_the_path_is_not_believed(world, shop, caller):
    payment = caller.prompt()
    services.change_account(shop.mpesa, by="tests", options=world.mpesa_options(source_addresses=["196.201.214.200"]))
    assert send(shop.mpesa, confirmation(reference=reference_of(payment))).status_code == 400
    world.work()
    assert caller.get(f"payments/{payment['id']}")["state"] == "requires_action"
    assert nothing_is_booked()
    assert (asked(world), ReportedReceipt.objects.count()) == (0, 0)


def test_a_forger_at_a_listed_address_is_denied_by_mpesa(world, shop, caller, registered):
    payment = caller.prompt()
    send(shop.mpesa, confirmation("TKK4FORGED", reference_of(payment)))
    told(world)
    assert (reported().outcome, reported().provider_status) == ("denied", "25")
    to_the_end(world)
    assert (reported().outcome, asked(world), reported().due_at) == ("denied", 4, None)
    shown = caller.get(f"payments/{payment['id']}")
    assert (shown["captured_amount"], shown["unconfirmed"]) == (0, False)
    assert shown["state"] != "succeeded"
    assert nothing_is_booked()
    assert (reported().pk, "parked") in attention()


def test_money_that_went_elsewhere_is_not_ours(world, shop, caller, registered):
    payment = caller.prompt()
    # The receipt of a reversal: money of this short code that went out.
    first = pay(world, "ONE", validation="missing")
    told(world)
    row = UnallocatedReceipt.objects.get()
    made = caller.post(f"unallocated-receipts/{row.pk}/assign", new_payment={})
    refund = caller.post(f"payments/{made['payment']}/refunds", 201)
    world.work_until(lambda: caller.get(f"refunds/{refund['id']}")["state"] == "succeeded")
    out = Receipt.objects.get(kind="refund").provider_money_id
    Receipt.objects.filter(kind="refund").update(provider_money_id=None)
    send(shop.mpesa, confirmation(out, reference_of(payment)))
    until(lambda: world.work() and ReportedReceipt.objects.get(provider_money_id=out).outcome == "denied")
    assert receipts_of(payment) == []
    assert Receipt.objects.filter(kind="capture").get().provider_money_id == first["id"]


@pytest.mark.parametrize("code", ["17", "26", "2001", "21"])
def test_an_answer_that_tells_nothing_leaves_it_unconfirmed_for_a_person(world, shop, caller, registered, code):
    payment = caller.prompt()
    world.mpesa.trouble(f"result_{code}", STATUS, times=9)
    pay(world, reference_of(payment), validation="missing")
    world.heard(1, door="confirmation")
    to_the_end(world)
    assert (reported().outcome, reported().provider_status) == ("unconfirmed", code)
    shown = caller.get(f"payments/{payment['id']}")
    assert (shown["captured_amount"], shown["unconfirmed"]) == (0, True)
    assert nothing_is_booked()
    assert (reported().pk, "unknown") in attention()


# Where nothing can be asked


def test_without_an_initiator_the_payment_is_marked_and_nothing_is_booked(world, shop, caller, registered):
    payment = caller.prompt()
    without_initiator(shop)
    pay(world, reference_of(payment), validation="missing")
    told(world)
    shown = caller.get(f"payments/{payment['id']}")
    assert (shown["state"], shown["captured_amount"], shown["unconfirmed"]) == ("requires_action", 0, True)
    assert (reported().outcome, asked(world)) == ("unconfirmed", 0)
    assert nothing_is_booked()
    to_the_end(world)
    assert (reported().pk, "unknown") in attention()


def test_a_prompts_own_confirmation_without_an_initiator_is_known_by_its_callback(world, shop, caller, registered):
    without_initiator(shop)
    payment = caller.prompt()
    world.mpesa.simulate(payment, "approve")
    reaches(shop, payment, "succeeded")
    world.heard(1, door="confirmation")
    with world.later(seconds=61):
        assert [row.outcome for row in ReportedReceipt.objects.all()] in ([], ["confirmed"])
    shown = caller.get(f"payments/{payment['id']}")
    assert (shown["state"], shown["unconfirmed"], len(receipts_of(payment))) == ("succeeded", False, 1)
    assert attention() == []


def test_an_initiator_that_is_entered_later_lets_staff_ask_again(world, shop, caller, registered):
    payment = caller.prompt()
    without_initiator(shop)
    paid = pay(world, reference_of(payment), validation="missing")
    told(world)
    to_the_end(world)
    services.set_credentials(shop.mpesa, MPESA, by="tests")
    row = reported()
    client = staff.signed_in("payments.view_reportedreceipt", "payments.ask_about_receipt")
    assert row.pk in client.get(staff.listing(row)).text
    assert paid["id"] in client.get(staff.page(row)).text
    client.post(staff.page(row, "ask_again"), {"reason": "the initiator is there now"})
    until(lambda: world.work() and reported().outcome == "confirmed")
    shown = caller.get(f"payments/{payment['id']}")
    assert (shown["state"], shown["unconfirmed"]) == ("succeeded", False)
    assert (row.pk, "unknown") not in attention()


def test_another_report_of_the_receipt_confirms_it(world, shop, caller, registered):
    """What a list of the provider's own, such as the pull, will say of it."""
    payment = caller.prompt()
    without_initiator(shop)
    pay(world, reference_of(payment), validation="missing")
    told(world)
    row = ReportedReceipt.objects.select_related("account").get()
    moved = MoneyMoved(ReceiptKind.CAPTURE, row.money, row.provider_money_id)
    reporting.confirm(row, moved, Because(by="mpesa", source="pull"))
    assert caller.get(f"payments/{payment['id']}")["unconfirmed"] is False
    assert counters(payment)[0] == 25_000
    assert (reported().outcome, reported().due_at) == ("confirmed", None)


# Answers that do not fit


def test_a_result_about_another_receipt_or_conversation_is_parked(world, shop, registered):
    world.mpesa.post("settings", result_seconds=3600)
    paid = pay(world, "LUNCH", validation="missing")
    world.heard(1, door="confirmation")
    row = reported()
    for conversation, number in ((row.conversations[0], "TKK4OTHER1"), ("AG_20261120_other", paid["id"])):
        url = _answer_url(shop, row)
        body = _result(conversation, number)
        assert _post(url, body).status_code == 200
    world.work()
    assert [callback.state for callback in Callback.objects.filter(door="receipt")] == ["parked", "parked"]
    assert nothing_is_booked()
    assert _post(_answer_url(shop, row), _result(row.conversations[0], paid["id"])).status_code == 200
    world.work()
    assert reported().outcome == "confirmed"


def test_a_result_from_a_wrong_address_only_makes_us_ask_again(world, shop, registered):
    world.mpesa.post("settings", result_seconds=3600)
    paid = pay(world, "LUNCH", validation="missing")
    world.heard(1, door="confirmation")
    row = reported()
    url = _answer_url(shop, row)
    services.change_account(shop.mpesa, by="tests", options=world.mpesa_options(source_addresses=["196.201.214.200"]))
    assert _post(url, _result(row.conversations[0], paid["id"])).status_code == 400
    world.work()
    assert nothing_is_booked()
    assert (reported().outcome, asked(world)) == ("waiting", 2)


def test_a_number_that_is_told_with_two_references_is_nobodys_payment(world, shop, caller, registered):
    payment = caller.prompt()
    world.mpesa.post("settings", result_seconds=3600)
    number = paid_unheard(world)
    send(shop.mpesa, confirmation(number, "LUNCH"))
    send(shop.mpesa, confirmation(number, reference_of(payment)))
    world.heard(2, door="confirmation")
    assert (reported().reference, reported().payment_id) == ("", None)
    _post(_answer_url(shop, reported()), _result(reported().conversations[0], number))
    world.work()
    assert (UnallocatedReceipt.objects.count(), receipts_of(payment)) == (1, [])


# One receipt is one payment


@pytest.mark.parametrize("first", ["callback", "confirmation", "both"])
def test_a_receipt_that_comes_by_prompt_and_by_paybill_is_one(world, shop, caller, registered, first):
    payment = caller.prompt()
    attempt = Operation.objects.select_related("attempt__account").get().attempt
    moved = MoneyMoved(ReceiptKind.CAPTURE, attempt.asked, "TKK4ONCE01")
    came = arriving.Arrived(attempt.account, moved, reference=reference_of(payment))
    _at_once(first, payment, came)
    assert receipts_of(payment) == [("capture", 25_000, "TKK4ONCE01")]
    assert (counters(payment)[0], Payment.objects.get().state) == (25_000, "succeeded")
    assert events_of(payment)[-1:] == ["payment.succeeded"]
    assert not UnallocatedReceipt.objects.exists()
    assert attention() == []


@pytest.mark.parametrize("first", ["callback", "confirmation", "both"])
def test_a_receipt_without_reference_that_comes_by_both_ways_is_one(world, shop, caller, registered, first):
    payment = caller.prompt()
    attempt = Operation.objects.select_related("attempt__account").get().attempt
    moved = MoneyMoved(ReceiptKind.CAPTURE, attempt.asked, "TKK4ONCE02")
    _at_once(first, payment, arriving.Arrived(attempt.account, moved))
    assert receipts_of(payment) == [("capture", 25_000, "TKK4ONCE02")]
    assert (counters(payment)[0], Receipt.objects.count()) == (25_000, 1)
    assert all(row.state == "assigned" for row in UnallocatedReceipt.objects.all())
    assert attention() == []


def _at_once(first, payment, came):
    """Book the same money as the prompt's and as paybill money, one after the other or on two connections."""

    def by_prompt():
        try:
            with transaction.atomic():
                operation = lock_operation(Operation.objects.select_related("attempt").get())
                report = Report(Word.SUCCEEDED, operation.attempt.provider_id, "0", (came.moved,))
                booking.apply_to_attempt(operation.attempt, report, Because(by="mpesa", source="callback"))
        finally:
            connection.close()

    def by_paybill():
        try:
            arriving.take_in(came, Because(by="mpesa", source="arrival"))
        finally:
            connection.close()

    ways = [by_paybill, by_prompt] if first == "confirmation" else [by_prompt, by_paybill]
    with ThreadPoolExecutor(2) as pool:
        if first == "both":
            for done in [pool.submit(way) for way in ways]:
                done.result()
        else:
            for way in ways:
                pool.submit(way).result()


def test_many_confirmations_of_one_receipt_at_once_are_one(world, shop, registered):
    number = paid_unheard(world)
    with ThreadPoolExecutor(6) as pool:
        for answer in [pool.submit(send, shop.mpesa, confirmation(number)) for _ in range(6)]:
            assert answer.result().status_code == 200
    told(world)
    assert (ReportedReceipt.objects.count(), Receipt.objects.count(), UnallocatedReceipt.objects.count()) == (1, 1, 1)


# The wire


def _answer_url(shop, row):
    return callback_url(shop.mpesa, "receipt", operation=sealing.unseal_secret(row, "token").reveal())


def _result(conversation, number, amount=250):
    items = {
        "TransactionStatus": "Completed",
        "Amount": amount,
        "ReceiptNo": number,
        "CreditPartyName": "600111 - Duka",
    }
    return {
        "Result": {
            "ResultType": 0,
            "ResultCode": 0,
            "ResultDesc": "done",
            "OriginatorConversationID": "f0aa-41b9",
            "ConversationID": conversation,
            "TransactionID": number,
            "ResultParameters": {"ResultParameter": [{"Key": key, "Value": value} for key, value in items.items()]},
        }
    }


def _post(url, body):
    return session().post(url, json=body, timeout=8)
