"""A line of a file in our words, or why it cannot be read."""

from datetime import UTC, datetime, time, timedelta
from decimal import Decimal

import pytest

from core.money import Money
from payments.providers.base import ReceiptKind, Word
from reconciliation.mapping import Reading, Unreadable
from tests.reconciliation.files import READING


def read(cells, **changes):
    """The line of a row whose columns are named as its keys."""
    reading = Reading.of(READING | dict.fromkeys(("reference", "time"), "") | changes)
    header = list(cells)
    return reading.line([cells[name] for name in header], reading.places(header), 7)


def amount(written, **changes):
    return read({"Receipt": "A1", "Paid in": written}, **changes).line


@pytest.mark.parametrize(
    ("written", "changes", "minor"),
    [
        ("250", {}, 25_000),
        ("1,250.50", {}, 125_050),
        ("1250.5", {}, 125_050),
        ("12,34,567.00", {}, 123_456_700),
        ("KES 1,250.00", {}, 125_000),
        ("+1,250.00", {}, 125_000),
        ("1.250,50", {"decimal": ",", "thousands": "."}, 125_050),
        ("1 250,50", {"decimal": ",", "thousands": " "}, 125_050),
        ("1\u202f250,50", {"decimal": ",", "thousands": " "}, 125_050),
        ("1\u00a0250,50", {"decimal": ",", "thousands": " "}, 125_050),
        ("1'250.50", {"thousands": "'"}, 125_050),
        ("1\u2019250.50", {"thousands": "'"}, 125_050),
        (250.1, {}, 25_010),
        (250, {}, 25_000),
        (Decimal("250.10"), {}, 25_010),
    ],
)
def test_an_amount_is_read_as_the_mapping_says(written, changes, minor):
    assert amount(written, **changes).money == Money(minor, "KES")


@pytest.mark.parametrize("written", ["-250.00", "(250.00)", "250.00-", -250])
def test_money_below_zero_went_back(written):
    line = amount(written)
    assert (line.kind, line.money) == (ReceiptKind.REFUND, Money(25_000, "KES"))


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ("1.250,50", "amount: is not written as the mapping says"),
        ("1,25", "amount: is not written as the mapping says"),
        ("=1+2", "amount: is not written as the mapping says"),
        ("UGX 250", "amount: is not written as the mapping says"),
        ("\u0661\u0662", "amount: is not written as the mapping says"),
        ("250.001", "amount: is finer than KES is"),
        ("9" * 14, "amount: is larger than money is"),
        ("", "amount: there is none"),
        ("0.00", "amount: there is none"),
        (None, "amount: there is none"),
        (True, "amount: is no number"),
        (0.1 + 0.7, "amount: has more digits than a sheet keeps"),
        (float("inf"), "amount: has more digits than a sheet keeps"),
        (1234567890123456.0, "amount: has more digits than a sheet keeps"),
    ],
)
def test_an_amount_that_may_mean_something_else_is_none(written, told):
    with pytest.raises(Unreadable, match=f"^{told}$"):
        amount(written)


@pytest.mark.parametrize(("currency", "minor"), [("JPY", 250), ("KWD", 250_000), ("USD", 25_000)])
def test_a_currencys_own_decimals_count(currency, minor):
    told = read({"Receipt": "A1", "Paid in": "250", "Currency": currency.lower()}, currency="Currency").line
    assert told.money == Money(minor, currency)


def test_money_that_went_back_may_have_a_column_of_its_own():
    columns = {"amount_out": "Withdrawn"}
    back = read({"Receipt": "A1", "Paid in": "", "Withdrawn": "250.00"}, **columns).line
    paid = read({"Receipt": "A1", "Paid in": "250.00", "Withdrawn": "0.00"}, **columns).line
    assert (back.kind, paid.kind) == (ReceiptKind.REFUND, ReceiptKind.CAPTURE)
    with pytest.raises(Unreadable, match="amount: stands in both columns"):
        read({"Receipt": "A1", "Paid in": "1.00", "Withdrawn": "2.00"}, **columns)


def test_a_type_says_what_a_line_is_and_one_that_is_not_known_is_told():
    types = {"type": "Type", "types": {"Buy Goods": "capture", "Reversal": "refund", "Charge": "ignored"}}
    row = {"Receipt": "A1", "Paid in": "250.00"}
    assert read(row | {"Type": " buy  GOODS "}, **types).line.kind == ReceiptKind.CAPTURE
    assert read(row | {"Type": "Reversal"}, **types).line.kind == ReceiptKind.REFUND
    assert read(row | {"Type": "Charge"}, **types) is None
    with pytest.raises(Unreadable, match=r"^type: the mapping does not know its word$"):
        read(row | {"Type": "254711000111"}, **types)


