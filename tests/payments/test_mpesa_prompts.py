"""M-Pesa prompts from the API call to the money, with everything that a payer can do."""

import pytest

from events.models import Callback, IdempotencyKey
from payments.models import Overpayment, Payment
from tests.payments.world import (
    MPESA,
    PHONE,
    SECOND_APP,
    attention,
    counters,
    events_of,
    nothing_was_written,
    operation,
    operations_of,
    path_of,
    reaches,
    receipts_of,
    until,
)

pytestmark = pytest.mark.django_db(transaction=True)

PUSH = "POST /mpesa/stkpush/v1/processrequest"
RESULTS = {
    "1": "insufficient_funds",
    "2": "limit_exceeded",
    "3": "limit_exceeded",
    "4": "limit_exceeded",
    "8": "provider_configuration",
    "17": "duplicate",
    "26": "provider_unavailable",
    "1001": "payer_busy",
    "1019": "timed_out",
    "1025": "provider_error",
    "1032": "cancelled_by_payer",
    "1036": "payer_unreachable",
    "1037": "payer_unreachable",
    "2001": "authentication_failed",
    "2028": "provider_configuration",
    "8006": "authentication_failed",
    "9999": "provider_error",
    "SFC_IC0003": "provider_configuration",
}


def test_it_takes_a_payment_that_the_payer_approves(world, shop, caller):
    payment = caller.prompt(reference="order-1", description="Two chairs")

    assert payment["state"] == "requires_action"
    assert payment["next_action"] == {"type": "prompt"}
    assert payment["payer"] == "2547•••111"
    assert counters(payment) == (0, 0, 0)

    world.mpesa.simulate(payment, "approve")
    paid = reaches(shop, payment, "succeeded")

    [entry] = world.mpesa.entries()
    assert (entry["state"], entry["amount"]) == ("paid", 250)
    assert entry["reference"] == payment["attempts"][0]["provider_reference"]
    assert paid["captured_amount"] == 25_000
    assert (paid["next_action"], paid["failure"], paid["late"], paid["underpaid"]) == (None, None, False, False)
    assert (paid["attempts"][0]["state"], paid["attempts"][0]["provider_id"]) == ("succeeded", entry["id"])
    assert receipts_of(payment) == [("capture", 25_000, entry["receipt"])]
    assert path_of(payment) == ["created", "requires_action", "succeeded"]
    assert path_of(paid["attempts"][0]) == ["open", "succeeded"]
    assert events_of(payment) == ["payment.requires_action", "payment.succeeded"]
    assert operations_of(payment) == [("create", "succeeded")]
    assert operation(payment).due_at is None
    assert attention() == []
    assert world.mpesa.calls(PUSH) == 1


def test_it_takes_a_payment_to_a_till(world, shop):
    till = world.shop("Till")
    options = world.mpesa_options(shortcode="600333", till="600222")
    till.account("mpesa", MPESA | SECOND_APP | {"passkey": "lango-simulator-passkey-600333"}, options)

    payment = till.api.prompt()
    world.mpesa.simulate(payment, "approve")

    assert reaches(till, payment, "succeeded")["captured_amount"] == 25_000
    [entry] = world.mpesa.entries()
    assert (entry["state"], entry["account"], entry["amount"]) == ("paid", "600333", 250)


def test_every_result_of_a_prompt_that_was_not_paid_is_named(world, shop, caller):
    payments = {code: caller.prompt(phone=f"2547110{place:05}") for place, code in enumerate(RESULTS)}
    for code, payment in payments.items():
        world.mpesa.simulate(payment, code)
    world.heard(len(RESULTS))

    for code, payment in payments.items():
        shown = reaches(shop, payment, "failed")
        assert shown["failure"]["code"] == RESULTS[code], code
        assert shown["failure"]["message"]
        assert shown["attempts"][0]["state"] == "failed"
        assert shown["attempts"][0]["provider_status"] == code
        assert counters(payment) == (0, 0, 0)
        assert events_of(payment) == ["payment.requires_action", "payment.failed"]
        assert receipts_of(payment) == []
        assert operation(payment).due_at is None
    assert {entry["state"] for entry in world.mpesa.entries()} == {"failed"}
    assert attention() == []


def test_a_result_that_the_sheet_does_not_know_parks_the_payment(world, shop, caller):
    payment = caller.prompt()
    world.mpesa.simulate(payment, "15")
    world.heard(1)

    assert caller.get(f"payments/{payment['id']}")["state"] == "processing"
    assert (payment["id"], "parked") in attention()
    assert counters(payment) == (0, 0, 0)


