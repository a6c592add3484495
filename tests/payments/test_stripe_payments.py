"""Cards at Stripe: paid at once, declined, authenticated, voided, and found again when an answer was lost."""

import time
from datetime import timedelta

import pytest

from core import clock
from events.models import Callback
from payments.models import Payment
from tests import staff
from tests.payments.world import (
    attention,
    counters,
    events_of,
    operation,
    operations_of,
    path_of,
    reaches,
    receipts_of,
    session,
    until,
)

pytestmark = pytest.mark.django_db(transaction=True)

CREATE = "POST /v1/payment_intents"
CANCEL = "POST /v1/payment_intents/{intent}/cancel"
DECLINES = {
    "pm_card_visa_chargeDeclined": "declined",
    "pm_card_visa_chargeDeclinedInsufficientFunds": "insufficient_funds",
    "pm_card_visa_chargeDeclinedLostCard": "declined",
    "pm_card_visa_chargeDeclinedStolenCard": "declined",
    "pm_card_chargeDeclinedExpiredCard": "expired_instrument",
    "pm_card_chargeDeclinedIncorrectCvc": "invalid_instrument",
    "pm_card_chargeDeclinedProcessingError": "provider_error",
}


def test_a_card_is_paid_at_once(world, shop, caller):
    paid = caller.card(reference="order-1", description="Two chairs", metadata={"table": "4"})

    [entry] = world.stripe.entries()
    assert paid["state"] == "succeeded"
    assert (paid["amount"], paid["captured_amount"], paid["refunded_amount"], paid["currency"]) == (
        1250,
        1250,
        0,
        "USD",
    )
    assert (paid["reference"], paid["description"], paid["metadata"]) == ("order-1", "Two chairs", {"table": "4"})
    assert (paid["payer"], paid["next_action"], paid["failure"], paid["livemode"]) == (None, None, None, False)
    assert paid["attempts"][0]["provider_id"] == entry["id"]
    assert (entry["state"], entry["amount"], entry["currency"]) == ("succeeded", 1250, "usd")
    assert entry["reference"] == paid["attempts"][0]["provider_reference"]
    assert receipts_of(paid) == [("capture", 1250, entry["receipt"])]
    assert path_of(paid) == ["created", "succeeded"]
    assert events_of(paid) == ["payment.succeeded"]
    assert operations_of(paid) == [("create", "succeeded")]
    assert operation(paid).due_at is None
    assert caller.get(f"payments/{paid['id']}") == paid


@pytest.mark.parametrize(
    ("amount", "currency", "units"), [(500, "JPY", 500), (1230, "KWD", 1230), (25_000, "KES", 25_000)]
)
def test_amounts_survive_every_number_of_decimals(world, shop, caller, amount, currency, units):
    paid = caller.card(amount=amount, currency=currency)

    assert (paid["state"], paid["captured_amount"], paid["currency"]) == ("succeeded", amount, currency)
    assert [(entry["amount"], entry["currency"]) for entry in world.stripe.entries()] == [(units, currency.lower())]


def test_an_amount_that_stripe_cannot_carry_is_refused_before_any_call(world, shop, caller):
    for amount, currency in [(1231, "KWD"), (100_000_000, "USD"), (10**15, "USD")]:
        body = {"amount": amount, "currency": currency, "method": "card", "payment_method": "pm_card_visa"}
        assert caller.refused("payments", 400, "amount_not_representable", **body)["param"] == "/amount"

    assert world.stripe.ledger() == {"entries": [], "calls": {}}
    assert not Payment.objects.exists()


def test_a_decline_is_an_answer_and_is_closed_there_before_it_fails(world, shop, caller):
    for method, code in DECLINES.items():
        failed = caller.card(method)

        assert (failed["state"], failed["failure"]["code"]) == ("failed", code), method
        assert failed["attempts"][0]["failure"]["code"] == code
        assert failed["attempts"][0]["state"] == "failed"
        assert operations_of(failed) == [("create", "failed"), ("cancel", "succeeded")]
        assert path_of(failed) == ["created", "failed"]
        assert events_of(failed) == ["payment.failed"]
        assert counters(failed) == (0, 0, 0)
    assert {entry["state"] for entry in world.stripe.entries()} == {"canceled"}
    assert world.stripe.calls(CANCEL) == len(DECLINES)
    assert attention() == []


