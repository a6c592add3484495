"""What the books say: the trial balance, a day's movements, and statements with their running balance."""

from datetime import UTC, date, datetime, timedelta
from itertools import accumulate

import pytest
from django.db import transaction

from core import clock, ids
from ledger import balances, statements
from ledger.chart import CHART, Kind
from ledger.facts import Fact
from ledger.models import Account, Entry, Transfer
from ledger.statements import Total, between, movements, newest, out_of_balance, trial_balance
from tests.ledger.books import account_of, booked, new_books

pytestmark = pytest.mark.django_db

MIDNIGHT = datetime(2026, 11, 20, tzinfo=UTC)
TICK = timedelta(microseconds=1)
DAY = timedelta(days=1)
SIDES = (Kind.PROVIDER_CLEARING, Kind.MERCHANT_PAYABLE)


@pytest.fixture
def books():
    return new_books()


def told(lines):
    return [(line.amount, line.balance) for line in lines]


def entered(books, *captured, phase="posted"):
    """Captures as rows, each `(moment, amount)`: no clock can be shifted to a microsecond."""
    for kind in SIDES:
        side = CHART[kind].side
        Account.objects.get_or_create(owner=books.owner(kind), kind=kind, currency="KES", livemode=False, side=side)
    accounts = [account_of(books, kind) for kind in SIDES]
    facts = {"fact": Fact.PAYMENT_CAPTURED, "phase": phase, "cause": "pay_1", "livemode": False}
    with transaction.atomic():
        transfers = [Transfer(reference=ids.new_id("rcpt"), at=at, merchant="", **facts) for at, _ in captured]
        Transfer.objects.bulk_create(transfers)
        Entry.objects.bulk_create(
            Entry(transfer=transfer, account=account, amount=amount * account.side, at=at)
            for transfer, (at, amount) in zip(transfers, captured, strict=True)
            for account in accounts
        )


# Pages


def test_each_line_tells_its_fact_its_cause_and_the_balance_after_it(books):
    booked(books, 1000, cause="pay_7")
    booked(books, 300, Fact.REFUND_SUCCEEDED, cause="ref_7")
    last, first = newest(account_of(books))
    assert (first.fact, first.cause, first.amount, first.balance) == ("payment_captured", "pay_7", 1000, 1000)
    assert (last.fact, last.cause, last.amount, last.balance) == ("refund_succeeded", "ref_7", -300, 700)


def test_an_account_that_grows_by_debits_is_told_in_its_own_direction(books):
    booked(books, 1000)
    booked(books, 400, Fact.PAYMENT_SETTLED)
    assert told(newest(account_of(books, Kind.PROVIDER_CLEARING))) == [(-400, 600), (1000, 1000)]


@pytest.mark.parametrize("summed", [False, True])
@pytest.mark.parametrize("size", [1, 3, 7, 100])
def test_the_running_balance_is_exact_across_pages(books, size, summed):
    amounts = [1000, 7, 250, 1, 99, 12, 5]
    for amount in amounts:
        booked(books, amount)
    if summed:
        balances.sum_up_some()
    account, lines, before = account_of(books), [], ""
    while page := newest(account, before=before, limit=size):
        lines, before = [*lines, *page], page[-1].entry
    expected = [(amount, sum(amounts[: place + 1])) for place, amount in enumerate(amounts)]
    assert told(lines) == expected[::-1]


def test_the_running_balance_is_that_of_the_lines_however_old_the_account_was_read(books):
    booked(books, 1000)
    account = account_of(books)
    booked(books, 500)
    assert told(newest(account)) == [(500, 1500), (1000, 1000)]


def test_a_page_takes_one_query(books, django_assert_num_queries):
    booked(books, 1000)
    booked(books, 500)
    account = account_of(books)
    with django_assert_num_queries(1):
        (first,) = newest(account, limit=1)
    with django_assert_num_queries(1):
        assert told(newest(account, before=first.entry)) == [(1000, 1000)]


# Spans of time


def test_a_whole_statement_begins_at_nothing_and_ends_at_the_balance(books):
    for amount in (1000, 20):
        booked(books, amount)
    booked(books, 300, Fact.REFUND_SUCCEEDED)
    assert told(between(account_of(books))) == [(1000, 1000), (20, 1020), (-300, 720)]


