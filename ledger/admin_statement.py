"""An account's statement for staff: a page of its newest lines, and the whole of it as a download."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, NamedTuple

from django.conf import settings
from django.contrib import messages
from django.contrib.admin.utils import quote, unquote
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.urls import reverse

from core import addresses, ids
from core.admin_actions import staff
from core.admin_columns import link, moment, page_of
from core.exports import TooManyRows, Value, csv_response
from core.money import Money
from events import audit
from ledger import statements
from ledger.models import Account
from ledger.statements import Line

LINES = 100
HEADERS = ("at", "fact", "cause", "transfer", "entry", "currency", "amount", "balance")
EXPORT_PAGE = "ledger_account_statement"
_DAY = re.compile(r"[12][0-9]{3}-[0-9]{2}-[0-9]{2}")
_SHEET_ROWS = 100_001
"""A sheet is written whole while the browser waits, some thousand lines a second."""


def _sheet(name: str, *, headers: Sequence[str], rows: Iterable[Sequence[Value]]) -> HttpResponseBase:
    """The library behind it takes a tenth of a second to load: paid by who asks for a sheet, not by every start."""
    from core.sheets import xlsx_response

    return xlsx_response(name, headers=headers, rows=rows, limit=_SHEET_ROWS)


_WRITERS: Mapping[str, Callable[..., HttpResponseBase]] = {"csv": csv_response, "xlsx": _sheet}


class BadDay(ValueError):
    """What was given is no day, or no span of days. The message is for people."""


def read_day(text: str) -> date | None:
    """`2026-11-20`, or None for nothing. Raises BadDay."""
    if not text:
        return None
    try:
        if not _DAY.fullmatch(text):
            raise ValueError(text)
        return date.fromisoformat(text)
    except ValueError:
        raise BadDay(f"“{text[:40]}” is not a day. Write it as 2026-11-20.") from None


def amount_in_words(amount: int, currency: str) -> str:
    """In major units, without the currency: `1,250.00`."""
    return str(Money(amount, currency)).removeprefix(f"{currency} ")


# The page


def page(account: Account, *, before: str) -> dict[str, Any]:
    """What the statement's template shows: the newest lines, or those before the entry `before`."""
    before = before if ids.is_id(before, "ent") else ""
    lines = statements.newest(account, before=before, limit=LINES + 1)
    shown = lines[:LINES]
    return {
        "account": account,
        "lines": [_drawn(line, account.currency) for line in shown],
        "older": f"?before={shown[-1].entry}" if len(lines) > LINES else "",
        "newest": page_of(account.pk) if before else "",
        "downloads": [(form.upper(), _download(account, form)) for form in _WRITERS],
    }


def _drawn(line: Line, currency: str) -> dict[str, Any]:
    return {
        "at": moment(line.at),
        "fact": link(line.transfer, line.fact.replace("_", " ")),
        "cause": link(line.cause),
        "amount": amount_in_words(line.amount, currency),
        "balance": amount_in_words(line.balance, currency),
        "overdrawn": line.balance < 0,
    }


def _download(account: Account, form: str) -> str:
    return reverse(f"admin:{EXPORT_PAGE}", args=[quote(account.pk), form])


# The downloads


class Span(NamedTuple):
    """Whole days in UTC, both ends included; None is open."""

    since: date | None
    until: date | None

    def __str__(self) -> str:
        return "-".join(str(day) for day in self if day) or "all"

    @property
    def moments(self) -> dict[str, datetime | None]:
        return {
            "since": _midnight(self.since) if self.since else None,
            "until": _midnight(self.until + timedelta(days=1)) if self.until else None,
        }


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), tzinfo=UTC)


def read_span(asked: Mapping[str, str]) -> Span:
    """Raises BadDay."""
    span = Span(read_day(asked.get("since", "")), read_day(asked.get("until", "")))
    if span.since and span.until and span.until < span.since:
        raise BadDay(f"{span.until} is before {span.since}.")
    return span


def export(request: HttpRequest, object_id: str, form: str, model_admin: Any) -> HttpResponseBase:
    """The whole statement, or that of the days `since` to `until`, the oldest line first; written down in the audit."""
    account = model_admin.get_object(request, unquote(object_id))
    if account is None or form not in _WRITERS:
        raise Http404(object_id)
    if not model_admin.has_view_permission(request, account):
        _record(request, account, refused="permission")
        raise PermissionDenied
    try:
        span = read_span(request.GET)
        name = f"statement_{account.pk}_{span}.{form}"
        answer = _WRITERS[form](name, headers=HEADERS, rows=rows(account, span))
    except (BadDay, TooManyRows) as fault:
        messages.error(request, str(fault))
        return HttpResponseRedirect(page_of(account.pk))
    _record(request, account, format=form, **{end: str(day) for end, day in span._asdict().items() if day})
    return answer


def rows(account: Account, span: Span) -> Iterator[Sequence[Value]]:
    """A statement's lines as HEADERS has them; amounts in major units, in the account's own direction."""
    return _rows(statements.between(account, **span.moments), account.currency)


def _rows(lines: Iterable[Line], currency: str) -> Iterator[Sequence[Value]]:
    for line in lines:
        amount, balance = Money(line.amount, currency).major(), Money(line.balance, currency).major()
        yield line.at, line.fact, line.cause, line.transfer, line.entry, currency, amount, balance


def _record(request: HttpRequest, account: Account, **detail: str) -> None:
    audit.record(
        actor=staff(request),
        action="account.export_statement",
        merchant=account.merchant,
        livemode=account.livemode,
        object_id=account.pk,
        address=addresses.client_address(request.META, trusted_proxies=settings.TRUSTED_PROXIES),
        detail=detail,
    )
