"""What the one join finds: each kind of disagreement, once for ever, and nothing where both sides agree."""

from datetime import timedelta

import pytest
from django.db import transaction

from core import clock, ids
from core.money import Money
from payments.models import DisputeMovement, Fee
from payments.providers.base import ReceiptKind, Word
from payments.providers.disputes import MovementKind
from payments.providers.statements import Statements
from reconciliation import matching, staging
from reconciliation.models import Discrepancy
from tests import factories
from tests.reconciliation.runs import booked, cases, line, open_run

pytestmark = pytest.mark.django_db

DECLARED = Statements(kinds=frozenset({ReceiptKind.CAPTURE}), reach=timedelta(hours=48))


@pytest.fixture
def account():
    return factories.ProviderAccountFactory(mpesa=True)


def match(account, *lines, declared=DECLARED, **window):
    run = open_run(account, **window)
    staging.stage(run.pk, lines)
    with transaction.atomic():
        found = matching.match(run, declared)
    run.phase, run.finished_at = "finished", clock.now()
    run.save()
    return found


def test_what_agrees_is_counted_and_written_down_nowhere(account):
    booked(account, "A1")
    found = match(account, line("A1"))
    assert found.counts == dict.fromkeys(Discrepancy.Kind.values, 0) | {"lines": 1, "matched": 1}
    assert found.totals == {"KES": {"listed": 25_000, "booked": 25_000}}
    assert cases() == []


def test_money_that_is_not_booked_is_missing_here_with_all_that_its_line_says(account):
    at = clock.now()
    found = match(account, line("A1", reference="LUNCH", payer_hint="2547•••111", provider_status="c2b", at=at))
    assert (found.counts["missing_here"], found.totals) == (1, {"KES": {"listed": 25_000, "booked": 0}})
    [case] = Discrepancy.objects.all()
    assert (case.kind, case.key, case.direction, case.outcome) == ("missing_here", "A1", "capture", "open")
    assert (case.listed, case.booked, case.receipt) == (Money(25_000, "KES"), None, "")
    assert (case.reference, case.payer_hint, case.provider_status, case.listed_at) == ("LUNCH", "2547•••111", "c2b", at)


def test_money_of_another_account_with_the_same_number_is_no_match(account):
    booked(factories.ProviderAccountFactory(mpesa=True, merchant=account.merchant), "A1")
    assert match(account, line("A1")).counts["missing_here"] == 1


@pytest.mark.parametrize(
    ("told", "kind"),
    [
        (line("A1", 24_900), "amount"),
        (line("A1", kind=ReceiptKind.REFUND), "amount"),
        (line("A1", currency="USD"), "currency"),
        (line("A1", word=Word.PENDING), "state"),
        (line("A1", word=Word.FAILED), "state"),
    ],
)
def test_each_difference_has_its_kind(account, told, kind):
    receipt = booked(account, "A1")
    found = match(account, told)
    assert (found.counts[kind], found.counts["matched"]) == (1, 0)
    [case] = Discrepancy.objects.all()
    assert (case.kind, case.receipt, case.booked, case.listed) == (kind, receipt.pk, receipt.money, told.money)


def test_a_number_listed_twice_with_different_words_is_a_duplicate_and_with_the_same_words_is_nothing(account):
    booked(account, "A1")
    booked(account, "A2")
    found = match(account, line("A1"), line("A1"), line("A2"), line("A2", 100))
    assert (found.counts["matched"], found.counts["duplicate"]) == (1, 1)
    assert cases() == [("duplicate", "A2", "open")]


@pytest.mark.parametrize(("fee", "kind"), [(300, "matched"), (299, "fee"), (None, "matched")])
def test_a_fee_is_compared_where_both_sides_know_it(account, fee, kind):
    receipt = booked(account, "A1")
    Fee.objects.create(receipt=receipt, amount=300, currency="KES", lane=account.pk)
    told = line("A1", fee=None if fee is None else Money(fee, "KES"))
    assert match(account, told).counts[kind] == 1
    assert [(case.listed_fee, case.booked_fee) for case in Discrepancy.objects.all()] == (
        [(299, 300)] if kind == "fee" else []
    )


def test_a_fee_that_is_not_final_here_is_not_compared(account):
    Fee.objects.create(receipt=booked(account, "A1"), expected_amount=5, currency="KES", lane=account.pk)
    assert match(account, line("A1", fee=Money(300, "KES"))).counts["matched"] == 1


