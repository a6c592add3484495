"""Daraja's C2B wire: registering addresses, validation, confirmation, and the form of a customer who pays."""

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import requests

from tests.simulators.conftest import until

ACCEPT = {"ResultCode": "0", "ResultDesc": "Accepted"}
FIELDS = [
    "TransactionType", "TransID", "TransTime", "TransAmount", "BusinessShortCode", "BillRefNumber", "InvoiceNumber",
    "OrgAccountBalance", "ThirdPartyTransID", "MSISDN", "FirstName", "MiddleName", "LastName",
]  # fmt: skip


class Shop:
    """Keeps what it is sent by path, and answers validations as `answer` says, after `seconds`."""

    def __init__(self):
        self.validations, self.confirmations = [], []
        self.answer, self.seconds = ACCEPT, 0.0
        shop = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                told = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                is_validation = self.path.endswith("/validation")
                (shop.validations if is_validation else shop.confirmations).append(told)
                if is_validation:
                    time.sleep(shop.seconds)
                answer = json.dumps(shop.answer if is_validation else {"ResultCode": 0}).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *args):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}/cb/k"
        threading.Thread(target=self._server.serve_forever, args=(0.005,), daemon=True).start()

    def stop(self):
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def shop():
    made = Shop()
    yield made
    made.stop()


def register(wire, shop, version="v2", **changes):
    body = {
        "ShortCode": "600111",
        "ResponseType": "Completed",
        "ConfirmationURL": f"{shop.url}/confirmation",
        "ValidationURL": f"{shop.url}/validation",
    }
    return wire.call(f"/mpesa/c2b/{version}/registerurl", body | changes)


@pytest.fixture
def paybill(mpesa_wire, shop):
    assert register(mpesa_wire, shop).status_code == 200
    return mpesa_wire


def pay(wire, **changes):
    wanted = {"short_code": "600111", "amount": 250, "reference": "INV-20417", "phone": "254711000111"} | changes
    return wire.simulate(outcome="paybill", **wanted)


def test_a_registration_has_the_published_answer_with_its_misspelling(mpesa_wire, shop):
    for version in ("v1", "v2"):
        body = register(mpesa_wire, shop, version).json()
        assert set(body) == {"OriginatorCoversationID", "ResponseCode", "ResponseDescription"}
        assert (body["ResponseCode"], body["ResponseDescription"]) == ("0", "Success")


def test_addresses_are_taken_once_where_production_is_played(paybill, shop):
    paybill.settings(register_once=True)
    answer = register(paybill, shop)
    assert (answer.status_code, answer.json()["errorCode"]) == (500, "500.003.1001")
    assert answer.json()["errorMessage"] == "Urls are already registered."


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("ShortCode", "600999"),
        ("ResponseType", "completed"),
        ("ConfirmationURL", "https://shop.example/mpesa/1"),
        ("ValidationURL", "ftp://shop.example/1"),
    ],
)
def test_each_field_of_a_registration_is_checked(mpesa_wire, shop, field, value):
    answer = register(mpesa_wire, shop, **{field: value})
    assert (answer.status_code, answer.json()["errorMessage"]) == (400, f"Bad Request - Invalid {field}")


def test_a_customers_payment_is_validated_and_then_confirmed(paybill, shop):
    paid = pay(paybill)
    [asked] = shop.validations
    until(lambda: shop.confirmations)
    [told] = shop.confirmations
    assert list(asked) == list(told) == FIELDS
    assert all(isinstance(value, str) for value in told.values())
    assert (asked["OrgAccountBalance"], told["OrgAccountBalance"]) == ("", "250.00")
    assert (told["TransID"], told["TransAmount"], told["BillRefNumber"]) == (paid["id"], "250.00", "INV-20417")
    assert (told["TransactionType"], told["MSISDN"]) == ("Pay Bill", "2547 ***** 111")
    [entry] = paybill.entries("INV-20417")
    assert (entry["receipt"], entry["state"], entry["amount"]) == (paid["id"], "paid", 250)


def test_a_rejected_payment_moves_nothing(paybill, shop):
    shop.answer = {"ResultCode": "C2B00012", "ResultDesc": "Rejected"}
    assert pay(paybill)["result"] == "C2B00012"
    assert (paybill.entries(), shop.confirmations) == ([], [])


