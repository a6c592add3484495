"""Disputes at Stripe: told, answered, decided; with what they do to the books and to refunds."""

from datetime import timedelta

import pytest
from django.db import transaction

from core import clock
from core.money import Money
from core.providers import Unreadable
from events.models import Attention
from ledger import checking
from ledger.models import Account, Transfer
from payments.models import Attempt, Dispute, DisputeMovement, Operation
from payments.providers.base import Report, Word
from payments.providers.disputes import DisputeMoved, DisputeReason, DisputeReport, DisputeWord, MovementKind
from payments.services import dispute_booking, dispute_notices
from payments.services.booking import Because
from payments.services.locking import lock_attempt
from tests import factories
from tests.payments.test_books import available, held
from tests.payments.world import attention, counters, events_of, path_of

pytestmark = pytest.mark.django_db(transaction=True)

GIVE = "POST /v1/disputes/{dispute}"
FEE = 1500


@pytest.fixture
def heard(world, shop):
    """Stripe tells the shop of everything."""
    world.listen_to_stripe(shop)
    return world


def dispute_of(shop, payment, state="needs_response"):
    """Work until the payment's dispute is in that state, and show it as the API does."""

    def shown():
        found = shop.api.get("disputes", payment=payment["id"])["data"]
        return found and found[0]["state"] == state and found[0]

    return shop.world.work_until(shown)


def disputed(shop, outcome="dispute", state="needs_response", **more):
    paid = shop.api.card(**more)
    shop.world.stripe.simulate(paid, outcome)
    return paid, dispute_of(shop, paid, state)


def facts_of(dispute):
    rows = Transfer.objects.filter(cause=dispute["id"]).order_by("pk")
    return [(row.fact, row.phase) for row in rows]


def answers_of(dispute):
    return list(Operation.objects.filter(dispute=dispute["id"]).order_by("pk").values_list("kind", "state"))


def test_a_dispute_is_told_with_its_due_date_and_its_money_is_reserved(heard, shop, caller):
    paid, dispute = disputed(shop)

    assert (dispute["amount"], dispute["currency"], dispute["reason"]) == (1250, "USD", "fraudulent")
    assert (dispute["provider_status"], dispute["provider_reason"]) == ("needs_response", "fraudulent")
    assert dispute["evidence_due_at"] is not None
    assert (dispute["has_evidence"], dispute["submitted_at"], dispute["pending_response"]) == (False, None, None)
    assert caller.get(f"disputes/{dispute['id']}") == dispute
    assert path_of(dispute) == ["opened", "needs_response"]
    assert events_of(dispute) == ["dispute.needs_response"]
    heard.heard(4)
    assert held(shop, "disputes") == [1250]
    assert facts_of(dispute) == [
        ("dispute_opened", "posted"),
        ("dispute_opened", "pending"),
        ("dispute_fee_charged", "posted"),
    ]
    [movement] = DisputeMovement.objects.all()
    assert (movement.kind, movement.amount, movement.fee_amount) == ("withdrawn", 1250, FEE)
    assert caller.get(f"payments/{paid['id']}")["state"] == "succeeded"
    assert counters(paid) == (1250, 0, 0)


def test_the_chargeback_is_the_merchants_when_it_is_lost(heard, shop):
    paid, _ = disputed(shop)
    before = held(shop, "merchant_payable")
    heard.stripe.simulate(paid, "dispute_lost")

    lost = dispute_of(shop, paid, "lost")

    assert path_of(lost) == ["opened", "needs_response", "lost"]
    assert events_of(lost) == ["dispute.needs_response", "dispute.lost"]
    assert held(shop, "disputes") == [0]
    assert held(shop, "merchant_payable") == [before[0] - 1250]
    assert "overdrawn" in [reason for _, reason in attention()]


def test_a_dispute_that_is_won_costs_its_fee_alone(heard, shop):
    paid, dispute = disputed(shop)
    before = held(shop, "merchant_payable")
    heard.stripe.simulate(paid, "dispute_won")
    dispute_of(shop, paid, "won")
    heard.work_until(lambda: DisputeMovement.objects.count() == 2)

    assert held(shop, "disputes") == [0]
    assert held(shop, "merchant_payable") == before
    assert available(shop) == before[0]
    assert events_of(dispute) == ["dispute.needs_response", "dispute.won"]


def test_a_dispute_that_was_lost_and_is_reinstated_gives_the_merchant_its_money_again(heard, shop):
    paid, _ = disputed(shop)
    before = held(shop, "merchant_payable")
    heard.stripe.simulate(paid, "dispute_lost")
    dispute_of(shop, paid, "lost")
    heard.stripe.simulate(paid, "dispute_reinstated")

    won = dispute_of(shop, paid, "won")

    assert won["late"] is True
    assert path_of(won) == ["opened", "needs_response", "lost", "won"]
    assert (held(shop, "disputes"), held(shop, "merchant_payable")) == ([0], before)
    assert available(shop) == before[0]


