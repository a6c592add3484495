"""Money that M-Pesa's customers send by themselves: validation, confirmation, and whose it is."""

import json
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import IntegrityError, connection, transaction

from core import clock
from core.errors import Conflict
from events import work
from events.models import Attention, Callback, Event
from ledger import checking
from ledger.models import Account, Transfer
from merchants import doors, services
from payments.models import Operation, Payment, Receipt, Registration, ReportedReceipt, UnallocatedReceipt
from payments.services import registering
from tests import factories, staff
from tests.payments.world import (
    attention,
    audit_of,
    counters,
    events_of,
    operations_of,
    reaches,
    receipts_of,
    session,
    until,
)

pytestmark = pytest.mark.django_db(transaction=True)

REGISTER = "POST /mpesa/c2b/v2/registerurl"
PUSH = "POST /mpesa/stkpush/v1/processrequest"


@pytest.fixture
def registered(world, shop):
    """The shop's paybill with its addresses registered."""
    row = registering.register_doors(shop.mpesa, by="tests")
    work.drain("registrations")
    row.refresh_from_db()
    assert row.outcome == "registered"
    return shop.mpesa


def pay(world, reference="", amount=250, **more):
    """A customer pays the shop's paybill."""
    wanted = {"short_code": "600111", "amount": amount, "reference": reference, "phone": "254711000111"} | more
    return world.mpesa.post("simulate", outcome="paybill", **wanted)


def told(world, count=1, **about):
    """Wait until that many confirmations have come, and until the provider has said what there is to them."""
    world.heard(count, door="confirmation", **about)
    world.work_until(lambda: not ReportedReceipt.objects.filter(outcome="waiting").exists())


def paid_unheard(world, amount=250, reference=""):
    """The number of money that has come, whose confirmation is lost."""
    return pay(world, reference, amount, validation="missing", callback="missing")["id"]


def unallocated(world, reference="LUNCH", amount=250):
    """Money that nobody asked for, as it is stored."""
    paid = pay(world, reference, amount)
    told(world, 1, state="received")
    return UnallocatedReceipt.objects.get(receipt__provider_money_id=paid["id"])


def confirmation(receipt="TKK4SAMPL2", reference="LUNCH", amount="250.00", short_code="600111", **changes):
    told = {
        "TransactionType": "Pay Bill",
        "TransID": receipt,
        "TransTime": "20261120141001",
        "TransAmount": amount,
        "BusinessShortCode": short_code,
        "BillRefNumber": reference,
        "InvoiceNumber": "",
        "OrgAccountBalance": "10250.00",
        "ThirdPartyTransID": "",
        "MSISDN": "2547 ***** 111",
        "FirstName": "ACHIENG",
        "MiddleName": "",
        "LastName": "",
    }
    return json.dumps(told | changes).encode()


def send(account, body, door="confirmation"):
    headers = {"Content-Type": "application/json"}
    return session().post(doors.callback_url(account, door), data=body, headers=headers, timeout=8)


def asked(account, **changes):
    """What a validation is answered."""
    answer = send(account, confirmation(**changes), "validation")
    return answer.status_code, answer.json()["ResultCode"]


def reference_of(payment):
    return payment["attempts"][0]["provider_reference"]


def held(shop, kind):
    owners = [shop.merchant.pk, shop.mpesa.pk]
    return [row.balance for row in Account.objects.filter(owner__in=owners, kind=kind, currency="KES").with_balance()]


def facts():
    return list(Transfer.objects.order_by("pk").values_list("fact", flat=True))


# Registration


def test_the_account_registers_its_two_doors_and_keeps_what_came_of_it(world, shop, registered):
    row = Registration.objects.get()
    assert (row.outcome, row.provider_code, row.by, row.due_at) == ("registered", "0", "tests", None)
    assert world.mpesa.calls(REGISTER) == 1
    assert [entry.object_id for entry in audit_of("provider_account.doors_registered")] == [shop.mpesa.pk]


