"""Staff's pages of money coming in."""

from datetime import timedelta

import pytest
from django.utils.html import escape

from core import clock, ids
from events import attention, audit
from events.models import Attention
from events.transitions import lock, move
from ledger.models import Transfer
from payments.models import Operation, Payment, SavedMethod
from payments.states import OperationState, PaymentState
from tests import staff
from tests.factories import (
    MPESA_CREDENTIALS,
    STRIPE_CREDENTIALS,
    AttemptFactory,
    CallbackFactory,
    DeliveryFactory,
    DisputeFactory,
    EventFactory,
    OperationFactory,
    PaymentFactory,
    ReceiptFactory,
    RefundFactory,
    SavedMethodFactory,
    StoreFactory,
)

pytestmark = pytest.mark.django_db
MAY = ("payments.view_payment", "payments.view_operation", "payments.view_refund", "payments.view_dispute")
PHONE = "254708374149"


def underpaid():
    payment = PaymentFactory(underpaid=True, captured_amount=900)
    AttemptFactory(payment=payment)
    return payment


@pytest.mark.parametrize("make", [PaymentFactory, RefundFactory, DisputeFactory, OperationFactory])
def test_list_and_page_show_the_row(make):
    row = make()
    client = staff.signed_in(*MAY)
    assert row.pk in client.get(staff.listing(row)).text
    shown = client.get(staff.page(row))
    assert shown.status_code == 200
    assert str(row.money) in shown.text


@pytest.mark.parametrize("make", [PaymentFactory, RefundFactory])
def test_a_list_is_narrowed_to_one_store_and_searched_by_it(make):
    store = StoreFactory(name="Lunch counter")
    payment = PaymentFactory(merchant=store.merchant, store=store)
    mine = payment if make is PaymentFactory else RefundFactory(attempt__payment=payment)
    other = make()
    client = staff.signed_in(*MAY)
    everything = client.get(staff.listing(mine)).text
    assert "Lunch counter" in everything
    assert other.pk in everything
    for narrowed in (f"?store={store.pk}", f"?q={store.pk}"):
        shown = client.get(staff.listing(mine) + narrowed).text
        assert mine.pk in shown
        assert other.pk not in shown
    assert staff.page(store) in client.get(staff.page(mine)).text


def test_one_timeline_tells_everything_in_order():
    payment = PaymentFactory()
    attempt = AttemptFactory(payment=payment)
    operation = OperationFactory(attempt=attempt)
    callback = CallbackFactory(provider_account=attempt.account, subject=payment.pk, note="asked", state="processed")
    delivery = DeliveryFactory(event=EventFactory(about=payment, sequence=9))
    ReceiptFactory(attempt=attempt, provider_money_id="ch_told")
    audit.record(actor="key_1", action="api.accepted", merchant=payment.merchant_id, object_id=payment.pk)
    move(lock(payment), PaymentState.SUCCEEDED, by="stripe", because="told by callback")

    shown = staff.signed_in(*MAY).get(staff.page(payment)).text
    history = shown[shown.index("History") :]
    told = [
        escape(f"create USD 12.50 at {attempt.account}: unknown"),
        "stripe at the door events: processed",
        f"payment.succeeded: {delivery.state}",
        "ch_told",
        "api.accepted by key_1",
        "payment: processing → succeeded",
    ]
    places = [history.index(words) for words in told]
    assert places == sorted(places)
    assert staff.page(operation) in history
    assert staff.page(callback) in history
    assert staff.page(delivery) in history


def test_a_callback_that_names_only_the_operation_stands_on_the_timeline_too():
    operation = OperationFactory()
    CallbackFactory(
        provider_account=operation.attempt.account, operation=operation.pk, state="parked", note="odd words"
    )
    shown = staff.signed_in(*MAY).get(staff.page(operation.attempt.payment)).text
    assert "odd words" in shown