@pytest.mark.parametrize(("response_type", "state"), [("Completed", "paid"), ("Cancelled", "rejected")])
def test_what_happens_without_an_answer_is_as_registered(paybill, shop, response_type, state):
    register(paybill, shop, ResponseType=response_type)
    paybill.settings(validation_seconds=0.1)
    shop.seconds = 0.5
    assert pay(paybill)["state"] == state


def test_validation_may_be_switched_off_or_missing(paybill, shop):
    shop.answer = {"ResultCode": "C2B00016", "ResultDesc": "Rejected"}
    assert pay(paybill, validation="missing")["state"] == "paid"
    paybill.settings(external_validation=False)
    assert pay(paybill)["state"] == "paid"
    assert shop.validations == []


def test_a_confirmation_comes_twice_late_or_never(paybill, shop):
    paybill.settings(callback_late_seconds=1.5)
    pay(paybill, callback="duplicate")
    until(lambda: len(shop.confirmations) == 2)
    assert shop.confirmations[0] == shop.confirmations[1]
    pay(paybill, callback="late")
    assert len(shop.confirmations) == 2
    until(lambda: len(shop.confirmations) == 3)
    pay(paybill, callback="missing")
    time.sleep(0.2)
    assert len(shop.confirmations) == 3


def test_a_prompt_that_is_paid_is_confirmed_with_the_same_receipt(paybill, shop, receiver):
    paybill.push()
    paybill.simulate(reference="INV-20417", outcome="approve")
    receiver.wait(1)
    until(lambda: shop.confirmations)
    assert shop.confirmations[0]["TransID"] == paybill.entries()[0]["receipt"]
    assert shop.confirmations[0]["BillRefNumber"] == "INV-20417"
    assert shop.validations == []


def test_an_older_registration_hashes_numbers_and_names_no_type(mpesa_wire, shop):
    register(mpesa_wire, shop, "v1")
    mpesa_wire.settings(hashed_numbers=True)
    pay(mpesa_wire)
    until(lambda: shop.confirmations)
    assert len(shop.confirmations[0]["MSISDN"]) == 64
    assert shop.confirmations[0]["TransactionType"] == ""


def test_a_till_has_no_reference(mpesa_wire, shop):
    register(mpesa_wire, shop, ShortCode="600222")
    pay(mpesa_wire, short_code="600222")
    until(lambda: shop.confirmations)
    assert (shop.confirmations[0]["TransactionType"], shop.confirmations[0]["BillRefNumber"]) == ("Buy Goods", "")


def test_the_sandbox_simulates_a_customer(paybill, shop):
    body = {
        "ShortCode": 600111,
        "CommandID": "CustomerPayBillOnline",
        "Amount": 250,
        "Msisdn": 254708374149,
        "BillRefNumber": "INV-1",
    }
    assert paybill.call("/mpesa/c2b/v2/simulate", body).json()["ResponseCode"] == "0"
    until(lambda: shop.confirmations)
    assert shop.confirmations[0]["BillRefNumber"] == "INV-1"


def test_a_person_pays_by_the_form(paybill, shop):
    page = requests.get(f"{paybill.url}/_simulator/paybill", timeout=5)
    assert 'name="reference"' in page.text
    assert "/_simulator/paybill" in requests.get(f"{paybill.url}/_simulator/phone", timeout=5).text
    form = {"outcome": "paybill", "short_code": "600111", "amount": "90", "reference": "LUNCH", "phone": "254711000111"}
    requests.post(f"{paybill.url}/_simulator/phone", data=form, timeout=5)
    until(lambda: shop.confirmations)
    assert shop.confirmations[0]["TransAmount"] == "90.00"


@pytest.mark.parametrize("wrong", [{"short_code": "1"}, {"amount": 0}, {"amount": "1.5"}, {"phone": "12"}])
def test_what_no_customer_could_do_is_refused(paybill, wrong):
    wanted = {"short_code": "600111", "amount": 250} | wrong
    assert paybill.post("simulate", outcome="paybill", **wanted).status_code == 400
