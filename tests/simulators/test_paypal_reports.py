"""PayPal's Transaction Search on the wire: whose lines it shows, of what span, and how it refuses."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import jsonschema
import pytest

from tests.simulators.conftest import until
from tests.simulators.test_paypal import wire

__all__ = ["wire"]

OPENAPI = Path(__file__).parents[1] / "payments" / "providers" / "openapi" / "paypal.json"
HOUR = timedelta(hours=1)


def moment(after=timedelta(0)):
    return f"{datetime.now(UTC) + after:%Y-%m-%dT%H:%M:%SZ}"


def search(wire, since=-HOUR, until_=HOUR, app="lango-simulator-client", **query):
    wanted = {"start_date": moment(since), "end_date": moment(until_)} | query
    text = "&".join(f"{name}={value}" for name, value in wanted.items())
    return wire.call("GET", f"/v1/reporting/transactions?{text}", app=app)


def found(wire, **query):
    return [detail["transaction_info"] for detail in search(wire, **query).json()["transaction_details"]]


def test_captures_and_refunds_are_listed_with_what_names_them_in_the_published_shape(wire):
    paid = wire.paid(invoice_id="INV-1")
    refund = wire.refund(paid["id"], {"amount": {"currency_code": "USD", "value": "2.50"}, "invoice_id": "RF-1"}).json()
    answer = search(wire, fields="transaction_info").json()
    jsonschema.validate(answer, json.loads(OPENAPI.read_text())["answer to GET /v1/reporting/transactions"])
    captured, back = [detail["transaction_info"] for detail in answer["transaction_details"]]
    assert (captured["transaction_id"], captured["transaction_event_code"]) == (paid["id"], "T0006")
    assert (captured["transaction_amount"]["value"], captured["fee_amount"]["value"]) == ("12.50", "-0.93")
    assert (captured["custom_field"], captured["invoice_id"], captured["transaction_status"]) == (
        "att_7f3c",
        "INV-1",
        "S",
    )
    assert (back["transaction_id"], back["transaction_event_code"]) == (refund["id"], "T1107")
    assert (back["paypal_reference_id"], back["transaction_amount"]["value"]) == (paid["id"], "-2.50")
    assert (back["invoice_id"], "fee_amount" in back) == ("RF-1", False)


def test_a_capture_that_was_given_back_whole_is_reversed_and_one_that_paypal_took_back_has_a_line_of_that(wire):
    paid = wire.paid()
    wire.refund(paid["id"])
    assert [line["transaction_status"] for line in found(wire)] == ["V", "S"]
    other = wire.paid(invoice_id="INV-2")
    wire.simulate(id=other["id"], outcome="reverse")
    assert [line["transaction_event_code"] for line in found(wire)] == ["T0006", "T1107", "T0006", "T1106"]


def test_what_has_changed_no_balance_is_listed_only_where_everything_is_asked_for(wire):
    wire.held()
    wire.settings(pending_seconds=600)
    wire.paid("66621.00")
    assert found(wire) == []
    assert [line["transaction_status"] for line in found(wire, balance_affecting_records_only="N")] == ["P"]


def test_a_refund_that_fails_before_it_has_gone_is_not_listed_and_one_that_comes_back_is_reversed(wire):
    waiting, gone = wire.paid("66627.00"), wire.paid(invoice_id="INV-2")
    failed = wire.refund(waiting["id"]).json()["id"]
    back = wire.refund(gone["id"]).json()["id"]
    until(lambda: wire.call("GET", f"/v2/payments/refunds/{failed}").json()["status"] == "FAILED")
    wire.simulate(id=back, outcome="fail")
    told = {line["transaction_id"]: line["transaction_status"] for line in found(wire)}
    assert told == {waiting["id"]: "S", gone["id"]: "S", back: "V"}
    assert failed in {line["transaction_id"] for line in found(wire, balance_affecting_records_only="N")}


def test_what_is_credited_in_another_currency_has_two_lines_more(wire):
    wire.settings(receivable_currency="EUR", receivable_rate=0.9)
    wire.paid()
    _, out, into = found(wire)
    assert (out["transaction_event_code"], into["transaction_event_code"]) == ("T0200", "T0200")
    assert out["transaction_amount"] == {"currency_code": "USD", "value": "-11.57"}
    assert into["transaction_amount"] == {"currency_code": "EUR", "value": "10.41"}


def test_an_app_sees_its_own_lines_page_by_page_oldest_first(wire):
    ids = [wire.paid(invoice_id=f"INV-{place}")["id"] for place in range(3)]
    pages = [search(wire, page_size=2, page=page).json() for page in (1, 2)]
    shown = [line["transaction_info"]["transaction_id"] for page in pages for line in page["transaction_details"]]
    assert sorted(shown) == sorted(ids)
    assert [(page["page"], page["total_items"], page["total_pages"]) for page in pages] == [(1, 3, 2), (2, 3, 2)]
    assert found(wire, app="lango-simulator-client-2") == []
    assert found(wire, since=-2 * HOUR, until_=-HOUR) == []


def test_what_cannot_be_searched_is_refused_in_paypal_s_words(wire):
    wire.paid()
    wire.paid(invoice_id="INV-2")
    assert search(wire, since=-32 * 24 * HOUR).json()["message"] == "Date range is greater than 31 days"
    assert search(wire, start_date="yesterday").json()["details"][0]["issue"] == "INVALID_PARAMETER_SYNTAX"
    assert search(wire, page_size=501).status_code == 400
    wire.settings(report_most=1)
    refused = search(wire)
    assert (refused.status_code, refused.json()["name"]) == (400, "RESULTSET_TOO_LARGE")
    wire.settings(report_most=10_000, report_seconds=7_200)
    refused = search(wire)
    assert (refused.status_code, refused.json()["message"]) == (404, "Data for the given start date is not available.")
    assert found(wire, since=-3 * HOUR) == []
    wire.settings(report_allowed=False)
    assert search(wire).status_code == 403


@pytest.mark.parametrize("name", ["start_date", "end_date"])
def test_both_ends_of_the_span_are_wanted(wire, name):
    assert search(wire, **{name: ""}).json()["details"][0]["issue"] == "MISSING_REQUIRED_PARAMETER"