def test_what_is_booked_and_not_listed_is_missing_there(account):
    receipt = booked(account, "A1")
    found = match(account)
    assert (found.counts["missing_there"], found.totals) == (1, {"KES": {"listed": 0, "booked": 25_000}})
    [case] = Discrepancy.objects.all()
    assert (case.key, case.receipt, case.booked, case.listed) == ("A1", receipt.pk, receipt.money, None)


@pytest.mark.parametrize("hours", [-0.5, 0.5, 23.5, 30])
def test_at_the_edges_of_the_window_and_outside_nothing_is_missing_there(account, hours):
    booked(account, "A1", created_at=clock.now() - timedelta(hours=hours))
    assert sum(match(account).counts.values()) == 0


def test_what_the_provider_does_not_list_is_not_missed_there(account):
    booked(account, "A1", kind="refund")
    booked(account, None)
    assert sum(match(account).counts.values()) == 0


def test_what_has_not_moved_there_and_is_not_booked_here_is_nothing(account):
    found = match(account, line("A1", word=Word.PENDING))
    assert (found.counts["lines"], sum(found.counts.values()), found.totals) == (1, 1, {})


def test_a_case_is_found_once_for_ever_whatever_became_of_it(account):
    match(account, line("A1"))
    Discrepancy.objects.update(outcome="repaired", closed_at=clock.now())
    assert match(account, line("A1")).counts["missing_here"] == 1
    assert cases() == [("missing_here", "A1", "repaired")]


def test_a_later_statement_explains_what_was_missing_there_or_not_final(account):
    booked(account, "A1")
    booked(account, "A2")
    match(account, line("A2", word=Word.PENDING))
    assert cases() == [("missing_there", "A1", "open"), ("state", "A2", "open")]
    match(account, line("A1"), line("A2"))
    assert cases() == [("missing_there", "A1", "explained"), ("state", "A2", "explained")]


def test_totals_are_by_currency_and_what_went_back_counts_against_them(account):
    everything = Statements(kinds=frozenset(ReceiptKind), reach=timedelta(hours=48))
    booked(account, "A1")
    booked(account, "B1", 5_000, kind="refund")
    booked(account, "C1", 700, currency="USD")
    told = (line("A1"), line("B1", 5_000, kind=ReceiptKind.REFUND), line("C1", 700, "USD"))
    assert match(account, *told, declared=everything).totals == {
        "KES": {"listed": 20_000, "booked": 20_000},
        "USD": {"listed": 700, "booked": 700},
    }


def test_lines_are_forgotten_a_day_after_their_run(account, settings):
    match(account, line("A1"), line("A2"))
    waiting = open_run(account)
    staging.stage(waiting.pk, [line("A3")])
    assert staging.purge() == 0
    with clock.shifted(settings.STATEMENT_LINES_KEPT + timedelta(minutes=1)):
        assert staging.purge() == 2
    assert staging.forget(waiting.pk) == 1


EVERYTHING = Statements(kinds=frozenset((*ReceiptKind, *MovementKind)), reach=timedelta(hours=48))


@pytest.mark.parametrize(
    ("state", "word", "finding"),
    [
        ("succeeded", Word.SUCCEEDED, "matched"),
        ("succeeded", Word.FAILED, "state"),
        ("failed", Word.FAILED, "matched"),
        ("failed", Word.SUCCEEDED, "state"),
        ("cancelled", Word.CANCELLED, "matched"),
    ],
)
def test_a_refund_that_has_failed_since_agrees_with_one_that_is_listed_so(account, state, word, finding):
    refunded(account, "B1", state)
    told = line("B1", 5_000, kind=ReceiptKind.REFUND, word=word)
    assert match(account, told, declared=EVERYTHING).counts[finding] == 1


def refunded(account, number, state="succeeded"):
    receipt = booked(account, number, 5_000, kind="refund")
    receipt.refund = factories.RefundFactory(
        attempt=receipt.attempt, payment=receipt.attempt.payment, amount=5_000, currency="KES", state=state
    )
    receipt.save()
    return receipt


def test_a_refund_that_has_failed_need_not_be_listed_and_counts_in_no_total(account):
    refunded(account, "B1", "failed")
    refunded(account, "B2")
    found = match(account, declared=EVERYTHING)
    assert cases() == [("missing_there", "B2", "open")]
    assert found.totals == {"KES": {"listed": 0, "booked": -5_000}}


