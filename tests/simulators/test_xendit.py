"""Xendit's wire: both versions of its codes, invoices, refunds, fees, and webhooks with a token."""

import binascii
import datetime
import re
import time

import pytest
import requests

import simulators
from tests.simulators.conftest import until
from tests.simulators.xendit import LIVE_KEY, OTHER_KEY, SECRET_KEY, TOKEN, XenditWire

UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"


@pytest.fixture
def wire(running, receiver):
    wire = XenditWire(running.url("xendit"), receiver.url)
    wire.post("reset")
    wire.settings(
        webhook_url=wire.callback_url,
        refund_seconds=0.05,
        trouble_seconds=0.15,
        approve_seconds=0.05,
        callback_retries=[],
    )
    return wire


def refusal(answer):
    body = answer.json()
    assert set(body) - {"errors"} == {"error_code", "message"}
    return answer.status_code, body["error_code"]


def in_seconds(seconds):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + seconds))


# Codes


def test_a_code_has_the_documented_answer(wire):
    answer = wire.code(reference_id="ORD-7781", metadata={"store_id": "12"})
    body = answer.json()
    assert answer.status_code == 201
    assert re.fullmatch("qr_" + UUID, body["id"])
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", body["expires_at"])
    assert {name: body[name] for name in ("reference_id", "type", "currency", "amount", "channel_code", "status")} == {
        "reference_id": "ORD-7781",
        "type": "DYNAMIC",
        "currency": "IDR",
        "amount": 45500,
        "channel_code": "ID_DANA",
        "status": "ACTIVE",
    }
    assert (body["basket"], body["metadata"], body["business_id"]) == (
        None,
        {"store_id": "12"},
        "62440e000000000000000001",
    )
    assert wire.get(f"/qr_codes/{body['id']}").json() == body


def test_the_text_of_a_code_has_its_checksum_its_channel_and_its_amount(wire):
    text = wire.coded(100003, channel_code="ID_LINKAJA")["qr_string"]
    assert text.startswith("000201010212")
    assert f"{binascii.crc_hqx(text[:-4].encode(), 0xFFFF):04X}" == text[-4:]
    assert "5406100003" in text
    assert "ID.LINKAJA.WWW" in text
    assert wire.coded(type="STATIC", amount=None)["qr_string"].startswith("000201010211")


def test_the_documented_key_is_understood(wire):
    wire.settings(merchants={"xnd_development_EXAMPLE": "62440e000000000000000009"})
    golden = {"Authorization": "Basic eG5kX2RldmVsb3BtZW50X0VYQU1QTEU6"}
    assert requests.get(f"{wire.url}/balance", headers=golden, timeout=5).json() == {"balance": 0}


@pytest.mark.parametrize("pair", [("xnd_development_unknown", ""), ("", ""), (SECRET_KEY, "a password")])
def test_a_wrong_key_may_do_nothing(wire, pair):
    made = wire.http.post(f"{wire.url}/qr_codes", json=wire.code_body(), auth=pair, timeout=5)
    asked = wire.http.get(f"{wire.url}/qr_codes/x", auth=pair, timeout=5)
    assert [refusal(answer) for answer in (made, asked)] == [(401, "INVALID_API_KEY")] * 2
    assert wire.entries() == []


@pytest.mark.parametrize("header", [{}, {"Authorization": "Bearer x"}, {"Authorization": "Basic §"}])
def test_no_key_at_all_is_refused_too(wire, header):
    sent = {name: value.encode() for name, value in header.items()}
    assert refusal(requests.get(f"{wire.url}/balance", headers=sent, timeout=5))[0] == 401