def test_addresses_that_are_registered_already_are_a_refusal_for_a_person(world, shop, registered):
    world.mpesa.post("settings", register_once=True)
    registering.register_doors(shop.mpesa, by="tests")
    work.drain("registrations")
    last = Registration.objects.latest("pk")
    assert (last.outcome, last.provider_code) == ("refused", "500.003.1001")
    assert "only Safaricom" in last.message


@pytest.mark.parametrize(("trouble", "outcome"), [("timeout_after", "unknown"), ("500_before", "unknown")])
def test_a_registration_whose_answer_is_lost_is_unknown_and_not_sent_again(world, shop, trouble, outcome):
    world.mpesa.trouble(trouble, REGISTER)
    row = registering.register_doors(shop.mpesa, by="tests")
    work.drain("registrations")
    work.drain("registrations")
    row.refresh_from_db()
    assert (row.outcome, row.due_at, world.mpesa.calls(REGISTER)) == (outcome, None, 1)


def test_one_registration_of_an_account_at_a_time_and_only_where_there_is_such_a_call(world, shop):
    registering.register_doors(shop.mpesa, by="tests")
    with pytest.raises(Conflict, match="under way"):
        registering.register_doors(shop.mpesa, by="tests")
    with pytest.raises(Conflict, match="not told"):
        registering.register_doors(shop.stripe, by="tests")


def test_a_registration_whose_caller_died_is_unknown(world, shop):
    row = registering.register_doors(shop.mpesa, by="tests")
    Registration.objects.filter(pk=row.pk).update(outcome="sending", due_at=clock.now())
    work.drain("registrations")
    row.refresh_from_db()
    assert (row.outcome, world.mpesa.calls(REGISTER)) == ("unknown", 0)


def test_staff_register_the_addresses_with_a_reason(world, shop):
    client = staff.signed_in("merchants.view_provideraccount", "merchants.rotate_callback_token")
    client.post(staff.page(shop.mpesa, "register_doors"), {"reason": "paybill went live"})
    work.drain("registrations")
    row = Registration.objects.get()
    assert (row.outcome, row.by) == ("registered", "staff:amina")
    assert staff.recorded(shop.mpesa)[-1][1] == "provideraccount.register_doors"
    superuser = staff.signed_in(superuser=True, username="root")
    assert row.pk in superuser.get(staff.listing(row)).text
    assert superuser.get(staff.page(row)).status_code == 200


# Validation


def test_a_known_open_reference_is_accepted_for_its_exact_amount(world, shop, caller):
    payment = caller.prompt(reference="INV-7")
    for reference in (reference_of(payment), f"  {reference_of(payment).lower()} ", "INV-7", "inv-7"):
        assert asked(shop.mpesa, reference=reference) == (200, "0"), reference
        assert asked(shop.mpesa, reference=reference, amount="251.00") == (200, "C2B00013")


def test_an_unknown_reference_is_accepted_or_refused_by_the_accounts_option(world, shop):
    assert asked(shop.mpesa, reference="LUNCH") == (200, "0")
    services.change_account(shop.mpesa, by="tests", options=world.mpesa_options(c2b_validation="references"))
    assert asked(shop.mpesa, reference="LUNCH") == (200, "C2B00012")
    assert asked(shop.mpesa, reference="") == (200, "C2B00012")


@pytest.mark.parametrize("state", ["expired", "cancelled", "failed", "succeeded"])
def test_a_payment_that_is_over_takes_no_more_money(world, shop, state):
    attempt = factories.AttemptFactory(
        payment__merchant=shop.merchant, payment__state=state, payment__currency="KES", account=shop.mpesa
    )
    assert asked(shop.mpesa, reference=attempt.provider_reference, amount="12.50") == (200, "C2B00012")