@pytest.mark.parametrize(
    ("told", "word"), [("Completed", Word.SUCCEEDED), ("DECLINED", Word.FAILED), ("On hold", Word.UNKNOWN)]
)
def test_a_state_that_is_not_known_is_no_success(told, word):
    states = {"state": "State", "states": {"Completed": "succeeded", "Declined": "failed"}}
    line = read({"Receipt": "A1", "Paid in": "250.00", "State": told}, **states).line
    assert (line.word, line.provider_status) == (word, told)


@pytest.mark.parametrize(
    ("told", "form", "hour"),
    [
        ("2026-11-20 10:00:00", "ISO", 7),
        ("2026-11-20T10:00:00Z", "ISO", 10),
        ("20/11/2026 10:00", "%d/%m/%Y %H:%M", 7),
        (datetime(2026, 11, 20, 10), "ISO", 7),  # noqa: DTZ001  (as a sheet types it)
    ],
)
def test_a_time_is_by_the_mappings_zone_unless_it_says_its_own(told, form, hour):
    line = read({"Receipt": "A1", "Paid in": "250.00", "At": told}, time="At", time_format=form).line
    assert line.at == datetime(2026, 11, 20, hour, tzinfo=UTC)


@pytest.mark.parametrize(
    ("number", "told"),
    [
        ("", "number: there is none"),
        ("A" * 101, "number: is longer than 100 characters"),
        (1234567890123456, "number: is a number of more digits than a sheet keeps; type it as text"),
        ("A\x00B", "number: has a character that no text has"),
    ],
)
def test_a_number_is_whole_or_none(number, told):
    with pytest.raises(Unreadable, match=f"^{told}$"):
        read({"Receipt": number, "Paid in": "250.00"})


@pytest.mark.parametrize(
    ("cells", "told"),
    [
        ({"State": "x" * 1001}, "state: is longer than 1000 characters"),
        ({"Paid in": "9" * 5000}, "amount: is longer than 100 characters"),
        ({"Paid in": "9" * 99}, "amount: is larger than money is"),
        ({"Paid in": 1e300}, "amount: is larger than money is"),
        ({"Paid in": time(10, 30)}, "amount: is no number"),
        ({"Paid in": timedelta(hours=30)}, "amount: is no number"),
        ({"At": "9999-12-31 23:59:59"}, "time: is not of this century"),
        ({"At": "0001-01-01 12:00:00"}, "time: is not of this century"),
        ({"At": time(10, 30)}, "time: is not written as the mapping says"),
    ],
)
def test_what_no_statement_has_makes_its_line_unreadable_and_nothing_else(cells, told):
    row = {"Receipt": "A1", "Paid in": "250.00", "State": "Completed", "At": "2026-11-20 10:00:00"}
    states = {"state": "State", "states": {"Completed": "succeeded"}}
    with pytest.raises(Unreadable, match=f"^{told}$"):
        read(row | cells, time="At", zone="UTC", **states)


def test_a_number_that_a_sheet_typed_as_one_is_read_without_decimals():
    assert read({"Receipt": 123456789.0, "Paid in": 250.0}).line.provider_money_id == "123456789"


def test_columns_are_found_whatever_their_case_and_spaces():
    assert read({"\ufeffRECEIPT ": "A1", "paid  in": "250.00"}).line.provider_money_id == "A1"


@pytest.mark.parametrize(
    ("header", "told"),
    [(["Receipt"], "there is no column Paid in"), (["Receipt", "Paid in", "receipt"], "the column Receipt stands")],
)
def test_a_header_that_lacks_a_column_or_has_it_twice_is_none(header, told):
    with pytest.raises(ValueError, match=told):
        Reading.of(READING | {"reference": "", "time": ""}).places(header)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"amount": ""}, "amount"),
        ({"only_currency": ""}, "only_currency"),
        ({"thousands": "."}, "thousands"),
        ({"zone": "Nairobi"}, "zone"),
        ({"fee": "Paid in"}, "number"),
        ({"type": "Type"}, "types"),
        ({"types": {"Buy": "payment"}, "type": "Type"}, "types"),
        ({"states": {"Completed": "succeeded"}}, "states"),
        ({"time_format": "%d %b %Q"}, "time_format"),
    ],
)
def test_a_mapping_that_cannot_be_meant_is_refused_at_its_field(changes, field):
    with pytest.raises(ValueError, match=f"^'{field}'"):
        Reading.of(READING | changes)