def test_a_list_takes_as_many_queries_for_25_rows_as_for_one():
    client = staff.signed_in(superuser=True)
    for make in (PaymentFactory, RefundFactory, DisputeFactory, OperationFactory, SavedMethodFactory):
        row = make()
        few = staff.queries(client, staff.listing(row))
        make.create_batch(24)
        assert staff.queries(client, staff.listing(row)) == few
        type(row).objects.all().delete()


@pytest.mark.parametrize("make", [PaymentFactory, RefundFactory, DisputeFactory, OperationFactory])
def test_money_cannot_be_added_changed_or_deleted(make):
    row = make()
    client = staff.signed_in(superuser=True)
    before = type(row).objects.values().get(pk=row.pk)
    assert client.get(staff.adding(row)).status_code == 403
    assert client.post(staff.page(row), {"amount": 1, "state": "succeeded"}).status_code == 403
    assert client.post(staff.page(row, "delete"), {"post": "yes"}).status_code == 403
    assert type(row).objects.values().get(pk=row.pk) == before


@pytest.mark.parametrize(
    "word", ["id", "reference", "provider_reference", "provider_id", "receipt", "attempt", "merchant"]
)
def test_a_payment_is_found_by_any_exact_word(word):
    attempt = AttemptFactory(payment__reference="invoice 77")
    receipt = ReceiptFactory(attempt=attempt)
    other = PaymentFactory()
    words = {
        "id": attempt.payment_id,
        "reference": "invoice 77",
        "provider_reference": attempt.provider_reference,
        "provider_id": attempt.provider_id,
        "receipt": receipt.provider_money_id,
        "attempt": attempt.pk,
        "merchant": attempt.merchant_id,
    }
    found = staff.signed_in(*MAY).get(staff.listing(Payment), {"q": words[word]}).text
    assert attempt.payment_id in found
    assert other.pk not in found


def test_it_filters_by_state():
    shown, hidden = PaymentFactory(state="failed"), PaymentFactory()
    found = staff.signed_in(*MAY).get(staff.listing(Payment), {"state__exact": "failed"}).text
    assert shown.pk in found
    assert hidden.pk not in found


def test_accepting_an_underpaid_payment_needs_a_reason_and_is_recorded():
    payment = underpaid()
    client = staff.signed_in(*MAY, "payments.act_on_payment")
    assert "Accept underpaid" in client.get(staff.page(payment)).text

    asked = client.post(staff.page(payment, "accept_underpaid"), {"reason": ""})
    assert asked.status_code == 200
    assert Payment.objects.get(pk=payment.pk).state == PaymentState.PROCESSING

    client.post(staff.page(payment, "accept_underpaid"), {"reason": "the merchant agreed by phone"})
    accepted = Payment.objects.get(pk=payment.pk)
    assert (accepted.state, accepted.underpaid) == (PaymentState.SUCCEEDED, False)
    assert staff.recorded(payment) == [
        ("staff:amina", "payment.accept_underpaid", {"reason": "the merchant agreed by phone"})
    ]


def test_a_refused_action_changes_nothing_and_is_recorded():
    payment = PaymentFactory(underpaid=True, captured_amount=0)
    AttemptFactory(payment=payment)
    client = staff.signed_in(*MAY, "payments.act_on_payment")
    answer = client.post(staff.page(payment, "accept_underpaid"), {"reason": "why not"}, follow=True)
    assert "is not underpaid" in answer.text
    assert Payment.objects.get(pk=payment.pk).state == PaymentState.PROCESSING
    assert staff.recorded(payment) == [
        ("staff:amina", "payment.accept_underpaid", {"reason": "why not", "refused": "conflict"})
    ]


def test_without_the_permission_there_is_no_action_and_none_is_taken():
    payment = underpaid()
    client = staff.signed_in(*MAY)
    assert "Accept underpaid" not in client.get(staff.page(payment)).text
    assert client.post(staff.page(payment, "accept_underpaid"), {"reason": "I want to"}).status_code == 403
    assert Payment.objects.get(pk=payment.pk).state == PaymentState.PROCESSING
    assert staff.recorded(payment) == [("staff:amina", "payment.accept_underpaid", {"refused": "permission"})]