def test_a_callback_that_never_comes_is_replaced_by_our_question(world, shop, caller):
    payment = caller.prompt()
    world.mpesa.simulate(payment, "approve", callback="missing")

    world.work()
    assert caller.get(f"payments/{payment['id']}")["state"] == "requires_action"
    with world.later(seconds=13):
        paid = caller.get(f"payments/{payment['id']}")

    assert (paid["state"], paid["captured_amount"]) == ("succeeded", 25_000)
    assert receipts_of(payment) == [("capture", 25_000, None)]
    assert Callback.objects.count() == 0
    assert world.mpesa.calls("POST /mpesa/stkpushquery/v1/query") == 1


def test_a_pending_receipt_is_filled_by_the_callback_that_comes_after_the_query(world, shop, caller):
    world.mpesa.post("settings", callback_late_seconds=1.0)
    payment = caller.prompt()
    world.mpesa.simulate(payment, "approve", callback="late")
    with world.later(seconds=13):
        assert receipts_of(payment) == [("capture", 25_000, None)]
    problem = caller.refused(f"payments/{payment['id']}/refunds", 409, "not_refundable")
    assert "receipt" in problem["detail"]

    world.heard(1)

    [entry] = world.mpesa.entries()
    assert receipts_of(payment) == [("capture", 25_000, entry["receipt"])]
    assert counters(payment) == (25_000, 0, 0)
    assert events_of(payment) == ["payment.requires_action", "payment.succeeded"]


def test_a_prompt_that_still_waits_is_asked_about_again_and_then_expires(world, shop, caller):
    payment = caller.prompt()
    for seconds in (13, 21, 36, 61, 91, 121, 181):
        with world.later(seconds=seconds):
            assert caller.get(f"payments/{payment['id']}")["state"] == "requires_action"
    assert world.mpesa.calls("POST /mpesa/stkpushquery/v1/query") == 7

    with world.later(seconds=301):
        expired = caller.get(f"payments/{payment['id']}")

    assert (expired["state"], expired["next_action"], expired["failure"]) == ("expired", None, None)
    assert events_of(payment) == ["payment.requires_action", "payment.expired"]
    assert operation(payment).due_at is None


@pytest.mark.parametrize("shape", ["current", "legacy"])
def test_both_ways_of_saying_that_the_payer_has_not_answered_mean_waiting(world, shop, caller, shape):
    world.mpesa.post("settings", pending_shape=shape)
    payment = caller.prompt()

    with world.later(seconds=13):
        assert caller.get(f"payments/{payment['id']}")["state"] == "requires_action"
    assert operation(payment).asked == 1
    assert attention() == []


def test_a_duplicate_callback_changes_nothing(world, shop, caller):
    payment = caller.prompt()
    world.mpesa.simulate(payment, "approve", callback="duplicate")
    reaches(shop, payment, "succeeded")
    until(lambda: len(world.mpesa.callbacks()) == 2)
    world.work()

    [entry] = world.mpesa.entries()
    assert receipts_of(payment) == [("capture", 25_000, entry["receipt"])]
    assert counters(payment) == (25_000, 0, 0)
    assert events_of(payment) == ["payment.requires_action", "payment.succeeded"]
    assert Callback.objects.count() == 1


def test_money_that_comes_after_1037_is_late(world, shop, caller):
    payment = caller.prompt()
    world.mpesa.simulate(payment, "timeout")
    assert reaches(shop, payment, "failed")["failure"]["code"] == "payer_unreachable"

    world.mpesa.simulate(payment, "late_success")
    paid = reaches(shop, payment, "succeeded")

    assert (paid["late"], paid["captured_amount"], paid["failure"]) == (True, 25_000, None)
    assert paid["attempts"][0]["state"] == "succeeded"
    assert events_of(payment) == ["payment.requires_action", "payment.failed", "payment.succeeded"]
    [entry] = world.mpesa.entries()
    assert receipts_of(payment) == [("capture", 25_000, entry["receipt"])]


def test_money_that_comes_after_expiry_is_late(world, shop, caller):
    payment = caller.prompt()
    with world.later(seconds=301):
        assert caller.get(f"payments/{payment['id']}")["state"] == "expired"

    world.mpesa.simulate(payment, "approve")
    paid = reaches(shop, payment, "succeeded")

    assert (paid["late"], paid["captured_amount"]) == (True, 25_000)
    assert path_of(payment) == ["created", "requires_action", "expired", "succeeded"]


