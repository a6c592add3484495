"""Transaction Search: what moved at the account of an app, oldest first.

Source: PayPal's OpenAPI file reporting_transactions_v1 and developer.paypal.com/docs/reports/reference/tcodes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from simulators.paypal.amounts import money, units_of
from simulators.paypal.books import PAYER, Books, link, reversal_id
from simulators.paypal.errors import PaypalError, invalid, missing
from simulators.paypal.settings import PaypalSettings

JSON = dict[str, Any]
ACCOUNT = "SAMPLEMERCHANT"
MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:?\d\d)", re.ASCII)
LONGEST = timedelta(days=31)
MOVED = {"COMPLETED": "S", "PARTIALLY_REFUNDED": "S", "REFUNDED": "V"}
MOST_AT_ONCE = 500
TOO_MANY = (
    "RESULTSET_TOO_LARGE",
    "Result set size is greater than the maximum limit. Change the filter criteria and try again.",
)
NOT_YET = ("INVALID_REQUEST", "Data for the given start date is not available.")
TOO_LONG = ("INVALID_REQUEST", "Date range is greater than 31 days")


class Reports:
    def __init__(self, books: Books, settings: PaypalSettings) -> None:
        self._books, self._settings = books, settings

    def search(self, app: str, query: Mapping[str, str], origin: str) -> JSON:
        """One page.

        PaypalError 403 where the app may not search, 400 or 404 for a span that is too long, in which too much is
        found, or that is not refreshed yet.
        """
        if not self._settings.report_allowed:
            raise PaypalError(403, "PERMISSION_DENIED", "You do not have permission to access or perform operations.")
        begin, end = _moment(query, "start_date"), _moment(query, "end_date")
        refreshed = datetime.now(UTC) - timedelta(seconds=self._settings.report_seconds)
        if end - begin > LONGEST:
            raise PaypalError(400, said=TOO_LONG)
        if begin > refreshed:
            raise PaypalError(404, said=NOT_YET)
        size, page = _number(query, "page_size", 100, MOST_AT_ONCE), _number(query, "page", 1, 2**31 - 1)
        size = min(size, self._settings.report_page)
        every = query.get("balance_affecting_records_only", "Y") == "N"
        found = [row for row in self._lines(app, every=every) if begin <= row[0] <= min(end, refreshed)]
        if len(found) > self._settings.report_most:
            raise PaypalError(400, said=TOO_MANY)
        found.sort(key=lambda row: row[0])
        pages = -(-len(found) // size)
        shown = found[(page - 1) * size : page * size]
        itself = f"{origin}/v1/reporting/transactions?{urlencode({**query, 'page': page})}"
        return {
            "transaction_details": [{"transaction_info": info} for _, info in shown],
            "account_number": ACCOUNT,
            "start_date": _shown(begin),
            "end_date": _shown(min(end, refreshed)),
            "last_refreshed_datetime": _shown(refreshed),
            "page": page,
            "total_items": len(found),
            "total_pages": pages,
            "links": [link(itself, "self")],
        }

    def _lines(self, app: str, *, every: bool) -> list[tuple[datetime, JSON]]:
        """With its time; `every` also what has changed no balance."""
        with self._books.lock:
            rows = [row for row in self._books.payments.rows() if row["app"] == app]
            return [(_read(line["transaction_initiation_date"]), line) for row in rows for line in _of(row, every)]


def _of(row: JSON, every: bool) -> Iterator[JSON]:
    """The lines of a capture or a refund; an authorization has moved nothing."""
    document = row["document"]
    if row["kind"] == "capture":
        if status := MOVED.get(document["status"]) or (every and _waiting(row)):
            yield _captured(row, status)
            yield from _converted(row)
        if "reversed_at" in row:
            yield _line(row, "T1106", "S", _signed(document["amount"], -1)) | {
                "transaction_id": reversal_id(row),
                "paypal_reference_id": row["id"],
                "paypal_reference_id_type": "TXN",
                "transaction_initiation_date": _shown(_read(row["reversed_at"])),
            }
    elif row["kind"] == "refund" and (status := _refund_status(row) or (every and _waiting(row))):
        refunded = {"paypal_reference_id": row["parent"], "paypal_reference_id_type": "TXN"}
        yield _line(row, "T1107", status, _signed(document["amount"], -1)) | refunded


def _waiting(row: JSON) -> str:
    return "P" if row["document"]["status"] == "PENDING" else "D"


def _refund_status(row: JSON) -> str:
    """One that came back after it had gone has changed the balance twice."""
    status = row["document"]["status"]
    return "S" if status == "COMPLETED" else "V" if status == "FAILED" and row.get("came_back") else ""


def _captured(row: JSON, status: str) -> JSON:
    document = row["document"]
    line = _line(row, "T0006", status, document["amount"])
    told = document.get("seller_receivable_breakdown")
    if told and units_of(told["paypal_fee"]):
        line["fee_amount"] = _signed(told["paypal_fee"], -1)
    return line | {"protection_eligibility": "01"}


def _converted(row: JSON) -> Iterator[JSON]:
    """What is credited in another currency leaves the one and comes in the other."""
    told = row["document"].get("seller_receivable_breakdown") or {}
    if credited := told.get("receivable_amount"):
        for mark, amount in (("C", _signed(told["net_amount"], -1)), ("D", credited)):
            named = {"paypal_reference_id": row["id"], "paypal_reference_id_type": "TXN"}
            yield _line(row, "T0200", "S", amount) | named | {"transaction_id": f"{mark}{reversal_id(row)}"}


def _line(row: JSON, code: str, status: str, amount: JSON) -> JSON:
    document = row["document"]
    names = {"invoice_id": document.get("invoice_id"), "custom_field": document.get("custom_id")}
    return {
        "paypal_account_id": PAYER,
        "transaction_id": row["id"],
        "transaction_event_code": code,
        "transaction_initiation_date": _shown(_read(document["create_time"])),
        "transaction_updated_date": _shown(_read(document["update_time"])),
        "transaction_amount": {name: amount[name] for name in ("currency_code", "value")},
        "transaction_status": status,
        **{name: value for name, value in names.items() if value},
    }


def _signed(amount: JSON, sign: int) -> JSON:
    positive = money(units_of(amount), amount["currency_code"])
    return positive | {"value": f"-{positive['value']}"} if sign < 0 else positive


def _moment(query: Mapping[str, str], name: str) -> datetime:
    value = query.get(name, "")
    if not value:
        raise missing(name)
    if not MOMENT.fullmatch(value):
        raise invalid(name, "INVALID_PARAMETER_SYNTAX")
    return _read(value)


def _read(value: str) -> datetime:
    return datetime.fromisoformat(value).astimezone(UTC)


def _shown(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"


def _number(query: Mapping[str, str], name: str, default: int, most: int) -> int:
    value = query.get(name, str(default))
    if not value.isdigit() or not 1 <= int(value) <= most:
        raise invalid(name)
    return int(value)
