"""A code that does not fit its payment is shown to nobody, whichever provider gives it (money.md 14)."""

from dataclasses import fields

import pytest
from django.db import transaction

from core import qris
from core.money import Money
from events.models import Attention
from payments.models import Attempt, Operation, Payment
from payments.providers import REGISTRY
from payments.providers.base import Report, Word
from payments.services import booking, shown_codes
from payments.services.locking import lock_operation
from tests.payments.world import (
    Company,
    counters,
    operations_of,
    path_of,
    reaches,
)

pytestmark = pytest.mark.django_db(transaction=True)

CREATES = {
    "midtrans": "POST /v2/charge",
    "xendit": "POST /qr_codes",
    "ipaymu": "POST /api/v2/payment/direct",
    "bayarind": "POST /PaymentRegister",
}
CREDENTIALS = {
    "midtrans": {"server_key": "SB-Mid-server-lango-simulator"},
    "xendit": {"secret_key": "xnd_development_lango-simulator", "callback_token": "lango-simulator-callback-token"},
    "ipaymu": {"va": "1179000000000001", "api_key": "lango-simulator-ipaymu-key"},
    "bayarind": {"channel_id": "TOKOEXVA01", "secret_key": "0123456789abcdef0123456789abcdef"},
}
OPTIONS = {"bayarind": {"service_codes": {"qris": "9001"}}}
PAYER = {"name": "Siti", "email": "siti@example.test", "phone": "+6281200001111"}
SPOILED = {
    "code_checksum": "its checksum is not that of its text",
    "code_amount": "it asks for IDR 45,501.00, and the payment for IDR 45,500.00",
    "code_currency": "it is not for rupiah in Indonesia",
}
EVERYONE = sorted(CREATES)
CLOSES = ("midtrans", "bayarind")
"""Who lets us withdraw a code."""


def test_whoever_gives_codes_is_tried_here_and_lets_its_account_name_the_merchant():
    giving = [name for name in REGISTRY if any("qr" in way.next_actions for way in methods(name))]
    assert sorted(giving) == EVERYONE
    for name in giving:
        assert "qris_merchant" in {field.name for field in fields(REGISTRY[name].options_type)}


def methods(provider):
    return REGISTRY[provider].capabilities.methods.values()


@pytest.fixture
def at(world, companies):
    """`at(provider)` is its simulator, empty."""
    asked = {}

    def company(provider):
        if provider not in asked:
            asked[provider] = Company(companies.url(provider))
            asked[provider].post("reset")
            asked[provider].post("settings", trouble_seconds=0.15, callback_retries=[])
        return asked[provider]

    yield company
    for each in asked.values():
        each.post("reset")


def account(shop, provider, **options):
    priority = options.pop("priority", 100)
    options = OPTIONS.get(provider, {}) | options
    return shop.account(provider, CREDENTIALS[provider], options or None, priority=priority)


def pay(caller, **more):
    asked = {"amount": 4_550_000, "currency": "IDR", "method": "qris", "payer_details": PAYER}
    return caller.post("payments", 201, **asked | more)


def told(payment):
    """What the person reads who is asked to look."""
    return Attention.objects.get(subject=payment["id"], reason="parked").detail


@pytest.mark.parametrize("provider", EVERYONE)
@pytest.mark.parametrize("spoiled", sorted(SPOILED))
def test_a_code_that_does_not_fit_fails_the_payment_and_a_person_is_told(at, shop, caller, provider, spoiled):
    account(shop, provider)
    at(provider).trouble(spoiled, CREATES[provider])
    payment = pay(caller)
    assert (payment["state"], payment["next_action"]) == ("failed", None)
    assert payment["failure"]["code"] == "provider_error"
    assert payment["attempts"][0]["failure"]["message"] == shown_codes.WITHHELD.message
    assert told(payment) == f"{provider} gave a code that is shown to nobody: {SPOILED[spoiled]}"
    closed = [("create", "succeeded"), ("cancel", "succeeded")] if provider in CLOSES else [("create", "succeeded")]
    assert operations_of(payment) == closed
    assert counters(payment) == (0, 0, 0)


@pytest.mark.parametrize("provider", EVERYONE)
def test_an_account_that_names_its_merchant_shows_no_code_of_another(at, shop, caller, provider):
    name = "  toko   CONTOH " if provider == "ipaymu" else "  warung   CONTOH "
    account(shop, provider, qris_merchant=name)
    at(provider).trouble("code_merchant", CREATES[provider])
    refused = pay(caller)
    assert (refused["state"], refused["next_action"]) == ("failed", None)
    assert f"it pays 'TOKO LAIN' (ID1099999999999), and the account expects {name!r}" in told(refused)
    assert pay(caller)["next_action"]["type"] == "qr"


