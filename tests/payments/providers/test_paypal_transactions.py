"""What only PayPal's Transaction Search does: spans of a day and less, codes of events, statuses of one letter."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jsonschema
import pytest

from core.crypto import Secret
from core.http import Request, Response
from core.money import Money
from core.providers import Misconfigured, NothingCreated, OutcomeUnknown, TokenRejected
from payments.providers.base import Connection, ReceiptKind, Word
from payments.providers.paypal import Paypal
from payments.providers.paypal_account import Credentials, Options
from payments.providers.statements import PageStep, StatementLine, StatementPage, Window
from tests.contracts.world import MemoryTokens

OPENAPI = json.loads((Path(__file__).parent / "openapi" / "paypal.json").read_text())
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
PAYMENT: dict[str, Any] = {
    "paypal_account_id": "SAMPLEPAYER01",
    "transaction_id": "4CP00SAMPLE00001X",
    "transaction_event_code": "T0006",
    "transaction_initiation_date": "2026-11-20T11:05:10+0000",
    "transaction_updated_date": "2026-11-20T11:05:10+0000",
    "transaction_amount": {"currency_code": "USD", "value": "12.50"},
    "fee_amount": {"currency_code": "USD", "value": "-0.93"},
    "transaction_status": "S",
    "invoice_id": "REF1",
    "custom_field": "REF1",
}
REFUND: dict[str, Any] = {
    "transaction_id": "5RF00SAMPLE00002Y",
    "paypal_reference_id": "4CP00SAMPLE00001X",
    "paypal_reference_id_type": "TXN",
    "transaction_event_code": "T1107",
    "transaction_initiation_date": "2026-11-20T11:30:00Z",
    "transaction_amount": {"currency_code": "USD", "value": "-2.50"},
    "transaction_status": "S",
    "invoice_id": "op_1",
    "custom_field": "REF1",
}
TOO_MANY = {
    "name": "RESULTSET_TOO_LARGE",
    "message": "Result set size is greater than the maximum limit.",
    "details": [],
}
NOT_YET = {"name": "INVALID_REQUEST", "message": "Data for the given start date is not available.", "details": []}


def asked(cursor: str = "", window: Window | None = None) -> PageStep:
    def never(request: Request) -> Response:
        raise AssertionError("nothing may be sent")

    credentials = Credentials(Secret("client"), Secret("secret"))
    base_url = "https://api-m.sandbox.paypal.com"
    connection = Connection(base_url, False, credentials, Options(), lambda: NOON, never, MemoryTokens())
    return Paypal(connection).statement(window or Window(NOON - 2 * HOUR, NOON), cursor)


def answered(body: Any, status: int = 200, cursor: str = "", window: Window | None = None) -> StatementPage:
    return asked(cursor, window).read(Response(status, {}, json.dumps(body).encode(), 0.0))


def read(*infos: Any, cursor: str = "", window: Window | None = None, **changes: Any) -> StatementPage:
    details = [{"transaction_info": info} for info in infos]
    page = {"transaction_details": details, "page": 1, "total_items": len(infos), "total_pages": 1, "links": []}
    return answered(page | changes, cursor=cursor, window=window)


def query(step: PageStep) -> dict[str, Any]:
    return {name: values[0] for name, values in parse_qs(urlsplit(step.request.url).query).items()}


def spans(window: Window, too_many: set[int] = frozenset()) -> list[tuple[str, str]]:
    """Every span that is asked for, where PayPal finds too much in those of these places."""
    found, cursor = [], ""
    while not found or cursor:
        wanted = query(asked(cursor, window))
        found.append((wanted["start_date"], wanted["end_date"]))
        refused = len(found) in too_many
        page = answered(TOO_MANY, 400, cursor, window) if refused else read(cursor=cursor, window=window)
        cursor = page.next_cursor
        assert len(found) < 100
    return found


def test_a_payment_is_told_by_the_capture_s_number_our_reference_and_its_fee():
    [line] = read(PAYMENT).lines
    assert line == StatementLine(
        kind=ReceiptKind.CAPTURE,
        money=Money(1250, "USD"),
        provider_money_id="4CP00SAMPLE00001X",
        reference="REF1",
        provider_status="S",
        at=datetime(2026, 11, 20, 11, 5, 10, tzinfo=UTC),
        fee=Money(93, "USD"),
    )


def test_a_refund_is_told_with_the_key_of_our_operation_and_the_capture_that_it_gives_back():
    [line] = read(REFUND | {"fee_amount": {"currency_code": "USD", "value": "0.20"}}).lines
    assert (line.kind, line.money, line.word) == (ReceiptKind.REFUND, Money(250, "USD"), Word.SUCCEEDED)
    assert (line.reference, line.gives_back, line.fee) == ("op_1", "4CP00SAMPLE00001X", None)


@pytest.mark.parametrize(
    ("kind", "names"), [(None, "4CP00SAMPLE00001X"), ("TXN", "4CP00SAMPLE00001X"), ("PAP", ""), ("ODR", "")]
)
def test_what_a_refund_names_is_a_capture_only_where_it_is_a_transaction(kind: str | None, names: str):
    assert read(REFUND | {"paypal_reference_id_type": kind}).lines[0].gives_back == names


@pytest.mark.parametrize(
    ("row", "status", "word"),
    [
        (PAYMENT, "S", Word.SUCCEEDED),
        (PAYMENT, "V", Word.SUCCEEDED),
        (PAYMENT, "F", Word.SUCCEEDED),
        (PAYMENT, "P", Word.PENDING),
        (PAYMENT, "D", Word.FAILED),
        (PAYMENT, "X", Word.UNKNOWN),
        (REFUND, "P", Word.PENDING),
        (REFUND, "D", Word.FAILED),
        (REFUND, "V", Word.FAILED),
        (REFUND, "X", Word.UNKNOWN),
    ],
)
def test_a_payment_that_was_given_back_has_come_all_the_same_and_a_refund_that_came_back_has_failed(
    row: dict[str, Any], status: str, word: Word
):
    assert read(row | {"transaction_status": status}).lines[0].word is word


@pytest.mark.parametrize("code", ["T1106", "T1201"])
def test_what_paypal_takes_back_by_itself_names_nothing_of_ours(code: str):
    [line] = read(REFUND | {"transaction_event_code": code}).lines
    assert (line.kind, line.money, line.provider_status) == (ReceiptKind.REFUND, Money(250, "USD"), f"{code} S")
    assert (line.reference, line.gives_back) == ("", "")


@pytest.mark.parametrize(
    ("code", "value"),
    [
        ("T0200", "-11.57"),
        ("T0200", "9.84"),
        ("T0300", "5.00"),
        ("T0400", "-100.00"),
        ("T0001", "-3.00"),
        ("T0006", "-12.50"),
        ("T1105", "12.50"),
        ("T1107", "2.50"),
        ("T1202", "12.50"),
        ("T9999", "1.00"),
    ],
)
def test_what_is_none_of_our_payments_is_passed_over(code: str, value: str):
    row = PAYMENT | {"transaction_event_code": code, "transaction_amount": {"currency_code": "USD", "value": value}}
    assert read(row) == StatementPage()


@pytest.mark.parametrize(
    ("currency", "value", "minor"), [("JPY", "800", 800), ("HUF", "500", 50_000), ("EUR", "4500.00", 450_000)]
)
def test_amounts_are_read_as_paypal_writes_them(currency: str, value: str, minor: int):
    told = {"currency_code": currency, "value": value}
    assert read(PAYMENT | {"transaction_amount": told, "fee_amount": None}).lines[0].money == Money(minor, currency)


@pytest.mark.parametrize(
    "changes",
    [
        {"transaction_id": None},
        {"transaction_id": "x" * 101},
        {"transaction_amount": None},
        {"transaction_amount": {"currency_code": "USD", "value": "0.00"}},
        {"transaction_amount": {"currency_code": "USD", "value": "12,50"}},
        {"transaction_amount": {"currency_code": "USD", "value": 12.5}},
        {"transaction_amount": {"currency_code": "USD", "value": "--12.50"}, "transaction_event_code": "T1107"},
        {"transaction_status": ""},
        {"transaction_event_code": 6},
        {"fee_amount": {"currency_code": "USD", "value": "-x"}},
    ],
)
def test_a_line_that_cannot_be_read_hides_no_other(changes: dict[str, Any]):
    page = read(PAYMENT | changes, REFUND)
    assert [line.provider_money_id for line in page.lines] == ["5RF00SAMPLE00002Y"]
    [reason] = page.unreadable.values()
    assert "12" not in reason


@pytest.mark.parametrize("date", ["20.11.2026", None, 5, "2026-11-20T11:05:10"])
def test_a_date_that_cannot_be_read_does_not_matter(date: Any):
    assert read(PAYMENT | {"transaction_initiation_date": date}).lines[0].at is None


def test_paypal_s_own_description_takes_what_is_asked():
    for cursor in ("", "1795176000:1795179600:7"):
        wanted: dict[str, Any] = query(asked(cursor))
        wanted |= {name: int(wanted[name]) for name in ("page", "page_size")}
        jsonschema.validate(wanted, OPENAPI["GET /v1/reporting/transactions"])
        assert (wanted["page_size"], wanted["balance_affecting_records_only"]) == (500, "Y")


def test_a_window_is_read_by_the_day_with_minutes_to_spare_at_its_beginning():
    asked_for = spans(Window(NOON - timedelta(days=2), NOON))
    assert asked_for == [
        ("2026-11-18T11:50:00Z", "2026-11-19T11:50:00Z"),
        ("2026-11-19T11:50:00Z", "2026-11-20T11:50:00Z"),
        ("2026-11-20T11:50:00Z", "2026-11-20T12:00:00Z"),
    ]


def test_what_is_too_much_is_read_in_halves_which_grow_again():
    asked_for = spans(Window(NOON - timedelta(days=2), NOON), too_many={1, 2})
    assert [(begin[8:16], end[8:16]) for begin, end in asked_for] == [
        ("18T11:50", "19T11:50"),
        ("18T11:50", "18T23:50"),
        ("18T11:50", "18T17:50"),
        ("18T17:50", "19T05:50"),
        ("19T05:50", "20T05:50"),
        ("20T05:50", "20T12:00"),
    ]


def test_too_much_in_one_second_is_no_page():
    with pytest.raises(OutcomeUnknown, match="one second"):
        answered(TOO_MANY, 400, cursor="1795176000:1795176001:1")


def test_pages_of_a_span_are_read_one_after_another():
    first = read(PAYMENT, total_pages=3)
    begin, end, page = first.next_cursor.split(":")
    assert page == "2"
    assert read(REFUND, cursor=f"{begin}:{end}:2", total_pages=3).next_cursor == f"{begin}:{end}:3"
    assert read(REFUND, cursor=f"{begin}:{end}:3", total_pages=3).next_cursor == ""


def test_nothing_is_found_in_two_ways():
    assert read(total_pages=0) == read(total_pages=1, transaction_details=None) == StatementPage()


@pytest.mark.parametrize("status", [400, 404])
def test_what_is_not_refreshed_yet_is_not_listed_yet_and_what_should_be_is_no_page(status: int):
    assert answered(NOT_YET, status) == StatementPage()
    with pytest.raises(OutcomeUnknown, match="further behind"):
        answered(NOT_YET, status, window=Window(NOON - 5 * HOUR, NOON))


@pytest.mark.parametrize(
    ("status", "name", "fault"),
    [
        (401, "AUTHENTICATION_FAILURE", TokenRejected),
        (403, "NOT_AUTHORIZED", Misconfigured),
        (429, "RATE_LIMIT_REACHED", NothingCreated),
        (400, "INVALID_REQUEST", NothingCreated),
        (500, "INTERNAL_SERVER_ERROR", OutcomeUnknown),
    ],
)
def test_refusals_are_told_apart(status: int, name: str, fault: type[Exception]):
    with pytest.raises(fault):
        answered({"name": name, "message": "x", "details": []}, status)


@pytest.mark.parametrize("changes", [{"total_pages": None}, {"total_pages": "1"}, {"transaction_details": {"a": 1}}])
def test_any_other_answer_is_no_page(changes: dict[str, Any]):
    with pytest.raises(OutcomeUnknown):
        read(**changes)