def test_an_inquiry_moves_no_money_and_can_be_refunded(heard, shop, caller):
    paid, inquiry = disputed(shop, "inquiry", "inquiry")
    assert facts_of(inquiry) == []
    assert not Account.objects.filter(kind="disputes").exists()
    assert caller.post(f"payments/{paid['id']}/refunds", 201, amount=250)["state"] == "succeeded"
    heard.stripe.simulate(paid, "inquiry_closed")

    assert events_of(dispute_of(shop, paid, "inquiry_closed")) == ["dispute.inquiry", "dispute.inquiry_closed"]


def test_an_inquiry_that_becomes_a_dispute_is_one_and_the_same(heard, shop, caller):
    paid, inquiry = disputed(shop, "inquiry", "inquiry")
    heard.stripe.simulate(paid, "inquiry_escalated")

    dispute = dispute_of(shop, paid)

    assert dispute["id"] == inquiry["id"]
    assert held(shop, "disputes") == [1250]
    caller.refused(f"payments/{paid['id']}/refunds", 409, "payment_disputed")


@pytest.mark.parametrize("decided", ["", "dispute_lost"])
def test_no_refund_under_an_open_or_lost_dispute(heard, shop, caller, decided):
    paid, _ = disputed(shop)
    if decided:
        heard.stripe.simulate(paid, decided)
        dispute_of(shop, paid, "lost")

    caller.refused(f"payments/{paid['id']}/refunds", 409, "payment_disputed", amount=1)

    assert heard.stripe.calls("POST /v1/refunds") == 0
    assert counters(paid) == (1250, 0, 0)


def test_a_dispute_that_was_won_no_longer_stands_in_the_way_of_a_refund(heard, shop, caller):
    paid, _ = disputed(shop)
    heard.stripe.simulate(paid, "dispute_won")
    dispute_of(shop, paid, "won")

    assert caller.post(f"payments/{paid['id']}/refunds", 201, amount=1)["object"] == "refund"


def test_evidence_is_staged_then_submitted_and_decides(heard, shop, caller):
    paid, dispute = disputed(shop)
    path = f"disputes/{dispute['id']}/evidence"
    staged = caller.post(path, evidence={"customer_name": "Wanjiru", "explanation": "winning_evidence"})
    assert (staged["state"], staged["has_evidence"], staged["submitted_at"]) == ("needs_response", True, None)

    submitted = caller.post(path, submit=True)

    assert submitted["state"] == "under_review"
    assert submitted["submitted_at"] is not None
    caller.refused(path, 409, "dispute_not_answerable", evidence={"explanation": "more"})
    won = dispute_of(shop, paid, "won")
    assert events_of(won) == ["dispute.needs_response", "dispute.under_review", "dispute.won"]
    assert answers_of(dispute) == [("evidence", "succeeded"), ("evidence", "succeeded")]
    assert heard.stripe.calls(GIVE) == 2
    assert "Wanjiru" not in str(won)


def test_evidence_is_given_once_for_its_key(heard, shop, caller):
    _, dispute = disputed(shop)
    path, body = f"disputes/{dispute['id']}/evidence", {"evidence": {"explanation": "sent"}, "submit": True}

    first, second = (caller.post(path, key="the-same-key", **body) for _ in range(2))

    assert first == second
    assert heard.stripe.calls(GIVE) == 1


def test_what_evidence_may_be_is_checked_before_anything_is_sent(heard, shop, caller):
    _, dispute = disputed(shop)
    path = f"disputes/{dispute['id']}/evidence"
    long = dict.fromkeys(("access_activity_log", "cancellation_rebuttal", "explanation"), "x" * 20000)
    long |= dict.fromkeys(("product_description", "refund_policy_disclosure"), "x" * 20000)
    long |= dict.fromkeys(("refund_refusal_explanation", "cancellation_policy_disclosure"), "x" * 20000)
    refusals = {
        "/evidence/customer_name": {"evidence": {"customer_name": "x" * 5_001}},
        "/evidence/receipt": {"evidence": {"receipt": "file_1"}},
        "/evidence": {"evidence": long | {"duplicate_charge_explanation": "x" * 20_000}},
        "/submit": {"evidence": {"explanation": "x"}, "submit": "perhaps"},
    }
    for param, body in refusals.items():
        assert caller.refused(path, 400, "invalid_request", **body)["param"] == param
    assert caller.refused(path, 400, "invalid_request")["param"] == "/evidence"
    assert caller.refused(path, 400, "invalid_request", submit=True)["param"] == "/evidence"
    assert (answers_of(dispute), heard.stripe.calls(GIVE)) == ([], 0)