def test_what_is_missing_of_a_payment_is_just_what_may_still_come(world, shop, caller, registered):
    payment = caller.prompt()
    pay(world, reference_of(payment), 100, validation="missing")
    told(world)
    assert asked(shop.mpesa, reference=reference_of(payment), amount="150.00") == (200, "0")
    assert asked(shop.mpesa, reference=reference_of(payment), amount="250.00") == (200, "C2B00013")


def test_an_order_that_several_payments_were_asked_for_goes_by_those_that_are_open(world, shop, caller):
    def earlier(state):
        factories.OperationFactory(
            attempt__payment__merchant=shop.merchant,
            attempt__payment__state=state,
            attempt__payment__currency="KES",
            attempt__payment__reference="INV-7",
            attempt__account=shop.mpesa,
        )

    earlier("expired"), earlier("failed")
    assert asked(shop.mpesa, reference="INV-7", amount="250.00") == (200, "C2B00012")
    caller.prompt(reference="INV-7")
    assert asked(shop.mpesa, reference="inv-7", amount="250.00") == (200, "0")
    assert asked(shop.mpesa, reference="INV-7", amount="12.50") == (200, "C2B00013")


def test_a_payer_may_use_a_reference_again_under_which_money_was_assigned(world, shop, caller, registered):
    row = unallocated(world, "FLAT 12")
    caller.post(f"unallocated-receipts/{row.pk}/assign", new_payment={"reference": "FLAT 12"})
    assert asked(shop.mpesa, reference="FLAT 12") == (200, "0")


def test_a_validation_for_another_short_code_is_refused(world, shop):
    assert asked(shop.mpesa, short_code="600999") == (200, "C2B00015")


def test_a_validation_is_answered_each_time_anew_within_its_time(world, shop, caller):
    payment = caller.prompt()
    started = time.monotonic()
    assert asked(shop.mpesa, reference=reference_of(payment)) == (200, "0")
    assert time.monotonic() - started < 8
    world.mpesa.simulate(payment, "decline")
    reaches(shop, payment, "failed")
    assert asked(shop.mpesa, reference=reference_of(payment)) == (200, "C2B00012")
    stored = Callback.objects.filter(door="validation").order_by("pk")
    assert [(row.state, row.note) for row in stored] == [("processed", "accepted"), ("processed", "not_open")]


def test_a_validation_that_cannot_be_read_or_comes_from_elsewhere_decides_nothing(world, shop):
    assert send(shop.mpesa, b"{}", "validation").status_code == 400
    options = world.mpesa_options(source_addresses=["196.201.214.200"])
    services.change_account(shop.mpesa, by="tests", options=options)
    assert send(shop.mpesa, confirmation(), "validation").status_code == 400
    assert sorted(Callback.objects.values_list("state", flat=True)) == ["parked", "quarantined"]


# Confirmation


def test_a_payer_who_pays_the_reference_by_hand_pays_the_payment(world, shop, caller, registered):
    payment = caller.prompt()
    world.mpesa.simulate(payment, "timeout", callback="missing")
    paid = pay(world, reference_of(payment).lower(), validation="missing")
    told(world)

    shown = caller.get(f"payments/{payment['id']}")
    assert shown["state"] == "succeeded"
    assert receipts_of(payment) == [("capture", 25_000, paid["id"])]
    assert Receipt.objects.get().source == "arrival"
    assert attention() == []
    assert operations_of(payment) == [("create", "succeeded")]
    assert Operation.objects.get().due_at is None


def test_a_prompt_that_is_confirmed_twice_and_called_back_is_one_receipt(world, shop, caller, registered):
    world.mpesa.post("settings", confirmation_mode="duplicate")
    payment = caller.prompt()
    world.mpesa.simulate(payment, "approve", callback="duplicate")
    until(lambda: len(world.mpesa.callbacks()) >= 4)
    world.work()
    paid = reaches(shop, payment, "succeeded")
    assert len(receipts_of(payment)) == 1
    assert (counters(payment)[0], paid["captured_amount"]) == (25_000, 25_000)
    assert events_of(payment) == ["payment.requires_action", "payment.succeeded"]
    assert not UnallocatedReceipt.objects.exists()
    assert attention() == []


