"""Codes that stand on a counter at Xendit: made once, paid again and again, and no sum lost or counted twice."""

from datetime import timedelta

import pytest
from django.db import IntegrityError, transaction

from core import qris
from core.money import Money
from events import work
from events.models import Callback
from merchants import doors, services, stores, switches
from merchants.models import Store
from payments.models import Fee, Receipt, StaticCode, UnallocatedReceipt
from payments.providers.base import MoneyMoved, ReceiptKind
from payments.services import listing, static_codes
from payments.services.arriving import Arrived
from payments.services.booking import Because
from tests import factories, staff
from tests.payments.world import attention, counters, until

pytestmark = pytest.mark.django_db(transaction=True)
OTHER_BUSINESS = "xnd_development_lango-simulator-2"


@pytest.fixture
def account(xendit, shop):
    made = connected(shop)
    xendit.post("settings", webhook_url=doors.callback_url(made, "notifications"))
    return made


def connected(shop, secret_key="xnd_development_lango-simulator", **options):
    credentials = {"secret_key": secret_key, "callback_token": "lango-simulator-callback-token"}
    return shop.account("xendit", credentials, options)


@pytest.fixture
def store(caller):
    return caller.post("stores", 201, name="Lunch counter", zone="Asia/Jakarta")["id"]


def make(caller, store, account, status=201, **more):
    return caller.post(f"stores/{store}/static-codes", status, account=account.pk, **more)


@pytest.fixture
def code(caller, store, account):
    return make(caller, store, account, reference="counter 2")


def paid(xendit, code, amount, **more):
    """Somebody scans it and types so many rupiah."""
    return xendit.simulate(code["provider_id"], "approve", amount=amount, **more)


def unallocated(caller, **query):
    return caller.get("unallocated-receipts", **query)["data"]


def came(caller, count=1, **query):
    rows = unallocated(caller, **query)
    return rows if len(rows) == count else None


# Making one


def test_a_code_that_pays_another_merchant_than_the_account_expects_stands_nowhere(xendit, shop, caller, store):
    code = make(caller, store, connected(shop, qris_merchant="Somebody Else"))
    assert (code["outcome"], code["qr_string"]) == ("unknown", None)
    assert "the account expects 'Somebody Else'" in code["message"]


def test_a_code_is_made_once_and_can_be_read_again(xendit, caller, store, account):
    made = make(caller, store, account, key="counter-2", reference="counter 2")
    again = make(caller, store, account, key="counter-2", reference="counter 2")
    assert again == made
    assert (made["object"], made["store"], made["account"]) == ("static_code", store, account.pk)
    assert (made["provider"], made["reference"], made["outcome"]) == ("xendit", "counter 2", "active")
    assert (made["expires_at"], made["message"]) == (None, None)
    assert xendit.calls("POST /qr_codes") == 1
    assert caller.get(f"stores/{store}/static-codes/{made['id']}") == made
    assert caller.get(f"stores/{store}/static-codes")["data"] == [made]


def test_its_text_is_that_of_a_static_code_without_an_amount(code):
    read = qris.parse(code["qr_string"])
    assert (read.is_dynamic, read.amount, read.tip) == (False, None, None)
    assert code["qr_string"].startswith("000201010211")


def test_a_second_one_that_the_company_refuses_says_so_and_can_be_drawn_by_nobody(caller, store, account, code):
    second = make(caller, store, account)
    assert (second["outcome"], second["provider_code"]) == ("refused", "DUPLICATE_ERROR")
    assert (second["qr_string"], second["provider_id"]) == (None, None)
    assert "a static code of this merchant already" in second["message"]


@pytest.mark.parametrize("trouble", ["reset_after", "500_after", "html_after"])
def test_a_code_whose_answer_was_lost_is_unknown_and_never_asked_for_again(
    world, xendit, caller, store, account, trouble
):
    xendit.trouble(trouble, "POST /qr_codes")
    made = make(caller, store, account)
    assert (made["outcome"], made["qr_string"]) == ("unknown", None)
    with world.later(hours=2):
        static_codes_work()
    assert xendit.calls("POST /qr_codes") == 1
    assert caller.get(f"stores/{store}/static-codes/{made['id']}") == made


def static_codes_work():
    work.drain("static_codes")
    return True