def test_what_was_found_in_a_list_before_is_not_missed_in_a_later_one(account):
    booked(account, "A1", source="reconciliation")
    assert sum(match(account).counts.values()) == 0


def moved(account, number, kind="withdrawn", **changes):
    dispute = factories.DisputeFactory(attempt__account=account)
    values = {"amount": 1250, "currency": "USD", "fee_amount": 1500, "created_at": clock.now() - timedelta(hours=6)}
    return DisputeMovement.objects.create(
        account=account, dispute=dispute, livemode=False, kind=kind, provider_money_id=number, **values | changes
    )


def test_a_dispute_s_money_is_compared_with_its_fee(account):
    moved(account, "T1")
    moved(account, "T2", "reinstated", fee_amount=0)
    moved(account, "T3")
    lost = moved(account, "T4")
    told = (
        line("T1", 1250, "USD", kind=MovementKind.WITHDRAWN, fee=Money(1500, "USD")),
        line("T2", 1250, "USD", kind=MovementKind.REINSTATED),
        line("T3", 1250, "USD", kind=MovementKind.WITHDRAWN, fee=Money(2000, "USD")),
        line("T5", 1250, "USD", kind=MovementKind.WITHDRAWN),
    )
    found = match(account, *told, declared=EVERYTHING)
    assert cases() == [("fee", "T3", "open"), ("missing_here", "T5", "open"), ("missing_there", "T4", "open")]
    assert Discrepancy.objects.get(key="T4").receipt == lost.pk
    assert found.totals == {"USD": {"listed": -2500, "booked": -2500}}


def test_a_dispute_s_money_that_was_missing_here_is_explained_once_it_is_booked(account):
    told = line("T1", 1250, "USD", kind=MovementKind.WITHDRAWN)
    match(account, told, declared=EVERYTHING)
    moved(account, "T1", fee_amount=0)
    match(account, told, declared=EVERYTHING)
    assert cases() == [("missing_here", "T1", "explained")]


@pytest.mark.parametrize(
    ("kept_in", "listed_in", "finding"),
    [("EUR", "USD", "matched"), ("EUR", "EUR", "fee"), ("USD", "EUR", "fee"), ("USD", "USD", "fee")],
)
def test_a_fee_in_the_payment_s_currency_is_not_compared_with_one_in_another_that_the_provider_holds(
    account, kept_in, listed_in, finding
):
    receipt = booked(account, "A1", 1250, currency="USD")
    Fee.objects.create(receipt=receipt, amount=93, currency=kept_in, lane=account.pk)
    told = line("A1", 1250, "USD", fee=Money(92, listed_in))
    assert match(account, told).counts[finding] == 1


RENUMBERED = Statements(kinds=frozenset({ReceiptKind.CAPTURE}), reach=timedelta(hours=48), renumbers=True)


def test_a_line_under_another_number_is_the_payment_s_whose_reference_it_has(account):
    receipt = booked(account, "INV-1")
    type(receipt.attempt).objects.filter(pk=receipt.attempt_id).update(provider_id="INV-1")
    told = line("PAY-9", reference=receipt.attempt.provider_reference)
    assert match(account, told, declared=RENUMBERED).counts["matched"] == 1
    assert match(account, told).counts["missing_here"] == 1


@pytest.mark.parametrize("number", ["CODE-1", None])
def test_money_of_a_payment_with_numbers_of_its_own_is_found_by_those_alone(account, number):
    receipt = booked(account, "PAY-1")
    type(receipt.attempt).objects.filter(pk=receipt.attempt_id).update(provider_id=number or "")
    second = line("PAY-2", reference=receipt.attempt.provider_reference)
    found = match(account, line("PAY-1"), second, declared=RENUMBERED)
    assert (found.counts["matched"], found.counts["missing_here"]) == (1, 1)


def test_a_number_that_is_booked_is_nobody_elses(account):
    receipt = booked(account, "INV-1")
    type(receipt.attempt).objects.filter(pk=receipt.attempt_id).update(provider_id="INV-1")
    booked(account, "PAY-9")
    told = line("PAY-9", reference=receipt.attempt.provider_reference)
    found = match(account, told, declared=RENUMBERED)
    assert cases() == [("missing_there", "INV-1", "open")]
    assert found.counts["matched"] == 1


def test_what_was_not_final_when_it_was_read_and_is_booked_since_is_for_the_next_run(account):
    booked(account, "A1", created_at=clock.now())
    found = match(account, line("A1", word=Word.PENDING))
    assert (cases(), found.counts["state"], found.totals) == ([], 0, {})


