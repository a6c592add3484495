"""What only M-Pesa's list of payments does: row offsets, nested lists, four ways to say nothing, a list that shifts."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

import simulators
from core.clock import now
from core.crypto import Secret
from core.http import Response
from core.money import Money
from core.providers import NothingCreated, OutcomeUnknown, TokenRejected
from payments.providers.mpesa import Credentials, Mpesa, Options
from payments.providers.statements import StatementPage, Window
from tests.contracts.world import SimulatorControl, Wire

HOUR = timedelta(hours=1)
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
CREDENTIALS = Credentials(
    Secret("lango-simulator-key"), Secret("lango-simulator-secret"), Secret("lango-simulator-passkey-600111")
)
ROW = {
    "transactionId": "TKK4SAMPL2",
    "trxDate": "2026-11-20T10:10:01Z",
    "msisdn": 711000111,
    "sender": "ACHIENG",
    "transactiontype": "c2b-pay-bill-debit",
    "billreference": "INV-20417",
    "amount": "250.00",
    "organizationname": "Acme Ltd",
}


@pytest.fixture(scope="module")
def simulator() -> Iterator[SimulatorControl]:
    with simulators.start("mpesa") as running:
        control = SimulatorControl(running.url("mpesa"))
        yield control
        control.close()


@pytest.fixture
def control(simulator: SimulatorControl) -> SimulatorControl:
    simulator.post("reset")
    return simulator


def wire(control: SimulatorControl, **options: Any) -> Wire:
    return Wire.to(Mpesa, control.base_url, CREDENTIALS, Options("600111", **options))


def pay(control: SimulatorControl, count: int = 1, **changes: Any) -> list[str]:
    wanted = {"short_code": "600111", "amount": 250, "reference": "LUNCH"} | changes
    return [control.post("simulate", outcome="paybill", **wanted)["id"] for _ in range(count)]


def pages(control: SimulatorControl, most: int = 50) -> list[StatementPage]:
    here, found, cursor = wire(control), [], ""
    window = Window(now() - HOUR, now() + HOUR)
    while not found or (cursor := found[-1].next_cursor):
        found.append(here.perform(here.provider.statement(window, cursor)))
        assert len(found) < most
    return found


def numbers(found: list[StatementPage]) -> list[str]:
    return [line.provider_money_id for page in found for line in page.lines]


def read(rows: Any, status: int = 200, **changes: Any) -> StatementPage:
    provider = Wire.to(Mpesa, "http://x", CREDENTIALS, Options("600111")).provider
    body = {"ResponseRefID": "1", "ResponseCode": "1000", "ResponseMessage": "Success", "Response": rows} | changes
    return provider.statement(Window(NOON - HOUR, NOON)).read(Response(status, {}, json.dumps(body).encode(), 0.0))


def test_the_documented_row_is_read():
    [line] = read([[ROW]]).lines
    assert (line.provider_money_id, line.money, line.reference) == ("TKK4SAMPL2", Money(25_000, "KES"), "INV-20417")
    assert (line.at, line.payer_hint) == (datetime(2026, 11, 20, 10, 10, 1, tzinfo=UTC), "2547•••111")
    assert line.provider_status == "c2b-pay-bill-debit"


@pytest.mark.parametrize(
    ("amount", "minor"), [("233.8", 23_380), ("1,250.00", 125_000), ("12,345,678", 1_234_567_800), (250, 25_000)]
)
def test_amounts_come_with_separators_or_as_numbers(amount: Any, minor: int):
    assert read([[ROW | {"amount": amount}]]).lines[0].money == Money(minor, "KES")


@pytest.mark.parametrize("amount", ["1,25.00", "12,50", "-1", "0", "250.001", "NaN", None, [], True])
def test_a_row_with_an_amount_that_cannot_be_meant_hides_no_other(amount: Any):
    page = read([[ROW | {"amount": amount}, ROW]])
    assert [line.provider_money_id for line in page.lines] == ["TKK4SAMPL2"]
    assert list(page.unreadable) == ["1"]
    assert str(amount) not in page.unreadable["1"] or amount in (None, [], "0", "-1")


@pytest.mark.parametrize("date", ["20.11.2026", None, 5, "9999-99-99"])
def test_a_date_that_cannot_be_read_does_not_matter(date: Any):
    assert read([[ROW | {"trxDate": date}]]).lines[0].at is None


def test_a_date_without_zone_is_nairobis():
    [line] = read([[ROW | {"trxDate": "2026-11-20T10:10:01"}]]).lines
    assert line.at == datetime(2026, 11, 20, 7, 10, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    "changes",
    [
        {"ResponseCode": "1001", "Response": [[]]},
        {"ResponseCode": "1001", "Response": None, "Transaction": "[[]]"},
        {"ResponseCode": "1001", "Response": "[[]]"},
        {"ResponseCode": "1000", "Response": []},
    ],
)
def test_nothing_is_said_in_several_ways(changes: dict[str, Any]):
    assert read([], **changes) == StatementPage()


def test_a_500_is_nothing_only_in_the_documented_words():
    told = "Failed to retrieve transactions. The short code does not have any available transactions"
    assert read([], status=500, errorCode="500", errorMessage=told) == StatementPage()
    with pytest.raises(OutcomeUnknown):
        read([], status=500, errorCode="500", errorMessage="Internal Server Error")


@pytest.mark.parametrize("changes", [{"ResponseCode": "17"}, {"ResponseCode": None}, {"Response": "text"}])
def test_any_other_answer_is_no_page(changes: dict[str, Any]):
    with pytest.raises(OutcomeUnknown):
        read([], **changes)


def test_refusals_are_told_apart_from_a_dead_token():
    with pytest.raises(TokenRejected):
        read([], status=401, errorCode="401.001", errorMessage="Invalid Access Token")
    with pytest.raises(NothingCreated):
        read([], status=400, errorCode="400.001", errorMessage="Bad Request - Invalid ShortCode")


def test_the_window_is_in_nairobis_time_with_minutes_to_spare_and_reaches_back_48_hours_at_most():
    here = Wire.to(Mpesa, "http://x", CREDENTIALS, Options("600111")).provider
    body = json.loads(here.statement(Window(NOON, NOON + HOUR), "90:100").request.body)
    assert body["EndDate"] == "2026-11-20 16:10:00"
    assert (body["ShortCode"], body["OffSetValue"]) == ("600111", "90")
    oldest = json.loads(here.statement(Window(now() - 90 * HOUR, now())).request.body)["StartDate"]
    reaches = now() - datetime.fromisoformat(f"{oldest}+03:00")
    assert timedelta(0) <= reaches - 48 * HOUR < timedelta(minutes=1)


@pytest.mark.parametrize("inner", [0, 7])
def test_all_pages_are_read_whatever_lists_their_rows_are_in(control: SimulatorControl, inner: int):
    control.post("settings", pull_page=20, pull_inner=inner)
    paid = pay(control, 45)
    assert set(numbers(pages(control))) == set(paid)


@pytest.mark.parametrize("shape", ["nested", "text", "error"])
def test_an_empty_list_has_one_page(control: SimulatorControl, shape: str):
    control.post("settings", pull_empty=shape)
    assert pages(control) == [StatementPage()]


def test_a_list_that_shifts_while_it_is_read_loses_no_row(control: SimulatorControl):
    control.post("settings", pull_page=20, pull_order="newest_first", pull_intruders=3)
    paid = pay(control, 60)
    assert set(paid) <= set(numbers(pages(control)))


@pytest.mark.parametrize("dialect", ["portal", "sandbox"])
def test_a_short_code_is_registered_in_either_spelling(control: SimulatorControl, dialect: str):
    control.post("settings", pull_dialect=dialect, pull_needs_registration=True)
    here = wire(control, nominated_number="0711000999")
    for status in ("1000", "1001"):
        step = here.provider.register_statements(lambda door: f"https://pay.example.co.ke/cb/{door}")
        assert here.perform(step).provider_status == status
    assert json.loads(here.sent[0].body)["NominatedNumber"] == "254711000999"
    assert pages(control) == [StatementPage()]


def test_without_a_nominated_number_registering_is_left_to_people(control: SimulatorControl):
    assert wire(control).provider.register_statements(str) is None


def test_an_accounts_day_ends_by_the_clock_of_a_zone_that_exists():
    assert Options(shortcode="174379").business_zone == "Africa/Nairobi"
    assert Options(shortcode="174379", business_zone="Africa/Lagos").business_zone == "Africa/Lagos"
    with pytest.raises(ValueError, match="'business_zone'"):
        Options(shortcode="174379", business_zone="Lagos")