@pytest.mark.parametrize(
    ("changes", "refused"),
    [
        ({"reference_id": None}, (400, "API_VALIDATION_ERROR")),
        ({"reference_id": "x" * 256}, (400, "API_VALIDATION_ERROR")),
        ({"type": "SOMETIMES"}, (400, "API_VALIDATION_ERROR")),
        ({"currency": None}, (400, "API_VALIDATION_ERROR")),
        ({"currency": "USD"}, (400, "UNSUPPORTED_CURRENCY")),
        ({"amount": None}, (400, "API_VALIDATION_ERROR")),
        ({"amount": "45500"}, (400, "API_VALIDATION_ERROR")),
        ({"amount": True}, (400, "API_VALIDATION_ERROR")),
        ({"amount": 0}, (400, "API_VALIDATION_ERROR")),
        ({"amount": 45500.5}, (400, "API_VALIDATION_ERROR")),
        ({"amount": 10_000_001}, (400, "API_VALIDATION_ERROR")),
        ({"channel_code": "ID_OVO"}, (400, "API_VALIDATION_ERROR")),
        ({"expires_at": "tomorrow"}, (400, "API_VALIDATION_ERROR")),
        ({"expires_at": "2026-01-01T00:00:00Z"}, (400, "API_VALIDATION_ERROR")),
        ({"amount": 10_100}, (403, "CHANNEL_NOT_ACTIVATED")),
        ({"amount": 10_101}, (503, "CHANNEL_UNAVAILABLE")),
        ({"amount": 10_102}, (500, "SERVER_ERROR")),
    ],
)
def test_a_code_that_does_not_fit_is_refused_and_creates_nothing(wire, changes, refused):
    assert refusal(wire.code(**changes)) == refused
    assert wire.entries() == []


def test_a_body_that_is_no_object_is_malformed(wire):
    for body in (b"{", b"[]", b""):
        answer = wire.http.post(
            f"{wire.url}/qr_codes", data=body, auth=(SECRET_KEY, ""), headers={"api-version": "2022-07-31"}, timeout=5
        )
        assert refusal(answer) == (400, "INVALID_JSON_FORMAT")


def test_a_reference_may_stand_on_several_codes(wire):
    ids = {wire.coded(reference_id="ORD-1")["id"] for _ in range(2)}
    assert len(ids) == 2
    assert len(wire.entries("ORD-1")) == 2


def test_a_merchant_has_one_static_code_of_dana_and_many_payments_of_it(wire):
    code = wire.coded(type="STATIC", amount=None)
    assert refusal(wire.code(type="STATIC", amount=None)) == (409, "DUPLICATE_ERROR")
    assert wire.code(type="STATIC", amount=None, secret_key=OTHER_KEY).status_code == 201
    for amount in (1000, 2000):
        paid = wire.call(f"/qr_codes/{code['id']}/payments/simulate", {"amount": amount})
        assert (paid.status_code, paid.json()["amount"]) == (200, amount)
    listed = wire.get(f"/qr_codes/{code['id']}/payments").json()
    assert ([item["amount"] for item in listed["data"]], listed["has_more"]) == ([1000, 2000], False)
    assert wire.get(f"/qr_codes/{code['id']}").json()["status"] == "ACTIVE"


def test_a_static_code_has_no_end_and_is_paid_with_what_is_typed(wire):
    wire.settings(code_seconds=0.01, payments_listed=2)
    code = wire.coded(type="STATIC", amount=None)
    assert (code["expires_at"], code["status"]) == (None, "ACTIVE")
    for amount in (1000, "2500", None):
        wire.post("simulate", id=code["id"], outcome="approve", amount=amount)
    listed = wire.get(f"/qr_codes/{code['id']}/payments").json()
    assert ([item["amount"] for item in listed["data"]], listed["has_more"]) == ([1000, 2500], True)
    items = wire.get(f"/transactions?reference_id={code['reference_id']}").json()["data"]
    assert [item["amount"] for item in items] == [10_000, 2500, 1000]
    assert wire.get(f"/qr_codes/{code['id']}").json()["status"] == "ACTIVE"
    phone = requests.get(f"{wire.url}/_simulator/phone", timeout=5).text
    assert 'name="amount"' in phone
    requests.post(
        f"{wire.url}/_simulator/phone", data={"id": code["id"], "outcome": "approve", "amount": "700"}, timeout=5
    )
    assert len(wire.get(f"/transactions?reference_id={code['reference_id']}").json()["data"]) == 4


