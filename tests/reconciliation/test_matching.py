"""What the one join finds: each kind of disagreement, once for ever, and nothing where both sides agree."""

from datetime import timedelta

import pytest
from django.db import transaction

from core import clock
from core.money import Money
from payments.models import Fee
from payments.providers.base import ReceiptKind, Word
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