def test_an_action_that_does_not_fit_the_row_is_not_offered_and_not_taken():
    payment = PaymentFactory(state="succeeded")
    client = staff.signed_in(*MAY, "payments.act_on_payment")
    assert "Accept underpaid" not in client.get(staff.page(payment)).text
    assert client.post(staff.page(payment, "accept_underpaid"), {"reason": "again"}).status_code == 302
    assert staff.recorded(payment) == []


@pytest.mark.parametrize("through", ["payment", "operation"])
def test_ask_now_makes_the_open_operations_due(through):
    operation = OperationFactory(state=OperationState.UNKNOWN, due_at="2999-01-01T00:00:00Z")
    row = operation if through == "operation" else operation.attempt.payment
    client = staff.signed_in(*MAY, "payments.act_on_payment")
    client.post(staff.page(row, "ask_now"), {"reason": "the payer is waiting"})
    assert Operation.objects.get(pk=operation.pk).due_at.year < 2999
    assert staff.recorded(row)[0][2] == {"reason": "the payer is waiting"}


def test_what_was_handed_to_a_person_can_be_asked_about_again():
    operation = OperationFactory(state=OperationState.UNKNOWN, due_at=None, asked=7)
    settled = OperationFactory(attempt=operation.attempt, state=OperationState.FAILED, kind="cancel", asked=1)
    client = staff.signed_in(*MAY, "payments.act_on_payment")
    client.post(staff.page(operation.attempt.payment, "ask_now"), {"reason": "they are back"})
    assert Operation.objects.get(pk=operation.pk).due_at is not None
    assert Operation.objects.get(pk=settled.pk).due_at is None


def test_nobody_outside_the_staff_sees_anything(client):
    payment = PaymentFactory()
    assert client.get(staff.page(payment)).status_code == 302
    assert client.post(staff.page(payment, "ask_now"), {"reason": "x"}).status_code == 302
    assert staff.recorded(payment) == []


def test_no_page_shows_a_secret_or_a_phone():
    payment = PaymentFactory(
        instrument=PHONE, state="succeeded", next_action={"type": "redirect", "url": "https://3ds"}
    )
    attempt = AttemptFactory(payment=payment, account__mpesa=True)
    operation = OperationFactory(attempt=attempt)
    refund = RefundFactory(attempt=attempt, payment=payment)
    callback = CallbackFactory(provider_account=attempt.account, subject=payment.pk)
    client = staff.signed_in(superuser=True)
    rows = [payment, operation, refund, callback, attempt.account, attempt.merchant]
    paths = [path for row in rows for path in (staff.page(row), staff.listing(row))]
    everything = "".join(client.get(path).text for path in [*paths, "/admin/"])
    assert "2547•••149" in everything
    for secret in (PHONE, "https://3ds", *_texts(STRIPE_CREDENTIALS), *_texts(MPESA_CREDENTIALS)):
        assert secret not in everything


def _texts(credentials):
    return [text for value in credentials.values() for text in (value if isinstance(value, list) else [value])]


def test_the_first_page_counts_what_waits_and_what_came_in_today():
    payment = PaymentFactory(state="succeeded", amount=125000, currency="KES")
    PaymentFactory(state="succeeded", amount=5000, currency="KES", merchant=payment.merchant)
    attention.raise_for(payment, Attention.Reason.OVERPAID, "KES 1.00 too much")
    shown = staff.signed_in(superuser=True).get("/admin/").text
    assert "KES 1,300.00" in shown
    assert "more money than was asked" in shown


