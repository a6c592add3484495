"""Two hands at the same thing, over real connections: one wins, and both sides of the books agree."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest

from events import work
from events.models import IdempotencyKey
from payments.models import Operation, Payment, Refund
from payments.providers import REGISTRY
from payments.services import resolving
from tests.payments.world import (
    PHONE,
    attention,
    counters,
    events_of,
    operation,
    reaches,
    receipts_of,
    refund_reaches,
    until,
)

pytestmark = pytest.mark.django_db(transaction=True)

CREATE, REFUND = "POST /v1/payment_intents", "POST /v1/refunds"
CAP = REGISTRY["stripe"].capabilities.in_flight
CARD = {"amount": 1250, "currency": "USD", "method": "card", "payment_method": "pm_card_visa"}


def at_once(times, call):
    """`call(place)` from that many threads."""
    with ThreadPoolExecutor(times) as pool:
        return list(pool.map(call, range(times)))


def test_the_same_key_fifty_times_at_once_is_one_payment_and_one_call(world, caller):
    answers = at_once(50, lambda place: caller.send("POST", "payments", key="same", json=CARD))

    codes = Counter(answer.status_code for answer in answers)
    assert set(codes) <= {201, 409}
    assert codes[201] >= 1
    assert {answer.json()["code"] for answer in answers if answer.status_code == 409} <= {"idempotency_in_progress"}
    assert all("Retry-After" in answer.headers for answer in answers if answer.status_code == 409)
    bodies = {answer.text for answer in answers if answer.status_code == 201}
    assert len({answer.json()["id"] for answer in answers if answer.status_code == 201}) == len(bodies) == 1
    firsts = [
        answer for answer in answers if answer.status_code == 201 and "Idempotency-Replayed" not in answer.headers
    ]
    assert len(firsts) == 1
    assert (Payment.objects.count(), Operation.objects.count(), IdempotencyKey.objects.count()) == (1, 1, 1)
    assert (world.stripe.calls(CREATE), len(world.stripe.entries())) == (1, 1)
    later = caller.send("POST", "payments", key="same", json=CARD)
    assert (later.status_code, later.headers["Idempotency-Replayed"], later.json()) == (201, "true", firsts[0].json())


def test_fifty_prompts_to_one_phone_at_once_are_one(world, shop, caller):
    body = {"amount": 25_000, "currency": "KES", "method": "mpesa", "phone": PHONE}
    answers = at_once(20, lambda place: caller.send("POST", "payments", json=body))

    assert Counter(answer.status_code for answer in answers) == {201: 1, 409: 19}
    assert {answer.json()["code"] for answer in answers if answer.status_code == 409} == {"prompt_open"}
    assert (Payment.objects.count(), IdempotencyKey.objects.count(), len(world.mpesa.entries())) == (1, 1, 1)


def test_of_refunds_for_more_than_was_captured_exactly_one_wins(world, caller):
    for amounts in ((1000, 1000), (1250, 1), (700, 600, 800, 900)):
        paid = caller.card()
        before = world.stripe.calls(REFUND)
        url = f"payments/{paid['id']}/refunds"
        answers = at_once(len(amounts), lambda place: caller.send("POST", url, json={"amount": amounts[place]}))  # noqa: B023

        assert Counter(answer.status_code for answer in answers) == {201: 1, 422: len(amounts) - 1}
        assert {answer.json()["code"] for answer in answers if answer.status_code == 422} == {"refund_exceeds_captured"}
        [won] = [answer.json()["amount"] for answer in answers if answer.status_code == 201]
        assert counters(paid) == (1250, won, won)
        assert Refund.objects.filter(payment=paid["id"]).count() == 1
        assert world.stripe.calls(REFUND) == before + 1


def test_refunds_that_fit_together_all_win(world, caller):
    paid = caller.card()
    url = f"payments/{paid['id']}/refunds"

    answers = at_once(5, lambda place: caller.send("POST", url, json={"amount": 250}))

    assert [answer.status_code for answer in answers] == [201] * 5
    assert counters(paid) == (1250, 1250, 1250)
    assert len(world.stripe.entries("refund")) == 5


def test_answer_and_webhook_at_the_same_time_count_once(world, shop, caller):
    world.listen_to_stripe(shop, callback_mode="before_answer")
    paid = [caller.card() for _ in range(5)]
    world.work()

    for payment in paid:
        assert reaches(shop, payment, "succeeded")["captured_amount"] == 1250
        assert len(receipts_of(payment)) == 1
        assert events_of(payment) == ["payment.succeeded"]
    refunds = [caller.post(f"payments/{payment['id']}/refunds", 201, amount=1000) for payment in paid]
    for payment, refund in zip(paid, refunds, strict=True):
        refund_reaches(shop, refund, "succeeded")
        assert counters(payment) == (1250, 1000, 1000)
        assert Refund.objects.filter(payment=payment["id"]).count() == 1
    assert attention() == []


def test_a_callback_and_a_question_at_the_same_time_count_once(world, shop, caller):
    payments = [caller.prompt(phone=f"25471100070{place}") for place in range(6)]
    for payment in payments:
        world.mpesa.simulate(payment, "approve")
    until(lambda: len(world.mpesa.callbacks()) == 6)
    with world.later(seconds=13):
        at_once(4, lambda place: work.drain(("callbacks", "operations")[place % 2]))

    for payment in payments:
        assert reaches(shop, payment, "succeeded")["captured_amount"] == 25_000
        assert [receipt[:2] for receipt in receipts_of(payment)] == [("capture", 25_000)]
        assert events_of(payment) == ["payment.requires_action", "payment.succeeded"]
    assert attention() == []


def test_two_resolvers_ask_and_send_once(world, shop, caller):
    world.stripe.post("settings", answer_seconds=0.1)
    lost = []
    for _ in range(3):
        world.stripe.trouble("reset_after", CREATE)
        lost.append(caller.card())
    with world.later(seconds=6):
        at_once(2, lambda place: [resolving.resolve(operation(payment)) for payment in lost])

    for payment in lost:
        assert reaches(shop, payment, "succeeded")["captured_amount"] == 1250
        assert len(receipts_of(payment)) == 1
        assert events_of(payment) == ["payment.processing", "payment.succeeded"]
    assert len(world.stripe.entries()) == 3


def test_over_the_cap_the_answer_is_provider_busy_and_nothing_is_created(world, shop, caller):
    world.stripe.post("settings", answer_seconds=2.5)

    answers = at_once(70, lambda place: caller.send("POST", "payments", key=f"busy-{place}", json=CARD))

    codes = Counter(answer.status_code for answer in answers)
    assert codes == {201: CAP, 503: 70 - CAP}
    refused = [answer for answer in answers if answer.status_code == 503]
    assert {answer.json()["code"] for answer in refused} == {"provider_busy"}
    assert {answer.headers["Retry-After"] for answer in refused} == {"2"}
    assert Payment.objects.count() == IdempotencyKey.objects.count() == world.stripe.calls(CREATE) == CAP
    world.stripe.post("settings", answer_seconds=0.0)
    place = next(place for place, answer in enumerate(answers) if answer.status_code == 503)
    assert caller.send("POST", "payments", key=f"busy-{place}", json=CARD).status_code == 201
