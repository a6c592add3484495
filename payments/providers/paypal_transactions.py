"""PayPal's Transaction Search: what moved at the account, day by day and page by page.

Sources: PayPal's OpenAPI file reporting_transactions_v1, developer.paypal.com/docs/transaction-search and
/docs/reports/reference/tcodes. A search spans 31 days at most and finds ten thousand lines: we ask for a day, and for
half as long as often as PayPal finds too many. Assumed, as they are silent: a refund names the capture that it gives
back as `paypal_reference_id`, and has its own invoice id; a span that begins after PayPal's last refresh is refused
with "Data for the given start date is not available", by 400 or 404.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from core.http import Response
from core.money import Money
from core.providers import OutcomeUnknown, json_object
from payments.providers import paypal_answers as answers
from payments.providers import paypal_reading as reading
from payments.providers.reports import ReceiptKind, Word
from payments.providers.statements import StatementLine, StatementPage, Statements, Window

Row = Mapping[str, Any]

STATEMENTS = Statements(
    kinds=frozenset(ReceiptKind), reach=timedelta(days=1092), nightly=timedelta(days=7), late=timedelta(hours=4)
)
"""Three years, and three hours until a line is there, with an hour to spare."""

_PAGE = 500
_AT_ONCE = 86_400
_OTHER_CLOCK = timedelta(minutes=10)
"""How far PayPal's clock may be from ours: the window begins that much earlier. What ends late is read next time."""
_LONGEST = 100
_TOO_MANY = "RESULTSET_TOO_LARGE"
_NOT_YET = "Data for the given start date is not available"

_PAYMENTS = re.compile(r"T00\d\d", re.ASCII)
_REFUND = "T1107"
_TAKEN_BACK = ("T1106", "T1201")
"""Reversals and chargebacks: nobody's refund, and so a person's matter, unless we know them by their number."""

_CAPTURE_WORDS: Mapping[str, Word] = {
    "S": Word.SUCCEEDED,
    # Given back in part, or whole: the money has come, and what went back has a line of its own.
    "F": Word.SUCCEEDED,
    "V": Word.SUCCEEDED,
    "P": Word.PENDING,
    "D": Word.FAILED,
}
_REFUND_WORDS: Mapping[str, Word] = {
    "S": Word.SUCCEEDED,
    "P": Word.PENDING,
    "D": Word.FAILED,
    # It has come back to the merchant.
    "V": Word.FAILED,
}


@dataclass(frozen=True, slots=True)
class Search:
    """One page of the lines of a span, in Unix seconds, of the seconds until `until`."""

    begin: int
    end: int
    page: int
    until: int

    @classmethod
    def at(cls, window: Window, cursor: str) -> "Search":
        until = int(window.until.timestamp())
        if cursor:
            begin, end, page = (int(part) for part in cursor.split(":"))
            return cls(begin, end, page, until)
        begin = int((window.since - _OTHER_CLOCK).timestamp())
        return cls(begin, min(begin + _AT_ONCE, until), 1, until)

    def query(self) -> str:
        return urlencode(
            {
                "start_date": _written(self.begin),
                "end_date": _written(self.end),
                "fields": "transaction_info",
                "balance_affecting_records_only": "Y",
                "page_size": _PAGE,
                "page": self.page,
            }
        )

    def halved(self) -> str:
        """The first half of the span, from its first page. Raises OutcomeUnknown where that is no time any more."""
        if self.end - self.begin < 2:
            raise OutcomeUnknown("PayPal finds too many lines of one second")
        return f"{self.begin}:{self.begin + (self.end - self.begin) // 2}:1"

    def following(self, pages: int) -> str:
        """The next page, or the next span, twice as long until it is a day again; empty at the end."""
        if self.page < pages:
            return f"{self.begin}:{self.end}:{self.page + 1}"
        if self.end >= self.until:
            return ""
        return f"{self.end}:{min(self.end + min(2 * (self.end - self.begin), _AT_ONCE), self.until)}:1"


def _written(seconds: int) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%SZ}"