def test_a_payment_is_told_in_an_envelope_with_the_token(wire, receiver):
    code = wire.coded(reference_id="ORD-7781")
    paid = wire.call(f"/qr_codes/{code['id']}/payments/simulate", {"amount": 45500}).json()
    [told] = receiver.wait(1)
    path, headers, _ = receiver.received[0]
    assert (path, headers["x-callback-token"]) == ("/cb/notifications", TOKEN)
    assert re.fullmatch(UUID, headers["webhook-id"])
    assert (told["event"], told["api_version"], told["data"]) == ("qr.payment", "2022-07-31", paid)
    assert re.fullmatch("qrpy_" + UUID, paid["id"])
    assert (paid["qr_id"], paid["reference_id"], paid["status"]) == (code["id"], "ORD-7781", "SUCCEEDED")
    assert paid["payment_detail"].keys() == {"receipt_id", "source", "name", "account_details"}
    assert wire.get(f"/qr_codes/{code['id']}").json()["status"] == "INACTIVE"


def test_the_simulation_is_for_test_keys_and_for_what_is_asked(wire):
    code = wire.coded(secret_key=LIVE_KEY)
    path = f"/qr_codes/{code['id']}/payments/simulate"
    assert refusal(wire.call(path, {"amount": 45500}, secret_key=LIVE_KEY)) == (403, "REQUEST_FORBIDDEN_ERROR")
    own = wire.coded()
    for amount in (45501, "45500"):
        assert refusal(wire.call(f"/qr_codes/{own['id']}/payments/simulate", {"amount": amount}))[0] == 400
    assert wire.call(f"/qr_codes/{own['id']}/payments/simulate", {}).status_code == 200
    assert refusal(wire.call(f"/qr_codes/{own['id']}/payments/simulate", {}))[0] == 400


def test_without_the_version_a_code_is_of_the_first_and_calls_back_elsewhere(wire, receiver):
    url = receiver.url + "/first"
    asked = {"external_id": "ORD-1", "type": "DYNAMIC", "callback_url": url, "amount": 45500}
    made = wire.call("/qr_codes", asked, version="").json()
    assert (made["external_id"], made["callback_url"], "expires_at" in made) == ("ORD-1", url, False)
    wire.simulate(id=made["id"], outcome="approve")
    [told] = receiver.wait(1)
    assert receiver.received[0][0] == "/first"
    assert (told["event"], told["status"], told["amount"], "data" in told) == ("qr.payment", "COMPLETED", 45500, False)
    assert told["qr_code"]["external_id"] == "ORD-1"


def test_the_first_version_takes_a_form_and_wants_an_address(wire):
    form = {"external_id": "ORD-1", "type": "DYNAMIC", "amount": "45500", "callback_url": "https://shop.example/cb"}
    made = wire.http.post(f"{wire.url}/qr_codes", data=form, auth=(SECRET_KEY, ""), timeout=5)
    assert (made.status_code, made.json()["amount"]) == (201, 45500)
    assert refusal(wire.call("/qr_codes", wire.code_body(), version=""))[0] == 400
    without = {"external_id": "ORD-1", "type": "DYNAMIC", "amount": 45500}
    assert refusal(wire.call("/qr_codes", without, version="")) == (400, "API_VALIDATION_ERROR")


def test_nothing_is_told_of_a_code_that_has_ended_until_it_is_paid_late(wire, receiver):
    code = wire.coded(expires_at=in_seconds(3600))
    wire.simulate(id=code["id"], outcome="expire")
    assert wire.get(f"/qr_codes/{code['id']}").json()["status"] == "INACTIVE"
    assert wire.post("simulate", id=code["id"], outcome="approve").status_code == 409
    assert receiver.received == []
    wire.simulate(id=code["id"], outcome="late_success")
    assert receiver.wait(1)[0]["data"]["qr_id"] == code["id"]
    assert wire.post("simulate", id=code["id"], outcome="late_success").status_code == 409


