"""What only Xendit's list does: pages after an id, kinds and states, invoices under other numbers, fees."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

import simulators
from core.clock import now
from core.crypto import Secret
from core.http import Response
from core.money import Money
from core.providers import Misconfigured, NothingCreated, OutcomeUnknown
from payments.providers.base import ReceiptKind, Word
from payments.providers.statements import StatementPage, Window
from payments.providers.xendit import Credentials, Options, Xendit
from tests.contracts.world import SimulatorControl, Wire

HOUR = timedelta(hours=1)
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
SECRET_KEY = "xnd_development_lango-simulator"
ROW = {
    "id": "txn_0b3f0000-0000-4000-8000-000000000001",
    "product_id": "qrpy_81820000-0000-4000-8000-000000000001",
    "type": "PAYMENT",
    "status": "SUCCESS",
    "channel_category": "QR_CODE",
    "channel_code": "QRIS",
    "account_identifier": None,
    "reference_id": "ORD7781",
    "currency": "IDR",
    "amount": 45500,
    "net_amount": 45146.47,
    "cashflow": "MONEY_IN",
    "settlement_status": "PENDING",
    "business_id": "62440e000000000000000001",
    "created": "2026-11-20T09:01:10.52345Z",
    "fee": {"xendit_fee": 318.5, "value_added_tax": 35.03, "status": "COMPLETED"},
}
REFUND = ROW | {
    "product_id": "qrrf_1",
    "type": "REFUND",
    "cashflow": "MONEY_OUT",
    "settlement_status": None,
    "reference_id": "op_1",
    "fee": {"xendit_fee": 0, "value_added_tax": 0, "status": "NOT_APPLICABLE"},
}


@pytest.fixture(scope="module")
def simulator() -> Iterator[SimulatorControl]:
    with simulators.start("xendit") as running:
        control = SimulatorControl(running.url("xendit"))
        yield control
        control.close()


@pytest.fixture
def control(simulator: SimulatorControl) -> SimulatorControl:
    simulator.post("reset")
    return simulator


def wire(base_url: str = "http://x", **options: Any) -> Wire:
    return Wire.to(Xendit, base_url, Credentials(Secret(SECRET_KEY), Secret("token")), Options(**options))


def pay(control: SimulatorControl, count: int = 1, rupiah: int = 45_500) -> list[str]:
    """Codes that are made and paid at Xendit; the numbers of their money."""
    here = wire(control.base_url)
    for _ in range(count):
        body = {"reference_id": "ORD", "type": "DYNAMIC", "currency": "IDR", "amount": rupiah}
        code = json.loads(here.call(here.provider._post("/qr_codes", body, of_codes=True)).body)
        control.post("simulate", id=code["id"], outcome="approve")
    return [entry["receipt"] for entry in control.entries() if entry["kind"] == "payment"]


def pages(control: SimulatorControl, most: int = 30) -> list[StatementPage]:
    here, found, cursor = wire(control.base_url), [], ""
    window = Window(now() - HOUR, now() + HOUR)
    while not found or (cursor := found[-1].next_cursor):
        found.append(here.perform(here.provider.statement(window, cursor)))
        assert len(found) < most
    return found


def numbers(found: list[StatementPage]) -> list[str]:
    return [line.provider_money_id for page in found for line in page.lines]


def read(*rows: Any, status: int = 200, **changes: Any) -> StatementPage:
    body = {"has_more": False, "data": list(rows), "links": []} | changes
    step = wire().provider.statement(Window(NOON - HOUR, NOON))
    return step.read(Response(status, {}, json.dumps(body).encode(), 0.0))


def test_the_documented_row_is_read():
    [line] = read(ROW).lines
    assert (line.kind, line.money, line.word) == (ReceiptKind.CAPTURE, Money(4_550_000, "IDR"), Word.SUCCEEDED)
    assert (line.provider_money_id, line.reference) == (ROW["product_id"], "ORD7781")
    assert (line.provider_status, line.fee) == ("SUCCESS PENDING", Money(35_353, "IDR"))
    assert line.at == datetime(2026, 11, 20, 9, 1, 10, 523450, tzinfo=UTC)


def test_a_refund_is_money_out_and_its_reference_is_the_key_that_it_was_sent_with():
    [line] = read(REFUND).lines
    assert (line.kind, line.provider_money_id, line.reference) == (ReceiptKind.REFUND, "qrrf_1", "op_1")
    assert (line.word, line.fee, line.provider_status) == (Word.SUCCEEDED, None, "SUCCESS")


@pytest.mark.parametrize(
    ("status", "word"),
    [
        ("PENDING", Word.PENDING),
        ("FAILED", Word.FAILED),
        ("VOIDED", Word.CANCELLED),
        ("REVERSED", Word.CANCELLED),
        ("TELEPORTED", Word.UNKNOWN),
    ],
)
def test_only_success_has_moved_for_good(status: str, word: Word):
    assert read(ROW | {"status": status}).lines[0].word is word


def test_other_kinds_of_money_are_passed_over():
    page = read(ROW | {"type": "DISBURSEMENT"}, ROW | {"type": "TOPUP"}, ROW)
    assert (len(page.lines), page.unreadable) == (1, {})


@pytest.mark.parametrize(
    "fee",
    [
        None,
        {},
        {"xendit_fee": 318.5, "value_added_tax": 35.03, "status": "PENDING"},
        {"xendit_fee": "?", "value_added_tax": 35.03, "status": "COMPLETED"},
        {"xendit_fee": 1, "value_added_tax": 0, "third_party_withholding_tax": 5, "status": "COMPLETED"},
    ],
)
def test_a_fee_that_is_not_final_or_not_this_simple_is_left_out_and_the_money_is_not(fee: Any):
    [line] = read(ROW | {"fee": fee}).lines
    assert (line.fee, line.money) == (None, Money(4_550_000, "IDR"))


@pytest.mark.parametrize(("amount", "rupiah"), [("45500", 45_500), ("1,250,000.00", 1_250_000), (45_500.0, 45_500)])
def test_amounts_come_as_numbers_or_as_texts_with_separators(amount: Any, rupiah: int):
    assert read(ROW | {"amount": amount}).lines[0].money == Money(rupiah * 100, "IDR")


@pytest.mark.parametrize(
    "changes",
    [
        {"amount": "45.500,00"}, {"amount": "4,55,00"}, {"amount": 45_500.5}, {"amount": 0}, {"amount": -5},
        {"amount": None}, {"amount": True}, {"product_id": None}, {"product_id": "x" * 101}, {"status": 5},
        {"cashflow": "MONEY_OUT"}, {"currency": "USD"}, {"type": None},
    ],
)  # fmt: skip
def test_a_row_that_cannot_be_meant_hides_no_other(changes: dict[str, Any]):
    page = read(ROW | changes, "no object", ROW)
    assert [line.provider_money_id for line in page.lines] == [ROW["product_id"]]
    assert list(page.unreadable) == ["from the first +1", "from the first +2"]


@pytest.mark.parametrize("reference", [None, 5, "of another system, with spaces", "x" * 300])
def test_whatever_stands_as_its_reference_the_money_is_listed(reference: Any):
    [line] = read(ROW | {"reference_id": reference}).lines
    assert line.reference in ("", "of another system, with spaces", "x" * 100)


@pytest.mark.parametrize("changes", [{"data": None}, {"has_more": None}, {"data": {}}, {"has_more": True, "data": []}])
def test_any_other_answer_is_no_page(changes: dict[str, Any]):
    with pytest.raises(OutcomeUnknown):
        read(**changes)


def test_refusals_are_told_apart():
    with pytest.raises(Misconfigured):
        read(status=403, error_code="REQUEST_FORBIDDEN_ERROR")
    with pytest.raises(NothingCreated):
        read(status=400, error_code="API_VALIDATION_ERROR")


def test_the_window_is_asked_for_with_minutes_to_spare_for_the_sub_account_that_is_meant():
    request = wire(for_user_id="5dbf20d7").provider.statement(Window(NOON, NOON + HOUR), "txn_9").request
    assert parse_qsl(urlsplit(request.url).query) == [
        ("types", "PAYMENT"), ("types", "REFUND"), ("currency", "IDR"),
        ("created[gte]", "2026-11-20T11:50:00Z"), ("created[lte]", "2026-11-20T13:10:00Z"),
        ("limit", "50"), ("after_id", "txn_9"),
    ]  # fmt: skip
    assert request.headers["for-user-id"] == "5dbf20d7"


def test_an_empty_list_has_one_page(control: SimulatorControl):
    assert pages(control) == [StatementPage()]


@pytest.mark.parametrize("order", ["newest_first", "oldest_first"])
def test_all_pages_are_read_in_either_order_also_while_others_pay(control: SimulatorControl, order: str):
    control.post("settings", transactions_page=4, transactions_order=order)
    paid = pay(control, 10)
    assert sorted(numbers(pages(control))) == sorted(paid)
    control.post("settings", transactions_intruders=3 if order == "newest_first" else 1)
    assert set(paid) <= set(numbers(pages(control)))


def test_a_page_that_comes_twice_doubles_nothing_and_the_next_one_follows(control: SimulatorControl):
    control.post("settings", transactions_page=4, transactions_doubled=True)
    paid = pay(control, 10)
    found = numbers(pages(control))
    assert (set(found), len(found)) == (set(paid), 18)


@pytest.mark.parametrize("changes", [{"transactions_amounts": "thousands"}, {"clock_ahead_seconds": 480.0}])
def test_neither_separators_nor_a_clock_that_is_ahead_hide_a_payment(
    control: SimulatorControl, changes: dict[str, Any]
):
    control.post("settings", **changes)
    paid = pay(control, rupiah=1_250_000)
    here = wire(control.base_url)
    page = here.perform(here.provider.statement(Window(now() - HOUR, now())))
    assert [(line.provider_money_id, line.money.amount) for line in page.lines] == [(paid[0], 125_000_000)]