def test_a_decline_stays_open_until_stripe_confirms_that_nothing_can_be_paid(world, shop, caller):
    world.stripe.trouble("500_before", "POST /v1/payment_intents/*/cancel")
    held = caller.card("pm_card_visa_chargeDeclined")
    assert held["state"] == "processing"
    assert operations_of(held) == [("create", "failed"), ("cancel", "unknown")]

    with world.later(seconds=6):
        failed = reaches(shop, held, "failed")

    assert failed["failure"]["code"] == "declined"
    assert [entry["state"] for entry in world.stripe.entries()] == ["canceled"]


def test_a_payer_who_completes_3d_secure_comes_back_and_has_paid(world, shop, caller):
    asked = caller.card("pm_card_threeDSecure2Required", return_url="https://shop.example/done?cart=7")
    assert asked["state"] == "requires_action"
    assert asked["next_action"]["type"] == "redirect"
    assert asked["next_action"]["url"].startswith(world.stripe.url)
    assert counters(asked) == (0, 0, 0)

    page = session().post(asked["next_action"]["url"], data={"outcome": "approve"}, allow_redirects=False, timeout=8)
    back = page.headers["Location"]
    assert back.startswith(f"{world.base_url}/return/")
    answer = session().get(back, allow_redirects=False, timeout=8)

    assert (answer.status_code, answer.headers["Referrer-Policy"]) == (302, "no-referrer")
    assert answer.headers["Location"] == f"https://shop.example/done?cart=7&payment={asked['id']}"
    paid = reaches(shop, asked, "succeeded")
    assert (paid["captured_amount"], paid["next_action"]) == (1250, None)
    assert path_of(asked) == ["created", "requires_action", "succeeded"]
    assert Callback.objects.count() == 0


def test_a_browser_that_comes_back_proves_nothing(world, shop, caller):
    asked = caller.card("pm_card_threeDSecure2Required", return_url="https://shop.example/done")
    words = f"redirect_status=succeeded&payment_intent={asked['attempts'][0]['provider_id']}"
    forged = f"{world.base_url}/return/{'A' * 43}?{words}"

    assert session().get(forged, timeout=8).status_code == 404
    world.work()

    assert caller.get(f"payments/{asked['id']}")["state"] == "requires_action"


def test_a_payer_who_fails_3d_secure_has_not_paid(world, shop, caller):
    asked = caller.card("pm_card_threeDSecure2Required", return_url="https://shop.example/done")
    world.stripe.simulate(asked["attempts"][0]["provider_id"], "decline")

    with world.later(seconds=6):
        failed = reaches(shop, asked, "failed")

    assert failed["failure"]["code"] == "authentication_failed"
    assert [entry["state"] for entry in world.stripe.entries()] == ["canceled"]
    assert events_of(asked) == ["payment.requires_action", "payment.failed"]


def test_a_card_that_is_processed_for_a_while_succeeds_when_stripe_says_so(world, shop, caller):
    held = caller.card(amount=6_662_100)
    assert held["state"] == "processing"
    until(lambda: world.stripe.entries()[0]["state"] == "succeeded")

    with world.later(seconds=6):
        paid = reaches(shop, held, "succeeded")

    assert paid["captured_amount"] == 6_662_100
    assert events_of(held) == ["payment.processing", "payment.succeeded"]


@pytest.mark.parametrize("trouble", ["reset_after", "timeout_after", "html_after", "empty_after"])
def test_an_answer_that_was_lost_is_found_by_the_same_key(world, shop, caller, trouble):
    world.stripe.trouble(trouble, CREATE)
    held = caller.card()
    assert held["state"] == "processing"
    assert operations_of(held) == [("create", "unknown")]

    with world.later(seconds=6):
        paid = reaches(shop, held, "succeeded")

    [entry] = world.stripe.entries()
    assert entry["idempotency_key"] == operation(held).key
    assert paid["attempts"][0]["provider_id"] == entry["id"]
    assert receipts_of(held) == [("capture", 1250, entry["receipt"])]
    assert world.stripe.calls(CREATE) == 2
    assert events_of(held) == ["payment.processing", "payment.succeeded"]


def test_a_500_that_stripe_keeps_and_replays_is_found_in_the_list(world, shop, caller):
    world.stripe.trouble("500_after", CREATE)
    held = caller.card()

    with world.later(seconds=6):
        pass
    with world.later(seconds=21):
        paid = reaches(shop, held, "succeeded")

    assert len(world.stripe.entries()) == 1
    assert paid["captured_amount"] == 1250