def test_one_whose_caller_died_is_unknown_once_its_lease_is_over(world, caller, store, code):
    StaticCode.objects.filter(pk=code["id"]).update(outcome="sending", text="")
    with world.later(minutes=20):
        static_codes_work()
    left = caller.get(f"stores/{store}/static-codes/{code['id']}")
    assert (left["outcome"], left["message"]) == ("unknown", "its caller did not come back")


def test_an_account_that_cannot_make_one_is_refused_by_name_before_anything_is_asked(
    shop, other_shop, xendit, caller, store, account
):
    theirs = connected(other_shop, OTHER_BUSINESS)
    for wrong in (shop.stripe.pk, theirs.pk, "acct_nobody", f"acct_{'0' * 26}"):
        problem = caller.refused(f"stores/{store}/static-codes", 400, "invalid_request", account=wrong)
        assert problem["param"] == "/account"
    assert (
        "xendit does"
        in caller.refused(f"stores/{store}/static-codes", 400, "invalid_request", account=shop.stripe.pk)["detail"]
    )
    services.switch_account_off(account, by="tests")
    assert "switched off" in refused_by_account(caller, store, account)
    assert xendit.calls("POST /qr_codes") == StaticCode.objects.count() == 0


def test_a_provider_that_is_switched_off_makes_none(caller, store, account):
    switches.switch_provider_off(next(row for row in switches.switches() if row.provider == "xendit"), by="tests")
    assert "switched off" in refused_by_account(caller, store, account)


def refused_by_account(caller, store, account):
    path = f"stores/{store}/static-codes"
    return caller.refused(path, 400, "invalid_request", account=account.pk)["detail"]


def test_a_store_that_is_switched_off_gets_none(caller, store, account):
    stores.change_store(Store.objects.get(pk=store), is_enabled=False, by="tests")
    caller.refused(f"stores/{store}/static-codes", 409, "conflict", account=account.pk)


def test_the_database_keeps_a_code_and_its_money_of_one_merchant_and_mode(shop, store, code):
    live = factories.StoreFactory(merchant=shop.merchant, livemode=True)
    for wrong in (factories.StoreFactory(), live):
        with pytest.raises(IntegrityError, match="same_merchant_and_mode"), transaction.atomic():
            StaticCode.objects.filter(pk=code["id"]).update(store=wrong)


# Money


def test_what_is_paid_on_it_is_a_receipt_of_its_store_that_belongs_to_no_payment(world, xendit, caller, store, code):
    paid(xendit, code, 45_500)
    [receipt] = world.work_until(lambda: came(caller))
    assert (receipt["state"], receipt["amount"], receipt["currency"]) == ("open", 4_550_000, "IDR")
    assert (receipt["store"], receipt["static_code"], receipt["reference"]) == (store, code["id"], "counter 2")
    assert receipt["provider_money_id"].startswith("qrpy_")
    assert attention() == []
    [event] = caller.get("events", subject=receipt["id"])["data"]
    assert (event["type"], event["data"]["object"]["store"]) == ("receipt.unallocated", store)
    assert unallocated(caller, store=store) == unallocated(caller, static_code=code["id"]) == [receipt]
    other = caller.post("stores", 201, name="Bar")["id"]
    assert unallocated(caller, store=other) == []


def test_an_amount_alone_finds_no_payment_however_well_it_fits(world, xendit, caller, store, code):
    payment = caller.post("payments", 201, amount=4_550_000, currency="IDR", method="qris", store=store)
    paid(xendit, code, 45_500)
    world.work_until(lambda: came(caller))
    assert caller.get(f"payments/{payment['id']}")["state"] == "requires_action"
    assert counters(payment) == (0, 0, 0)


def test_the_same_money_told_twice_is_booked_once(world, xendit, caller, code):
    paid(xendit, code, 45_500, callback="duplicate")
    until(lambda: len(xendit.callbacks()) == 2)
    world.work_until(lambda: came(caller))
    static_codes.ask_now(code["id"])
    with world.later(minutes=20):
        static_codes_work()
    assert Receipt.objects.count() == UnallocatedReceipt.objects.count() == 1
    assert {row.state for row in Callback.objects.all()} == {"processed"}