def test_a_payer_who_is_refused_can_try_again(wire, receiver):
    id = wire.coded()["id"]
    for outcome in ("decline", "cancel"):
        assert wire.simulate(id=id, outcome=outcome)["state"] == "ACTIVE"
    assert receiver.received == []
    assert wire.simulate(id=id, outcome="approve")["state"] == "INACTIVE"


def test_another_merchants_things_are_not_found(wire):
    code, payment = wire.paid_code()
    invoice = wire.paid_invoice()
    for path in (f"/qr_codes/{code['id']}", f"/qr_codes/{code['id']}/payments"):
        assert refusal(wire.get(path, secret_key=OTHER_KEY)) == (404, "DATA_NOT_FOUND")
    assert refusal(wire.get(f"/v2/invoices/{invoice}", secret_key=OTHER_KEY)) == (404, "INVOICE_NOT_FOUND_ERROR")
    refunds = f"/qr_codes/payments/{payment['id']}/refunds"
    assert refusal(wire.call(refunds, {"amount": 1}, secret_key=OTHER_KEY)) == (404, "DATA_NOT_FOUND")
    assert wire.get(refunds, secret_key=OTHER_KEY).json()["data"] == []
    assert wire.get("/transactions", secret_key=OTHER_KEY).json()["data"] == []
    assert refusal(wire.get("/nowhere")) == (404, "DATA_NOT_FOUND")


# Invoices


def test_an_invoice_has_the_documented_answer(wire):
    items = [{"name": "x", "price": 45500, "quantity": 1}]
    told = wire.invoiced(external_id="ORD-7781", description="Order", items=items, invoice_duration=900)
    required = {
        "id", "external_id", "user_id", "status", "merchant_name", "merchant_profile_picture_url", "amount",
        "expiry_date", "invoice_url", "available_banks", "available_retail_outlets", "available_ewallets",
        "available_qr_codes", "available_direct_debits", "available_paylaters", "should_send_email", "created",
        "updated",
    }  # fmt: skip
    assert required <= set(told)
    assert (told["status"], told["external_id"], told["items"]) == ("PENDING", "ORD-7781", items)
    assert wire.get(f"/v2/invoices/{told['id']}").json() == told
    assert wire.get("/v2/invoices?external_id=ORD-7781").json() == [told]
    assert wire.get("/v2/invoices?external_id=none").json() == []


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"external_id": None}, "API_VALIDATION_ERROR"),
        ({"amount": None}, "API_VALIDATION_ERROR"),
        ({"amount": 0}, "API_VALIDATION_ERROR"),
        ({"amount": 1_000_000_001}, "MAXIMUM_TRANSFER_AMOUNT_ERROR"),
        ({"currency": "PHP"}, "UNSUPPORTED_CURRENCY"),
        ({"payer_email": "nobody"}, "EMAIL_FORMAT_ERROR"),
        ({"payment_methods": ["PIGEON"]}, "UNAVAILABLE_PAYMENT_METHOD_ERROR"),
        ({"payment_methods": "QRIS"}, "UNAVAILABLE_PAYMENT_METHOD_ERROR"),
        ({"invoice_duration": 0}, "API_VALIDATION_ERROR"),
        ({"invoice_duration": "900"}, "API_VALIDATION_ERROR"),
    ],
)
def test_an_invoice_that_does_not_fit_is_refused_and_creates_nothing(wire, changes, code):
    assert refusal(wire.invoice(**changes)) == (400, code)
    assert wire.entries() == []


def test_a_paid_invoice_is_told_flat_and_settled_in_silence(wire, receiver):
    id = wire.paid_invoice(external_id="ORD-7781", description="Order")
    [told] = receiver.wait(1)
    assert (told["id"], told["external_id"], told["status"], told["paid_amount"]) == (id, "ORD-7781", "PAID", 45500)
    assert ("event" in told, "data" in told) == (False, False)
    assert (told["payment_method"], told["payment_channel"]) == ("QR_CODE", "QRIS")
    assert wire.simulate(id=id, outcome="settle")["state"] == "SETTLED"
    shown = wire.get(f"/v2/invoices/{id}").json()
    assert (shown["status"], shown["paid_amount"]) == ("SETTLED", 45500)
    assert len(receiver.received) == 1