def test_a_confirmation_before_the_answer_to_our_push_settles_it(world, shop, caller, registered):
    world.mpesa.trouble("timeout_after", PUSH)
    payment = caller.prompt()
    assert payment["attempts"][0]["provider_id"] is None
    world.mpesa.simulate(payment, "approve", callback="missing")
    told(world)
    assert caller.get(f"payments/{payment['id']}")["state"] == "succeeded"
    assert len(receipts_of(payment)) == 1
    assert operations_of(payment) == [("create", "succeeded")]
    assert attention() == []


def test_a_confirmation_while_the_push_is_on_its_way_is_not_undone_by_its_answer(world, shop, caller, registered):
    world.mpesa.trouble("hang", PUSH, seconds=1)
    with ThreadPoolExecutor(1) as pool:
        calling = pool.submit(caller.prompt)
        reference = until(lambda: Operation.objects.values_list("attempt__provider_reference", flat=True).first())
        pay(world, reference)
        told(world)
        payment = calling.result()
    assert caller.get(f"payments/{payment['id']}")["state"] == "succeeded"
    assert [kind for kind, _, _ in receipts_of(payment)] == ["capture"]


def test_a_receipt_that_a_query_left_open_takes_its_number_from_the_confirmation(world, shop, caller, registered):
    payment = caller.prompt()
    world.mpesa.post("settings", confirmation_mode="late", callback_late_seconds=1)
    world.mpesa.simulate(payment, "approve", callback="missing")
    with world.later(seconds=13):
        assert receipts_of(payment) == [("capture", 25_000, None)]
    told(world)
    [(_, amount, receipt)] = receipts_of(payment)
    assert (amount, receipt) == (25_000, world.mpesa.entries()[0]["receipt"])
    assert facts() == ["payment_captured"]


def test_other_money_for_a_paid_payment_does_not_take_the_number_of_its_receipt(world, shop, caller, registered):
    payment = caller.prompt()
    world.mpesa.post("settings", confirmation_mode="missing")
    world.mpesa.simulate(payment, "approve", callback="missing")
    with world.later(seconds=13):
        assert receipts_of(payment) == [("capture", 25_000, None)]
    second = pay(world, reference_of(payment), 100, validation="missing", callback="normal")
    told(world)
    assert receipts_of(payment) == [("capture", 25_000, None), ("capture", 10_000, second["id"])]
    assert events_of(payment)[-1] == "payment.overpaid"
    assert counters(payment)[0] == 25_000


@pytest.mark.parametrize(
    ("amount", "state", "reason", "captured"),
    [(200, "processing", "underpaid", 20_000), (300, "succeeded", "overpaid", 25_000)],
)
def test_another_amount_is_booked_as_what_it_is(world, shop, caller, registered, amount, state, reason, captured):
    payment = caller.prompt()
    pay(world, reference_of(payment), amount, validation="missing")
    told(world)
    assert caller.get(f"payments/{payment['id']}")["state"] == state
    assert attention() == [(payment["id"], reason)]
    assert counters(payment)[0] == captured


def test_money_for_a_payment_that_has_expired_meanwhile_succeeds_late(world, shop, caller, registered):
    payment = caller.prompt()
    with world.later(seconds=301):
        assert caller.get(f"payments/{payment['id']}")["state"] == "expired"
    assert pay(world, reference_of(payment))["state"] == "rejected"
    pay(world, reference_of(payment), validation="missing")
    told(world)
    late = caller.get(f"payments/{payment['id']}")
    assert (late["state"], late["late"]) == ("succeeded", True)