def test_each_payer_s_money_is_a_receipt_of_its_own(world, xendit, caller, code):
    for amount in (10_000, 10_000, 25_000):
        paid(xendit, code, amount)
    rows = world.work_until(lambda: came(caller, 3))
    assert sorted(row["amount"] for row in rows) == [1_000_000, 1_000_000, 2_500_000]
    assert len({row["provider_money_id"] for row in rows}) == 3


def test_a_callback_that_denies_it_is_not_believed_and_what_the_company_shows_is_booked(world, xendit, caller, code):
    paid(xendit, code, 45_500, callback="tampered")
    world.heard()
    with world.later(minutes=16):
        [receipt] = until(lambda: static_codes_work() and came(caller))
    assert receipt["amount"] == 4_550_000


def test_a_forged_callback_books_nothing(world, xendit, caller, code):
    paid(xendit, code, 45_500, callback="bad_signature")
    until(lambda: Callback.objects.filter(state=Callback.State.QUARANTINED).exists())
    world.work()
    assert unallocated(caller) == []


def test_money_whose_callback_was_lost_is_found_by_asking(world, xendit, caller, code):
    paid(xendit, code, 45_500, callback="missing")
    assert unallocated(caller) == []
    with world.later(minutes=16):
        until(lambda: static_codes_work() and came(caller))
    assert not Callback.objects.exists()
    assert StaticCode.objects.get().asked_at


def test_beyond_the_payments_that_are_listed_money_is_found_by_its_number_and_by_the_reference(
    world, xendit, caller, code
):
    xendit.post("settings", payments_listed=1)
    paid(xendit, code, 10_000)
    world.work_until(lambda: came(caller))
    paid(xendit, code, 20_000)
    world.work_until(lambda: came(caller, 2))
    paid(xendit, code, 30_000, callback="missing")
    with world.later(minutes=16):
        until(lambda: static_codes_work() and came(caller, 3))
    assert sorted(row["amount"] for row in unallocated(caller)) == [1_000_000, 2_000_000, 3_000_000]


def test_a_company_that_cannot_be_asked_just_now_is_asked_again(world, xendit, caller, code):
    for _ in range(3):
        xendit.trouble("500_before", "GET /qr_codes/*")
    paid(xendit, code, 45_500)
    [callback] = world.heard()
    assert unallocated(caller) == []
    assert callback.state == Callback.State.RECEIVED
    for seconds in (10, 20, 30, 40):
        with world.later(seconds=seconds):
            found = unallocated(caller)
    assert [row["amount"] for row in found] == [4_550_000]


def test_what_is_paid_on_it_can_be_made_a_payment_of_that_store_and_given_back(world, xendit, caller, store, code):
    paid(xendit, code, 45_500)
    [receipt] = world.work_until(lambda: came(caller))
    assigned = caller.post(f"unallocated-receipts/{receipt['id']}/assign", new_payment={"reference": "table 7"})
    payment = caller.get(f"payments/{assigned['payment']}")
    assert (payment["state"], payment["store"], payment["method"]) == ("succeeded", store, "qris")
    assert payment["captured_amount"] == 4_550_000
    assert caller.get("transactions", store=store)["data"][0]["id"] == payment["id"]

    refund = caller.post(f"payments/{payment['id']}/refunds", 201, amount=1_000_000)
    until(lambda: [entry["state"] for entry in xendit.entries("refund")] == ["succeeded"])
    with world.later(seconds=60):
        assert caller.get(f"refunds/{refund['id']}")["state"] == "succeeded"
    with world.later(days=9):
        work.drain("fees")
    assert Fee.objects.get().asked == 1
    assert attention() == []


def test_it_can_be_given_to_an_open_payment_at_the_same_account(world, xendit, caller, store, code):
    payment = caller.post("payments", 201, amount=4_550_000, currency="IDR", method="qris", store=store)
    paid(xendit, code, 45_500)
    [receipt] = world.work_until(lambda: came(caller))
    caller.post(f"unallocated-receipts/{receipt['id']}/assign", payment=payment["id"])
    assert caller.get(f"payments/{payment['id']}")["state"] == "succeeded"
    caller.refused(f"unallocated-receipts/{receipt['id']}/assign", 409, "conflict", new_payment={})