def test_an_invoice_is_settled_by_itself_after_a_while(wire):
    wire.settings(settle_seconds=0.05)
    id = wire.paid_invoice()
    until(lambda: wire.get(f"/v2/invoices/{id}").json()["status"] == "SETTLED")


def test_an_invoice_ends_by_the_clock_or_by_the_merchant_and_can_be_paid_late(wire, receiver):
    by_clock, by_hand = wire.invoiced(invoice_duration=0.2)["id"], wire.invoiced()["id"]
    assert receiver.wait(1)[0]["id"] == by_clock
    for _ in range(2):
        assert wire.call(f"/invoices/{by_hand}/expire!").json()["status"] == "EXPIRED"
    assert [told["status"] for told in receiver.wait(2)] == ["EXPIRED", "EXPIRED"]
    wire.simulate(id=by_hand, outcome="late_success")
    assert receiver.wait(3)[2]["status"] == "PAID"
    assert refusal(wire.call(f"/invoices/{by_hand}/expire!"))[0] == 400
    assert refusal(wire.call("/invoices/none/expire!")) == (404, "INVOICE_NOT_FOUND_ERROR")


def test_of_an_end_is_told_only_where_the_dashboard_says_so(wire, receiver):
    wire.settings(expired_callback=False)
    wire.call(f"/invoices/{wire.invoiced()['id']}/expire!")
    wire.paid_invoice()
    assert [told["status"] for told in receiver.wait(1)] == ["PAID"]


def test_an_invoice_opens_a_page_that_pays_and_leads_back(wire, receiver):
    ways = {"success_redirect_url": "https://shop.example/ok", "failure_redirect_url": "https://shop.example/no"}
    told = wire.invoiced(**ways)
    assert "Pay this invoice?" in requests.get(told["invoice_url"], timeout=5).text
    back = requests.post(told["invoice_url"], data={"outcome": "approve"}, allow_redirects=False, timeout=5)
    assert back.headers["Location"] == "https://shop.example/ok"
    assert receiver.wait(1)[0]["status"] == "PAID"
    assert "Back to the shop" in requests.get(told["invoice_url"], timeout=5).text
    assert requests.get(f"{wire.url}/_simulator/invoice/none", timeout=5).status_code == 404
    left = wire.invoiced(**ways)
    gone = requests.post(left["invoice_url"], data={"outcome": "expire"}, allow_redirects=False, timeout=5)
    assert gone.headers["Location"] == "https://shop.example/no"


def test_the_phone_shows_what_waits_and_pays_it(wire):
    code, invoice = wire.coded(reference_id="ORD-CODE"), wire.invoiced(external_id="ORD-PAGE")
    page = wire.http.get(f"{wire.url}/_simulator/phone", timeout=5).text
    assert "ORD-CODE" in page
    assert "ORD-PAGE" in page
    for id in (code["id"], invoice["id"]):
        wire.http.post(f"{wire.url}/_simulator/phone", data={"id": id, "outcome": "approve"}, timeout=5)
    assert [entry["state"] for entry in wire.entries()] == ["paid", "paid"]


# Refunds and fees


def test_a_refund_of_a_code_is_pending_and_then_told(wire, receiver):
    code, payment = wire.paid_code()
    receiver.wait(1)
    path = f"/qr_codes/payments/{payment['id']}/refunds"
    asked = {"amount": 5000, "reference_id": "RF-1", "reason": "CANCELLATION"}
    made = wire.call(path, asked).json()
    assert re.fullmatch("qrrf_" + UUID, made["id"])
    assert (made["status"], made["qrpy_id"], made["refund_amount"]) == ("PENDING", payment["id"], 5000)
    told = receiver.wait(2)[1]
    assert (told["event"], told["data"]["status"], told["data"]["qr_id"]) == ("qr.refund", "SUCCEEDED", code["id"])
    shown = wire.get(f"{path}/{made['id']}").json()
    assert wire.get(path).json()["data"] == [shown] == [told["data"]]
    assert wire.call(path, asked).json()["id"] != made["id"]