@pytest.mark.parametrize(("provider", "state"), [("ipaymu", "failed"), ("midtrans", "processing")])
def test_a_code_of_which_only_a_question_tells_is_compared_too(world, at, shop, caller, provider, state):
    """Where it can be withdrawn, the payment waits for that; elsewhere nobody can pay by it, and it is over."""
    account(shop, provider)
    at(provider).trouble("timeout_after", CREATES[provider])
    payment = pay(caller)
    assert (payment["state"], payment["next_action"]) == ("processing", None)
    asked = Report(Word.REQUIRES_ACTION, "123", next_action={"type": "qr", "qr_string": "00020101"})
    with transaction.atomic():
        operation = lock_operation(Operation.objects.get(attempt__payment=payment["id"]))
        booking.apply_to_attempt(operation.attempt, asked, booking.Because("resolver", "query"))
    found = caller.get(f"payments/{payment['id']}")
    assert (found["state"], found["next_action"]) == (state, None)
    assert "it does not end with a checksum" in told(payment)
    queued = Operation.objects.filter(attempt__payment=payment["id"], kind="cancel").count()
    assert queued == (1 if provider in CLOSES else 0)


def test_a_merchant_may_be_named_by_its_national_number_and_without_one_is_not_compared(at, shop, caller):
    first = account(shop, "midtrans")
    at("midtrans").trouble("code_merchant", CREATES["midtrans"])
    other = qris.parse(pay(caller)["next_action"]["qr_string"])
    assert (other.merchant, other.national_id) == ("TOKO LAIN", "ID1099999999999")

    first.options = {"qris_merchant": "ID1099999999999"}
    first.revision += 1
    first.save()
    assert pay(caller)["state"] == "failed"
    at("midtrans").trouble("code_merchant", CREATES["midtrans"])
    assert pay(caller)["state"] == "requires_action"


def test_the_next_account_shows_its_code_instead_and_what_was_made_at_the_first_is_closed(world, at, shop, caller):
    first, second = account(shop, "midtrans", priority=1), account(shop, "ipaymu", priority=2)
    at("midtrans").trouble("code_amount", CREATES["midtrans"])
    at("ipaymu")
    payment = pay(caller)
    tried = [(attempt["account"], attempt["state"]) for attempt in payment["attempts"]]
    assert tried == [(first.pk, "failed"), (second.pk, "open")]
    assert payment["failure"] is None
    assert qris.parse(payment["next_action"]["qr_string"]).amount == Money(4_550_000, "IDR")
    assert "45,501.00" in told(payment)

    world.work_until(lambda: ("cancel", "succeeded") in operations_of(payment))
    assert [entry["state"] for entry in at("midtrans").entries()] == ["cancel"]
    assert caller.get(f"payments/{payment['id']}")["state"] == "requires_action"

    at("ipaymu").simulate(payment, "approve")
    paid = reaches(shop, payment, "succeeded")
    assert counters(paid) == (4_550_000, 0, 0)
    assert path_of(payment) == ["created", "requires_action", "succeeded"]


def test_money_that_comes_for_a_code_that_was_withheld_is_booked(world, at, shop, caller):
    account(shop, "ipaymu")
    at("ipaymu").trouble("code_amount", CREATES["ipaymu"])
    payment = pay(caller)
    assert payment["state"] == "failed"
    at("ipaymu").simulate(payment, "approve")
    paid = reaches(shop, payment, "succeeded")
    assert (paid["late"], counters(paid)) == (True, (4_550_000, 0, 0))


def test_what_test_keys_of_a_provider_get_need_not_be_a_code_and_live_ones_do(at, shop, caller):
    account(shop, "xendit")
    at("xendit")
    pay(caller)
    attempt = Attempt.objects.select_related("payment", "account").get()
    attempt.payment.next_action = None
    sample = Report(Word.REQUIRES_ACTION, next_action={"type": "qr", "qr_string": "some-random-qr-string"})
    assert shown_codes.checked(attempt, sample) == sample
    attempt.livemode = True
    assert shown_codes.checked(attempt, sample).withheld == "it does not end with a checksum"


def test_a_code_that_is_shown_stays_when_something_else_is_told_later(at, shop, caller):
    account(shop, "midtrans")
    payment = pay(caller)
    attempt = Attempt.objects.select_related("payment", "account").get(payment=payment["id"])
    later = Report(Word.REQUIRES_ACTION, next_action={"type": "qr", "qr_string": "00020101"})
    assert shown_codes.checked(attempt, later) == Report(Word.REQUIRES_ACTION)
    attempt.payment = Payment(amount=4_550_000, currency="IDR", method="qris")
    assert shown_codes.checked(attempt, later).withheld == "it does not end with a checksum"


def test_a_static_code_a_tip_and_a_text_beyond_measure_are_no_code_for_a_payment(at, shop, caller):
    account(shop, "midtrans")
    shown = pay(caller)["next_action"]["qr_string"]
    attempt = Attempt.objects.select_related("payment", "account").get()
    attempt.payment.next_action = None

    def withheld(text):
        return shown_codes.checked(
            attempt, Report(Word.PENDING, next_action={"type": "qr", "qr_string": text})
        ).withheld

    def again(text):
        return text + qris.checksum(text)

    without = shown[:-4].replace("540545500", "")
    tipped = shown[:-8].replace("5802ID", "5502015802ID") + "6304"
    assert withheld(shown) == ""
    assert withheld(again(without)) == "it asks for no amount, and the payment for IDR 45,500.00"
    assert withheld(again(tipped)) == "it asks for a tip on top"
    assert withheld("0" * 513) == "it is longer than any code"
