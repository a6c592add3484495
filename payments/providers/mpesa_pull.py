"""Pull Transactions: what M-Pesa's customers paid to a short code in the last 48 hours, by row offset.

Source: the portal's page PullTransaction. Where the portal and the live sandbox spell a key differently, both are
read; "no rows" is said in four ways. Assumed: a date without zone is on the clock of Nairobi.
"""

import re
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from core.companies import mpesa as daraja
from core.http import Response
from core.money import Money
from core.providers import OutcomeUnknown, json_object
from payments.providers.reports import ReceiptKind, Report, Word
from payments.providers.statements import StatementLine, StatementPage, Statements, Window

STATEMENTS = Statements(kinds=frozenset({ReceiptKind.CAPTURE}), reach=timedelta(hours=48), zone="Africa/Nairobi")

_OTHER_CLOCK = timedelta(minutes=10)
"""How far M-Pesa's clock may be from ours: the window is asked for with that much on either side."""
_STEP_BACK = 10
"""Rows that each page has in common with the one before: the list may shift while it is read."""
_REGISTERED = ("1000", "1001")
_FOUND, _NONE_FOUND = "1000", "1001"
_NOTHING_THERE = "does not have any available transactions"
_LONGEST_NUMBER = 100
_THOUSANDS = re.compile(r"\d{1,3}(,\d{3})+(\.\d+)?", re.ASCII)


def window_fields(window: Window, cursor: str, *, now: datetime) -> Mapping[str, str]:
    """The window in Nairobi's time, no older than M-Pesa lists, and the offset of the page."""
    since = max(window.since - _OTHER_CLOCK, now - STATEMENTS.reach)
    return {
        "StartDate": daraja.wall_clock(since),
        "EndDate": daraja.wall_clock(window.until + _OTHER_CLOCK),
        "OffSetValue": str(_place(cursor)[0]),
    }


def _place(cursor: str) -> tuple[int, int]:
    """The offset of a page, and how many rows the first page had: 0 while that is not known."""
    offset, _, first = cursor.partition(":")
    return int(offset or 0), int(first or 0)


def read_registration(response: Response) -> Report:
    """Registered now or before: both are what was wanted."""
    daraja.refuse(response)
    try:
        answer = json_object(response.body)
        status = daraja.word(answer.get("ResponseStatus", answer.get("Response Status")))
    except ValueError as error:
        raise OutcomeUnknown("an unreadable answer to a registration") from error
    if status not in _REGISTERED:
        raise OutcomeUnknown(f"a registration was answered by {status}")
    return Report(Word.SUCCEEDED, provider_status=status)


def read_page(cursor: str, response: Response, *, masked: Callable[[object], str]) -> StatementPage:
    """A page ends the list when it is empty, or shorter than the first. A line that cannot be read hides no other."""
    if response.status == 500 and daraja.envelope(response).says(_NOTHING_THERE):
        return StatementPage()
    daraja.refuse(response)
    rows = _rows(response)
    lines, unreadable = [], {}
    offset, first = _place(cursor)
    for place, row in enumerate(rows, offset + 1):
        try:
            lines.append(_line(row, masked))
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            unreadable[str(place)] = f"{type(error).__name__}: not what M-Pesa documents"
    first = first or len(rows)
    is_last = not rows or len(rows) < first
    following = f"{offset + max(len(rows) - _STEP_BACK, 1)}:{first}"
    return StatementPage(tuple(lines), "" if is_last else following, unreadable)


def _rows(response: Response) -> list[Any]:
    """The rows of a list of lists, by any of the names and shapes that an answer without rows has as well."""
    try:
        answer = json_object(response.body)
        code = daraja.word(answer["ResponseCode"])
    except (KeyError, ValueError) as error:
        raise OutcomeUnknown("an unreadable page") from error
    given = answer.get("Response")
    if code not in (_FOUND, _NONE_FOUND) or not (given is None or given == "[[]]" or isinstance(given, list)):
        raise OutcomeUnknown(f"a page was answered by {code}")
    outer = given if isinstance(given, list) else []
    return [row for inner in outer for row in (inner if isinstance(inner, list) else [inner])]


def _line(row: Mapping[str, Any], masked: Callable[[object], str]) -> StatementLine:
    number = daraja.identifier(row["transactionId"])
    money = _money(row["amount"])
    if money.amount <= 0 or len(number) > _LONGEST_NUMBER:
        raise ValueError("no amount, or no number")
    return StatementLine(
        kind=ReceiptKind.CAPTURE,
        money=money,
        provider_money_id=number,
        reference=daraja.typed(row.get("billreference")),
        provider_status=str(row.get("transactiontype") or "")[:100],
        at=daraja.read_wall_clock(row.get("trxDate")),
        payer_hint=masked(_whole_number(row.get("msisdn"))),
    )


def _money(value: object) -> Money:
    if isinstance(value, str) and _THOUSANDS.fullmatch(value.strip()):
        value = value.replace(",", "")
    return daraja.shillings(value.strip() if isinstance(value, str) else value)


def _whole_number(value: object) -> str:
    """A phone number comes as a number, often without its country."""
    text = str(value or "") if isinstance(value, str | int | Decimal) and not isinstance(value, bool) else ""
    return f"254{text}" if re.fullmatch(r"[71]\d{8}", text, re.ASCII) else text