BY_STATUS = Statements(kinds=frozenset(ReceiptKind), reach=timedelta(hours=48), by_status=True)


def test_money_of_long_ago_is_compared_where_payments_are_asked_about_one_by_one(account):
    ago = clock.now() - timedelta(days=20)
    booked(account, "A1", id=ids.first_id("rcpt", ago), created_at=ago)
    assert match(account, line("A1"), declared=BY_STATUS).counts["matched"] == 1


def test_of_a_payment_whose_answer_could_not_be_read_nothing_is_missed(account):
    receipt = booked(account, "A1")
    booked(account, "A2")
    match(account, declared=BY_STATUS, unreadable={receipt.attempt_id: "ValueError"})
    assert cases() == [("missing_there", "A2", "open")]


def test_a_number_that_is_listed_several_times_counts_once_in_every_total(account):
    booked(account, "A1")
    booked(account, "A2", 700, currency="USD")
    found = match(account, line("A1"), line("A1"), line("A1"), line("A2", 700, "USD"), line("A2", 700, "KES"))
    assert (found.counts["lines"], found.counts["matched"], found.counts["duplicate"]) == (2, 1, 1)
    # Of two words the lesser one stands for both, as the case says.
    assert found.totals == {"KES": {"listed": 25_700, "booked": 25_000}, "USD": {"listed": 0, "booked": 700}}


def test_a_currency_that_is_left_on_neither_side_has_no_total(account):
    assert match(account, line("A1", 700, "USD"), line("A1", 700, "KES")).totals == {
        "KES": {"listed": 700, "booked": 0}
    }


@pytest.mark.parametrize("hours", [0.5, 23.5, 30])
def test_what_a_line_tells_of_counts_as_booked_whenever_it_was(account, hours):
    booked(account, "A1", created_at=clock.now() - timedelta(hours=hours))
    found = match(account, line("A1"))
    assert (found.counts["matched"], found.totals) == (1, {"KES": {"listed": 25_000, "booked": 25_000}})
    assert cases() == []


def test_each_side_counts_by_its_own_direction(account):
    booked(account, "A1")
    found = match(account, line("A1", kind=ReceiptKind.REFUND))
    assert found.totals == {"KES": {"listed": -25_000, "booked": 25_000}}


def test_more_cases_than_one_statement_writes_are_all_written(account, monkeypatch):
    monkeypatch.setattr(matching, "_AT_ONCE", 3)
    match(account, line("A0"))
    found = match(account, *(line(f"A{number}") for number in range(8)))
    assert found.counts["missing_here"] == 8
    assert [key for _, key, _ in cases()] == [f"A{number}" for number in range(8)]
    assert len(set(Discrepancy.objects.values_list("pk", flat=True))) == 8


def test_what_was_explained_and_disagrees_once_more_is_open_once_more(account):
    booked(account, "A1")
    for amount, outcome in ((700, "open"), (25_000, "explained"), (900, "open")):
        match(account, line("A1", amount))
        assert cases() == [("amount", "A1", outcome)]
    assert Discrepancy.objects.get().listed_amount == 900


def test_what_two_people_have_closed_stays_closed(account):
    booked(account, "A1")
    match(account, line("A1", 700))
    closed = {"outcome": "closed", "closed_at": clock.now(), "proposed_by": "amina", "closed_by": "juma"}
    Discrepancy.objects.update(**closed)
    match(account, line("A1", 900))
    assert cases() == [("amount", "A1", "closed")]


def test_a_refund_of_long_ago_that_fails_now_is_noticed(account):
    ago = clock.now() - timedelta(days=20)
    receipt = refunded(account, "B1")
    type(receipt).objects.filter(pk=receipt.pk).update(id=ids.first_id("rcpt", ago), created_at=ago)
    match(account, line("B1", 5_000, kind=ReceiptKind.REFUND, word=Word.FAILED), declared=EVERYTHING)
    assert cases() == [("state", "B1", "open")]


def test_a_second_payment_under_the_same_reference_is_not_the_first(account):
    receipt = booked(account, "INV-1")
    type(receipt.attempt).objects.filter(pk=receipt.attempt_id).update(provider_id="INV-1")
    told = [line(number, reference=receipt.attempt.provider_reference) for number in ("PAY-8", "PAY-9")]
    assert match(account, *told, declared=RENUMBERED).counts["missing_here"] == 2
