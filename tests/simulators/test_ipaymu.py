"""iPaymu's wire: both signatures, both layers of statuses, its fees, and each way in which a payment can end."""

import binascii
import json
import time
from urllib.parse import parse_qsl

import pytest
import requests

import simulators
from simulators.ipaymu.signing import of_call, of_callback
from tests.simulators.conftest import until
from tests.simulators.ipaymu import API_KEY, DIRECT, OTHER, VA, IpaymuWire

BODY = (
    b'{"name":"Siti","phone":"081200001111","email":"siti@example.test","amount":25000,'
    b'"notifyUrl":"https://shop.example.test/hook","referenceId":"REF-42","paymentMethod":"qris","paymentChannel":"mpm"}'
)
SIGNED = {
    "amount": "25175",
    "buyer_email": "siti@example.test",
    "buyer_name": "Siti",
    "buyer_phone": "081200001111",
    "channel": "mpm",
    "created_at": "2026-03-01 09:00:00",
    "expired_at": "2026-03-01 09:05:00",
    "fee": "175",
    "is_escrow": False,
    "paid_at": "2026-03-01 09:01:12",
    "paid_off": 25000,
    "payment_no": "",
    "reference_id": "REF-42",
    "settlement_status": "settled",
    "sid": "3f0e1c52-1111-4c4c-9d9d-000000000001",
    "status": "berhasil",
    "status_code": 1,
    "sub_total": "25000",
    "system_notes": "Sandbox notify",
    "total": "25175",
    "transaction_status_code": 1,
    "trx_id": 193999,
    "url": "https://shop.example.test/hook",
    "via": "qris",
}


@pytest.fixture
def wire(running, receiver):
    wire = IpaymuWire(running.url("ipaymu"), receiver.url)
    wire.post("reset")
    wire.settings(trouble_seconds=0.15, approve_seconds=0.05, callback_retries=[])
    return wire


def told(receiver, status="berhasil"):
    """The headers and the form of that status, once it is there."""

    def found():
        forms = [(headers, dict(parse_qsl(body.decode(), True))) for _, headers, body in list(receiver.received)]
        return [(headers, form) for headers, form in forms if form["status"] == status]

    return until(found)[0]


def test_both_signatures_are_those_of_the_documents():
    signature = "c7cd623264f36df7bf4443b78301b7fb3f66f3f07f4c90deae232b38522cf646"
    assert of_call("post", "1179001122334455", BODY, "EXAMPLE-APIKEY-0001") == signature
    assert of_call("GET", VA, b"", API_KEY) == of_call("GET", VA, b"{}", API_KEY)
    signature = "b50f2064a4b7479d0ecbd506d4a55a746498800b00bc519e79693c93afff3b3d"
    assert of_callback(SIGNED, "1179001122334455") == signature
    assert of_callback({**SIGNED, "additional_info": [], "signature": "x"}, "1179001122334455") == signature


def test_a_direct_payment_by_qris_has_the_documented_answer(wire):
    answer = wire.direct(reference="REF-42", feeDirection="BUYER")
    body = answer.json()
    assert {name: body[name] for name in ("Status", "Success", "Message")} == {
        "Status": 200,
        "Success": True,
        "Message": "Success",
    }
    data = body["Data"]
    assert {name: data[name] for name in ("TransactionId", "ReferenceId", "Via", "Channel", "FeeDirection")} == {
        "TransactionId": 193999,
        "ReferenceId": "REF-42",
        "Via": "QRIS",
        "Channel": "MPM",
        "FeeDirection": "BUYER",
    }
    assert (data["SubTotal"], data["Fee"], data["Total"]) == (25000, 175, 25175)
    assert data["PaymentNo"] == data["QrString"]
    assert answer.headers["x-ratelimit-limit"]


@pytest.mark.parametrize(("direction", "asked"), [("BUYER", "540525175"), ("MERCHANT", "540525000")])
def test_who_bears_the_fee_changes_what_the_code_asks_for(wire, direction, asked):
    data = wire.created(feeDirection=direction)
    code = data["QrString"]
    assert asked in code
    assert f"{binascii.crc_hqx(code[:-4].encode(), 0xFFFF):04X}" == code[-4:]


def test_without_a_word_the_buyer_bears_the_fee(wire):
    assert wire.created()["FeeDirection"] == "BUYER"


