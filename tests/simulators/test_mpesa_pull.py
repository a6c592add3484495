"""Daraja's Pull Transactions wire: registering, paging by row offset, the shapes of "nothing", the 48 hours."""

import datetime
import re
import time

import pytest

from tests.simulators.conftest import until

EAST_AFRICA = datetime.timezone(datetime.timedelta(hours=3))


def register(wire, **changes):
    body = {
        "ShortCode": "600111",
        "RequestType": "Pull",
        "NominatedNumber": "254711000999",
        "CallBackURL": "https://pay.example.co.ke/cb/k/pull/1",
    }
    return wire.call("/pulltransactions/v1/register", body | changes)


def window(hours=1.0, ahead=1.0):
    now = datetime.datetime.now(EAST_AFRICA)
    moments = (now - datetime.timedelta(hours=hours), now + datetime.timedelta(hours=ahead))
    return dict(zip(("StartDate", "EndDate"), (f"{moment:%Y-%m-%d %H:%M:%S}" for moment in moments), strict=True))


def query(wire, offset="0", **changes):
    body = {"ShortCode": "600111", "OffSetValue": offset} | window() | changes
    return wire.call("/pulltransactions/v1/query", body)


def pay(wire, **changes):
    wanted = {"short_code": "600111", "amount": 250, "reference": "INV-20417", "phone": "254711000111"} | changes
    return wire.simulate(outcome="paybill", **wanted)["id"]


def listed(answer):
    assert answer.status_code == 200, answer.text
    return [row["transactionId"] for inner in answer.json()["Response"] for row in inner]


def test_a_short_code_registers_once_and_says_so_the_second_time(mpesa_wire):
    first, second = register(mpesa_wire).json(), register(mpesa_wire).json()
    assert set(first) == {"ResponseRefID", "ResponseStatus", "ShortCode", "ResponseDescription"}
    assert (first["ResponseStatus"], first["ResponseDescription"]) == ("1000", "Shortcode Registered Successfully")
    assert (second["ResponseStatus"], second["ShortCode"]) == ("1001", "600111")


def test_the_sandbox_spells_two_keys_with_spaces_and_names_its_answer_otherwise(mpesa_wire):
    mpesa_wire.settings(pull_dialect="sandbox")
    assert register(mpesa_wire).json()["Response Status"] == "1000"
    pay(mpesa_wire)
    answer = query(mpesa_wire).json()
    assert "ResponseRefID" not in answer
    assert re.fullmatch(r"\d{5}-\d{7}-2", answer["RequestID"])


def test_a_row_has_the_published_keys_and_types(mpesa_wire):
    receipt = pay(mpesa_wire)
    answer = query(mpesa_wire).json()
    assert (answer["ResponseCode"], answer["ResponseMessage"]) == ("1000", "Success")
    [[row]] = answer["Response"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", row.pop("trxDate"))
    assert row == {
        "transactionId": receipt,
        "msisdn": 711000111,
        "sender": "ACHIENG",
        "transactiontype": "c2b-pay-bill-debit",
        "billreference": "INV-20417",
        "amount": "250.00",
        "organizationname": "Lango Shop",
    }


def test_what_a_prompt_has_moved_is_listed_and_what_was_given_back_is_not(mpesa_wire):
    id = mpesa_wire.push().json()["CheckoutRequestID"]
    mpesa_wire.simulate(id=id, outcome="approve")
    receipt = until(lambda: mpesa_wire.entries()[0]["receipt"])
    assert listed(query(mpesa_wire)) == [receipt]


def test_the_offset_counts_rows_and_lists_may_be_nested_in_several(mpesa_wire):
    mpesa_wire.settings(pull_page=3, pull_inner=2)
    receipts = [pay(mpesa_wire) for _ in range(5)]
    first = query(mpesa_wire).json()["Response"]
    assert [len(inner) for inner in first] == [2, 1]
    assert listed(query(mpesa_wire)) + listed(query(mpesa_wire, offset=3)) == receipts


@pytest.mark.parametrize(
    ("shape", "status", "told"),
    [
        ("nested", 200, {"ResponseCode": "1001", "Response": [[]]}),
        ("text", 200, {"ResponseCode": "1001", "Transaction": "[[]]"}),
        ("error", 500, {"errorCode": "500"}),
    ],
)
def test_nothing_is_said_in_three_ways(mpesa_wire, shape, status, told):
    mpesa_wire.settings(pull_empty=shape)
    answer = query(mpesa_wire)
    assert answer.status_code == status
    assert answer.json().items() >= told.items()
    assert shape != "error" or "does not have any available transactions" in answer.json()["errorMessage"]


def test_what_is_older_than_its_hours_is_not_listed_however_far_the_window_reaches(mpesa_wire):
    pay(mpesa_wire)
    mpesa_wire.settings(pull_hours=0.0001)
    time.sleep(0.5)
    assert query(mpesa_wire, **window(hours=100)).json()["ResponseCode"] == "1001"


def test_a_list_that_is_told_newest_first_shifts_while_customers_pay(mpesa_wire):
    mpesa_wire.settings(pull_page=2, pull_order="newest_first", pull_intruders=1)
    receipts = [pay(mpesa_wire) for _ in range(4)]
    assert listed(query(mpesa_wire)) == receipts[:1:-1]
    assert listed(query(mpesa_wire, offset=2)) == receipts[2:0:-1]


@pytest.mark.parametrize(
    ("changes", "code"),
    [({"ShortCode": "600999"}, "400.001"), ({"StartDate": "20.11.2026"}, "400.001"), ({"OffSetValue": "x"}, "400.001")],
)
def test_what_cannot_be_asked_is_refused(mpesa_wire, changes, code):
    answer = query(mpesa_wire, **changes)
    assert (answer.status_code, answer.json()["errorCode"]) == (400, code)


def test_an_unregistered_short_code_is_refused_where_that_is_played(mpesa_wire):
    mpesa_wire.settings(pull_needs_registration=True)
    assert query(mpesa_wire).status_code == 400
    register(mpesa_wire)
    assert query(mpesa_wire).status_code == 200


def test_a_dead_token_has_its_own_code_here(mpesa_wire):
    mpesa_wire.token = "dead"
    answer = query(mpesa_wire)
    assert (answer.status_code, answer.json()["errorCode"]) == (401, "401.001")


@pytest.mark.parametrize(("rate", "count"), [("callback_drop_rate", 0), ("callback_double_rate", 2)])
def test_callbacks_are_dropped_or_doubled_at_a_rate(mpesa_wire, receiver, rate, count):
    mpesa_wire.settings(**{rate: 1.0, "callback_duplicate_seconds": 0.0})
    id = mpesa_wire.push().json()["CheckoutRequestID"]
    mpesa_wire.simulate(id=id, outcome="approve")
    if count:
        assert len(receiver.wait(count)) == count
    else:
        log = mpesa_wire.http.get(f"{mpesa_wire.url}/_simulator/callbacks", timeout=5).json()["callbacks"]
        assert [entry["result"] for entry in log] == ["missing on purpose"]
