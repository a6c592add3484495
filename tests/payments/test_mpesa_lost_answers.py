"""Pushes whose answer never came: one prompt at most, and no money that is not found (money.md 5, 7)."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from events.models import Callback
from payments.models import Attempt, Payment
from tests.payments.world import (
    attention,
    counters,
    events_of,
    operation,
    operations_of,
    path_of,
    reaches,
    receipts_of,
    until,
)

pytestmark = pytest.mark.django_db(transaction=True)

PUSH = "POST /mpesa/stkpush/v1/processrequest"
AFTER = ["reset_after", "timeout_after", "500_after", "html_after", "empty_after"]
BEFORE = ["reset_before", "timeout_before", "500_before", "html_before", "empty_before", "fault_before", "429"]


def test_a_callback_settles_a_push_whose_answer_was_lost(world, shop, caller):
    payments = []
    for place, trouble in enumerate(AFTER):
        world.mpesa.trouble(trouble, PUSH)
        payments.append(caller.prompt(phone=f"25471100030{place}"))
        assert payments[-1]["state"] == "processing", trouble
        assert payments[-1]["attempts"][0]["provider_id"] is None
        assert operations_of(payments[-1]) == [("create", "unknown")]

    for payment in payments:
        world.mpesa.simulate(payment, "approve")
    world.heard(len(AFTER))

    entries = {entry["reference"]: entry for entry in world.mpesa.entries()}
    for payment in payments:
        paid = reaches(shop, payment, "succeeded")
        entry = entries[payment["attempts"][0]["provider_reference"]]
        assert paid["attempts"][0]["provider_id"] == entry["id"]
        assert receipts_of(payment) == [("capture", 25_000, entry["receipt"])]
        assert events_of(payment) == ["payment.processing", "payment.succeeded"]
        assert operation(payment).due_at is None
    assert world.mpesa.calls(PUSH) == len(entries) == len(AFTER)
    assert attention() == []


def test_a_lost_answer_and_a_lost_callback_expire_and_stay_listed_and_are_never_sent_again(world, shop, caller):
    world.mpesa.trouble("reset_after", PUSH)
    payment = caller.prompt(key="lost")
    world.mpesa.simulate(payment, "approve", callback="missing")
    for seconds in (13, 21, 36, 61, 91, 121, 181):
        with world.later(seconds=seconds):
            assert caller.get(f"payments/{payment['id']}")["state"] == "processing"

    with world.later(seconds=301):
        expired = caller.get(f"payments/{payment['id']}")

    assert expired["state"] == "expired"
    assert expired["attempts"][0]["state"] == "open"
    assert operations_of(payment) == [("create", "unknown")]
    assert attention() == [(payment["id"], "unknown")]
    assert events_of(payment) == ["payment.processing", "payment.expired"]
    assert caller.prompt(key="lost")["id"] == payment["id"]
    with world.later(hours=30):
        assert operation(payment).due_at is None
    assert world.mpesa.calls(PUSH) == 1
    assert [entry["state"] for entry in world.mpesa.entries()] == ["paid"]


def test_a_push_that_never_arrived_expires_too_and_is_never_sent_again(world, shop, caller):
    payments = []
    for place, trouble in enumerate(BEFORE):
        world.mpesa.trouble(trouble, PUSH)
        payments.append(caller.prompt(phone=f"25471100040{place}"))
        assert payments[-1]["state"] == "processing", trouble

    for seconds in (13, 61, 181, 301):
        with world.later(seconds=seconds):
            pass

    for payment in payments:
        assert caller.get(f"payments/{payment['id']}")["state"] == "expired"
    assert world.mpesa.calls(PUSH) == len(BEFORE)
    assert world.mpesa.entries() == []


def test_a_callback_that_comes_after_expiry_of_an_unknown_push_is_late_money(world, shop, caller):
    world.mpesa.trouble("reset_after", PUSH)
    payment = caller.prompt()
    with world.later(seconds=301):
        assert caller.get(f"payments/{payment['id']}")["state"] == "expired"

    world.mpesa.simulate(payment, "approve")
    paid = reaches(shop, payment, "succeeded")

    assert (paid["late"], paid["captured_amount"]) == (True, 25_000)
    assert path_of(payment) == ["created", "processing", "expired", "succeeded"]
    assert len(world.mpesa.entries()) == 1


def test_a_lost_answer_takes_no_callback_of_another_amount(world, shop, caller):
    world.mpesa.trouble("reset_after", PUSH)
    payment = caller.prompt()

    world.mpesa.simulate(payment, "approve", callback="under")
    [callback] = world.heard(1)

    assert (callback.state, counters(payment)) == ("parked", (0, 0, 0))
    assert (callback.pk, "parked") in attention()
    assert caller.get(f"payments/{payment['id']}")["state"] == "processing"


def test_nothing_listening_is_certain_and_fails_the_payment(world, shop, caller, settings):
    settings.SIMULATORS_PORT = 1

    payment = caller.prompt()

    assert (payment["state"], payment["failure"]["code"]) == ("failed", "provider_unavailable")
    assert operations_of(payment) == [("create", "failed")]
    assert Attempt.objects.get(payment=payment["id"]).prompt_lock is None


def test_a_callback_before_the_answer_is_kept_and_counts(world, shop, caller):
    world.mpesa.trouble("callback_before_answer", PUSH)

    payment = caller.prompt()

    assert Callback.objects.count() == 1
    assert reaches(shop, payment, "succeeded")["captured_amount"] == 25_000
    [entry] = world.mpesa.entries()
    assert receipts_of(payment) == [("capture", 25_000, entry["receipt"])]
    assert attention() == []


def test_an_answer_that_is_lost_after_the_callback_takes_nothing_back(world, shop, caller):
    """The callback is processed while our own call still waits; its fault may not regress the payment."""
    world.mpesa.trouble("timeout_after", PUSH, seconds=1.5)
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(caller.prompt)
        until(lambda: world.mpesa.entries())
        world.mpesa.simulate(world.mpesa.entries()[0]["id"], "approve")
        world.heard(1)
        assert Payment.objects.get().state == "succeeded"
        assert not asked.done()
        answered = asked.result()

    assert (answered["state"], answered["captured_amount"]) == ("succeeded", 25_000)
    assert path_of(answered) == ["created", "succeeded"]
    assert events_of(answered) == ["payment.succeeded"]
    assert operation(answered).due_at is None
    assert attention() == []
