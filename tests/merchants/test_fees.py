"""What a provider is expected to take, by the schedules of its account."""

from datetime import timedelta
from decimal import Decimal
from fractions import Fraction

import pytest
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext

from core import clock
from core.money import Money
from events.models import AuditEntry
from merchants import accounts, fees
from merchants.fees import Tier
from merchants.models import FeeSchedule, FeeTier
from tests.factories import FeeScheduleFactory, ProviderAccountFactory

NONE = Decimal(0)


def tier(from_amount, fixed, percent):
    return Tier(from_amount, fixed, Decimal(percent))


# The rule


@pytest.mark.parametrize(
    ("money", "tiers", "tax", "fee"),
    [
        (Money(10_000, "USD"), [tier(0, 30, "2.9")], "0", Money(320, "USD")),
        (Money(10_000, "USD"), [tier(0, 0, "0")], "16", Money(0, "USD")),
        (Money(1_000, "JPY"), [tier(0, 40, "3.6")], "10", Money(84, "JPY")),
        (Money(999, "JPY"), [tier(0, 0, "3.6")], "0", Money(36, "JPY")),
        (Money(12_345, "KWD"), [tier(0, 100, "1.25")], "5", Money(267, "KWD")),
        (Money(0, "KES"), [tier(0, 500, "1")], "0", Money(500, "KES")),
    ],
)
def test_a_fee_is_its_fixed_part_its_percentage_and_the_tax_on_both(money, tiers, tax, fee):
    assert fees.fee_of(money, tiers=tiers, tax_percent=Decimal(tax)) == fee


@pytest.mark.parametrize(
    ("amount", "fee"), [(0, 0), (10_099, 0), (10_100, 500), (10_101, 500), (50_099, 500), (50_100, 700), (10**12, 700)]
)
def test_a_tier_holds_from_its_amount_to_the_next_ones(amount, fee):
    tiers = [tier(50_100, 700, "0"), tier(0, 0, "0"), tier(10_100, 500, "0")]
    assert fees.fee_of(Money(amount, "KES"), tiers=tiers, tax_percent=NONE) == Money(fee, "KES")


def test_below_the_first_tier_there_is_no_fee():
    assert fees.fee_of(Money(99, "KES"), tiers=[tier(100, 5, "1")], tax_percent=NONE) == Money(0, "KES")


@pytest.mark.parametrize(("amount", "fee"), [(50, 0), (150, 2), (250, 2), (51, 1)])
def test_a_half_goes_to_the_even_minor_unit(amount, fee):
    assert fees.fee_of(Money(amount, "USD"), tiers=[tier(0, 0, "1")], tax_percent=NONE) == Money(fee, "USD")


def test_fee_and_tax_are_rounded_once_together():
    # 0.45 with its tax is 0.522; the fee rounded by itself would have been 0.
    assert fees.fee_of(Money(45, "USD"), tiers=[tier(0, 0, "1")], tax_percent=Decimal(16)) == Money(1, "USD")
    # 10.5 with its tax is 12.6; the fee rounded by itself would have been 10, and 12 with its tax.
    assert fees.fee_of(Money(1050, "USD"), tiers=[tier(0, 0, "1")], tax_percent=Decimal(20)) == Money(13, "USD")


def test_the_largest_amount_that_is_kept_is_reckoned_exactly():
    largest = Money(9_223_372_036_854_775_807, "USD")
    fee = fees.fee_of(largest, tiers=[tier(0, 0, "99.9999")], tax_percent=Decimal("99.9999"))
    assert fee == Money(round(Fraction(largest.amount * 999_999 * 1_999_999, 10**12)), "USD")


# Which schedule


NOW = clock.now()
DAY = timedelta(days=1)


def expected(schedule, *, method="card", money=None, at=NOW):
    return fees.expected_fee(account_id=schedule.account_id, method=method, money=money or Money(10_000, "USD"), at=at)