def test_a_code_lives_for_five_minutes_and_a_number_as_its_bank_allows(wire):
    def hours(**asked):
        ends = time.strptime(wire.created(**asked)["Expired"], "%Y-%m-%d %H:%M:%S")
        return (time.mktime(ends) - time.mktime(time.gmtime(time.time() + 7 * 3600))) / 3600

    assert 4 / 60 < hours(expired=9) <= 5 / 60
    for channel, asked, expected in (("bni", 9, 9), ("bca", 9, 12), ("bsi", 3, 3), ("bri", None, 2)):
        assert abs(hours(method="va", channel=channel, expired=asked) - expected) < 0.05
    assert abs(hours(method="cstore", channel="alfamart", expired=9) - 24) < 0.05
    refused = wire.direct(method="va", channel="bri", expired=3)
    assert (refused.status_code, list(refused.json()["Error"])) == (400, ["expired"])


def test_a_number_keeps_its_zeros_and_its_channel_changes_its_case(wire, receiver):
    data = wire.created(method="va", channel="bca")
    assert (data["Via"], data["Channel"], data["PaymentNo"][0]) == ("VA", "BCA", "0")
    wire.simulate(id=str(data["TransactionId"]), outcome="approve")
    _, form = told(receiver)
    assert (form["channel"], form["payment_no"], form["va"]) == ("bca", data["PaymentNo"], data["PaymentNo"])


@pytest.mark.parametrize(
    "changes", [{"name": ""}, {"phone": None}, {"email": ""}, {"amount": None}, {"notifyUrl": ""}, {"referenceId": ""}]
)
def test_what_is_missing_is_named(wire, changes):
    answer = wire.call("payment/direct", wire.direct_body() | changes)
    [name] = changes
    assert answer.status_code == 400
    assert answer.json() == {
        "Status": 400,
        "Message": "error - invalid request",
        "Error": {name: [f"{name} wajib diisi."]},
    }


@pytest.mark.parametrize(
    "changes",
    [
        {"amount": 25000.5},
        {"amount": "Rp 5"},
        {"amount": 10_000_001},
        {"method": "cash"},
        {"channel": "bca"},
        {"feeDirection": "NOBODY"},
        {"method": "va", "channel": "bca2"},
    ],
)
def test_what_does_not_fit_is_refused_and_not_booked(wire, changes):
    assert wire.direct(**changes).status_code == 400
    assert wire.entries() == []


def test_whoever_signs_wrongly_is_unauthorized_whatever_was_wrong(wire):
    for given in ({"va": "1"}, {"api_key": "x"}, {"signature": ""}, {"signature": "é".encode()}, {"timestamp": ""}):
        answer = wire.call("balance", {"account": VA}, **given)
        assert (answer.status_code, answer.json()) == (401, {"Status": 401, "Message": "unauthorized"})
    lost = wire.call("balance", {"account": VA}, raw=b'{"account": "1179000000000001"}')
    assert lost.status_code == 200, "the very bytes are signed"


def test_a_refusal_can_hide_behind_a_200(wire):
    wire.settings(error_layer="body")
    answer = wire.call("balance", {"account": VA}, api_key="x")
    assert (answer.status_code, answer.json()["Status"]) == (200, 401)


def test_production_knows_addresses_and_domains(wire):
    wire.settings(registered_domains=["pay.example"])
    assert wire.direct().json()["Message"] == "Invalid Domain"
    assert wire.direct(notifyUrl="https://pay.example/hook").status_code == 200
    wire.settings(refuse_address=True)
    assert wire.checked(193999).json()["Message"] == "Invalid IP"


def test_a_callback_is_a_form_without_the_list_that_its_signature_covers(wire, receiver):
    data = wire.created(reference="REF-42")
    wire.simulate(reference="REF-42", outcome="approve")
    headers, form = told(receiver)
    assert headers["Content-Type"] == "application/x-www-form-urlencoded"
    assert headers["X-Timestamp"].endswith("+07:00")
    assert headers["X-External-ID"]
    assert "additional_info" not in form
    assert (form["is_escrow"], form["payment_no"], form["trx_id"]) == ("0", "", str(data["TransactionId"]))
    typed = {**form, "is_escrow": False}
    typed |= {name: int(form[name]) for name in ("trx_id", "status_code", "paid_off", "transaction_status_code")}
    assert headers["X-Signature"] == of_callback(typed, VA)


def test_a_callback_can_be_json_with_its_types(wire, receiver):
    wire.settings(callback_format="json")
    wire.created()
    headers, body = until(lambda: [(headers, body) for _, headers, body in list(receiver.received)])[0]
    fields = json.loads(body)
    assert headers["Content-Type"] == "application/json"
    assert (fields["status"], fields["status_code"], fields["additional_info"]) == ("pending", 0, [])
    assert headers["X-Signature"] == of_callback(fields, VA)