@pytest.mark.slow
def test_a_call_that_hangs_beyond_its_deadline_is_answered_as_processing_and_found_by_the_same_key(world, shop, caller):
    world.stripe.trouble("hang", CREATE, seconds=11.0)

    started = time.monotonic()
    held = caller.card()

    assert held["state"] == "processing"
    assert 9.5 < time.monotonic() - started < 10.9
    until(lambda: world.stripe.entries())
    with world.later(seconds=6):
        assert reaches(shop, held, "succeeded")["captured_amount"] == 1250
    assert len(world.stripe.entries()) == 1


def test_what_was_never_done_is_done_once(world, shop, caller):
    for trouble in ("reset_before", "500_before", "html_before", "timeout_before"):
        world.stripe.trouble(trouble, CREATE)
        held = caller.card()
        assert held["state"] == "processing", trouble
        with world.later(seconds=6):
            assert reaches(shop, held, "succeeded")["captured_amount"] == 1250

    assert len(world.stripe.entries()) == 4


def test_a_rate_limit_and_a_refused_key_are_certain(world, shop, caller):
    world.stripe.trouble("429", CREATE)
    limited = caller.card()
    assert (limited["state"], limited["failure"]["code"]) == ("failed", "provider_unavailable")

    expired = world.shop("Expired")
    expired.account("stripe", {"secret_key": "sk_test_expired_key", "webhook_secrets": ["whsec_x"]})
    refused = expired.api.card()
    assert (refused["state"], refused["failure"]["code"]) == ("failed", "provider_configuration")
    assert world.stripe.entries() == []


def test_an_authorization_that_comes_after_expiry_is_voided(world, shop, caller):
    """A late hold is never turned into a sale (money.md 2)."""
    world.stripe.trouble("reset_after", CREATE)
    held = caller.card(capture="manual", expires_at="2030-01-01T00:00:00Z")
    Payment.objects.filter(pk=held["id"]).update(expires_at=Payment.objects.get(pk=held["id"]).created_at)

    with world.later(seconds=6):
        ended = world.work_until(lambda: [1 for entry in world.stripe.entries() if entry["state"] != "canceled"] == [])

    assert ended
    assert reaches(shop, held, "expired")["captured_amount"] == 0
    assert receipts_of(held) == []


def test_a_payment_expires_only_after_stripe_has_closed_it(world, shop, caller):
    expires_at = clock.rfc3339(clock.now() + timedelta(days=40))
    asked = caller.card("pm_card_threeDSecure2Required", return_url="https://shop.example/", expires_at=expires_at)

    with world.later(days=60):
        expired = reaches(shop, asked, "expired")

    assert (expired["next_action"], expired["captured_amount"]) == (None, 0)
    assert [entry["state"] for entry in world.stripe.entries()] == ["canceled"]
    assert operations_of(asked) == [("create", "succeeded"), ("cancel", "succeeded")]


def test_a_charge_is_not_sent_after_the_payments_own_time(world, shop, caller):
    world.stripe.trouble("reset_before", "POST /v1/payment_intents", times=4)
    payment = caller.card(expires_at=(clock.now() + timedelta(minutes=20)).isoformat())
    for seconds in (6, 21, 61):
        with world.later(seconds=seconds):
            assert operations_of(payment) == [("create", "unknown")]
    with world.later(seconds=3700):
        assert operations_of(payment) == [("create", "unknown")]

    assert world.stripe.entries() == []


def test_a_payment_that_never_reached_the_provider_is_ended_by_a_person(world, shop, caller):
    world.stripe.trouble("reset_before", "POST /v1/payment_intents", times=100)
    payment = caller.card(expires_at=(clock.now() + timedelta(minutes=20)).isoformat())
    client = staff.signed_in("payments.view_payment", "payments.act_on_payment")
    row, reason = Payment.objects.get(pk=payment["id"]), {"reason": "Stripe has nothing with this reference"}
    client.post(staff.page(row, "prove_nothing_happened"), reason)
    assert caller.get(f"payments/{payment['id']}")["state"] == "processing"
    for seconds in (6, 400, 90_000):
        with world.later(seconds=seconds):
            assert caller.get(f"payments/{payment['id']}")["state"] == "processing"

    assert attention() == [(payment["id"], "unknown")]
    client.post(staff.page(row, "prove_nothing_happened"), reason)

    assert caller.get(f"payments/{payment['id']}")["state"] == "failed"
    assert (operations_of(payment), attention()) == ([("create", "failed")], [])