@pytest.mark.django_db
def test_a_schedule_is_in_force_from_its_moment_until_the_next_ones():
    first = FeeScheduleFactory(effective_from=NOW, tiers=[(0, 100, "0")])
    FeeScheduleFactory(account=first.account, effective_from=NOW + DAY, tiers=[(0, 200, "0")])
    tick = timedelta(microseconds=1)
    moments = [NOW - tick, NOW, NOW + tick, NOW + DAY - tick, NOW + DAY, NOW + 100 * DAY]
    usd = [Money(amount, "USD") for amount in (100, 200)]
    assert [expected(first, at=at) for at in moments] == [None, usd[0], usd[0], usd[0], usd[1], usd[1]]


@pytest.mark.django_db
def test_a_schedule_for_the_method_goes_before_a_later_one_for_any():
    ours = FeeScheduleFactory(method="card", effective_from=NOW - 2 * DAY, tiers=[(0, 100, "0")])
    FeeScheduleFactory(account=ours.account, effective_from=NOW - DAY, tiers=[(0, 200, "0")])
    FeeScheduleFactory(account=ours.account, method="wallet", effective_from=NOW, tiers=[(0, 300, "0")])
    assert expected(ours, method="card") == Money(100, "USD")
    assert expected(ours, method="bank") == Money(200, "USD")


@pytest.mark.django_db
def test_no_other_account_currency_or_method_lends_its_schedule():
    other = FeeScheduleFactory()
    ours = FeeScheduleFactory(method="card")
    assert expected(ours) == Money(150, "USD")
    assert expected(ours, money=Money(10_000, "EUR")) is None
    assert expected(ours, method="wallet") is None
    assert expected(other, method="wallet") == Money(150, "USD")


@pytest.mark.django_db
def test_an_expected_fee_takes_its_tier_and_tax_in_one_query():
    schedule = FeeScheduleFactory(
        currency="KES", tax_percent=Decimal("15"), tiers=[(0, 0, "0"), (10_100, 500, "0"), (50_100, 0, "1.4")]
    )
    with CaptureQueriesContext(connection) as taken:
        assert expected(schedule, money=Money(10_100, "KES")) == Money(575, "KES")
    assert len(taken) == 1
    assert expected(schedule, money=Money(10_099, "KES")) == Money(0, "KES")
    assert expected(schedule, money=Money(100_000, "KES")) == Money(1610, "KES")


# Writing one


def write(account, **given):
    terms = {
        "method": "card",
        "currency": "USD",
        "effective_from": clock.now(),
        "tax_percent": Decimal(16),
        "tiers": [tier(0, 30, "2.9"), tier(100_000, 0, "2.5")],
        "note": "the contract of May",
        "by": "staff:amina",
    }
    return fees.write_schedule(account=account, **{**terms, **given})


@pytest.mark.django_db
def test_a_schedule_is_written_with_its_tiers_and_an_audit_entry():
    account = ProviderAccountFactory()
    schedule = write(account, effective_from=NOW + DAY)
    kept = FeeSchedule.objects.get()
    assert (kept.account, kept.method, kept.currency) == (account, "card", "USD")
    assert (kept.effective_from, kept.tax_percent, kept.note) == (NOW + DAY, Decimal(16), "the contract of May")
    assert kept.created_by == "staff:amina"
    assert fees.tiers_of(kept) == [tier(0, 30, "2.9"), tier(100_000, 0, "2.5")]
    entry = AuditEntry.objects.get(object_id=schedule.pk)
    assert (entry.actor, entry.action, entry.merchant) == ("staff:amina", "fee_schedule.written", account.merchant_id)
    assert entry.livemode is False
    assert entry.detail["tiers"] == [[0, 30, "2.9"], [100_000, 0, "2.5"]]


@pytest.mark.django_db
def test_a_schedule_may_be_for_any_method():
    assert write(ProviderAccountFactory(), method="").method == ""


