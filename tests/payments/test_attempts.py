"""A payment of several attempts: what is said of an earlier one, and what becomes of it (money.md 3, 14)."""

import pytest
from django.db import transaction

from core.money import Money
from events.models import Attention
from payments.models import Attempt, Operation, Overpayment, Payment
from payments.providers.base import Failure, FailureCode, MoneyMoved, ReceiptKind, Report, Word
from payments.services import booking
from payments.services.booking import Because
from payments.services.locking import lock_attempt
from tests import factories

pytestmark = pytest.mark.django_db(transaction=True)

BECAUSE = Because(by="tests", source="callback")
ACTION = {"type": "redirect", "url": "https://bank.example/new"}


@pytest.fixture
def attempts(world, shop):
    """An open payment at Stripe whose first attempt has failed and whose second waits for the payer."""
    payment = factories.PaymentFactory(
        merchant=shop.merchant, amount=1250, currency="USD", state="requires_action", next_action=ACTION
    )
    return [
        factories.AttemptFactory(
            payment=payment,
            merchant=shop.merchant,
            account=shop.stripe,
            state=state,
            asked_amount=1250,
            provider_reference=f"reference{state}",
            provider_id=f"pi_{state}",
        )
        for state in ("failed", "open")
    ]


def say(attempt, report):
    with transaction.atomic():
        booking.apply_to_attempt(lock_attempt(attempt), report, BECAUSE)


def paid(money_id):
    return Report(Word.SUCCEEDED, moved=(MoneyMoved(ReceiptKind.CAPTURE, Money(1250, "USD"), money_id),))


def closing(attempt):
    return list(Operation.objects.filter(attempt=attempt).values_list("kind", "state"))


DECLINED = Failure(FailureCode.DECLINED, "No.")
OVER = [
    Report(Word.FAILED, failure=DECLINED),
    Report(Word.CANCELLED),
    Report(Word.EXPIRED),
]
STILL_THERE = [
    Report(Word.PENDING),
    Report(Word.REQUIRES_ACTION, next_action={"type": "redirect", "url": "https://bank.example/old"}),
    Report(Word.AUTHORIZED, authorized=Money(1250, "USD")),
    Report(Word.FAILED, failure=DECLINED, still_payable=True),
]


@pytest.mark.parametrize("word", [*OVER, *STILL_THERE])
@pytest.mark.parametrize("state", ["failed", "abandoned", "open"])
def test_a_word_without_money_about_an_earlier_attempt_moves_no_payment(attempts, word, state):
    first, _ = attempts
    Attempt.objects.filter(pk=first.pk).update(state=state)
    say(first, word)

    payment = Payment.objects.get(pk=first.payment_id)
    assert (payment.state, payment.next_action, payment.sequence, payment.failure_code) == (
        "requires_action",
        ACTION,
        0,
        "",
    )
    assert Attempt.objects.get(pk=attempts[1].pk).state == "open"
    assert not Attention.objects.exists()


@pytest.mark.parametrize("word", STILL_THERE)
def test_an_earlier_attempt_that_can_still_be_paid_is_closed_there_once(attempts, word):
    first, _ = attempts
    say(first, word)
    say(first, word)
    assert closing(first) == [("cancel", "created")]

    Operation.objects.update(state="succeeded")
    say(first, word)
    assert closing(first) == [("cancel", "succeeded")]


@pytest.mark.parametrize("word", OVER)
def test_an_earlier_attempt_that_is_over_there_is_left_alone(attempts, word):
    first, _ = attempts
    say(first, word)
    assert closing(first) == []


def test_an_unlisted_word_about_an_earlier_attempt_is_for_a_person(attempts):
    first, _ = attempts
    say(first, Report(Word.UNKNOWN, provider_status="new"))

    assert Attention.objects.get().reason == "parked"
    assert Payment.objects.get().state == "requires_action"


def test_money_of_an_earlier_attempt_pays_the_payment(attempts):
    first, second = attempts
    say(first, paid("ch_first"))

    payment = Payment.objects.get()
    assert (payment.state, payment.captured_amount, payment.next_action) == ("succeeded", 1250, None)
    assert Attempt.objects.get(pk=first.pk).state == "succeeded"
    say(second, Report(Word.AUTHORIZED, authorized=Money(1250, "USD")))
    assert closing(second) == [("cancel", "created")]
    say(second, Report(Word.CANCELLED))
    assert (Attempt.objects.get(pk=second.pk).state, Payment.objects.get().state) == ("abandoned", "succeeded")
    assert not Attention.objects.exists()


def test_money_of_both_attempts_is_an_overpayment(attempts):
    first, second = attempts
    say(second, paid("ch_second"))
    say(first, paid("ch_first"))

    assert (Payment.objects.get().captured_amount, Overpayment.objects.get().amount) == (1250, 1250)


def test_the_last_attempt_ends_the_payment(attempts):
    say(attempts[1], Report(Word.FAILED, failure=DECLINED))

    payment = Payment.objects.get()
    assert (payment.state, payment.failure_code, payment.next_action) == ("failed", "declined", None)


def test_of_a_hold_for_less_than_was_asked_a_person_is_told(attempts):
    say(attempts[1], Report(Word.AUTHORIZED, authorized=Money(1000, "USD")))

    assert Payment.objects.get().state == "authorized"
    assert Attention.objects.get().reason == "parked"