@pytest.mark.parametrize("told", ["under", "over"])
def test_another_amount_than_was_asked_is_not_believed_for_a_callbacks_word(world, shop, caller, told):
    """The query confirms the prompt, which was for the sum that was asked; of the callback's sum a person is told."""
    payment = caller.prompt()
    world.mpesa.simulate(payment, "approve", callback=told)
    paid = reaches(shop, payment, "succeeded")

    assert (paid["captured_amount"], paid["underpaid"]) == (25_000, False)
    assert receipts_of(payment) == [("capture", 25_000, None)]
    [callback] = world.heard(1)
    assert (callback.state, attention()) == ("parked", [(callback.pk, "parked")])
    assert not Overpayment.objects.exists()


def test_a_second_prompt_on_the_same_phone_is_refused_and_binds_nothing(world, shop, caller):
    first = caller.prompt()
    body = {"amount": 30_000, "currency": "KES", "method": "mpesa", "phone": "0711 000 111"}

    problem = caller.refused("payments", 409, "prompt_open", key="second", **body)

    assert problem["param"] == "/phone"
    assert PHONE not in problem["detail"]
    assert (Payment.objects.count(), IdempotencyKey.objects.count()) == (1, 1)
    assert world.mpesa.calls(PUSH) == 1
    world.mpesa.simulate(first, "decline")
    reaches(shop, first, "failed")
    assert caller.post("payments", 201, key="second", **body)["state"] == "requires_action"


def test_a_prompt_is_open_for_one_account_only_and_the_company_says_the_rest(world, shop, caller, other_shop):
    caller.prompt()

    busy = other_shop.api.prompt()

    assert (busy["state"], busy["failure"]["code"]) == ("failed", "payer_busy")
    assert len(world.mpesa.entries()) == 1
    assert caller.prompt(phone="254711000112")["state"] == "requires_action"


@pytest.mark.parametrize("amount", [1, 99, 25_050, 25_000_001, 25_000_100])
def test_an_amount_that_mpesa_cannot_carry_is_refused_before_any_call(world, shop, caller, amount):
    body = {"amount": amount, "currency": "KES", "method": "mpesa", "phone": PHONE}

    problem = caller.refused("payments", 400, "amount_not_representable", **body)

    assert problem["param"] == "/amount"
    assert nothing_was_written()
    assert world.mpesa.ledger() == {"entries": [], "calls": {}}


@pytest.mark.parametrize(
    "phone", ["", "254611000111", "25471100011", "2547110001112", "+1 202 555 0100", "phone", "٢٥٤٧١١٠٠٠١١١"]
)
def test_a_phone_that_is_not_kenyan_is_refused(world, shop, caller, phone):
    body = {"amount": 25_000, "currency": "KES", "method": "mpesa", "phone": phone}

    problem = caller.refused("payments", 400, "invalid_request", **body)

    assert problem["param"] == "/phone"
    assert not phone or phone not in problem["detail"]
    assert nothing_was_written()


def test_a_phone_is_taken_in_every_usual_spelling(world, shop, caller):
    for place, spelling in enumerate(["+254 711 000 201", "0711-000-202", "711000203", "0110 000 204"]):
        payment = caller.prompt(phone=spelling)
        assert payment["payer"] == ("2541•••204" if place == 3 else f"2547•••20{place + 1}")


def test_mpesa_takes_no_other_currency_and_needs_a_phone(world, shop, caller):
    caller.refused("payments", 400, "no_provider_available", amount=25_000, currency="USD", method="mpesa", phone=PHONE)
    problem = caller.refused("payments", 400, "invalid_request", amount=25_000, currency="KES", method="mpesa")

    assert problem["param"] == "/phone"
    assert nothing_was_written()


def test_a_wrong_passkey_fails_the_payment_as_a_configuration(world, caller):
    wrong = world.shop("Wrong")
    wrong.account("mpesa", MPESA | SECOND_APP | {"passkey": "not-the-passkey"}, world.mpesa_options())

    payment = wrong.api.prompt()

    assert (payment["state"], payment["failure"]["code"]) == ("failed", "provider_configuration")
    assert world.mpesa.entries() == []
    assert events_of(payment) == ["payment.failed"]


def test_a_prompt_cannot_be_cancelled(world, shop, caller):
    payment = caller.prompt()

    caller.refused(f"payments/{payment['id']}/cancel", 409, "not_cancellable")
    caller.refused(f"payments/{payment['id']}/capture", 409, "not_capturable")

    assert caller.get(f"payments/{payment['id']}")["state"] == "requires_action"
    assert operations_of(payment) == [("create", "succeeded")]
