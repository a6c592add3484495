"""Rows as XLSX, by way of a temporary file and from an iterator, in flat memory.

Imported only where a sheet is written: openpyxl takes a tenth of a second, which no other process should wait for.
"""

import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from tempfile import TemporaryFile
from typing import IO, Any

from django.http import FileResponse
from openpyxl import Workbook
from openpyxl.cell import Cell, WriteOnlyCell
from openpyxl.styles import Font
from openpyxl.writer.excel import save_workbook

from core.exports import TooManyRows, Value

XLSX_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
XLSX_ROWS = 1_048_576
"""What Excel can open, the headers included."""

_EXACT_DIGITS = 15
"""How many digits of a number Excel keeps; a longer one is written as text."""
_NOT_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")


def xlsx_response(
    name: str, *, headers: Sequence[str], rows: Iterable[Sequence[Value]], limit: int = XLSX_ROWS
) -> FileResponse:
    """A download called `name`, whole before its first byte is sent; nothing of it stays on the disk.

    Raises TooManyRows where `limit` rows, the headers included, do not suffice.
    """
    file = TemporaryFile()  # noqa: SIM115  (the answer closes it)
    try:
        _write(file, headers, rows, limit)
    except BaseException:
        file.close()
        raise
    file.seek(0)
    answer = FileResponse(file, as_attachment=True, filename=name, content_type=XLSX_TYPE)
    answer["Cache-Control"] = "private, no-store"
    return answer


def _write(file: IO[bytes], headers: Sequence[str], rows: Iterable[Sequence[Value]], limit: int) -> None:
    workbook = Workbook(write_only=True)
    sheet: Any = workbook.create_sheet()
    sheet.freeze_panes = "A2"
    try:
        sheet.append([_header(sheet, header) for header in headers])
        for count, row in enumerate(rows, start=2):
            if count > limit:
                raise TooManyRows(
                    f"There are more than the {limit - 1:,} lines that one sheet can hold. "
                    "Take a shorter span of time, or the CSV, which has no limit."
                )
            sheet.append([_cell(sheet, value) for value in row])
    finally:
        # Also after a fault: openpyxl removes its own temporary file only when it saves.
        save_workbook(workbook, file)


def _header(sheet: Any, header: str) -> Cell:
    cell = _text(sheet, header)
    cell.font = Font(bold=True)
    return cell


def _cell(sheet: Any, value: Value) -> Cell | datetime | None:
    if isinstance(value, str):
        return _text(sheet, value)
    if isinstance(value, datetime):
        return value.astimezone(UTC).replace(tzinfo=None, microsecond=0)
    return None if value is None else _number(sheet, Decimal(value))


def _text(sheet: Any, value: str) -> Cell:
    """Typed as text, which no sheet runs, and without what a sheet cannot hold."""
    cell = WriteOnlyCell(sheet, value=_NOT_XML.sub("\ufffd", value))
    cell.data_type = "s"
    return cell


def _number(sheet: Any, value: Decimal) -> Cell:
    """Its exact digits: given a number, openpyxl would write what a float makes of it."""
    digits, places = format(value, "f"), max(0, -int(value.as_tuple().exponent))
    if len(value.as_tuple().digits) > _EXACT_DIGITS:
        return _text(sheet, digits)
    cell = WriteOnlyCell(sheet, value=digits)
    cell.data_type = "n"
    cell.number_format = "#,##0." + "0" * places if places else "#,##0"
    return cell
