"""Exports: exact values, no formula that runs, and memory that does not grow with the rows."""

import csv
import io
import tempfile
import tracemalloc
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path

import openpyxl
import pytest

from core.exports import TooManyRows, csv_response
from core.money import Money
from core.sheets import xlsx_response

pytestmark = pytest.mark.django_db  # Django looks after its connections when an answer is closed

DANGEROUS = ["=1+1", "+254700000000", "-2+3", "@SUM(A1)", "\t=1", "\r=1"]


def csv_of(rows, headers=("what",)):
    return b"".join(csv_response("rows.csv", headers=headers, rows=rows).streaming_content)


def parsed(content):
    return list(csv.reader(io.StringIO(content.decode(), newline="")))


def sheet_of(rows, headers=("what",), **options):
    answer = xlsx_response("rows.xlsx", headers=headers, rows=rows, **options)
    content = answer.getvalue()
    answer.close()
    return openpyxl.load_workbook(io.BytesIO(content)).active


def values(sheet):
    return [[cell.value for cell in row] for row in sheet.iter_rows()]


# Formulas


@pytest.mark.parametrize("text", DANGEROUS)
def test_text_that_begins_like_a_formula_gets_an_apostrophe(text):
    assert parsed(csv_of([[text]])) == [["what"], [f"'{text}"]]
    cell = sheet_of([[text]])["A2"]
    assert (cell.data_type, cell.value) == ("s", text.replace("\r", "\n"))  # a sheet is XML, which reads CR as LF


@pytest.mark.parametrize("text", ["a=b", "0712", "pay_1", "1-2", " =1", "", "Ngũgĩ, “quoted”\nand broken"])
def test_other_text_is_left_alone(text):
    assert parsed(csv_of([["x", text]])) == [["what"], ["x", text]]
    assert (sheet_of([["x", text]])["B2"].value or "") == text


def test_numbers_below_zero_stay_numbers():
    row = [Money(-25000, "KES").major(), -3]
    assert csv_of([row]) == b"what\r\n-250.00,-3\r\n"
    sheet = sheet_of([row])
    assert [(cell.data_type, cell.value) for cell in sheet[2]] == [("n", -250), ("n", -3)]


def test_headers_are_defused_too():
    assert csv_of([], headers=["=1"]) == b"'=1\r\n"
    header = sheet_of([], headers=["=1"])["A1"]
    assert (header.data_type, header.value) == ("s", "=1")


# Exact values


@pytest.mark.parametrize(
    "money", [Money(995, "KES"), Money(0, "KES"), Money(1250, "KWD"), Money(7, "JPY"), Money(-1, "KES")]
)
def test_amounts_are_exact_in_major_units(money):
    assert csv_of([[money.major()]]).decode() == f"what\r\n{money.major():f}\r\n"
    cell = sheet_of([[money.major()]])["A2"]
    assert (cell.data_type, Decimal(str(cell.value))) == ("n", money.major())


def test_a_sheet_holds_the_digits_and_not_what_a_float_makes_of_them():
    answer = xlsx_response("rows.xlsx", headers=["amount"], rows=[[Decimal("9.95")]])
    book = openpyxl.load_workbook(io.BytesIO(answer.getvalue()))
    answer.close()
    assert repr(book.active["A2"].value) == "9.95"
    assert book.active["A2"].number_format == "#,##0.00"


def test_an_amount_with_more_digits_than_excel_keeps_is_written_as_text():
    longest, longer = Money(999_999_999_999_999, "KES"), Money(9_223_372_036_854_775_807, "KES")
    cells = sheet_of([[longest.major(), longer.major()]])[2]
    assert [(cell.data_type, str(cell.value)) for cell in cells] == [
        ("n", "9999999999999.99"),
        ("s", "92233720368547758.07"),
    ]
    assert b"92233720368547758.07" in csv_of([[longer.major()]])