@pytest.mark.parametrize("trouble", ["reset_after", "500_before", "empty_after"])
def test_evidence_whose_answer_was_lost_is_found_by_the_same_key(heard, shop, caller, trouble):
    _, dispute = disputed(shop)
    heard.stripe.trouble(trouble, GIVE)
    path = f"disputes/{dispute['id']}/evidence"

    asked = caller.post(path, evidence={"explanation": "sent"})

    assert asked["pending_response"] == "evidence"
    caller.refused(path, 409, "dispute_not_answerable", evidence={"explanation": "other"})
    with heard.later(seconds=6):
        heard.work_until(lambda: answers_of(dispute) == [("evidence", "succeeded")])
    found = caller.get(f"disputes/{dispute['id']}")
    assert (found["pending_response"], found["has_evidence"], found["failure"]) == (None, True, None)


def test_evidence_whose_key_is_too_old_to_be_sent_again_is_read(heard, shop, caller):
    _, dispute = disputed(shop)
    heard.stripe.trouble("reset_after", GIVE)
    caller.post(f"disputes/{dispute['id']}/evidence", evidence={"explanation": "sent"})
    calls = heard.stripe.calls(GIVE)

    with heard.later(hours=23, minutes=40):
        heard.work_until(lambda: answers_of(dispute) == [("evidence", "succeeded")])

    assert heard.stripe.calls(GIVE) == calls


def test_evidence_that_stripe_refuses_leaves_the_dispute_as_it_was_and_says_why(heard, shop, caller):
    paid, dispute = disputed(shop)
    heard.stripe.post("settings", webhook_url="")
    heard.stripe.simulate(paid, "dispute_lost")

    refused = caller.post(f"disputes/{dispute['id']}/evidence", evidence={"explanation": "too late"})

    assert refused["failure"]["code"] == "invalid_request"
    assert answers_of(dispute) == [("evidence", "failed")]
    assert Attempt.objects.get(payment=paid["id"]).closing_as == ""
    assert caller.get(f"payments/{paid['id']}")["failure"] is None


def test_a_dispute_is_accepted_once_and_is_lost(heard, shop, caller):
    _, dispute = disputed(shop)

    accepted = caller.post(f"disputes/{dispute['id']}/accept")

    assert accepted["state"] == "lost"
    assert answers_of(dispute) == [("accept", "succeeded")]
    assert held(shop, "disputes") == [0]
    caller.refused(f"disputes/{dispute['id']}/accept", 409, "dispute_not_answerable")
    caller.refused(f"disputes/{dispute['id']}/evidence", 409, "dispute_not_answerable", evidence={"explanation": "x"})


def test_an_acceptance_whose_answer_was_lost_is_known_by_the_loss(heard, shop, caller):
    _, dispute = disputed(shop)
    heard.stripe.trouble("reset_after", "POST /v1/disputes/{dispute}/close")

    caller.post(f"disputes/{dispute['id']}/accept")

    with heard.later(seconds=6):
        heard.work_until(lambda: answers_of(dispute) == [("accept", "succeeded")])
    assert caller.get(f"disputes/{dispute['id']}")["state"] == "lost"


@pytest.mark.parametrize("mode", ["duplicate", "reordered"])
def test_events_that_come_twice_or_in_another_order_come_to_the_same(heard, shop, mode):
    heard.stripe.post("settings", callback_mode=mode)
    paid, dispute = disputed(shop)
    heard.stripe.simulate(paid, "dispute_won")
    dispute_of(shop, paid, "won")
    heard.work_until(lambda: DisputeMovement.objects.count() == 2)

    assert held(shop, "disputes") == [0]
    assert Dispute.objects.count() == 1
    assert events_of(dispute)[-1] == "dispute.won"
    assert not Attention.objects.filter(reason="parked").exists()


def test_the_list_is_filtered_by_state_payment_and_due_date(heard, shop, caller):
    paid, dispute = disputed(shop)
    other, lost = disputed(shop)
    heard.stripe.simulate(other, "dispute_lost")
    dispute_of(shop, other, "lost")

    def listed(**filters):
        return [row["id"] for row in caller.get("disputes", **filters)["data"]]

    assert listed() == [lost["id"], dispute["id"]]
    assert listed(state="lost") == [lost["id"]]
    assert listed(payment=paid["id"]) == [dispute["id"]]
    soon, later = (clock.rfc3339(clock.now() + timedelta(days=days)) for days in (6, 8))
    assert listed(**{"evidence_due[lt]": soon}) == []
    assert listed(**{"evidence_due[lt]": later}) == [lost["id"], dispute["id"]]