def test_a_refund_of_an_invoice_is_made_once_under_its_key(wire, receiver):
    id = wire.paid_invoice()
    receiver.wait(1)
    first = wire.refund(id, key="k1", amount=5000, reference_id="RF-1").json()
    assert first["id"].startswith("rfd-")
    again = wire.refund(id, key="k1", amount=5000, reference_id="RF-1").json()
    assert again["id"] == first["id"]
    assert refusal(wire.refund(id, key="k1", amount=5001)) == (409, "IDEMPOTENCY_ERROR")
    told = receiver.wait(2)[1]
    assert (told["event"], told["data"]["invoice_id"]) == ("refund.succeeded", id)
    assert wire.get(f"/refunds/{first['id']}").json()["status"] == "SUCCEEDED"
    assert len(wire.get(f"/refunds?invoice_id={id}").json()["data"]) == 1


def test_without_an_amount_everything_that_is_left_is_given_back(wire):
    id = wire.paid_invoice()
    assert [wire.refund(id, amount=500).json()["amount"], wire.refund(id).json()["amount"]] == [500, 45000]
    assert refusal(wire.refund(id)) == (400, "MAXIMUM_REFUND_AMOUNT_REACHED")


@pytest.mark.parametrize(
    ("amount", "refused"),
    [
        (10_300, (400, "MAXIMUM_REFUND_AMOUNT_REACHED")),
        (10_301, (400, "PARTIAL_REFUND_NOT_SUPPORTED")),
        (10_303, (400, "REFUND_NOT_SUPPORTED")),
        (10_304, (400, "REFUND_IN_PROGRESS")),
        (10_305, (403, "INELIGIBLE_TRANSACTION")),
        (45_501, (400, "MAXIMUM_REFUND_AMOUNT_REACHED")),
        (0, (400, "API_VALIDATION_ERROR")),
        ("5000", (400, "API_VALIDATION_ERROR")),
    ],
)
def test_a_refund_that_is_refused_creates_nothing(wire, amount, refused):
    _, payment = wire.paid_code()
    assert refusal(wire.call(f"/qr_codes/payments/{payment['id']}/refunds", {"amount": amount})) == refused
    assert refusal(wire.refund(wire.paid_invoice(), amount=amount)) == refused
    assert [entry["kind"] for entry in wire.entries()] == ["payment", "payment"]


def test_only_what_is_paid_is_refunded(wire):
    assert refusal(wire.refund(wire.invoiced()["id"])) == (400, "INELIGIBLE_TRANSACTION")
    assert refusal(wire.refund("none")) == (404, "DATA_NOT_FOUND")
    assert refusal(wire.call("/qr_codes/payments/none/refunds", {"amount": 1})) == (404, "DATA_NOT_FOUND")
    assert refusal(wire.refund(wire.paid_invoice(), reason="WHIM")) == (400, "API_VALIDATION_ERROR")


@pytest.mark.parametrize(("amount", "code"), [(20_300, "INELIGIBLE_TRANSACTION"), (20_301, "INSUFFICIENT_BALANCE")])
def test_a_refund_can_fail_later_and_gives_its_amount_free(wire, receiver, amount, code):
    id = wire.paid_invoice()
    receiver.wait(1)
    wire.refund(id, amount=amount)
    told = receiver.wait(2)[1]
    assert (told["event"], told["data"]["failure_code"]) == ("refund.failed", code)
    assert wire.refund(id).json()["amount"] == 45500