WRONG = [
    ({"tiers": []}, "'tiers' are missing"),
    ({"tiers": [tier(100, 0, "1")]}, r"'tiers' start from USD 1\.00; the first one has to be from 0"),
    (
        {"tiers": [tier(0, 0, "1"), tier(500, 0, "1"), tier(500, 0, "2")]},
        r"'tiers' do not ascend: line 3 is from USD 5\.00, after USD 5\.00",
    ),
    ({"tiers": [tier(0, -1, "1")]}, r"'tiers' take less than nothing: line 1 has USD -0\.01"),
    (
        {"tiers": [tier(0, 0, "1"), tier(5, 0, "100.0001")]},
        r"'tiers' line 2: percent is 100\.0001, which is not from 0 to 100",
    ),
    ({"tiers": [tier(0, 0, "-1")]}, "'tiers' line 1: percent is -1, which is not from 0 to 100"),
    ({"tiers": [tier(0, 0, "1.00001")]}, r"'tiers' line 1: percent is 1\.00001, which has more than 4 decimals"),
    ({"tax_percent": Decimal(101)}, "'tax_percent' is 101, which is not from 0 to 100"),
    ({"currency": "KSH"}, "'currency' is 'KSH', which is not an ISO 4217 code"),
    ({"method": "mpesa"}, "'method' is 'mpesa'; stripe has card"),
    ({"effective_from": NOW - DAY}, "'effective_from' is past: payments since then are already booked"),
]


@pytest.mark.django_db
@pytest.mark.parametrize(("given", "message"), WRONG)
def test_a_schedule_that_is_wrong_is_refused_by_name_and_nothing_is_written(given, message):
    with pytest.raises(ValueError, match=message):
        write(ProviderAccountFactory(), **given)
    assert not FeeSchedule.objects.exists()


@pytest.mark.django_db
def test_a_second_schedule_from_the_same_moment_is_refused_and_a_later_one_replaces_the_first():
    account = ProviderAccountFactory()
    first = write(account, effective_from=NOW + DAY)
    with pytest.raises(ValueError, match="'effective_from' is taken"):
        write(account, effective_from=NOW + DAY)
    write(account, effective_from=NOW + 2 * DAY, tax_percent=NONE, tiers=[tier(0, 7, "0")])
    assert expected(first, at=NOW + 2 * DAY) == Money(7, "USD")


def test_a_method_is_one_that_the_accounts_provider_has():
    with pytest.raises(ValueError, match="'provider' is 'acme'"):
        accounts.check_method("acme", "card")
    for provider, kind in accounts.everyone().items():
        for method in kind.methods:
            accounts.check_method(provider, method)
        with pytest.raises(ValueError, match="'method' is 'barter'"):
            accounts.check_method(provider, "barter")


# What the database keeps


def refused(act, *, why=""):
    with pytest.raises(IntegrityError, match=why), transaction.atomic():
        act()


@pytest.mark.django_db
def test_the_database_refuses_a_second_schedule_from_a_moment_and_a_second_tier_from_an_amount():
    row = FeeScheduleFactory()
    same = {"account": row.account, "effective_from": row.effective_from}
    refused(lambda: FeeScheduleFactory(**same), why="one_fee_schedule_from_a_moment")
    refused(
        lambda: FeeTier.objects.create(schedule=row, from_amount=0, fixed=1, percent=0),
        why="one_fee_tier_from_an_amount",
    )


@pytest.mark.django_db
def test_the_database_refuses_to_change_or_delete_a_schedule_or_a_tier():
    row = FeeScheduleFactory()
    refused(lambda: FeeSchedule.objects.update(note="no longer"), why="append-only")
    refused(lambda: FeeTier.objects.update(fixed=0), why="append-only")
    refused(lambda: FeeTier.objects.all().delete(), why="append-only")
    refused(lambda: FeeSchedule.objects.filter(pk=row.pk)._raw_delete("default"), why="append-only")


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("given", "constraint"),
    [
        ({"tax_percent": Decimal("-0.0001")}, "fee_tax_is_a_share"),
        ({"tax_percent": Decimal("100.0001")}, "fee_tax_is_a_share"),
        ({"tiers": [(-1, 0, "0")]}, "fee_tier_starts_at_an_amount"),
        ({"tiers": [(0, -1, "0")]}, "fixed_fee_is_not_negative"),
        ({"tiers": [(0, 0, "-0.0001")]}, "fee_percent_is_a_share"),
        ({"tiers": [(0, 0, "100.0001")]}, "fee_percent_is_a_share"),
    ],
)
def test_the_database_refuses_what_is_no_fee(given, constraint):
    refused(lambda: FeeScheduleFactory(**given), why=constraint)