def test_money_that_nobody_asked_for_is_unallocated_once_and_in_the_books(world, shop, caller, registered):
    paid = pay(world, "LUNCH", validation="missing", callback="duplicate")
    until(lambda: len(world.mpesa.callbacks()) >= 2)
    told(world)

    [row] = caller.get("unallocated-receipts")["data"]
    assert row == {
        "id": row["id"],
        "object": "unallocated_receipt",
        "state": "open",
        "amount": 25_000,
        "currency": "KES",
        "provider": "mpesa",
        "account": shop.mpesa.pk,
        "provider_money_id": paid["id"],
        "reference": "LUNCH",
        "store": None,
        "static_code": None,
        "payer": "2547•••111",
        "payment": None,
        "livemode": False,
        "created_at": row["created_at"],
    }
    assert caller.get(f"unallocated-receipts/{row['id']}") == row
    assert events_of(row) == ["receipt.unallocated"]
    assert Event.objects.get(subject=row["id"]).data == {**row, "reference": None}
    assert facts() == ["receipt_unallocated"]
    assert held(shop, "unallocated_receipts") == held(shop, "provider_clearing") == [25_000]
    assert attention() == [(row["id"], "unmatched")]


def test_a_confirmation_from_a_wrong_address_books_nothing_until_it_is_let_in(world, shop):
    services.change_account(shop.mpesa, by="tests", options=world.mpesa_options(source_addresses=["196.201.214.200"]))
    assert send(shop.mpesa, confirmation(paid_unheard(world))).status_code == 400
    world.work()
    assert (Callback.objects.get().state, ReportedReceipt.objects.count()) == ("quarantined", 0)
    services.change_account(shop.mpesa, by="tests", options=world.mpesa_options())
    doors.let_in_again(Callback.objects.get())
    told(world)
    assert Callback.objects.get(door="confirmation").state == "processed"
    assert UnallocatedReceipt.objects.count() == 1


def test_an_account_that_lists_no_addresses_believes_no_confirmation(world, shop):
    services.change_account(shop.mpesa, by="tests", options=world.mpesa_options(source_addresses=[]))
    assert send(shop.mpesa, confirmation()).status_code == 400
    assert Callback.objects.get().state == "quarantined"


def test_a_confirmation_at_another_accounts_path_is_quarantined(world, shop, other_shop):
    services.change_account(other_shop.mpesa, by="tests", options=world.mpesa_options(shortcode="600333"))
    assert send(other_shop.mpesa, confirmation()).status_code == 200
    [callback] = world.heard(1)
    assert (callback.state, callback.note) == ("quarantined", "names 600111, which is not this account")
    assert not Receipt.objects.exists()


def test_another_accounts_reference_is_not_looked_up(world, shop, caller, other_shop):
    theirs = other_shop.api.prompt()
    send(shop.mpesa, confirmation(paid_unheard(world), reference=reference_of(theirs)))
    told(world)
    assert receipts_of(theirs) == []
    assert UnallocatedReceipt.objects.get().merchant == shop.merchant


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", confirmation(amount="0"), confirmation(receipt="", amount="1")])
def test_what_cannot_be_read_is_parked(world, shop, body):
    send(shop.mpesa, body)
    [callback] = world.heard(1)
    assert (callback.state, Receipt.objects.count()) == ("parked", 0)


@pytest.mark.parametrize(
    ("number", "shown"),
    [("254711000111", "2547•••111"), ("a" * 64, None), ("", None), (None, None), ("2547 ***** 111", "2547•••111")],
)
def test_a_payer_is_shown_masked_or_not_at_all(world, shop, caller, number, shown):
    send(shop.mpesa, confirmation(paid_unheard(world), MSISDN=number, BillRefNumber=None))
    told(world)
    [row] = caller.get("unallocated-receipts")["data"]
    assert (row["payer"], row["reference"]) == (shown, None)


# A receipt that other ways tell of


