"""Manual capture and cancel: less, all, never more, and never both."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from payments.models import Operation, Payment
from tests import staff
from tests.payments.world import (
    attention,
    counters,
    events_of,
    operations_of,
    path_of,
    reaches,
    receipts_of,
    until,
)

pytestmark = pytest.mark.django_db(transaction=True)

CAPTURE = "POST /v1/payment_intents/{intent}/capture"
CANCEL = "POST /v1/payment_intents/{intent}/cancel"


@pytest.fixture
def held(caller):
    payment = caller.card(capture="manual")
    assert (payment["state"], payment["captured_amount"]) == ("authorized", 0)
    return payment


def test_a_hold_is_captured_whole(world, caller, held):
    paid = caller.post(f"payments/{held['id']}/capture")

    assert (paid["state"], paid["captured_amount"]) == ("succeeded", 1250)
    [entry] = world.stripe.entries()
    assert (entry["state"], entry["amount"]) == ("succeeded", 1250)
    assert receipts_of(held) == [("capture", 1250, entry["receipt"])]
    assert path_of(held) == ["created", "authorized", "succeeded"]
    assert events_of(held) == ["payment.authorized", "payment.succeeded"]
    assert operations_of(held) == [("create", "succeeded"), ("capture", "succeeded")]


def test_a_hold_is_captured_in_part_and_the_rest_is_let_go(world, caller, held):
    paid = caller.post(f"payments/{held['id']}/capture", amount=1000)

    assert (paid["state"], paid["amount"], paid["captured_amount"], paid["underpaid"]) == (
        "succeeded",
        1250,
        1000,
        False,
    )
    assert [(entry["state"], entry["amount"]) for entry in world.stripe.entries()] == [("succeeded", 1000)]
    caller.refused(f"payments/{held['id']}/capture", 409, "not_capturable", amount=250)
    problem = caller.refused(f"payments/{held['id']}/refunds", 422, "refund_exceeds_captured", amount=1001)
    assert problem["param"] == "/amount"
    assert counters(held) == (1000, 0, 0)


def test_more_than_is_held_is_not_captured(world, caller, held):
    problem = caller.refused(f"payments/{held['id']}/capture", 422, "capture_exceeds_authorized", amount=1251)

    assert problem["param"] == "/amount"
    assert world.stripe.calls(CAPTURE) == 0
    assert operations_of(held) == [("create", "succeeded")]
    assert caller.post(f"payments/{held['id']}/capture")["captured_amount"] == 1250


def test_only_a_hold_can_be_captured(world, caller):
    paid, failed = caller.card(), caller.card("pm_card_visa_chargeDeclined")

    caller.refused(f"payments/{paid['id']}/capture", 409, "not_capturable")
    caller.refused(f"payments/{failed['id']}/capture", 409, "not_capturable")

    assert world.stripe.calls(CAPTURE) == 0


def test_a_hold_is_cancelled_there_before_it_is_cancelled_here(world, caller, held):
    ended = caller.post(f"payments/{held['id']}/cancel")

    assert (ended["state"], ended["captured_amount"]) == ("cancelled", 0)
    assert [entry["state"] for entry in world.stripe.entries()] == ["canceled"]
    assert path_of(held) == ["created", "authorized", "cancelled"]
    assert path_of(ended["attempts"][0]) == ["open", "abandoned"]
    assert events_of(held) == ["payment.authorized", "payment.cancelled"]
    caller.refused(f"payments/{held['id']}/cancel", 409, "not_cancellable")
    caller.refused(f"payments/{held['id']}/capture", 409, "not_capturable")


def test_what_is_paid_or_failed_is_not_cancelled(world, caller):
    for payment in (caller.card(), caller.card("pm_card_visa_chargeDeclined")):
        calls = world.stripe.calls(CANCEL)
        caller.refused(f"payments/{payment['id']}/cancel", 409, "not_cancellable")
        assert world.stripe.calls(CANCEL) == calls


def test_a_challenge_is_cancelled(world, caller):
    asked = caller.card("pm_card_threeDSecure2Required", return_url="https://shop.example/")

    ended = caller.post(f"payments/{asked['id']}/cancel")

    assert (ended["state"], ended["next_action"]) == ("cancelled", None)


def test_a_cancel_whose_answer_was_lost_excludes_a_capture_until_it_is_known(world, shop, caller, held):
    world.stripe.trouble("reset_after", "POST /v1/payment_intents/*/cancel")
    waiting = caller.post(f"payments/{held['id']}/cancel")
    assert waiting["state"] == "authorized"

    caller.refused(f"payments/{held['id']}/capture", 409, "not_capturable")
    with world.later(seconds=6):
        reaches(shop, held, "cancelled")

    assert world.stripe.calls(CAPTURE) == 0
    assert [entry["state"] for entry in world.stripe.entries()] == ["canceled"]


def test_a_capture_whose_answer_was_lost_excludes_a_cancel_until_it_is_known(world, shop, caller, held):
    world.stripe.trouble("reset_after", "POST /v1/payment_intents/*/capture")
    waiting = caller.post(f"payments/{held['id']}/capture", amount=1000)
    assert waiting["state"] == "authorized"

    caller.refused(f"payments/{held['id']}/cancel", 409, "not_cancellable")
    with world.later(seconds=6):
        paid = reaches(shop, held, "succeeded")

    assert paid["captured_amount"] == 1000
    assert world.stripe.calls(CANCEL) == 0
    assert operations_of(held) == [("create", "succeeded"), ("capture", "succeeded")]


def test_of_a_capture_and_a_cancel_at_once_one_wins(world, caller):
    for _ in range(3):
        held = caller.card(capture="manual")
        with ThreadPoolExecutor(2) as pool:
            verbs = ("capture", "cancel")
            paths = [f"payments/{held['id']}/{verb}" for verb in verbs]
            answers = list(pool.map(lambda path: caller.send("POST", path, json={}), paths))

        assert sorted(answer.status_code for answer in answers) == [200, 409]
        [winner] = [answer.json()["state"] for answer in answers if answer.status_code == 200]
        assert winner in ("succeeded", "cancelled")
        assert Operation.objects.filter(attempt__payment=held["id"], kind__in=["capture", "cancel"]).count() == 1
        there = {entry["id"]: entry["state"] for entry in world.stripe.entries()}
        expected = {"succeeded": "succeeded", "cancelled": "canceled"}[winner]
        assert there[held["attempts"][0]["provider_id"]] == expected


def test_a_capture_that_stripe_refuses_leaves_the_hold(world, shop, caller, held):
    world.stripe.simulate(held["attempts"][0]["provider_id"], "expire")

    answer = caller.post(f"payments/{held['id']}/capture")

    assert answer["captured_amount"] == 0
    with world.later(seconds=6):
        assert reaches(shop, held, "cancelled")["captured_amount"] == 0


def test_a_capture_that_is_still_running_there_is_not_called_failed(world, shop, caller, held):
    """Both answers are lost, and what is read in between shows a hold: the capture may be on its way."""
    world.stripe.trouble("500_before", "POST /v1/payment_intents/*/capture")
    caller.post(f"payments/{held['id']}/capture")
    world.stripe.trouble("hang", "POST /v1/payment_intents/*/capture", seconds=11.0)
    with world.later(seconds=6):
        assert operations_of(held)[-1] == ("capture", "unknown")
        caller.refused(f"payments/{held['id']}/cancel", 409, "not_cancellable")
    until(lambda: world.stripe.entries()[0]["state"] == "succeeded", seconds=30)
    with world.later(seconds=21):
        paid = reaches(shop, held, "succeeded")

    assert paid["captured_amount"] == 1250
    assert operations_of(held)[-1] == ("capture", "succeeded")
    assert attention() == []


@pytest.mark.parametrize("verb", ["capture", "cancel"])
def test_what_never_arrives_is_asked_about_to_the_end_and_handed_to_a_person(world, shop, caller, held, verb):
    world.stripe.trouble("500_before", f"POST /v1/payment_intents/*/{verb}", times=3)
    caller.post(f"payments/{held['id']}/{verb}")
    for seconds in (6, 400, 90_000):
        with world.later(seconds=seconds):
            assert operations_of(held)[-1] == (verb, "unknown")

    assert attention() == [(held["id"], "unknown")]
    caller.refused(f"payments/{held['id']}/cancel", 409, "not_cancellable")
    client = staff.signed_in("payments.view_payment", "payments.act_on_payment")
    row = Payment.objects.get(pk=held["id"])
    client.post(staff.page(row, "prove_nothing_happened"), {"reason": "Stripe shows the hold, and no such call"})

    assert operations_of(held)[-1] == (verb, "failed")
    assert (attention(), caller.get(f"payments/{held['id']}")["state"]) == ([], "authorized")
    reason = {"reason": "Stripe shows the hold, and no such call"}
    assert staff.recorded(row) == [("staff:amina", "payment.prove_nothing_happened", reason)]
    assert caller.post(f"payments/{held['id']}/cancel")["state"] == "cancelled"