def test_a_code_of_another_account_is_not_paid_by_its_callback(world, shop, xendit, caller, code):
    """The token names the account: what another one calls its code is nobody's here (money.md 13)."""
    other = connected(shop, OTHER_BUSINESS)
    xendit.post("settings", webhook_url=doors.callback_url(other, "notifications"))
    paid(xendit, code, 45_500)
    world.heard()
    assert unallocated(caller) == []
    assert not Receipt.objects.exists()


def test_what_a_statement_shows_under_the_code_s_reference_is_of_its_store_too(store, account, code):
    row = StaticCode.objects.get()
    moved = MoneyMoved(ReceiptKind.CAPTURE, Money(4_550_000, "IDR"), "qrpy_listed")
    came_by = Because(by="reconciliation", source="reconciliation", detail="listed")
    for _ in range(2):
        booked = listing.take_in_listed(Arrived(account, moved, reference=row.provider_reference), came_by)
    assert (booked.store_id, booked.static_code) == (store, row)
    assert UnallocatedReceipt.objects.count() == 1
    assert attention() == []


def test_a_callback_that_is_processed_again_books_nothing_more(world, xendit, caller, code):
    paid(xendit, code, 45_500)
    [callback] = world.heard()
    [receipt] = world.work_until(lambda: came(caller))
    caller.post(f"unallocated-receipts/{receipt['id']}/assign", new_payment={})
    Callback.objects.filter(pk=callback.pk).update(state="received", due_at=callback.received_at)
    world.work()
    callback.refresh_from_db()
    assert callback.state == "processed"
    assert callback.subject.startswith("pay_")
    assert Receipt.objects.count() == 1


# Staff


def test_staff_see_a_code_with_what_came_on_it_and_may_ask_now(world, xendit, caller, code):
    paid(xendit, code, 45_500, callback="missing")
    row = StaticCode.objects.get()
    see = ("payments.view_staticcode", "payments.view_unallocatedreceipt")
    client = staff.signed_in(*see, "payments.ask_about_static_code")
    for shown in (client.get(staff.listing(row)).text, client.get(f"{staff.listing(row)}?q={row.store_id}").text):
        assert row.pk in shown
    client.post(staff.page(row, "ask_now"), {"reason": "a customer says so"})
    until(lambda: static_codes_work() and came(caller))
    receipt = UnallocatedReceipt.objects.get()
    assert receipt.pk in client.get(staff.page(row)).text
    listed = client.get(f"{staff.listing(receipt)}?store={row.store_id}").text
    assert receipt.pk in listed
    assert "Lunch counter" in listed
    assert staff.signed_in(*see, username="juma").post(staff.page(row, "ask_now"), {"reason": "x"}).status_code == 403


def test_what_the_company_shows_in_an_unknown_form_waits_for_a_person(world, xendit, shop, caller, store):
    account = connected(shop, payment_words={"SUCCEEDED": "unknown"})
    xendit.post("settings", webhook_url=doors.callback_url(account, "notifications"))
    code = make(caller, store, account)
    paid(xendit, code, 45_500)
    [callback] = world.heard()
    assert callback.state == Callback.State.PARKED
    assert (code["id"], "parked") in attention()
    assert unallocated(caller) == []


def test_a_code_of_which_nobody_could_tell_for_a_day_waits_for_a_person_until_somebody_can(world, xendit, code):
    xendit.trouble("500_before", "GET /qr_codes/*")
    with world.later(days=1, minutes=1):
        static_codes_work()
        assert attention() == [(code["id"], "unknown")]
    with world.later(days=1, minutes=20):
        static_codes_work()
    assert attention() == []


def test_a_code_that_has_ended_is_asked_about_for_some_days_and_then_only_by_a_person(world, xendit, caller, code):
    row = StaticCode.objects.get()
    StaticCode.objects.update(expires_at=row.created_at + timedelta(days=1))
    with world.later(days=7):
        static_codes_work()
        assert StaticCode.objects.get().due_at is not None
    with world.later(days=8, minutes=1):
        static_codes_work()
        row.refresh_from_db()
        assert row.due_at is None
        asked_at = row.asked_at
    with world.later(days=9):
        static_codes.ask_now(row.pk)
        static_codes_work()
        row.refresh_from_db()
        assert row.due_at is None
        assert row.asked_at > asked_at


def test_codes_are_asked_at_the_pace_that_their_adapter_declares(code):
    row = StaticCode.objects.get()
    assert row.due_at - row.created_at > timedelta(minutes=14)