def test_a_till_whose_confirmation_comes_first_gives_its_money_to_the_prompt(world, shop, caller):
    account = till(world, shop)
    payment = caller.prompt()
    world.mpesa.post("settings", callback_late_seconds=3)
    world.mpesa.simulate(payment, "approve", callback="late")
    told(world)
    assert (UnallocatedReceipt.objects.get().state, receipts_of(payment)) == ("open", [])

    reaches(shop, payment, "succeeded")
    until(lambda: world.work() and UnallocatedReceipt.objects.get().state == "assigned")
    assert len(receipts_of(payment)) == Receipt.objects.filter(account=account).count() == 1
    assert counters(payment)[0] == 25_000
    assert held(shop, "provider_clearing") == held(shop, "merchant_payable") == [25_000]
    assert held(shop, "unallocated_receipts") == [0]
    assert attention() == []


def test_a_till_whose_prompt_a_query_has_settled_recognises_its_unallocated_money(world, shop, caller):
    till(world, shop)
    payment = caller.prompt()
    world.mpesa.post("settings", callback_late_seconds=3)
    world.mpesa.simulate(payment, "approve", callback="late")
    told(world)
    with world.later(seconds=13):
        assert receipts_of(payment) == [("capture", 25_000, None)]
    world.heard(1, door="prompt")
    receipt = world.mpesa.entries()[0]["receipt"]
    until(lambda: world.work() and receipts_of(payment) == [("capture", 25_000, receipt)])
    row = UnallocatedReceipt.objects.get()
    assert (row.state, row.payment_id, Receipt.objects.count()) == ("assigned", payment["id"], 1)
    assert held(shop, "provider_clearing") == held(shop, "merchant_payable") == [25_000]
    assert held(shop, "unallocated_receipts") == [0]


def till(world, shop):
    """The shop sells over a till instead, whose confirmations carry no reference."""
    services.set_credentials(
        shop.mpesa,
        {
            "consumer_key": "lango-simulator-key",
            "consumer_secret": "lango-simulator-secret",
            "passkey": "lango-simulator-passkey-600333",
            "initiator_name": "lango-operator",
            "initiator_password": "Simulator-Pass-1!",
        },
        by="tests",
    )
    services.change_account(shop.mpesa, by="tests", options=world.mpesa_options(shortcode="600333", till="600222"))
    registering.register_doors(shop.mpesa, by="tests")
    work.drain("registrations")
    return shop.mpesa


# Assigning


def test_a_receipt_is_assigned_to_a_payment_that_waits(world, shop, caller, registered):
    payment = caller.prompt()
    row = unallocated(world)
    shown = caller.post(f"unallocated-receipts/{row.pk}/assign", key="once", payment=payment["id"])
    assert (shown["state"], shown["payment"]) == ("assigned", payment["id"])
    assert caller.get(f"payments/{payment['id']}")["state"] == "succeeded"
    assert events_of(shown) == ["receipt.unallocated", "receipt.assigned"]
    assert facts() == ["receipt_unallocated", "receipt_allocated"]
    assert held(shop, "provider_clearing") == held(shop, "merchant_payable") == [25_000]
    assert attention() == []
    assert caller.post(f"unallocated-receipts/{row.pk}/assign", key="once", payment=payment["id"]) == shown
    caller.refused(f"unallocated-receipts/{row.pk}/assign", 409, "conflict", payment=payment["id"])


def test_a_payment_is_made_for_a_receipt_and_can_be_refunded(world, shop, caller, registered):
    row = unallocated(world)
    shown = caller.post(
        f"unallocated-receipts/{row.pk}/assign", new_payment={"reference": "order 9", "metadata": {"table": "4"}}
    )
    payment = caller.get(f"payments/{shown['payment']}")
    assert (payment["state"], payment["amount"], payment["captured_amount"]) == ("succeeded", 25_000, 25_000)
    assert (payment["reference"], payment["metadata"], payment["payer"]) == ("order 9", {"table": "4"}, "2547•••111")
    assert events_of(payment) == ["payment.succeeded"]
    refund = caller.post(f"payments/{payment['id']}/refunds", 201)
    world.work_until(lambda: caller.get(f"refunds/{refund['id']}")["state"] == "succeeded")