def test_callbacks_can_be_unsigned_signed_wrongly_or_untrue(wire, receiver):
    for mode in ("unsigned", "bad_signature", "untrue"):
        wire.created(reference=mode)
        wire.simulate(reference=mode, outcome="nothing" if mode == "untrue" else "approve", callback=mode)
        headers, form = until(lambda mode=mode: paid_of(receiver, mode))
        typed = {**form, "is_escrow": False}
        typed |= {name: int(form[name]) for name in ("trx_id", "status_code", "paid_off", "transaction_status_code")}
        assert ("X-Signature" in headers) is (mode != "unsigned")
        assert (headers.get("X-Signature") == of_callback(typed, VA)) is (mode == "untrue")
    assert [entry["state"] for entry in wire.entries()] == ["berhasil", "berhasil", "pending"]


def paid_of(receiver, reference):
    forms = [(headers, dict(parse_qsl(body.decode(), True))) for _, headers, body in list(receiver.received)]
    found = [pair for pair in forms if (pair[1]["reference_id"], pair[1]["status"]) == (reference, "berhasil")]
    return found[0] if found else None


def test_a_callback_that_is_not_answered_with_200_is_sent_again(wire, receiver):
    wire.settings(callback_retries=[0.05, 0.05])
    receiver.statuses += [500, 404]
    wire.created()
    until(lambda: len(receiver.received) >= 3)
    assert len({headers["X-External-ID"] for _, headers, _ in receiver.received}) == 1


@pytest.mark.parametrize(
    ("outcome", "status", "paid"),
    [
        ("approve", 1, "paid"),
        ("approve_unsettled", 6, "paid"),
        ("escrow", 7, "paid"),
        ("decline", 5, "unpaid"),
        ("error", 4, "unpaid"),
        ("cancel", 2, "unpaid"),
        ("timeout", -2, "unpaid"),
        ("expire", -2, "unpaid"),
    ],
)
def test_each_end_has_its_status(wire, outcome, status, paid):
    number = wire.created()["TransactionId"]
    assert wire.status(number) == 0
    wire.simulate(id=str(number), outcome=outcome)
    data = wire.checked(number).json()["Data"]
    assert (data["Status"], data["PaidStatus"], bool(data["SettlementDate"])) == (status, paid, status == 1)
    assert wire.post("simulate", id=str(number), outcome="approve").status_code == 409


def test_a_payment_settles_later_and_is_given_back_at_the_dashboard(wire, receiver):
    number = str(wire.created(reference="REF-1")["TransactionId"])
    assert wire.post("simulate", id=number, outcome="settle").status_code == 409
    wire.simulate(id=number, outcome="approve_unsettled")
    _, form = told(receiver)
    assert (form["settlement_status"], form["transaction_status_code"]) == ("unsettle", "6")
    assert wire.simulate(id=number, outcome="settle")["state"] == 1
    assert wire.simulate(reference="REF-1", outcome="refund")["state"] == 3


def test_money_can_come_after_the_end(wire):
    number = str(wire.created()["TransactionId"])
    wire.simulate(id=number, outcome="expire")
    wire.simulate(id=number, outcome="late_success")
    assert wire.status(number) == 1


def test_a_code_expires_by_itself(wire, receiver):
    wire.settings(qris_expiry_seconds=0.05)
    wire.created()
    _, form = told(receiver, "expired")
    assert (form["status_code"], form["paid_at"]) == ("-2", "")


def test_a_page_has_a_session_and_no_transaction_until_the_payer_has_chosen(wire, receiver):
    body = wire.page(referenceId="REF-P")
    assert body["Message"] == "success"
    assert "Success" not in body
    assert set(body["Data"]) == {"SessionID", "Url"}
    assert wire.history(page=1, limit=20)["Transaction"] == []
    wire.simulate(reference="REF-P", outcome="choose")
    [row] = wire.history(page=1, limit=20)["Transaction"]
    assert (row["SessionId"], row["ReferenceId"], row["Status"]) == (body["Data"]["SessionID"], "REF-P", 0)
    wire.simulate(reference="REF-P", outcome="approve")
    _, form = told(receiver)
    assert (form["sid"], form["trx_id"]) == (body["Data"]["SessionID"], str(row["TransactionId"]))
    assert form["sub_total"] == "45600"


def test_the_page_opens_pays_and_leads_back(wire):
    url = wire.page()["Data"]["Url"]
    assert "Pay by QRIS?" in requests.get(url, timeout=5).text
    back = requests.post(url, data={"outcome": "approve"}, allow_redirects=False, timeout=5)
    assert back.headers["Location"] == "https://shop.example/back"
    assert "Back to the shop" in requests.get(url, timeout=5).text
    assert requests.get(url + "0", timeout=5).status_code == 404


def test_a_basket_needs_columns_of_one_length(wire):
    assert wire.call("payment", wire.page_body(qty=[1])).status_code == 400
    assert wire.call("payment", wire.page_body(price="45600")).status_code == 400
    assert list(wire.call("payment", wire.page_body(returnUrl="")).json()["Error"]) == ["returnUrl"]


