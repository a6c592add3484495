"""Rows of files, whatever wrote them, and the faults of files as a whole."""

import io
import zipfile

import pytest

from reconciliation.files import Broken, Sniffer, check_workbook, csv_rows, xlsx_rows
from tests.reconciliation.files import sheet_of


def rows(content, *, piece=7, delimiter=""):
    """The cells of each row of a CSV that comes in small pieces, and what was wrong with it."""
    pieces = [content[at : at + piece] for at in range(0, len(content), piece)]
    sniffer = Sniffer()
    for part in pieces:
        sniffer.feed(part)
    found, fault = [], None
    try:
        for row in csv_rows(pieces, encoding=sniffer.encoding, delimiter=delimiter):
            found.append(row)
    except Broken as broken:
        fault = broken
    return found, fault


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1252"])
def test_a_file_is_read_in_whatever_encoding_it_was_written(encoding):
    text = "Receipt;Account;Paid in\r\nA1;Café Zoë;1.250,00\r\n"
    found, fault = rows(text.encode(encoding))
    assert fault is None
    assert [cells for _, cells in found] == [["Receipt", "Account", "Paid in"], ["A1", "Café Zoë", "1.250,00"]]


def test_a_byte_that_windows_does_not_use_makes_it_latin_1():
    found, fault = rows("Receipt,Account\nA1,Caf\x81\n".encode("latin-1"))
    assert (fault, found[1][1]) == (None, ["A1", "Caf\x81"])


@pytest.mark.parametrize("sign", [",", ";", "\t", "|"])
def test_the_sign_between_columns_is_found_out(sign):
    content = f"Receipt{sign}Account{sign}Paid in\nA1{sign}L, and R{sign}1\nA2{sign}M{sign}2\n".encode()
    quoted = content.replace(b"L, and R", b'"L, and R"')
    assert [len(cells) for _, cells in rows(quoted)[0]] == [3, 3, 3]


def test_cells_may_have_line_breaks_and_a_row_is_numbered_by_its_first_line():
    found, fault = rows(b'Receipt,Account\nA1,"two\nlines"\nA2,one\n')
    assert (fault, [number for number, _ in found]) == (None, [1, 2, 4])


WHOLE = 'Receipt,Account,Paid in\nA1,LUNCH,"1,250.00"\nA2,DINNER,"2,500.00"\n'


@pytest.mark.parametrize(
    ("content", "whole", "line"),
    [
        (WHOLE[:-12].encode(), 2, 3),
        (WHOLE[:-5].encode(), 2, 3),
        (WHOLE.encode() + b"A3,CAF\xc3", 3, 4),
        (WHOLE.encode("utf-16")[:-1], 2, 3),
        (WHOLE.encode() + b'A3,"' + b"x" * 200_000, 3, 4),
    ],
)
def test_a_file_that_is_cut_is_named_as_such_and_what_is_before_is_read(content, whole, line):
    found, fault = rows(content, piece=1000)
    assert fault is not None
    assert fault.is_cut
    assert f"its line {line} is not whole" in str(fault)
    assert len(found) == whole


@pytest.mark.parametrize("content", [WHOLE.encode(), WHOLE.rstrip("\n").encode(), WHOLE.replace("\n", "\r\n").encode()])
def test_a_last_line_without_its_end_is_whole_if_it_has_all_cells(content):
    found, fault = rows(content)
    assert (fault, len(found)) == (None, 3)


@pytest.mark.parametrize(
    "endless", [b"," * 1_100_000, b"x" * 1_100_000, b",".join([b'"' + b"x" * 99_000 + b'\n"'] * 12)]
)
def test_a_row_without_an_end_is_not_held_in_memory_and_what_is_before_is_read(endless):
    for content, whole in ((WHOLE.encode() + endless, 3), (endless, 0)):
        found, fault = rows(content, piece=100_000)
        assert len(found) == whole
        assert fault is not None
        assert fault.is_cut
        assert "longer than 1,048,576 characters" in str(fault)