def test_scopes_are_held(heard, shop):
    _, dispute = disputed(shop)
    reader = shop.key_with("disputes:read")
    path = f"disputes/{dispute['id']}"

    assert reader.get(path)["id"] == dispute["id"]
    for write in ("evidence", "accept"):
        reader.refused(f"{path}/{write}", 403, "scope_missing")
    assert shop.key_with("payments:read").send("GET", "disputes").status_code == 403


def test_the_merchant_is_told_before_evidence_is_due_once_each_time(heard, shop, caller):
    _, dispute = disputed(shop)
    told = []
    for days in (3, 4.1, 4.2, 6.1, 6.5, 8):
        with clock.shifted(timedelta(days=days)):
            told.append(dispute_notices.tell_of_due_evidence())

    assert told == [0, 1, 0, 1, 0, 0]
    assert events_of(dispute) == ["dispute.needs_response", "dispute.evidence_due", "dispute.evidence_due"]


def test_who_has_submitted_evidence_is_not_told_that_it_is_due(heard, shop, caller):
    _, dispute = disputed(shop)
    caller.post(f"disputes/{dispute['id']}/evidence", evidence={"explanation": "sent"}, submit=True)

    with clock.shifted(timedelta(days=6.5)):
        assert dispute_notices.tell_of_due_evidence() == 0


def told(attempt, word, *moved, status="prevented"):
    """What a callback does, without one."""
    said = DisputeReport(word, Money(1250, "USD"), DisputeReason.GENERAL, moved=moved)
    report = Report(Word.SUCCEEDED, "dp_told", status, dispute=said)
    with transaction.atomic():
        locked = lock_attempt(attempt)
        dispute = dispute_booking.find_or_open(locked, report)
        dispute_booking.apply_to_dispute(dispute, report, Because(by="tests", source="callback"))
    return Dispute.objects.get(provider_id="dp_told")


TAKEN = DisputeMoved(MovementKind.WITHDRAWN, Money(1250, "USD"), "txn_taken", FEE)


def test_a_word_that_is_not_known_is_shown_to_a_person_and_its_money_is_booked(shop, caller):
    attempt = Attempt.objects.get(payment=caller.card()["id"])

    dispute = told(attempt, DisputeWord.UNKNOWN, TAKEN)

    assert dispute.state == "opened"
    assert (dispute.pk, "parked") in attention()
    assert held(shop, "disputes") == [1250]


def test_a_loss_that_is_told_after_the_win_moves_nothing_and_is_shown_to_a_person(shop, caller):
    attempt = Attempt.objects.get(payment=caller.card()["id"])
    told(attempt, DisputeWord.WON, TAKEN)
    before = held(shop, "merchant_payable")

    dispute = told(attempt, DisputeWord.LOST, TAKEN)

    assert (dispute.state, dispute.late) == ("won", False)
    assert (dispute.pk, "parked") in attention()
    assert held(shop, "merchant_payable") == before


def test_a_dispute_is_never_taken_from_one_payment_to_another(shop, caller):
    first, second = (Attempt.objects.get(payment=caller.card()["id"]) for _ in range(2))
    told(first, DisputeWord.NEEDS_RESPONSE)
    with pytest.raises(Unreadable):
        told(second, DisputeWord.NEEDS_RESPONSE)


def test_the_check_of_the_books_finds_a_disputes_money_that_is_not_posted_and_posts_it(shop, caller):
    attempt = Attempt.objects.get(payment=caller.card()["id"])
    dispute = factories.DisputeFactory(attempt=attempt, state="lost")
    DisputeMovement.objects.create(
        account=dispute.account,
        dispute=dispute,
        livemode=False,
        kind="withdrawn",
        provider_money_id="txn_unposted",
        amount=1250,
        currency="USD",
        fee_amount=FEE,
    )
    [finding] = checking.findings()
    assert dispute.pk in finding.told

    with transaction.atomic():
        finding.mend()

    assert checking.findings() == []
    assert facts_of({"id": dispute.pk})[-2:] == [("dispute_lost", "posted"), ("dispute_fee_charged", "posted")]


def test_a_refund_that_may_not_have_arrived_is_not_sent_again_once_there_is_a_dispute(heard, shop, caller):
    paid = caller.card()
    heard.stripe.trouble("reset_before", "POST /v1/refunds")
    refund = caller.post(f"payments/{paid['id']}/refunds", 201)
    assert refund["state"] == "pending"
    heard.stripe.simulate(paid, "dispute")
    dispute_of(shop, paid)

    with heard.later(seconds=6):
        assert caller.get(f"refunds/{refund['id']}")["state"] == "pending"

    assert heard.stripe.entries("refund") == []