def read_page(search: Search, response: Response, *, now: datetime) -> StatementPage:
    """One page. A line that cannot be read hides no other."""
    if response.status not in answers.DONE:
        return _read_refusal(search, response, now)
    rows, pages = _listed(response)
    lines, unreadable = [], {}
    for place, row in enumerate(rows, 1):
        try:
            line = _line(row["transaction_info"])
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            unreadable[f"{search.begin}:{search.page}:{place}"] = f"{type(error).__name__}: not what PayPal documents"
        else:
            lines += [line] if line else []
    return StatementPage(tuple(lines), search.following(pages), unreadable)


def _read_refusal(search: Search, response: Response, now: datetime) -> StatementPage:
    """Too many lines are asked for in halves. What PayPal has not refreshed yet is not listed yet."""
    if answers.issue_of(response) == _TOO_MANY:
        return StatementPage(next_cursor=search.halved())
    if response.status in (400, 404) and _NOT_YET in _message(response):
        if search.begin < (now - STATEMENTS.late).timestamp():
            raise OutcomeUnknown("PayPal's reports are further behind than it promises")
        return StatementPage()
    raise answers.refusal(response)


def _message(response: Response) -> str:
    try:
        return str(json_object(response.body).get("message"))
    except ValueError:
        return ""


def _listed(response: Response) -> tuple[list[Any], int]:
    """The rows of a page, and how many pages there are: none where nothing was found."""
    try:
        page = json_object(response.body)
        rows, pages = page.get("transaction_details") or [], page["total_pages"]
    except (KeyError, ValueError) as error:
        raise OutcomeUnknown("an unreadable page") from error
    if not isinstance(rows, list) or type(pages) is not int or pages < 0:
        raise OutcomeUnknown("a page of an unknown shape")
    return rows, pages


def _line(info: Row) -> StatementLine | None:
    code = reading.text(info["transaction_event_code"])
    value = reading.text(info["transaction_amount"]["value"])
    is_out = value.startswith("-")
    if _PAYMENTS.fullmatch(code) and not is_out:
        return _captured(info)
    if is_out and code in (_REFUND, *_TAKEN_BACK):
        return _given_back(info, code)
    return None


def _captured(info: Row) -> StatementLine:
    status = reading.text(info["transaction_status"])
    return StatementLine(
        kind=ReceiptKind.CAPTURE,
        money=_money(info),
        provider_money_id=_number(info),
        reference=_optional(info, "custom_field"),
        word=_CAPTURE_WORDS.get(status, Word.UNKNOWN),
        provider_status=status[:_LONGEST],
        at=_moment(info.get("transaction_initiation_date")),
        fee=_fee(info.get("fee_amount")),
    )


def _given_back(info: Row, code: str) -> StatementLine:
    status = reading.text(info["transaction_status"])
    ours = code == _REFUND
    is_transaction = info.get("paypal_reference_id_type") in (None, "", "TXN")
    return StatementLine(
        kind=ReceiptKind.REFUND,
        money=_money(info),
        provider_money_id=_number(info),
        reference=_optional(info, "invoice_id") if ours else "",
        word=_REFUND_WORDS.get(status, Word.UNKNOWN),
        provider_status=status[:_LONGEST] if ours else f"{code} {status}"[:_LONGEST],
        at=_moment(info.get("transaction_initiation_date")),
        gives_back=_optional(info, "paypal_reference_id") if ours and is_transaction else "",
    )


def _money(info: Row) -> Money:
    """The amount without its sign."""
    told = info["transaction_amount"]
    money = reading.read_money({**told, "value": told["value"].removeprefix("-")})
    if not money.amount:
        raise ValueError("no amount")
    return money


def _fee(told: Any) -> Money | None:
    """What PayPal kept, which it writes below zero; None where it kept nothing."""
    if not told or not str(told["value"]).startswith("-"):
        return None
    return reading.read_money({**told, "value": told["value"].removeprefix("-")})


def _number(info: Row) -> str:
    number = reading.text(info["transaction_id"])
    if len(number) > _LONGEST:
        raise ValueError("no number of PayPal's")
    return number


def _optional(info: Row, name: str) -> str:
    return str(info.get(name) or "")[:_LONGEST]


def _moment(told: object) -> datetime | None:
    """To be shown: a time that cannot be read does not matter."""
    try:
        found = datetime.fromisoformat(str(told))
    except ValueError:
        return None
    return found if found.tzinfo else None