def test_a_row_of_more_columns_than_any_statement_has_is_refused_and_what_is_before_is_read():
    assert rows(WHOLE.encode() + b"," * 199 + b"\n")[1] is None
    found, fault = rows(WHOLE.encode() + b"," * 200 + b"\nA3,LATE,1\n")
    assert len(found) == 3
    assert "The line 4 has more than 200 columns" in str(fault)


def test_an_empty_file_has_no_rows():
    assert rows(b"") == ([], None)


# Workbooks


def test_a_workbook_is_read_as_its_cells_are_typed_and_a_formula_is_never_run():
    content = sheet_of(["Receipt", "Paid in"], ["A1", 250.5], ["A2", '=HYPERLINK("https://evil.example")'])
    assert [tuple(cells) for _, cells in xlsx_rows([content])] == [("Receipt", "Paid in"), ("A1", 250.5), ("A2",)]


def test_a_workbook_that_is_cut_is_named_as_such():
    content = sheet_of(["Receipt"], ["A1"])
    with pytest.raises(Broken, match="The file is cut") as fault:
        check_workbook(io.BytesIO(content[: len(content) // 2]))
    assert fault.value.is_cut


def packed(**parts):
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in parts.items():
            file.writestr(name.replace("__", "/") + ".xml", content)
    written.seek(0)
    return written


def test_a_workbook_that_unpacks_to_too_much_is_refused():
    bomb = packed(xl__workbook=b"<a/>", xl__sharedStrings=b" " * (49 * 1024 * 1024))
    assert len(bomb.getvalue()) < 100_000
    with pytest.raises(Broken, match="unpacks to more than is read here"):
        check_workbook(bomb)


def changed(content, name, was, now):
    """A workbook with other words in one of its parts."""
    written = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(written, "w", zipfile.ZIP_DEFLATED) as new:
        for part in old.namelist():
            told = old.read(part)
            assert part != name or was in told
            new.writestr(part, told.replace(was, now) if part == name else told)
    written.seek(0)
    return written


@pytest.mark.parametrize(
    ("name", "end"),
    [("xl/styles.xml", b"</styleSheet>"), ("[Content_Types].xml", b"</Types>"), ("xl/theme/theme1.xml", b"</a:theme>")],
)
def test_what_a_reader_takes_whole_is_small(name, end):
    content = sheet_of(["Receipt"], ["A1"])
    with pytest.raises(Broken, match="unpacks to more than is read here"):
        check_workbook(changed(content, name, end, b"<a/>" * (2 * 1024 * 1024) + end))


TEXTS = (
    b'<Override PartName="/xl/%s" ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml'
    b'.sharedStrings+xml"/></Types>'
)


@pytest.mark.parametrize(
    ("name", "was", "now"),
    [
        ("[Content_Types].xml", b"</Types>", TEXTS % b"worksheets/texts.xml"),
        ("[Content_Types].xml", b"</Types>", TEXTS % b"texts.xml"),
        ("[Content_Types].xml", b'"/xl/workbook.xml"', b'"/xl/worksheets/workbook.xml"'),
        ("[Content_Types].xml", b'"/xl/workbook.xml"', b'"/xl/sharedStrings.xml"'),
        ("xl/_rels/workbook.xml.rels", b"relationships/worksheet", b"relationships/chartsheet"),
    ],
)
def test_what_a_reader_takes_whole_does_not_stand_where_sheets_may_be_long(name, was, now):
    content = sheet_of(["Receipt"], ["A1"])
    check_workbook(changed(content, "[Content_Types].xml", b"</Types>", TEXTS % b"sharedStrings.xml"))
    with pytest.raises(Broken, match="not written by a spreadsheet"):
        check_workbook(changed(content, name, was, now))


def test_a_workbook_that_would_have_its_reader_expand_something_is_refused():
    with pytest.raises(Broken, match="not written by a spreadsheet"):
        check_workbook(packed(xl__workbook=b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b "c">]><a/>'))


def test_what_is_packed_and_no_workbook_is_refused():
    with pytest.raises(Broken, match="no XLSX workbook"):
        check_workbook(packed(word__document=b"<a/>"))