def test_the_first_page_leaves_out_what_came_before_midnight():
    midnight = clock.now().replace(hour=0, minute=0, second=0, microsecond=0)
    earlier = midnight - timedelta(seconds=1)
    PaymentFactory(id=ids.first_id("pay", earlier), created_at=earlier, amount=77700)
    PaymentFactory(id=ids.first_id("pay", midnight), created_at=midnight, amount=55500)
    shown = staff.signed_in(superuser=True).get("/admin/").text
    assert "USD 555.00" in shown
    assert "777" not in shown


def test_the_first_page_shows_nothing_to_those_who_may_see_nothing():
    PaymentFactory(amount=125000, currency="KES")
    shown = staff.signed_in().get("/admin/").text
    assert "KES" not in shown
    assert "Payments" not in shown


# Settlements


def captured(**more):
    payment = PaymentFactory(state=PaymentState.SUCCEEDED, **more)
    ReceiptFactory(attempt=AttemptFactory(payment=payment), amount=payment.captured_amount)
    return payment


SETTLED = {"reference": "po_1", "date": "2026-11-23", "reason": "the bank shows it"}


def test_staff_record_that_a_payment_was_settled_and_the_books_follow():
    payment = captured(fee_amount=50, net_amount=1200, settlement_currency="USD", fee_is_final=True)
    client = staff.signed_in(*MAY, "payments.settle_payment")
    client.post(staff.page(payment, "settle"), SETTLED)
    payment.refresh_from_db()
    assert (payment.is_settled, payment.settlement_reference, str(payment.settles_on)) == (True, "po_1", "2026-11-23")
    posted = Transfer.objects.get(cause=payment.pk)
    assert (posted.fact, posted.entries.get(amount__gt=0).amount) == ("payment_settled", 1200)
    assert staff.recorded(payment) == [("staff:amina", "payment.settle", {"reason": "the bank shows it"})]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"reference": ""}, "This field is required"),
        ({"date": "soon"}, "Enter a valid date"),
        ({"reason": ""}, "This field is required"),
    ],
)
def test_a_settlement_without_its_reference_day_or_reason_changes_nothing(given, said):
    payment = captured()
    answer = staff.signed_in(*MAY, "payments.settle_payment").post(staff.page(payment, "settle"), SETTLED | given)
    assert said in answer.text
    assert not Transfer.objects.exists()


def test_a_payment_whose_fee_is_only_expected_is_not_settled():
    payment = captured(fee_amount=50, net_amount=1200, settlement_currency="USD", fee_is_final=False)
    client = staff.signed_in(*MAY, "payments.settle_payment")
    answer = client.post(staff.page(payment, "settle"), SETTLED, follow=True)
    assert "only expected" in answer.text
    assert not Transfer.objects.exists()


def test_settling_takes_its_own_permission():
    payment = captured()
    client = staff.signed_in(*MAY, "payments.act_on_payment")
    assert client.post(staff.page(payment, "settle"), SETTLED).status_code == 403


def test_a_saved_method_is_found_by_its_words_and_stands_on_its_customers_page():
    saved = SavedMethodFactory()
    other = SavedMethodFactory()
    client = staff.signed_in(superuser=True)
    for word in (saved.pk, saved.customer_id, saved.provider_id, saved.merchant_id):
        found = client.get(staff.listing(SavedMethod), {"q": word}).text
        assert saved.pk in found
        assert other.pk not in found
    page = client.get(staff.page(saved)).text
    assert "visa 4242" in page
    assert "08/2030" in page
    assert staff.page(saved) in client.get(staff.page(saved.customer)).text


def test_staff_detach_a_saved_method_with_a_reason():
    saved = SavedMethodFactory()
    client = staff.signed_in("payments.view_savedmethod", "payments.act_on_saved_method")
    client.post(staff.page(saved, "detach"), {"reason": "the customer asked"})
    row = SavedMethod.objects.get(pk=saved.pk)
    assert (row.state, row.is_usable) == ("detached", False)
    assert row.due_at is not None
    assert staff.recorded(saved) == [("staff:amina", "savedmethod.detach", {"reason": "the customer asked"})]