def test_transactions_show_fees_once_they_are_final(wire):
    wire.paid_code(reference_id="ORD-1")
    id = wire.paid_invoice(external_id="ORD-2")
    wire.refund(id, amount=5000, reference_id="RF-1")
    [paid] = wire.get("/transactions?reference_id=ORD-1&types=PAYMENT").json()["data"]
    assert (paid["type"], paid["cashflow"], paid["amount"]) == ("PAYMENT", "MONEY_IN", 45500)
    fees = {name: paid["fee"][name] for name in ("xendit_fee", "value_added_tax", "status")}
    assert fees == {"xendit_fee": 318.5, "value_added_tax": 35.03, "status": "COMPLETED"}
    assert wire.get(f"/transactions/{paid['id']}").json() == paid
    assert refusal(wire.get("/transactions/none")) == (404, "DATA_NOT_FOUND")
    assert [item["type"] for item in wire.get("/transactions").json()["data"]] == ["REFUND", "PAYMENT", "PAYMENT"]
    assert wire.get("/balance").json() == {"balance": 86000}
    wire.settings(fee_seconds=60)
    assert wire.get("/transactions?reference_id=ORD-2").json()["data"][0]["fee"]["status"] == "PENDING"


def listed(wire, query="", **options):
    answer = wire.get(f"/transactions?{query}", **options)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_an_invoice_is_listed_by_the_payment_behind_it(wire, receiver):
    id = wire.paid_invoice(external_id="ORD-1")
    [item] = listed(wire)["data"]
    assert (item["reference_id"], item["settlement_status"]) == ("ORD-1", "PENDING")
    assert item["product_id"] == receiver.wait(1)[0]["payment_id"] != id


def test_transactions_are_listed_newest_first_and_paged_by_the_id_of_the_item_before(wire):
    references = [wire.paid_code()[0]["reference_id"] for _ in range(5)]
    found, query = [], "limit=2&types=PAYMENT"
    for place in range(3):
        page = listed(wire, query)
        found += [item["reference_id"] for item in page["data"]]
        assert page["has_more"] == (place < 2)
        if page["has_more"]:
            [link] = page["links"]
            assert (link["rel"], link["method"]) == ("next", "GET")
            query = link["href"].partition("?")[2]
            assert query == f"limit=2&types=PAYMENT&after_id={page['data'][-1]['id']}"
    assert page["links"] == []
    assert found == references[::-1]
    back = listed(wire, f"limit=2&before_id={page['data'][0]['id']}")
    assert [item["reference_id"] for item in back["data"]] == found[2:4]


def test_transactions_are_filtered_by_time_status_and_kind(wire):
    wire.paid_code()
    wire.refund(wire.paid_invoice(), amount=5000)
    assert len(listed(wire, "types=PAYMENT&types=REFUND")["data"]) == 3
    assert [item["status"] for item in listed(wire, "types=REFUND&statuses=PENDING&statuses=SUCCESS")["data"]] != []
    assert listed(wire, "statuses=VOIDED")["data"] == []
    now = datetime.datetime.now(datetime.UTC)
    before, after = (f"{now + datetime.timedelta(hours=hours):%Y-%m-%dT%H:%M:%SZ}" for hours in (-1, 1))
    assert len(listed(wire, f"created[gte]={before}&created[lte]={after}")["data"]) == 3
    assert listed(wire, f"created[gte]={after}")["data"] == []
    wire.settings(clock_ahead_seconds=7200)
    assert len(listed(wire, f"created[gte]={after}")["data"]) == 3
    for query in ("limit=0", "limit=x", "after_id=txn_none", "created[gte]=yesterday"):
        assert refusal(wire.get(f"/transactions?{query}")) == (400, "API_VALIDATION_ERROR")


def test_a_list_can_be_made_to_change_to_repeat_itself_and_to_write_amounts_otherwise(wire):
    for _ in range(3):
        wire.paid_code()
    wire.settings(transactions_page=2, transactions_doubled=True)
    first = listed(wire)
    query = f"after_id={first['data'][-1]['id']}"
    assert listed(wire, query) == first
    assert len(listed(wire, query)["data"]) == 1
    wire.settings(transactions_doubled=False, transactions_intruders=2, transactions_order="oldest_first")
    listed(wire)
    wire.settings(transactions_intruders=0, transactions_page=50, transactions_amounts="thousands")
    assert [item["amount"] for item in listed(wire)["data"]] == ["45,500.00"] * 3 + ["1,000.00"] * 2