def test_a_long_statement_is_read_in_pieces_and_loses_nothing(books, django_assert_num_queries):
    count = statements.CHUNK + 1
    entered(books, *((MIDNIGHT, number + 1) for number in range(count)))
    account = account_of(books)
    with django_assert_num_queries(3):
        lines = list(between(account))
    assert [line.amount for line in lines] == list(range(1, count + 1))
    assert [line.balance for line in lines] == list(accumulate(range(1, count + 1)))


def test_a_span_begins_with_what_was_there_and_ends_before_its_end(books):
    entered(books, (MIDNIGHT - TICK, 1), (MIDNIGHT, 20), (MIDNIGHT + DAY - TICK, 300), (MIDNIGHT + DAY, 4000))
    account = account_of(books)
    assert told(between(account, since=MIDNIGHT, until=MIDNIGHT + DAY)) == [(20, 21), (300, 321)]
    assert told(between(account, since=MIDNIGHT + DAY)) == [(4000, 4321)]
    assert told(between(account, until=MIDNIGHT)) == [(1, 1)]
    assert told(between(account, since=MIDNIGHT + 2 * DAY)) == []


# Days


def test_a_days_movements_are_those_from_midnight_to_midnight_in_utc(books):
    entered(books, (MIDNIGHT - TICK, 1), (MIDNIGHT, 20), (MIDNIGHT + DAY - TICK, 300), (MIDNIGHT + DAY, 4000))
    days = [movements(livemode=False, day=date(2026, 11, day)) for day in (18, 19, 20, 21)]
    assert [both(totals) for totals in days] == [{}, sides(1), sides(320), sides(4000)]


def both(totals):
    return {total.kind: (total.debits, total.credits) for total in totals}


def sides(amount):
    return {"provider_clearing": (amount, 0), "merchant_payable": (0, amount)}


def test_a_days_debits_and_credits_do_not_cancel_each_other(books):
    booked(books, 1000)
    booked(books, 400, Fact.PAYMENT_SETTLED)
    assert both(movements(livemode=False, day=clock.now().date())) == {
        "provider_clearing": (1000, 400),
        "merchant_payable": (400, 1000),
    }


# What counts


def test_the_trial_balance_stands_per_currency_and_kind_and_is_zero(books):
    booked(books, 1000)
    booked(new_books(), 500)
    booked(books, 70, currency="JPY")
    totals = trial_balance(livemode=False)
    assert totals == [
        Total("JPY", "merchant_payable", 0, 70),
        Total("JPY", "provider_clearing", 70, 0),
        Total("KES", "merchant_payable", 0, 1500),
        Total("KES", "provider_clearing", 1500, 0),
    ]
    assert out_of_balance(totals) == {"JPY": 0, "KES": 0}


def test_accounts_of_one_kind_on_both_sides_do_not_cancel_each_other(books):
    booked(books, 1000)
    booked(new_books(), 300, Fact.REFUND_SUCCEEDED)
    assert Total("KES", "merchant_payable", 300, 1000) in trial_balance(livemode=False)


def test_what_is_missing_on_one_side_is_told(books):
    booked(books, 1000)
    balances.sum_up_some()
    Account.objects.filter(kind=Kind.PROVIDER_CLEARING).update(posted=999)
    assert out_of_balance(trial_balance(livemode=False)) == {"KES": -1}


def test_test_and_live_are_told_apart(books):
    booked(new_books(livemode=True), 1000)
    assert trial_balance(livemode=False) == movements(livemode=False, day=clock.now().date()) == []
    assert len(trial_balance(livemode=True)) == len(movements(livemode=True, day=clock.now().date())) == 2


def test_what_is_pending_counts_nowhere(books):
    refund = booked(books, 300, Fact.REFUND_RESERVED)
    account = account_of(books)
    assert newest(account) == list(between(account)) == []
    assert both(trial_balance(livemode=False)) == {"merchant_payable": (0, 0), "refunds": (0, 0)}
    assert movements(livemode=False, day=clock.now().date()) == []
    booked(books, 300, Fact.REFUND_SUCCEEDED, source=refund)
    assert told(newest(account)) == told(between(account)) == [(-300, -300)]
    assert both(movements(livemode=False, day=clock.now().date())) == {
        "merchant_payable": (300, 0),
        "refunds": (0, 300),
    }


def test_a_void_leaves_no_line(books):
    refund = booked(books, 300, Fact.REFUND_RESERVED)
    booked(books, 300, Fact.REFUND_RELEASED, source=refund)
    assert newest(account_of(books)) == list(between(account_of(books))) == []
