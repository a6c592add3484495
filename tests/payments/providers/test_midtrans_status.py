"""What the status of a payment at Midtrans says of all that has moved of it. Values are samples."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from core.crypto import Secret
from core.http import Response
from core.money import Money
from core.providers import Misconfigured, NothingCreated, OutcomeUnknown
from payments.providers.base import Kind, Order, ReceiptKind, Word
from payments.providers.midtrans import Credentials, Midtrans, Options
from payments.providers.statements import StatementPage
from tests.contracts.world import Wire

SETTLED = {
    "transaction_time": "2026-03-01 09:00:02",
    "settlement_time": "2026-03-01 09:01:10",
    "transaction_status": "settlement",
    "transaction_id": "5e0f8b7e-1111-4222-8333-000000007781",
    "status_message": "Success, transaction is found",
    "status_code": "200",
    "payment_type": "qris",
    "order_id": "ORD-7781",
    "gross_amount": "45500.00",
    "fraud_status": "accept",
    "currency": "IDR",
}
REFUND = {
    "refund_chargeback_id": 1,
    "refund_amount": "5000.00",
    "created_at": "2026-03-02 10:00:00",
    "reason": "",
    "refund_key": "op_1",
    "refund_method": "online",
}
PARTLY = SETTLED | {"transaction_status": "partial_refund", "refund_amount": "5000.00", "refunds": [REFUND]}


def read(told: dict[str, Any], status: int = 200, **words: str) -> StatementPage:
    provider = Wire.to(Midtrans, "http://x", Credentials(Secret("key")), Options(status_words=words)).provider
    order = Order(
        kind=Kind.CREATE, reference="ORD-7781", operation_key="", money=Money(4_550_000, "IDR"), callback_url=str
    )
    step = provider.status(order)
    assert step.request.url == "http://x/v2/ORD-7781/status"
    return step.read(Response(status, {}, json.dumps(told).encode(), 0.0))


def test_what_is_settled_is_one_line_with_the_payments_own_number():
    [line] = read(SETTLED).lines
    assert (line.kind, line.money, line.word) == (ReceiptKind.CAPTURE, Money(4_550_000, "IDR"), Word.SUCCEEDED)
    assert (line.provider_money_id, line.payment_id) == (SETTLED["transaction_id"],) * 2
    assert (line.reference, line.provider_status) == ("ORD-7781", "settlement")
    assert line.at == datetime(2026, 3, 1, 2, 1, 10, tzinfo=UTC)


def test_each_refund_is_a_line_beside_the_whole_payment():
    captured, given_back = read(PARTLY).lines
    assert captured.money == Money(4_550_000, "IDR")
    assert (given_back.kind, given_back.money) == (ReceiptKind.REFUND, Money(500_000, "IDR"))
    assert (given_back.provider_money_id, given_back.reference) == ("1", "op_1")
    assert (given_back.gives_back, given_back.payment_id) == (SETTLED["transaction_id"], "")
    assert given_back.at == datetime(2026, 3, 2, 3, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("status", "code"),
    [("pending", "201"), ("expire", "407"), ("expire", "202"), ("cancel", "202"), ("deny", "202"), ("failure", "202")],
)
def test_what_waits_or_has_ended_unpaid_has_no_lines(status: str, code: str):
    assert read(SETTLED | {"transaction_status": status, "status_code": code}) == StatementPage()


def test_a_payment_that_midtrans_does_not_know_has_no_lines():
    unknown = {"status_code": "404", "status_message": "Transaction doesn't exist.", "id": "1"}
    assert read(unknown, status=404) == read(unknown) == StatementPage()


@pytest.mark.parametrize(
    "changes",
    [
        {"transaction_status": "teleported"}, {"transaction_status": "authorize"}, {"fraud_status": "challenge"},
        {"status_code": "201"}, {"gross_amount": "45,500.00"}, {"gross_amount": 45_500}, {"currency": "USD"},
        {"transaction_id": None}, {"order_id": "ANOTHER"}, {"refunds": [REFUND | {"refund_amount": None}]},
        {"refunds": [REFUND | {"refund_key": "a b"}]}, {"refunds": "none"},
    ],
)  # fmt: skip
def test_what_cannot_be_read_says_so_and_shows_none_of_it(changes: dict[str, Any]):
    page = read(SETTLED | changes)
    assert page.lines == ()
    assert list(page.unreadable) == ["ORD-7781"]
    assert page.unreadable["ORD-7781"].endswith("not what Midtrans documents")


def test_a_status_that_the_account_reads_in_other_words_is_read_so():
    assert read(SETTLED | {"transaction_status": "paid_out"}, paid_out="succeeded").lines != ()


@pytest.mark.parametrize(
    ("code", "fault"),
    [("401", Misconfigured), ("429", NothingCreated), ("500", OutcomeUnknown), ("406", OutcomeUnknown)],
)
def test_a_refusal_is_no_page(code: str, fault: type[Exception]):
    with pytest.raises(fault):
        read({"status_code": code, "status_message": "?"}, status=int(code))