def test_a_page_that_nobody_opens_expires_without_a_transaction(wire):
    wire.settings(expiry_seconds=0.05)
    wire.page()
    until(lambda: wire.entries()[0]["state"] == "expired")
    assert wire.history()["Transaction"] == []


def test_the_history_lists_twenty_by_day_in_either_order(wire):
    numbers = [wire.created()["TransactionId"] for _ in range(21)]
    newest, rest = (wire.history(page=page, limit=20, order="DESC")["Transaction"] for page in (1, 2))
    assert [row["TransactionId"] for row in newest + rest] == numbers[::-1]
    assert wire.history(order="ASC", limit=1)["Transaction"][0]["TransactionId"] == numbers[0]
    day = rest[-1]["CreatedDate"][:10]
    assert wire.history(startdate=day, enddate="2999-01-01")["Pagination"]["total"] == 21
    assert wire.history(startdate="2999-01-01", enddate="2999-01-02")["Transaction"] == []
    wire.settings(history_key="Results")
    assert len(wire.history(limit=20)["Results"]) == 20
    assert wire.call("history", {"limit": 21}).status_code == 400


def test_a_reference_that_comes_twice_opens_two_transactions(wire):
    numbers = {wire.created(reference="REF-42")["TransactionId"] for _ in range(2)}
    assert len(numbers) == 2
    assert len(wire.entries("REF-42")) == 2


def test_a_transaction_is_its_merchants_alone(wire):
    number = wire.created()["TransactionId"]
    va, api_key = OTHER
    assert wire.checked(number, va=va, api_key=api_key).status_code == 404
    missing = wire.call("transaction", {})
    assert missing.json()["Error"] == {"transactionId": ["transaction id wajib diisi."]}


def test_the_balance_is_what_was_paid_without_the_fees(wire):
    wire.simulate(id=str(wire.created(feeDirection="MERCHANT")["TransactionId"]), outcome="approve")
    wire.simulate(id=str(wire.created(feeDirection="BUYER")["TransactionId"]), outcome="approve")
    data = wire.call("balance", {"account": VA}).json()["Data"]
    assert data == {"Va": VA, "MerchantBalance": str(24_825 + 25_000), "MemberBalance": "0"}


def test_magic_amounts_make_trouble_and_declines(wire):
    assert wire.direct(66_605).status_code == 500
    assert wire.entries() == []
    assert wire.direct(66_606).status_code == 500
    [entry] = wire.entries()
    number = str(wire.created(66_622)["TransactionId"])
    wire.simulate(id=number, outcome="approve")
    assert (entry["state"], wire.status(number)) == ("pending", 5)
    assert wire.direct(66_610).json() == {"Status": 429, "Message": "Too Many Attempts."}


def test_trouble_befalls_the_call_that_it_names(wire):
    wire.trouble(do="500_before", on=DIRECT)
    assert wire.direct().json() == {"Status": 500, "Message": "internal server error"}
    assert wire.direct().status_code == 200


def test_a_callback_can_come_before_the_answer(wire, receiver):
    wire.settings(callback_mode="before_answer")
    number = wire.created()["TransactionId"]
    assert "berhasil" in [dict(parse_qsl(body.decode()))["status"] for _, _, body in receiver.received]
    assert wire.status(number) == 1


def test_what_it_does_not_speak_is_refused_in_its_own_words(wire):
    assert wire.call("payment-channels", {}).json() == {"Status": 404, "Message": "not found"}
    assert wire.http.get(f"{wire.url}/api/v2/balance", timeout=5).json()["Status"] == 405


def test_the_phone_shows_what_waits_and_pays_it(wire):
    wire.created(method="va", channel="bni", reference="REF-PHONE")
    page = wire.http.get(f"{wire.url}/_simulator/phone", timeout=5).text
    assert "REF-PHONE" in page
    wire.http.post(f"{wire.url}/_simulator/phone", data={"id": "REF-PHONE", "outcome": "approve"}, timeout=5)
    assert [entry["state"] for entry in wire.entries()] == ["berhasil"]
    assert wire.post("simulate", reference="REF-PHONE", outcome="fly").status_code == 400
    assert wire.post("simulate", reference="REF-NONE", outcome="approve").status_code == 404


def test_its_memory_outlives_it(tmp_path, receiver):
    with simulators.start("ipaymu", data=tmp_path) as running:
        wire = IpaymuWire(running.url("ipaymu"), receiver.url)
        number = wire.created(reference="REF-42")["TransactionId"]
    with simulators.start("ipaymu", data=tmp_path) as running:
        wire = IpaymuWire(running.url("ipaymu"), receiver.url)
        assert wire.status(number) == 0
        assert wire.created()["TransactionId"] == number + 1