def test_moments_are_in_utc():
    at = datetime(2026, 11, 20, 2, 30, 0, 123456, tzinfo=timezone(timedelta(hours=3)))
    assert csv_of([[at]]) == b"what\r\n2026-11-19T23:30:00.123456Z\r\n"
    assert sheet_of([[at]])["A2"].value.isoformat() == "2026-11-19T23:30:00"


def test_nothing_is_an_empty_cell():
    assert csv_of([["a", None, "b"]]) == b"what\r\na,,b\r\n"
    assert values(sheet_of([["a", None, "b"]]))[1] == ["a", None, "b"]


def test_text_that_a_sheet_would_read_as_something_else_stays_text():
    cells = sheet_of([["#N/A", "1.50", "bell\x07 and \uffff"]])[2]
    assert [(cell.data_type, cell.value) for cell in cells] == [
        ("s", "#N/A"),
        ("s", "1.50"),
        ("s", "bell\ufffd and \ufffd"),
    ]


# The answer


def test_a_csv_has_no_byte_order_mark_and_is_a_download():
    answer = csv_response("Kontoauszug März.csv", headers=["what"], rows=[])
    assert b"".join(answer.streaming_content) == b"what\r\n"
    assert answer["Content-Type"] == "text/csv; charset=utf-8"
    assert answer["Content-Disposition"] == "attachment; filename*=utf-8''Kontoauszug%20M%C3%A4rz.csv"
    assert answer["Cache-Control"] == "private, no-store"


def test_a_sheet_is_a_download():
    answer = xlsx_response("rows.xlsx", headers=["what"], rows=[])
    assert answer["Content-Type"] == "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
    assert answer["Content-Disposition"] == 'attachment; filename="rows.xlsx"'
    assert answer["Cache-Control"] == "private, no-store"
    assert int(answer["Content-Length"]) == len(answer.getvalue())
    answer.close()


# Memory and disk


class Counted:
    """200,000 rows, of which it says how many were asked for."""

    def __init__(self):
        self.given = 0

    def __iter__(self):
        for number in range(200_000):
            self.given += 1
            yield [f"pay_{number:026}", Decimal(number).scaleb(-2)]


def test_a_csv_asks_for_rows_only_as_they_are_sent_and_keeps_none():
    rows = Counted()
    pieces = csv_response("rows.csv", headers=["id", "amount"], rows=rows).streaming_content
    assert rows.given == 0
    next(pieces)
    assert rows.given < 2000
    tracemalloc.start()
    lines = sum(piece.count(b"\n") for piece in pieces)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (rows.given, lines > 198_000) == (200_000, True)
    assert peak < 2_000_000


def test_a_sheet_is_written_row_by_row():
    def peak_of(count):
        tracemalloc.start()
        rows = ([f"pay_{number:026}", Decimal(number).scaleb(-2)] for number in range(count))
        xlsx_response("rows.xlsx", headers=["id", "amount"], rows=rows).close()
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return peak

    peak_of(10)
    assert peak_of(8000) < peak_of(1000) + 200_000


@pytest.fixture
def disk(tmp_path, monkeypatch):
    """Where temporary files lie."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return Path(tmp_path)


def test_a_sheet_leaves_nothing_on_the_disk(disk):
    answer = xlsx_response("rows.xlsx", headers=["what"], rows=[["a"]])
    assert answer.getvalue()
    answer.close()
    assert list(disk.iterdir()) == []


def test_a_sheet_that_breaks_off_leaves_nothing_on_the_disk(disk):
    def rows():
        yield ["a"]
        raise ConnectionError("the database went away")

    with pytest.raises(ConnectionError):
        xlsx_response("rows.xlsx", headers=["what"], rows=rows())
    assert list(disk.iterdir()) == []


def test_more_rows_than_a_sheet_holds_are_refused_and_said(disk):
    assert values(sheet_of([["a"]] * 3, limit=4)) == [["what"], ["a"], ["a"], ["a"]]
    with pytest.raises(TooManyRows, match="more than the 3 lines that one sheet can hold"):
        xlsx_response("rows.xlsx", headers=["what"], rows=[["a"]] * 4, limit=4)
    assert list(disk.iterdir()) == []
