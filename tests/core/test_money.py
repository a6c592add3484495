"""Money adds, converts and divides without ever losing or inventing a minor unit."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as some

from core.money import EXPONENTS, Money, NotRepresentable

AMOUNTS = some.integers(-(10**15), 10**15)
CURRENCIES = some.sampled_from(sorted(EXPONENTS))


@pytest.mark.parametrize(
    ("money", "text", "major"),
    [
        (Money(25_000, "KES"), "KES 250.00", "250.00"),
        (Money(500, "JPY"), "JPY 500", "500"),
        (Money(1_234_500, "KWD"), "KWD 1,234.500", "1234.500"),
        (Money(-5, "USD"), "USD -0.05", "-0.05"),
    ],
)
def test_it_is_written_with_the_decimals_of_its_currency(money: Money, text: str, major: str):
    assert (str(money), money.major()) == (text, Decimal(major))


@pytest.mark.parametrize("currency", ["", "usd", "XXX", "EURO"])
def test_an_unknown_currency_is_refused(currency: str):
    with pytest.raises(ValueError, match="not an ISO 4217 currency"):
        Money(1, currency)


@pytest.mark.parametrize("amount", [1.0, "1", True, None, Decimal(1)])
def test_an_amount_that_is_no_whole_number_is_refused(amount: object):
    with pytest.raises(TypeError, match="whole number of minor units"):
        Money(amount, "USD")  # type: ignore[arg-type]


def test_it_adds_subtracts_and_compares_within_a_currency():
    small, large = Money(1, "USD"), Money(3, "USD")
    assert (small + large, large - small) == (Money(4, "USD"), Money(2, "USD"))
    assert small < large
    assert small <= Money(1, "USD")
    assert not large <= small


def test_it_does_not_combine_currencies():
    dollars, shillings = Money(1, "USD"), Money(1, "KES")
    for combine in (Money.__add__, Money.__sub__, Money.__lt__, Money.__le__):
        with pytest.raises(ValueError, match="cannot combine"):
            combine(dollars, shillings)


@pytest.mark.parametrize(
    ("money", "exponent", "units"),
    [(Money(25_000, "KES"), 0, 250), (Money(500, "ISK"), 2, 50_000), (Money(1_230, "KWD"), 2, 123)],
)
def test_it_is_counted_in_a_provider_s_units(money: Money, exponent: int, units: int):
    assert money.in_units(exponent) == units


@pytest.mark.parametrize(("money", "exponent"), [(Money(25_050, "KES"), 0), (Money(1_234, "KWD"), 2)])
def test_it_is_never_rounded_to_fit_a_provider_s_units(money: Money, exponent: int):
    with pytest.raises(NotRepresentable):
        money.in_units(exponent)


@given(AMOUNTS, CURRENCIES, some.integers(0, 4))
def test_units_come_back_as_the_same_money_or_were_refused(amount: int, currency: str, exponent: int):
    money = Money(amount, currency)
    try:
        units = money.in_units(exponent)
    except NotRepresentable:
        assert amount % 10 ** (EXPONENTS[currency] - exponent) != 0
    else:
        assert Money.from_units(units, currency, exponent=exponent) == money


@given(AMOUNTS, CURRENCIES)
def test_major_units_come_back_as_the_same_money(amount: int, currency: str):
    money = Money(amount, currency)
    assert Money.from_major(money.major(), currency) == money


@pytest.mark.parametrize(("value", "currency"), [("250.005", "KES"), ("0.5", "JPY"), ("1.0001", "KWD"), ("NaN", "KES")])
def test_a_value_finer_than_the_minor_unit_is_refused(value: str, currency: str):
    with pytest.raises(NotRepresentable):
        Money.from_major(Decimal(value), currency)


@pytest.mark.parametrize(
    ("amount", "factor", "product"),
    [(5, "0.5", 2), (15, "0.5", 8), (100, "1.005", 100), (-5, "0.5", -2), (3, "2", 6)],
)
def test_it_rounds_half_to_even(amount: int, factor: str, product: int):
    assert Money(amount, "USD").times(Decimal(factor)) == Money(product, "USD")


def test_a_split_gives_what_is_left_to_the_largest_remainders():
    shares = Money(100, "USD").split([1, 1, 1])
    assert [share.amount for share in shares] == [34, 33, 33]
    assert [share.amount for share in Money(10, "USD").split([0, 3, 7])] == [0, 3, 7]


@given(AMOUNTS, some.lists(some.integers(0, 10**6), min_size=1, max_size=20).filter(any))
def test_a_split_loses_nothing_and_strays_by_less_than_a_unit(amount: int, weights: list[int]):
    shares = Money(amount, "USD").split(weights)
    assert sum(share.amount for share in shares) == amount
    for share, weight in zip(shares, weights, strict=True):
        assert abs(share.amount * sum(weights) - amount * weight) < sum(weights)


@pytest.mark.parametrize("weights", [[0], [0, 0], [-1, 2], [1, -1]])
def test_weights_that_divide_nothing_are_refused(weights: list[int]):
    with pytest.raises(ValueError, match="weights must be"):
        Money(100, "USD").split(weights)