@pytest.mark.parametrize(
    ("amount", "state", "told"), [(200, "processing", "payment.underpaid"), (300, "succeeded", "payment.overpaid")]
)
def test_an_assigned_receipt_of_another_amount_is_booked_as_any(world, shop, caller, registered, amount, state, told):
    payment = caller.prompt()
    row = unallocated(world, amount=amount)
    caller.post(f"unallocated-receipts/{row.pk}/assign", payment=payment["id"])
    assert caller.get(f"payments/{payment['id']}")["state"] == state
    assert told in events_of(payment)
    assert sum(held(shop, "overpayment")) == max(amount * 100 - 25_000, 0)
    assert held(shop, "unallocated_receipts") == [0]


def test_a_payment_that_cannot_have_the_receipt_is_refused_by_its_field(world, shop, caller, registered, other_shop):
    row = unallocated(world)
    path = f"unallocated-receipts/{row.pk}/assign"
    theirs = other_shop.api.prompt(phone="254711000222")
    card = caller.card()
    live = factories.PaymentFactory(merchant=shop.merchant, livemode=True)
    for given in (theirs["id"], card["id"], live.pk, "pay_nothing", "\x00"):
        problem = caller.refused(path, 400, "invalid_request", payment=given)
        assert problem["param"] == "/payment", given
    for body in (
        {},
        {"payment": card["id"], "new_payment": {}},
        {"new_payment": {"amount": 1}},
        {"new_payment": "x"},
        {"other": 1},
    ):
        caller.refused(path, 400, "invalid_request", **body)
    row.refresh_from_db()
    assert (row.state, Payment.objects.filter(attempts__account=shop.mpesa).count()) == ("open", 0)


def test_two_who_assign_at_once_have_one_winner(world, shop, caller, registered):
    payments = [caller.prompt(phone=f"25471100050{place}") for place in range(3)]
    row = unallocated(world)
    with ThreadPoolExecutor(4) as pool:
        answers = [
            pool.submit(caller.send, "POST", f"unallocated-receipts/{row.pk}/assign", json=body)
            for body in [*({"payment": payment["id"]} for payment in payments), {"new_payment": {"reference": "new"}}]
        ]
        statuses = sorted(answer.result().status_code for answer in answers)
    assert statuses == [200, 409, 409, 409]
    assert Payment.objects.filter(state="succeeded").count() == 1
    assert held(shop, "merchant_payable") == [25_000]


def test_lists_are_filtered(world, shop, caller, registered):
    first, second = unallocated(world, "ONE"), unallocated(world, "TWO")
    caller.post(f"unallocated-receipts/{first.pk}/assign", new_payment={})
    listed = [row["id"] for row in caller.get("unallocated-receipts", state="open")["data"]]
    assert listed == [second.pk]
    assert [row["id"] for row in caller.get("unallocated-receipts", reference="ONE")["data"]] == [first.pk]
    assert caller.get("unallocated-receipts", account="acct_x")["data"] == []


def test_staff_assign_a_receipt_and_are_told_what_is_wrong(world, shop, caller, registered):
    payment = caller.prompt()
    row = unallocated(world)
    client = staff.signed_in("payments.view_unallocatedreceipt", "payments.assign_receipt")
    assert row.pk in client.get(staff.listing(row)).text
    assert row.receipt.provider_money_id in client.get(staff.page(row)).text
    wrong = client.post(staff.page(row, "assign"), {"payment": "pay_nothing", "reason": "told by phone"})
    assert "There is no payment pay_nothing" in wrong.text
    client.post(staff.page(row, "assign"), {"payment": payment["id"], "reason": "told by phone"})
    row.refresh_from_db()
    assert (row.state, row.payment_id) == ("assigned", payment["id"])
    assert not Attention.objects.filter(subject=row.pk, closed_at=None).exists()