# Webhooks, trouble, memory


def test_a_webhook_that_is_not_taken_comes_again_with_its_number(wire, receiver):
    wire.settings(callback_retries=[0.02, 0.02])
    receiver.statuses = [401, 503]
    wire.paid_code()
    receiver.wait(3)
    assert len({headers["webhook-id"] for _, headers, _ in receiver.received}) == 1


def test_callbacks_can_be_spoilt(wire, receiver):
    wire.simulate(id=wire.coded()["id"], outcome="approve", callback="bad_signature")
    receiver.wait(1)
    assert receiver.received[0][1]["x-callback-token"] != TOKEN
    wire.simulate(id=wire.coded()["id"], outcome="approve", callback="tampered")
    wire.simulate(id=wire.invoiced()["id"], outcome="approve", callback="tampered")
    told = receiver.wait(3)[1:]
    assert {document.get("status") or document["data"]["status"] for document in told} == {"FAILED", "EXPIRED"}
    assert {headers["x-callback-token"] for _, headers, _ in receiver.received[1:]} == {TOKEN}


def test_without_an_address_nothing_is_sent(wire):
    wire.settings(webhook_url="")
    wire.paid_code()
    assert wire.http.get(f"{wire.url}/_simulator/callbacks", timeout=5).json() == {"callbacks": []}


def test_before_the_answer_a_callback_can_be_there(wire, receiver):
    assert wire.coded(66_615)["status"] == "INACTIVE"
    assert wire.invoiced(66_615)["status"] == "PAID"
    assert len(receiver.received) == 2


@pytest.mark.parametrize("amount", [66_602, 66_604, 66_608])
def test_magic_amounts_lose_the_answer_once_for_each_reference(wire, amount):
    for _ in range(2):
        try:
            answer = wire.code(amount, reference_id="ORD-1")
        except requests.ConnectionError:
            continue
        assert answer.status_code in (201, 502)
    assert len(wire.entries("ORD-1")) == 2


def test_trouble_speaks_xendits_words(wire):
    wire.trouble(do="429", on="POST /qr_codes")
    wire.trouble(do="500_before", on="POST /v2/invoices")
    assert refusal(wire.code()) == (429, "RATE_LIMIT_EXCEEDED")
    assert refusal(wire.invoice()) == (500, "SERVER_ERROR")
    assert wire.entries() == []


def test_what_is_paid_by_itself_after_a_while(wire, receiver):
    wire.settings(auto_approve=True)
    code, invoice = wire.coded()["id"], wire.invoiced()["id"]
    receiver.wait(2)
    assert {entry["id"]: entry["state"] for entry in wire.entries()} == {code: "paid", invoice: "paid"}


def test_what_cannot_be_simulated_is_refused(wire):
    assert wire.post("simulate", id="none", outcome="approve").status_code == 404
    assert wire.post("simulate", id=wire.coded()["id"], outcome="teleport").status_code == 400


def test_a_restart_keeps_everything_and_goes_on(tmp_path, receiver):
    with simulators.start("xendit", data=tmp_path) as running:
        wire = XenditWire(running.url("xendit"), receiver.url)
        wire.settings(webhook_url=wire.callback_url, refund_seconds=3600)
        code, payment = wire.paid_code()
        invoice = wire.paid_invoice()
        wire.refund(invoice, key="k1", amount=5000)
        pending = wire.invoiced()["id"]
        before = wire.entries()
    with simulators.start("xendit", data=tmp_path) as running:
        wire = XenditWire(running.url("xendit"), receiver.url)
        after = until(lambda: [entry for entry in wire.entries() if entry["state"] == "succeeded"] and wire.entries())
        assert [entry["id"] for entry in after] == [entry["id"] for entry in before]
        assert wire.get(f"/qr_codes/{code['id']}/payments").json()["data"] == [payment]
        assert wire.refund(invoice, key="k1", amount=5000).json()["id"] == before[-1]["id"]
        wire.simulate(id=pending, outcome="approve")
