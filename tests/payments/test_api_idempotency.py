"""One key, one object, for ever: on every POST that moves money (money.md 9)."""

from datetime import timedelta

import pytest

from core import clock
from events import idempotency
from events.models import IdempotencyAnswer, IdempotencyKey
from payments.models import Operation, Payment, Refund
from tests.payments.world import counters, operation, reaches

pytestmark = pytest.mark.django_db(transaction=True)

CARD = {"amount": 1250, "currency": "USD", "method": "card", "payment_method": "pm_card_visa"}


@pytest.fixture
def posts(caller):
    """Every POST that claims: its path, a body, another body, and its answer's status."""
    held, other, paid = caller.card(capture="manual"), caller.card(capture="manual"), caller.card()
    return [
        ("payments", CARD, CARD | {"amount": 1251}, 201),
        (f"payments/{held['id']}/capture", {"amount": 1000}, {"amount": 999}, 200),
        (f"payments/{other['id']}/cancel", {}, None, 200),
        (f"payments/{paid['id']}/refunds", {"amount": 1250}, {"amount": 1}, 201),
        ("webhook-endpoints", {"url": "http://127.0.0.1:1/hook"}, {"url": "http://127.0.0.1:2/hook"}, 201),
    ]


def rows():
    return Payment.objects.count(), Operation.objects.count(), Refund.objects.count(), IdempotencyKey.objects.count()


def test_a_repeat_is_answered_as_the_first_was(world, caller, posts):
    for path, body, _, status in posts:
        first = caller.send("POST", path, key=f"key of {path}", json=body)
        before, calls = rows(), world.stripe.ledger()["calls"]
        again = caller.send("POST", path, key=f"key of {path}", json=body)

        assert first.status_code == again.status_code == status, (path, first.text)
        assert "Idempotency-Replayed" not in first.headers
        assert again.headers["Idempotency-Replayed"] == "true"
        assert again.json() == first.json() | ({"secret": None} if "secret" in first.json() else {})
        assert (rows(), world.stripe.ledger()["calls"]) == (before, calls)


def test_another_body_or_path_under_the_same_key_is_refused(world, caller, posts):
    for path, body, other, _ in posts:
        caller.send("POST", path, key=f"key of {path}", json=body)
        before = rows()
        if other is not None:
            caller.refused(path, 422, "idempotency_key_reused", key=f"key of {path}", **other)
        caller.refused("payments", 422, "idempotency_key_reused", key=f"key of {path}", **CARD | {"reference": "else"})
        assert rows() == before


def test_a_key_is_required_and_has_a_length(caller, posts):
    """Required where money moves; a webhook endpoint may be made without one."""
    before = rows()
    for path, body, _, _ in posts:
        if path != "webhook-endpoints":
            caller.refused(path, 400, "idempotency_key_required", key="", **body)
        caller.refused(path, 400, "invalid_request", key="k" * 256, **body)
    assert rows() == before
    assert caller.send("POST", "payments", key="k" * 255, json=CARD).status_code == 201


def test_the_order_of_fields_and_spaces_does_not_make_another_request(caller, shop):
    first = caller.post("payments", 201, key="order", **CARD)
    shuffled = dict(reversed(CARD.items()))

    assert caller.post("payments", 201, key="order", **shuffled) == first


def test_a_key_belongs_to_one_merchant_and_mode(caller, shop, other_shop):
    first = caller.post("payments", 201, key="shared", **CARD)
    theirs = other_shop.api.post("payments", 201, key="shared", **CARD)
    live = shop.key_with(livemode=True)

    assert theirs["id"] != first["id"]
    live.refused("payments", 400, "no_provider_available", key="shared", **CARD)
    assert shop.key_with().post("payments", 201, key="shared", **CARD)["id"] == first["id"]


def test_every_replay_checks_the_scope_again(caller, shop):
    caller.post("payments", 201, key="scoped", **CARD)

    shop.key_with("payments:read").refused("payments", 403, "scope_missing", key="scoped", **CARD)


def test_a_decline_is_replayed_too(world, caller, shop):
    body = CARD | {"payment_method": "pm_card_visa_chargeDeclined"}
    first = caller.post("payments", 201, key="declined", **body)

    assert first["state"] == "failed"
    assert caller.post("payments", 201, key="declined", **body) == first
    assert len(world.stripe.entries()) == 1


def test_after_its_stored_answer_is_purged_a_key_answers_with_the_object_as_it_is(world, caller, shop):
    held = caller.post("payments", 201, key="purged", **CARD | {"capture": "manual"})
    caller.post(f"payments/{held['id']}/capture")
    with clock.shifted(timedelta(hours=49)):
        assert idempotency.purge_answers() == 2
        again = caller.post("payments", 201, key="purged", **CARD | {"capture": "manual"})

    assert (again["id"], again["state"]) == (held["id"], "succeeded")
    assert Payment.objects.count() == 1


def test_a_request_that_died_is_in_progress_until_its_lease_is_over_and_then_continues(world, caller, shop):
    """As after a crash between our commit and the provider's answer: claimed and sending, nothing stored."""
    died = caller.post("payments", 201, key="died", **CARD)
    forget_the_outcome(died)

    problem = caller.send("POST", "payments", key="died", json=CARD)
    assert (problem.status_code, problem.json()["code"]) == (409, "idempotency_in_progress")
    assert int(problem.headers["Retry-After"]) >= 1
    with clock.shifted(timedelta(seconds=61)):
        again = caller.send("POST", "payments", key="died", json=CARD)
        assert again.status_code == 201
        assert again.json()["id"] == died["id"]
        paid = reaches(shop, died, "succeeded")

    assert paid["captured_amount"] == 1250
    assert (Payment.objects.count(), len(world.stripe.entries())) == (1, 1)


def test_a_refund_that_died_continues_and_is_not_echoed_as_a_refusal(world, caller, shop):
    """Its own reserve has used up the balance: the retry must not be told that there is nothing left."""
    paid = caller.card()
    made = caller.post(f"payments/{paid['id']}/refunds", 201, key="refund")
    IdempotencyAnswer.objects.filter(key="refund").delete()
    IdempotencyKey.objects.filter(key="refund").update(lease_until=clock.now() - timedelta(seconds=1))

    again = caller.post(f"payments/{paid['id']}/refunds", 201, key="refund")

    assert (again["id"], again["state"]) == (made["id"], "succeeded")
    assert counters(paid) == (1250, 1250, 1250)
    assert len(world.stripe.entries("refund")) == 1


def forget_the_outcome(payment):
    """Put the rows back to where a process that was killed in its call has left them."""
    from payments.models import Attempt, Fee, Receipt

    IdempotencyAnswer.objects.all().delete()
    Fee.objects.filter(receipt__attempt__payment=payment["id"]).delete()
    Receipt.objects.filter(attempt__payment=payment["id"]).delete()
    Payment.objects.filter(pk=payment["id"]).update(state="created", captured_amount=0)
    Attempt.objects.filter(payment=payment["id"]).update(state="open", provider_id="", provider_status="")
    sending = operation(payment)
    Operation.objects.filter(pk=sending.pk).update(
        state="sending", provider_id="", due_at=sending.sent_at + timedelta(seconds=60)
    )
