"""Bayarind's wire: HTTP 200 whatever it says, flags that ask, and money that stays only where the answer says so."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl

import pytest
import requests

import simulators
from tests.simulators.bayarind import INSERT, KEY, QUERY, BayarindWire, hashed
from tests.simulators.conftest import until


class Merchant:
    """Answers flags: with a `paymentStatus`, or with an HTTP status where the answer is a number."""

    def __init__(self):
        self.flags, self.answers = [], []
        merchant = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                answer = merchant.answers.pop(0) if merchant.answers else "00"
                merchant.flags.append(dict(parse_qsl(body, keep_blank_values=True)))
                payload = json.dumps({"paymentStatus": answer}).encode()
                self.send_response(answer if isinstance(answer, int) else 200)
                self.send_header("Content-Length", str(len(payload)))
                self.end_headers()
                self.wfile.write(payload)

            def log_message(self, *args):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}/flag"
        threading.Thread(target=self._server.serve_forever, args=(0.005,), daemon=True).start()

    def stop(self):
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def merchant():
    merchant = Merchant()
    yield merchant
    merchant.stop()


@pytest.fixture
def wire(running, merchant):
    wire = BayarindWire(running.url("bayarind"))
    wire.post("reset")
    wire.settings(flag_url=merchant.url, callback_retries=[0.02, 0.02], trouble_seconds=0.15)
    return wire


def refusal(answer):
    told = answer.json()
    assert (answer.status_code, told["insertStatus"], told["insertId"]) == (200, "01", "")
    return told["insertMessage"]


def test_the_golden_vectors_are_its_own():
    from simulators.bayarind import books

    insert = "7689970a1ab621b1c220482bf238f80e675efe3ff5a5dd1cc97f593ddee57799"
    flag = "4dcb6867d58d0b573d98db92dd9bf83edc473a7eca7e24966cd762a9fad452d1"
    assert books.hashed("INV20260000000117", "125000", "TOKOEXVA01", KEY) == insert
    assert books.hashed("INV20260000000117", "125000", "TOKOEXVA01", "00", "99001234", KEY) == flag


def test_an_insert_has_the_documented_answer(wire):
    answer = wire.insert(number="INV20260000000117")
    assert answer.status_code == 200
    assert answer.json() == {
        "channelId": "TOKOEXVA01",
        "currency": "IDR",
        "insertStatus": "00",
        "insertMessage": "Success",
        "insertId": "99001234",
        "redirectURL": "",
        "redirectData": "",
        "paymentCode": "",
        "urlQris": "",
        "appPaymentUrl": "",
        "deeplink": "",
        "additionalData": "",
    }


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"channelId": ""}, "channelId cant be empty"),
        ({"channelId": "TOKOEXVA09"}, "Invalid auth code"),
        ({"authCode": "0" * 64}, "Invalid auth code"),
        ({"authCode": None}, "Invalid auth code"),
        ({"key": "of somebody else"}, "Invalid auth code"),
        ({"transactionDate": None}, "Invalid transactionDate"),
        ({"transactionDate": "2026-03-01T09:00:00"}, "Invalid transaction date format"),
        ({"transactionExpire": "2026-3-1 09:00:00"}, "Invalid transaction date format"),
        ({"customerAccount": "5432100000000117"}, "Invalid Company Code"),
        ({"customerAccount": "1234500000000117x"}, "Failed"),
        ({"customerName": "x" * 31}, "Failed"),
        ({"currency": "USD"}, "Failed"),
        ({"number": "X" * 19}, "Failed"),
        ({"number": "INV-1"}, "Failed"),
        ({"amount": 10_000_000_000}, "Failed"),
        ({"amount": "125000.00"}, "Failed"),
        ({"amount": 0}, "Failed"),
    ],
)
def test_what_is_wrong_is_said_with_http_200(wire, changes, message):
    assert refusal(wire.insert(**changes)) == message
    assert wire.entries() == []


def test_a_number_is_taken_once_for_each_channel(wire):
    wire.inserted(number="INV1")
    assert refusal(wire.insert(number="INV1")) == "Transaction is Exist"
    wire.inserted(number="INV1", channelId="TOKOEXVA02", key="fedcba9876543210fedcba9876543210")
    assert len(wire.entries("INV1")) == 2


@pytest.mark.parametrize("place", ["redirectData", "paymentCode", "urlQris"])
def test_a_code_stands_where_the_setting_says(wire, place):
    wire.settings(qris_field=place)
    told = wire.insert(serviceCode="9001", customerAccount="117").json()
    start = f"{wire.url}/_simulator/pay/" if place == "urlQris" else "000201010212"
    assert told[place].startswith(start)


def test_a_wallet_is_a_page_that_pays_and_leads_back(wire):
    told = wire.insert(serviceCode="1083", customerAccount="117", callbackURL="https://shop.example/back").json()
    assert "Rp 125.000" in requests.get(told["redirectURL"], timeout=5).text
    pressed = requests.post(told["redirectURL"], data={"outcome": "approve"}, timeout=5, allow_redirects=False)
    assert (pressed.status_code, pressed.headers["Location"]) == (303, "https://shop.example/back")
    assert "Nothing to pay" in requests.get(told["redirectURL"], timeout=5).text
    assert [entry["state"] for entry in wire.entries()] == ["paid"]


def test_names_can_come_in_other_letters(wire):
    wire.settings(key_case="lower")
    assert wire.insert().json()["insertstatus"] == "00"


# Questions and voids


def test_a_question_is_answered_by_number_and_date(wire):
    id = wire.inserted(number="INV1")
    assert wire.question("INV1") == [
        {
            "transactionNo": "INV1",
            "transactionAmount": "125000",
            "transactionDate": "2026-03-01 09:00:00",
            "transactionStatus": "03",
            "transactionMessage": "No Payment",
        }
    ]
    assert (wire.status("INV2"), wire.status("INV1", date="2026-03-02 09:00:00")) == ("02", "02")
    assert wire.status("INV1", channelId="TOKOEXVA02") == "02"
    wire.simulate(id=id, outcome="approve")
    assert wire.status("INV1") == "00"


@pytest.mark.parametrize("changes", [{"queryRequest": "{"}, {"queryRequest": "[1]"}, {"serviceCode": ""}])
def test_a_wrong_question_is_answered_by_a_text(wire, changes):
    assert wire.question("INV1", **changes) == "Invalid queryRequest Format"


def test_only_what_is_unpaid_can_be_voided_and_once(wire):
    wire.inserted(number="INV1")
    assert wire.void("INV1", 1) == ("01", "Transaction Not Found")
    assert wire.void("INV1", transactionType="VOID") == ("01", "Transaction Not Found")
    assert wire.void("INV1") == ("00", "Success")
    assert wire.void("INV1") == ("01", "Transaction Has Been Canceled")
    wire.simulate(id=wire.inserted(number="INV2"), outcome="approve")
    assert wire.void("INV2") == ("01", "Transaction Has Been Paid")
    assert wire.status("INV1") == "03"


# Flags


def test_a_flag_is_signed_over_what_its_answer_decides(wire, merchant):
    id = wire.inserted(number="INV1")
    assert wire.simulate(id=id, outcome="approve") == {"ok": True, "id": id, "state": "paid", "answer": "00"}
    [flag] = merchant.flags
    assert flag["authCode"] == hashed("INV1", "125000", "TOKOEXVA01", "00", id, KEY)
    assert (flag["flagType"], flag["transactionStatus"], flag["customerAccount"]) == ("11", "00", "1234500000000117")
    assert flag["paymentReffId"].startswith("BCA-")


@pytest.mark.parametrize("answer", ["01", "03", "04", "05"])
def test_an_answer_that_refuses_gives_the_money_back(wire, merchant, answer):
    merchant.answers = [answer]
    id = wire.inserted(number="INV1")
    assert wire.simulate(id=id, outcome="approve")["answer"] == answer
    [entry] = wire.entries("INV1")
    assert (entry["state"], entry["receipt"], entry["detail"]) == ("pending", None, answer)
    assert wire.status("INV1") == "03"


def test_paid_before_is_done(wire, merchant):
    merchant.answers = ["02"]
    assert wire.simulate(id=wire.inserted(), outcome="approve")["state"] == "paid"


def test_a_flag_that_is_not_answered_comes_again_as_advice_until_it_is(wire, merchant):
    merchant.answers = [500, 503, "00"]
    id = wire.inserted()
    assert wire.simulate(id=id, outcome="approve")["state"] == "paid"
    until(lambda: [entry["detail"] for entry in wire.entries()] == ["00"])
    assert [flag["flagType"] for flag in merchant.flags] == ["11", "12", "12"]
    assert len({flag["paymentReffId"] for flag in merchant.flags}) == 1


def test_an_advice_that_is_refused_gives_the_money_back(wire, merchant):
    merchant.answers = [500, "04"]
    wire.simulate(id=wire.inserted(), outcome="approve")
    until(lambda: [(entry["state"], entry["detail"]) for entry in wire.entries()] == [("pending", "04")])


def test_an_expired_bill_can_still_be_paid_at_the_bank_and_is_asked_about(wire, merchant):
    id = wire.inserted(number="INV1", transactionExpire="2026-03-01 09:00:01")
    until(lambda: [entry["state"] for entry in wire.entries()] == ["expired"])
    assert wire.post("simulate", id=id, outcome="approve").status_code == 409
    merchant.answers = ["04"]
    assert wire.simulate(id=id, outcome="late_success") == {"ok": True, "id": id, "state": "expired", "answer": "04"}
    assert wire.simulate(id=id, outcome="late_success")["state"] == "paid"


def test_a_payer_who_is_refused_by_the_bank_is_told_of_to_nobody(wire, merchant):
    id = wire.inserted()
    wire.simulate(id=id, outcome="decline")
    assert merchant.flags == []
    wire.simulate(id=id, outcome="failed_flag")
    assert [flag["transactionStatus"] for flag in merchant.flags] == ["01"]
    assert [entry["state"] for entry in wire.entries()] == ["pending"]
    wire.simulate(id=id, outcome="reconcile")
    assert merchant.flags[-1]["flagType"] == "13"


@pytest.mark.parametrize(
    ("mode", "fits", "changed"),
    [
        ("bad_signature", False, {}),
        ("tampered", False, {"transactionAmount": "125001"}),
        ("under", True, {"transactionAmount": "124999"}),
        ("over", True, {"transactionAmount": "125001"}),
        ("wrong_insert", True, {"insertId": "1"}),
    ],
)
def test_a_flag_can_be_wrong_in_each_way(wire, merchant, mode, fits, changed):
    merchant.answers = ["01"]
    wire.simulate(id=wire.inserted(), outcome="approve", callback=mode)
    [flag] = merchant.flags
    names = ("transactionNo", "transactionAmount", "channelId", "transactionStatus", "insertId")
    assert (flag["authCode"] == hashed(*(flag[name] for name in names), KEY)) is fits
    assert {name: flag[name] for name in changed} == changed


def test_a_flag_comes_twice_or_late_or_never_or_before_the_answer(wire, merchant):
    wire.settings(callback_late_seconds=0.05)
    wire.simulate(id=wire.inserted(66_611), outcome="approve")
    until(lambda: [flag["flagType"] for flag in merchant.flags] == ["11", "12"])
    merchant.flags.clear()
    assert wire.simulate(id=wire.inserted(66_612), outcome="approve")["state"] == "pending"
    until(lambda: len(merchant.flags) == 1)
    merchant.flags.clear()
    assert wire.simulate(id=wire.inserted(66_614), outcome="approve")["state"] == "paid"
    assert merchant.flags == []
    id = wire.inserted(66_615)
    assert [flag["insertId"] for flag in merchant.flags] == [id]


# Trouble and controls


def test_trouble_of_an_amount_comes_once_for_each_number(wire):
    with pytest.raises(requests.ConnectionError):
        wire.insert(66_602, number="INV1")
    assert refusal(wire.insert(66_602, number="INV1")) == "Transaction is Exist"
    assert wire.insert(66_605, number="INV2").status_code == 500
    assert wire.inserted(66_605, number="INV2")
    assert wire.insert(66_610, number="INV3").status_code == 429


def test_a_path_that_there_is_not_is_not_found(wire):
    assert wire.call("/PaymentRefund", {}).status_code == 404
    assert requests.get(f"{wire.url}/PaymentRegister", timeout=5).status_code == 405


def test_the_phone_shows_a_waiting_bill_and_its_button_pays(wire):
    id = wire.inserted()
    phone = f"{wire.url}/_simulator/phone"
    assert "Rp 125.000" in requests.get(phone, timeout=5).text
    assert "paid" in requests.post(phone, data={"id": id, "outcome": "approve"}, timeout=5).text


def test_an_unknown_payment_or_outcome_is_refused(wire):
    assert wire.post("simulate", id="none").status_code == 404
    assert requests.get(f"{wire.url}/_simulator/pay/none", timeout=5).status_code == 404
    id = wire.inserted()
    assert wire.post("simulate", id=id, outcome="dance").status_code == 400
    assert wire.post("simulate", id=id, callback="sideways").status_code == 400


def test_the_ledger_finds_a_bill_by_number_and_account(wire):
    id = wire.inserted(number="INV1")
    assert [entry["id"] for known in (id, "INV1", "1234500000000117") for entry in wire.entries(known)] == [id] * 3
    assert wire.status("INV1") == "03"
    assert wire.ledger()["calls"] == {INSERT: 1, QUERY: 1}


def test_bills_outlive_the_simulator(tmp_path, merchant):
    with simulators.start("bayarind", data=tmp_path) as running:
        id = BayarindWire(running.url("bayarind")).inserted(number="INV1")
    with simulators.start("bayarind", data=tmp_path) as running:
        wire = BayarindWire(running.url("bayarind"))
        wire.settings(flag_url=merchant.url)
        assert wire.simulate(reference="INV1", outcome="approve")["id"] == id
