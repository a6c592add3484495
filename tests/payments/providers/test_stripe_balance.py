"""What only Stripe's balance does: lines with their sources, and lines that are none of our payments'."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from core.clock import now
from core.crypto import Secret
from core.http import Request, Response
from core.money import Money
from core.providers import Misconfigured, OutcomeUnknown
from payments.providers.base import Connection, ReceiptKind, Word
from payments.providers.disputes import MovementKind
from payments.providers.statements import PageStep, StatementLine, StatementPage, Window
from payments.providers.stripe import Credentials, Options, Stripe
from tests.contracts.world import MemoryTokens

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
CHARGE: dict[str, Any] = {
    "id": "ch_3SampleE5f6",
    "object": "charge",
    "amount": 15000,
    "amount_captured": 12500,
    "currency": "usd",
    "metadata": {"reference": "REF1"},
    "payment_intent": "pi_3SampleA1b2C3d4",
    "payment_method_details": {"card": {"brand": "visa", "last4": "4242"}, "type": "card"},
    "status": "succeeded",
}
REFUND: dict[str, Any] = {
    "id": "re_3SampleR",
    "object": "refund",
    "amount": 2500,
    "charge": "ch_3SampleE5f6",
    "currency": "usd",
    "metadata": {"reference": "op_1"},
    "payment_intent": "pi_3SampleA1b2C3d4",
    "status": "succeeded",
}
DISPUTE: dict[str, Any] = {
    "id": "dp_1Sample",
    "object": "dispute",
    "amount": 12500,
    "charge": "ch_3SampleE5f6",
    "currency": "usd",
    "payment_intent": "pi_3SampleA1b2C3d4",
    "status": "needs_response",
}
LINE: dict[str, Any] = {
    "id": "txn_3SampleG7h8",
    "object": "balance_transaction",
    "amount": 12500,
    "created": 1795176000,
    "currency": "usd",
    "exchange_rate": None,
    "fee": 392,
    "net": 12108,
    "source": CHARGE,
    "type": "charge",
}


def asked(cursor: str = "", window: Window | None = None) -> PageStep:
    def never(request: Request) -> Response:
        raise AssertionError("nothing may be sent")

    credentials = Credentials(Secret("sk_test_x"), ())
    connection = Connection("https://api.stripe.com", False, credentials, Options(), now, never, MemoryTokens())
    return Stripe(connection).statement(window or Window(NOON - timedelta(hours=1), NOON), cursor)


def read(*rows: Any, status: int = 200, **changes: Any) -> StatementPage:
    page = {"object": "list", "data": list(rows), "has_more": False, "url": "/v1/balance_transactions"} | changes
    return asked().read(Response(status, {}, json.dumps(page).encode(), 0.0))


def given_back(**changes: Any) -> dict[str, Any]:
    return LINE | {"amount": -2500, "fee": 0, "source": REFUND, "type": "refund"} | changes


def test_a_charge_is_told_by_its_own_number_our_reference_and_its_fee():
    [line] = read(LINE).lines
    assert line == StatementLine(
        kind=ReceiptKind.CAPTURE,
        money=Money(12500, "USD"),
        provider_money_id="ch_3SampleE5f6",
        reference="REF1",
        provider_status="succeeded",
        at=datetime(2026, 11, 20, 12, tzinfo=UTC),
        payer_hint="visa •••4242",
        fee=Money(392, "USD"),
        payment_id="pi_3SampleA1b2C3d4",
    )


def test_in_a_balance_of_another_currency_the_payer_s_money_is_the_charge_s_and_the_fee_the_balance_s():
    [line] = read(LINE | {"amount": 10625, "currency": "eur", "fee": 333, "exchange_rate": 0.85}).lines
    assert (line.money, line.fee) == (Money(12500, "USD"), Money(333, "EUR"))
    [back] = read(given_back(amount=-2125, currency="eur")).lines
    assert back.money == Money(2500, "USD")


@pytest.mark.parametrize(
    ("currency", "units", "money"),
    [("jpy", 500, Money(500, "JPY")), ("isk", 50_000, Money(500, "ISK")), ("kwd", 1230, Money(1230, "KWD"))],
)
def test_amounts_are_counted_as_stripe_counts_them(currency: str, units: int, money: Money):
    row = LINE | {"amount": units, "currency": currency, "fee": 0, "source": CHARGE | {"currency": currency}}
    assert read(row).lines[0].money == money


def test_a_refund_is_told_with_the_key_of_our_operation_and_the_charge_that_it_gives_back():
    [line] = read(given_back()).lines
    assert (line.kind, line.money, line.provider_money_id) == (ReceiptKind.REFUND, Money(2500, "USD"), "re_3SampleR")
    assert (line.reference, line.gives_back, line.fee) == ("op_1", "ch_3SampleE5f6", None)


@pytest.mark.parametrize(
    ("status", "word"),
    [
        ("succeeded", Word.SUCCEEDED),
        ("pending", Word.PENDING),
        ("requires_action", Word.PENDING),
        ("failed", Word.FAILED),
        ("canceled", Word.CANCELLED),
        ("eaten", Word.UNKNOWN),
    ],
)
def test_a_refund_is_as_it_stands_now_also_where_its_money_has_come_back(status: str, word: Word):
    source = REFUND | {"status": status}
    gone, back = given_back(source=source), given_back(source=source, amount=2500, type="refund_failure")
    lines = read(gone, back).lines
    assert {(line.word, line.kind, line.money) for line in lines} == {(word, ReceiptKind.REFUND, Money(2500, "USD"))}


def test_a_dispute_s_money_has_the_number_of_its_line_and_its_fee():
    taken = LINE | {"amount": -12500, "fee": 1500, "source": DISPUTE, "type": "adjustment"}
    back = taken | {"id": "txn_2", "amount": 12500, "fee": -1500}
    withdrawn, reinstated = read(taken, back).lines
    assert (withdrawn.kind, withdrawn.money, withdrawn.fee) == (
        MovementKind.WITHDRAWN,
        Money(12500, "USD"),
        Money(1500, "USD"),
    )
    assert (withdrawn.provider_money_id, withdrawn.gives_back, withdrawn.reference) == (
        "txn_3SampleG7h8",
        "ch_3SampleE5f6",
        "dp_1Sample",
    )
    assert (reinstated.kind, reinstated.money, reinstated.fee) == (
        MovementKind.REINSTATED,
        Money(12500, "USD"),
        Money(-1500, "USD"),
    )


@pytest.mark.parametrize(
    "kind", ["payout", "stripe_fee", "tax_fee", "transfer", "reserved_funds", "topup", "brand_new"]
)
def test_what_is_none_of_our_payments_is_passed_over(kind: str):
    assert read(LINE | {"type": kind, "amount": -900, "source": "po_1"}) == StatementPage()


@pytest.mark.parametrize("source", [None, "txn_1", {"object": "payout", "id": "po_1"}])
def test_an_adjustment_without_a_dispute_is_passed_over(source: Any):
    assert read(LINE | {"type": "adjustment", "source": source}) == StatementPage()


@pytest.mark.parametrize(
    "changes",
    [
        {"source": "ch_3SampleE5f6"},
        {"source": None},
        {"source": CHARGE | {"id": 5}},
        {"source": CHARGE | {"id": "ch_" + "x" * 98}},
        {"source": REFUND},
        {"amount": 0},
        {"amount": "12500"},
        {"amount": 12500.5},
        {"currency": None},
        {"fee": None},
    ],
)
def test_a_line_that_cannot_be_read_hides_no_other(changes: dict[str, Any]):
    page = read(LINE | changes, given_back(id="txn_2"))
    assert [line.provider_money_id for line in page.lines] == ["re_3SampleR"]
    assert list(page.unreadable) == ["txn_3SampleG7h8"]
    assert "12500" not in page.unreadable["txn_3SampleG7h8"]


def test_a_time_that_there_is_not_does_not_matter():
    assert [read(LINE | {"created": moment}).lines[0].at for moment in (None, "x", 10**20)] == [None] * 3


def test_the_next_page_begins_after_the_last_line_whatever_that_is():
    assert read(LINE, LINE | {"id": "txn_9", "type": "payout"}, has_more=True).next_cursor == "txn_9"
    assert read(LINE).next_cursor == ""
    query = parse_qs(urlsplit(asked("txn_9").request.url).query)
    assert query["starting_after"] == ["txn_9"]


def test_the_window_is_asked_for_with_minutes_to_spare_and_sources_are_expanded():
    query = parse_qs(urlsplit(asked().request.url).query)
    begins, ends = (int(query[f"created[{bound}]"][0]) for bound in ("gte", "lte"))
    assert (begins, ends) == (1795172400 - 600, 1795176000 + 600)
    assert (query["expand[]"], query["limit"], "starting_after" in query) == (["data.source"], ["100"], False)


@pytest.mark.parametrize("changes", [{"has_more": None}, {"object": "charge"}, {"data": {}}, {"has_more": True}])
def test_any_other_answer_is_no_page(changes: dict[str, Any]):
    with pytest.raises(OutcomeUnknown):
        read(**changes)
    with pytest.raises(OutcomeUnknown):
        read(LINE | {"id": None}, has_more=True)


@pytest.mark.parametrize("status", [401, 403])
def test_a_key_that_may_not_read_the_balance_is_a_matter_of_configuration(status: int):
    with pytest.raises(Misconfigured):
        read(status=status)