def test_the_database_keeps_one_receipt_for_each_number_and_no_unknown_money_without_an_attempt(shop):
    values = {"account": shop.mpesa, "livemode": False, "amount": 1, "currency": "KES", "source": "tests"}
    Receipt.objects.create(kind="capture", provider_money_id="TKK4", **values)
    for wrong in (
        {"kind": "capture", "provider_money_id": "TKK4"},
        {"kind": "capture", "provider_money_id": None},
        {"kind": "refund", "provider_money_id": "TKK5"},
    ):
        with pytest.raises(IntegrityError), transaction.atomic():
            Receipt.objects.create(**wrong, **values)
    Receipt.objects.all().delete()


def test_the_check_of_the_books_finds_and_mends_an_unposted_arrival(world, shop, caller, registered):
    account = shop.mpesa
    receipt = Receipt.objects.create(
        account=account,
        livemode=False,
        kind="capture",
        provider_money_id="TKK9",
        amount=700,
        currency="KES",
        source="arrival",
    )
    UnallocatedReceipt.objects.create(receipt=receipt, account=account, merchant=shop.merchant, livemode=False)
    found = checking.findings()
    assert len(found) == 2
    with transaction.atomic():
        for finding in found:
            finding.mend()
    assert checking.findings() == []
    assert facts() == ["receipt_unallocated"]


# Bad days


def test_a_payer_who_is_never_asked_about_is_taken_in_all_the_same(world, shop, caller, registered):
    """Safaricom validates only where it has been switched on: the confirmation comes at once."""
    world.mpesa.post("settings", external_validation=False)
    payment = caller.prompt()
    pay(world, reference_of(payment))
    told(world)
    assert not Callback.objects.filter(door="validation").exists()
    assert caller.get(f"payments/{payment['id']}")["state"] == "succeeded"


@pytest.mark.parametrize("reference", ["known", "LUNCH"])
def test_a_confirmation_that_comes_twice_takes_effect_once(world, shop, caller, registered, reference):
    payment = caller.prompt()
    reference = reference_of(payment) if reference == "known" else reference
    paid = pay(world, reference, validation="missing")
    told(world)
    assert send(shop.mpesa, confirmation(paid["id"], reference)).status_code == 200
    told(world)
    # The same bytes, and others that tell of the same receipt.
    assert send(shop.mpesa, confirmation(paid["id"], reference, OrgAccountBalance="1.00")).status_code == 200
    told(world)
    assert (Receipt.objects.count(), ReportedReceipt.objects.count(), len(facts())) == (1, 1, 1)
    assert world.mpesa.calls("POST /mpesa/transactionstatus/v1/query") == 1
    assert held(shop, "provider_clearing") == [25_000]


def test_a_validation_is_answered_in_time_while_the_database_hangs(world, shop, caller, settings):
    payment = caller.prompt()
    settings.DOOR_ANSWER_SECONDS = 1
    started = time.monotonic()
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("LOCK TABLE events_callback IN ACCESS EXCLUSIVE MODE")
        answer = send(shop.mpesa, confirmation(reference=reference_of(payment)), "validation")
        assert time.monotonic() - started < 8
        assert answer.status_code == 503
    assert asked(shop.mpesa, reference=reference_of(payment)) == (200, "0")


def test_a_payer_whose_validation_is_not_answered_in_time_goes_by_what_is_registered(world, shop, caller):
    world.mpesa.post("settings", validation_seconds=3)
    for unreachable, state in (("Completed", "paid"), ("Cancelled", "rejected")):
        options = world.mpesa_options(c2b_unreachable=unreachable)
        services.change_account(shop.mpesa, by="tests", options=options)
        registering.register_doors(shop.mpesa, by="tests")
        work.drain("registrations")
        with transaction.atomic():
            with connection.cursor() as cursor:
                cursor.execute("LOCK TABLE events_callback IN ACCESS EXCLUSIVE MODE")
            assert pay(world, "LUNCH", callback="missing")["state"] == state
