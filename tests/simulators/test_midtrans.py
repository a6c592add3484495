"""Midtrans' wire: both layers of codes, its checks, its five-minute keys, and each way in which a charge can end."""

import binascii
import re
import time

import pytest
import requests

import simulators
from simulators.qris import crc
from tests.simulators.conftest import until
from tests.simulators.midtrans import CHARGE, OTHER_KEY, REFUND, SERVER_KEY, MidtransWire

UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"


@pytest.fixture
def wire(running, receiver):
    wire = MidtransWire(running.url("midtrans"), receiver.url)
    wire.post("reset")
    wire.settings(bank_confirm_seconds=0.05, trouble_seconds=0.15, approve_seconds=0.05, callback_retries=[])
    return wire


def refusal(answer):
    """HTTP's status and the body's, which is a text."""
    body = answer.json()
    assert set(body) - {"validation_messages"} == {"status_code", "status_message", "id"}
    return answer.status_code, body["status_code"], body["status_message"]


def told(receiver, status):
    """The notification of that status, once it is there."""
    return until(lambda: [news for news in receiver.documents() if news["transaction_status"] == status])[0]


def test_a_charge_by_qris_has_the_documented_answer(wire):
    answer = wire.charge(order="ORD-7781", custom_field1="store-12")
    body = answer.json()
    assert answer.status_code == 200
    assert re.fullmatch(UUID, body["transaction_id"])
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", body["expiry_time"])
    assert {name: body[name] for name in ("status_code", "order_id", "gross_amount", "currency", "payment_type")} == {
        "status_code": "201",
        "order_id": "ORD-7781",
        "gross_amount": "45500.00",
        "currency": "IDR",
        "payment_type": "qris",
    }
    assert (body["transaction_status"], body["fraud_status"], body["acquirer"]) == ("pending", "accept", "gopay")
    assert [action["name"] for action in body["actions"]] == ["generate-qr-code", "generate-qr-code-v2"]


def test_the_code_has_the_checksum_of_its_text_and_the_amount_that_was_asked(wire):
    assert crc("123456789") == "29B1"
    code = wire.charged(100003)["qr_string"]
    assert code.startswith("000201010212")
    assert f"{binascii.crc_hqx(code[:-4].encode(), 0xFFFF):04X}" == code[-4:]
    assert "5406100003" in code
    assert "ID.CO.SHOPEE.WWW" in wire.charged(qris={"acquirer": "airpay shopee"})["qr_string"]


def test_a_charge_by_gopay_names_its_actions_and_the_link_opens_a_page_that_pays(wire, receiver):
    body = wire.charged(kind="gopay", gopay={"enable_callback": True, "callback_url": "https://shop.example/done?a=1"})
    actions = {action["name"]: action for action in body["actions"]}
    assert {name: action["method"] for name, action in actions.items()} == {
        "generate-qr-code": "GET",
        "deeplink-redirect": "GET",
        "get-status": "GET",
        "cancel": "POST",
    }
    link = actions["deeplink-redirect"]["url"]
    assert "Pay with GoPay?" in requests.get(link, timeout=5).text
    back = requests.post(link, data={"outcome": "approve"}, allow_redirects=False, timeout=5)
    assert back.headers["Location"] == f"https://shop.example/done?a=1&order_id={body['order_id']}&result=success"
    assert told(receiver, "settlement")["payment_type"] == "gopay"
    assert "Back to the shop" in requests.get(link, timeout=5).text


def test_gopay_scanned_as_a_code_is_told_as_qris(wire, receiver):
    id = wire.charged(kind="gopay")["transaction_id"]
    wire.simulate(id=id, outcome="approve_by_qr")
    assert told(receiver, "settlement")["payment_type"] == "qris"


@pytest.mark.parametrize("pair", [("SB-Mid-server-unknown", ""), ("", ""), (SERVER_KEY, "a password")])
def test_a_wrong_key_may_do_nothing(wire, pair):
    charged = wire.http.post(f"{wire.url}/v2/charge", json=wire.charge_body(), auth=pair, timeout=5)
    asked = wire.http.get(f"{wire.url}/v2/x/status", auth=pair, timeout=5)
    assert [refusal(answer)[:2] for answer in (charged, asked)] == [(401, "401")] * 2
    assert wire.entries() == []


def test_no_key_at_all_is_refused_too(wire):
    assert refusal(requests.post(f"{wire.url}/v2/charge", json=wire.charge_body(), timeout=5))[1] == "401"
    bearer = {"Authorization": "Bearer x"}
    assert refusal(requests.get(f"{wire.url}/v2/x/status", headers=bearer, timeout=5))[1] == "401"


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"payment_type": "bank_transfer"}, "402"),
        ({"payment_type": None}, "402"),
        ({"transaction_details": None}, "400"),
        ({"transaction_details": []}, "408"),
        ({"transaction_details": {"order_id": "A", "gross_amount": 45500.0}}, "400"),
        ({"transaction_details": {"order_id": "A", "gross_amount": 45500.5}}, "400"),
        ({"transaction_details": {"order_id": "A", "gross_amount": "45500"}}, "408"),
        ({"transaction_details": {"order_id": "A", "gross_amount": True}}, "408"),
        ({"transaction_details": {"order_id": "A", "gross_amount": 0}}, "400"),
        ({"transaction_details": {"order_id": "A", "gross_amount": 10_000_001}}, "400"),
        ({"transaction_details": {"order_id": "A B", "gross_amount": 1}}, "400"),
        ({"transaction_details": {"order_id": "", "gross_amount": 1}}, "400"),
        ({"transaction_details": {"order_id": "A" * 51, "gross_amount": 1}}, "400"),
        ({"transaction_details": {"gross_amount": 1}}, "400"),
        ({"item_details": [{"id": "A", "price": 45499, "quantity": 1, "name": "A"}]}, "400"),
        ({"item_details": [{"id": "A", "price": 45500.0, "quantity": 1, "name": "A"}]}, "400"),
        ({"item_details": [{"id": "A", "price": 45500, "quantity": 1, "name": "A" * 51}]}, "400"),
        ({"item_details": [{"id": "A", "price": 45500, "quantity": 0, "name": "A"}]}, "400"),
        ({"item_details": {"id": "A"}}, "408"),
        ({"qris": {"acquirer": "ovo"}}, "400"),
        ({"custom_expiry": {"expiry_duration": 19, "unit": "second"}}, "400"),
        ({"custom_expiry": {"expiry_duration": 8, "unit": "day"}}, "400"),
        ({"custom_expiry": {"expiry_duration": 1, "unit": "week"}}, "400"),
        ({"custom_expiry": {"expiry_duration": 1, "order_time": "2026-03-01"}}, "400"),
    ],
)
def test_a_charge_that_does_not_fit_is_refused_and_creates_nothing(wire, changes, code):
    body = {name: value for name, value in {**wire.charge_body(), **changes}.items() if value is not None}
    answer = wire.call("/v2/charge", body)
    assert refusal(answer)[:2] == (int(code), code)
    assert ("validation_messages" in answer.json()) is (code == "400")
    assert wire.entries() == []


def test_a_body_that_is_no_object_is_malformed(wire):
    url, auth = f"{wire.url}/v2/charge", (SERVER_KEY, "")
    for body in (b"{", b"[]", b""):
        assert refusal(requests.post(url, data=body, auth=auth, timeout=5))[1] == "413"


def test_items_may_hold_a_discount_and_must_sum_exactly(wire):
    items = [
        {"id": "SKU1", "price": 20000, "quantity": 2, "name": "Nasi goreng"},
        {"id": "TAX", "price": 5510, "quantity": 1, "name": "PB1"},
        {"id": "ROUNDING", "price": -10, "quantity": 1, "name": "Rounding"},
    ]
    assert wire.charge(item_details=items).status_code == 200
    assert "is not equal to the sum of item_details" in str(wire.charge(item_details=items[:2]).json())


@pytest.mark.parametrize("layer", ["both", "body"])
def test_a_refusal_has_two_layers(wire, layer):
    wire.settings(error_layer=layer)
    http = {"both": lambda code: code, "body": lambda code: 200}[layer]
    assert refusal(wire.status("none")) == (http(404), "404", "Transaction doesn't exist.")
    assert refusal(wire.charge(0))[:2] == (http(400), "400")
    assert refusal(wire.call("/v2/nothing", {}))[:2] == (http(404), "404")
    assert refusal(wire.call("/v2/charge", method="GET"))[:2] == (http(405), "405")
    assert wire.charge().json()["status_code"] == "201"


def test_an_order_is_used_once_for_ever_by_each_merchant(wire):
    id = wire.charged(order="ORD-1")["transaction_id"]
    assert refusal(wire.charge(order="ORD-1"))[:2] == (406, "406")
    wire.call(f"/v2/{id}/cancel", {})
    assert refusal(wire.charge(order="ORD-1"))[:2] == (406, "406")
    assert wire.call("/v2/charge", wire.charge_body(order="ORD-1"), server_key=OTHER_KEY).status_code == 200
    assert len(wire.entries()) == 2


def test_another_merchants_payment_does_not_exist(wire):
    id = wire.charged(order="ORD-1")["transaction_id"]
    for known in (id, "ORD-1"):
        assert refusal(wire.status(known, server_key=OTHER_KEY))[1] == "404"
        assert wire.status(known).json()["transaction_id"] == id


# Keys


def test_a_key_replays_the_first_success_whatever_the_new_body_says(wire):
    first = wire.charge(order="ORD-1", key="k1")
    again = wire.charge(999, order="ORD-2", key="k1")
    assert again.json() == first.json()
    assert wire.call(f"/v2/{first.json()['transaction_id']}/cancel", {}, key="k1").json() == first.json()
    assert [entry["reference"] for entry in wire.entries()] == ["ORD-1"]


def test_a_key_keeps_no_failure_and_no_other_merchants_success(wire):
    assert wire.charge(0, order="ORD-1", key="k1").status_code == 400
    assert wire.charge(order="ORD-1", key="k1").status_code == 200
    other = wire.call("/v2/charge", wire.charge_body(order="ORD-1"), key="k1", server_key=OTHER_KEY)
    assert other.json()["merchant_id"] == "G000000002"


def test_a_key_that_is_too_long_is_ignored(wire):
    wire.charge(order="ORD-1", key="k" * 47)
    assert refusal(wire.charge(order="ORD-1", key="k" * 47))[1] == "406"
    assert wire.charge(order="ORD-2", key="k" * 46).json() == wire.charge(order="ORD-2", key="k" * 46).json()


def test_a_key_is_forgotten_after_its_time(wire):
    wire.settings(idempotency_seconds=0.1)
    wire.charge(order="ORD-1", key="k1")
    until(lambda: wire.charge(order="ORD-1", key="k1").status_code == 406)


def test_the_same_key_while_the_first_call_runs_is_a_202(wire, running):
    keys = running.simulators["midtrans"].keys
    assert keys.claim("G000000001", "k1", 300.0) is None
    assert refusal(wire.charge(order="ORD-1", key="k1"))[:2] == (202, "202")
    assert wire.entries() == []
    keys.release("G000000001", "k1")
    assert wire.charged(order="ORD-1", key="k1")["order_id"] == "ORD-1"


def test_a_key_survives_a_restart(tmp_path, receiver):
    with simulators.start("midtrans", data=tmp_path) as running:
        first = MidtransWire(running.url("midtrans"), receiver.url).charged(order="ORD-1", key="k1")
    with simulators.start("midtrans", data=tmp_path) as running:
        wire = MidtransWire(running.url("midtrans"), receiver.url)
        assert wire.charged(order="ORD-1", key="k1") == first
        assert refusal(wire.charge(order="ORD-1"))[1] == "406"


@pytest.mark.parametrize(
    ("amount", "charges"),
    [(66601, 0), (66602, 1), (66603, 0), (66604, 1), (66605, 0), (66606, 1), (66608, 1), (66609, 1), (66610, 0)],
)
def test_a_charge_whose_answer_is_lost_is_found_out_by_its_key(wire, amount, charges):
    try:
        answer = wire.charge(amount, order="ORD-1", key="k1")
        assert answer.status_code in (429, 500, 502) or answer.content == b""
    except requests.ConnectionError:
        pass
    assert len(wire.entries()) == charges
    # A 500 is no success that would be kept: the second charge runs, and collides.
    again = wire.charge(amount, order="ORD-1", key="k1")
    assert again.json()["status_code"] == ("406" if amount == 66606 else "201")
    assert len(wire.entries()) == 1


# What becomes of it


def test_the_status_has_the_shape_of_the_notification(wire, receiver):
    id = wire.paid(order="ORD-1", custom_field1="store-12")
    news = told(receiver, "settlement")
    found = wire.status("ORD-1").json()
    assert found.pop("status_message") == "Success, transaction is found"
    assert news.pop("status_message") == "midtrans payment notification"
    assert found == news
    assert (found["transaction_id"], found["status_code"], found["gross_amount"]) == (id, "200", "45500.00")
    assert (found["custom_field1"], found["issuer"], found["fraud_status"]) == ("store-12", "gopay", "accept")


def test_the_signature_is_the_one_of_the_golden_vector(wire, receiver):
    wire.settings(merchants={"SB-Mid-server-EXAMPLEKEY01": "G000000001"})
    body = wire.charge_body(order="ORD-7781")
    key = "SB-Mid-server-EXAMPLEKEY01"
    id = wire.call("/v2/charge", body, server_key=key, X_Override_Notification=wire.callback_url).json()
    wire.simulate(id=id["transaction_id"], outcome="approve")
    assert told(receiver, "settlement")["signature_key"] == (
        "6c49f2ce0f7fb5d6f12c9071370adfae0e02293edeeb05e113e0f816abbf7b56"
        "0df8ed229caf4cbcbaaee26a44abd09c3ca40e4341375e7ab996ae37f4c58e55"
    )
    assert receiver.received[0][1]["User-Agent"] == "Veritrans"


@pytest.mark.parametrize(
    ("outcome", "status", "code"),
    [
        ("approve", "settlement", "200"),
        ("decline", "deny", "202"),
        ("cancel", "cancel", "202"),
        ("timeout", "expire", "202"),
        ("expire", "expire", "202"),
    ],
)
def test_each_end_is_told_after_that_it_was_pending(wire, receiver, outcome, status, code):
    id = wire.charged()["transaction_id"]
    assert wire.simulate(id=id, outcome=outcome)["state"] == status
    assert told(receiver, "pending")["status_code"] == "201"
    assert told(receiver, status)["status_code"] == code
    assert wire.status(id).json()["transaction_status"] == status
    assert wire.post("simulate", id=id, outcome="approve").status_code == 409
    assert wire.entries()[0]["receipt"] == (id if status == "settlement" else None)


def test_money_can_come_after_the_end(wire, receiver):
    id = wire.charged()["transaction_id"]
    wire.simulate(id=id, outcome="timeout")
    wire.simulate(id=id, outcome="late_success")
    assert told(receiver, "settlement")["transaction_id"] == id
    assert wire.post("simulate", id=id, outcome="late_success").status_code == 409


def test_the_merchant_cancels_and_expires_what_is_pending(wire, receiver):
    cancelled, expired, paid = wire.charged()["transaction_id"], wire.charged()["transaction_id"], wire.paid()
    answer = wire.call(f"/v2/{cancelled}/cancel", {})
    assert (answer.status_code, answer.json()["status_code"]) == (200, "200")
    assert answer.json()["transaction_status"] == "cancel"
    answer = wire.call(f"/v2/{expired}/expire", {})
    assert (answer.status_code, answer.json()["status_code"]) == (200, "407")
    assert answer.json()["transaction_status"] == "expire"
    assert told(receiver, "cancel")["transaction_id"] == cancelled
    assert told(receiver, "expire")["transaction_id"] == expired
    for id in (cancelled, expired, paid):
        for verb in ("cancel", "expire"):
            message = "Merchant cannot modify the status of the transaction"
            assert refusal(wire.call(f"/v2/{id}/{verb}", {})) == (412, "412", message)


@pytest.mark.parametrize("code", ["202", "407"])
def test_a_code_expires_by_itself_and_its_status_says_so_in_one_of_two_ways(wire, receiver, code):
    wire.settings(expiry_seconds=0.1, expired_code=code)
    id = wire.charged()["transaction_id"]
    assert told(receiver, "expire")["status_code"] == "202"
    assert wire.status(id).json()["status_code"] == code


def test_an_end_of_ones_own_runs_from_its_order_time(wire):
    ends = {"order_time": "2030-03-01 09:00:00 +0700", "expiry_duration": 90, "unit": "second"}
    assert wire.charged(custom_expiry=ends)["expiry_time"] == "2030-03-01 09:01:30"


def test_a_pending_code_survives_a_restart_and_still_expires(tmp_path, receiver):
    with simulators.start("midtrans", data=tmp_path) as running:
        wire = MidtransWire(running.url("midtrans"), receiver.url)
        wire.settings(expiry_seconds=0.5)
        id = wire.charged()["transaction_id"]
    with simulators.start("midtrans", data=tmp_path) as running:
        assert told(receiver, "expire")["transaction_id"] == id


def test_a_payer_can_pay_without_being_asked(wire, receiver):
    wire.settings(auto_approve=True)
    wire.charge()
    told(receiver, "settlement")


def test_an_amount_is_declined_when_it_is_paid(wire, receiver):
    id = wire.charged(66622)["transaction_id"]
    assert wire.simulate(id=id, outcome="approve")["state"] == "deny"
    assert [entry["detail"] for entry in wire.entries()] == ["deny"]


# Refunds


def test_refunds_sum_up_and_are_told_twice(wire, receiver):
    id = wire.paid(order="ORD-1")
    first, second = wire.refund(id, refund_key="RF-1", amount=5000, reason="out of stock"), wire.refund(id)
    assert (first.json()["status_code"], first.json()["transaction_status"]) == ("200", "partial_refund")
    assert (first.json()["refund_amount"], first.json()["refund_key"]) == ("5000.00", "RF-1")
    assert (second.json()["transaction_status"], second.json()["refund_amount"]) == ("refund", "45500.00")
    assert second.json()["refund_key"]
    news = until(lambda: [found for found in receiver.documents() if _confirmed(found) == 2])[0]
    assert [item["refund_amount"] for item in news["refunds"]] == ["5000.00", "40500.00"]
    assert [item["refund_chargeback_id"] for item in news["refunds"]] == [
        answer.json()["refund_chargeback_id"] for answer in (first, second)
    ]
    assert news["refunds"][0]["reason"] == "out of stock"
    until(lambda: [found for found in receiver.documents() if "refunds" in found and _confirmed(found) == 0])
    assert wire.status(id).json()["refund_amount"] == "45500.00"


def _confirmed(document):
    return sum("bank_confirmed_at" in item for item in document.get("refunds", []))


def test_a_refund_that_does_not_fit_is_refused(wire):
    id, pending = wire.paid(), wire.charged()["transaction_id"]
    assert refusal(wire.refund(pending, refund_key="RF-1"))[1] == "412"
    assert refusal(wire.refund(id, refund_key="RF 1"))[1] == "400"
    assert refusal(wire.refund(id, refund_key="RF-1", reason="x" * 256))[1] == "400"
    assert refusal(wire.refund(id, refund_key="RF-1", amount=45501))[1] == "414"
    assert refusal(wire.refund(id, refund_key="RF-1", amount=0))[1] == "414"
    assert refusal(wire.refund(id, refund_key="RF-1", amount=100.0))[1] == "408"
    assert refusal(wire.refund("none", refund_key="RF-1"))[1] == "404"
    assert [entry["kind"] for entry in wire.entries()] == ["payment", "payment"]


def test_a_refund_key_is_used_once_also_when_all_is_given_back(wire):
    id = wire.paid()
    assert wire.refund(id, "refund/online/direct", refund_key="RF-1").status_code == 200
    assert refusal(wire.refund(id, refund_key="RF-1")) == (406, "406", "Duplicate refund ID")
    assert refusal(wire.refund(wire.paid(), refund_key="RF-1"))[1] == "406"


@pytest.mark.parametrize("how", ["amount", "trouble"])
def test_a_bank_denies_a_refund_and_may_be_asked_again(wire, how):
    id = wire.paid(100_000)
    if how == "trouble":
        wire.trouble(on=REFUND, do="result_202")
    amount = 66624 if how == "amount" else 5000
    denied = wire.refund(id, refund_key="RF-1", amount=amount, key="k1")
    assert denied.status_code == 200
    assert (denied.json()["status_code"], denied.json()["transaction_status"]) == ("202", "settlement")
    assert (denied.json()["status_message"], denied.json()["refund_amount"]) == ("Refund denied by the bank", "0.00")
    again = wire.refund(id, refund_key="RF-1", amount=5000, key="k1")
    assert again.json()["status_code"] == "200"


def test_a_merchant_without_money_there_cannot_refund(wire):
    id = wire.paid()
    wire.trouble(on=REFUND, do="result_414")
    assert refusal(wire.refund(id, refund_key="RF-1"))[1] == "414"


# Notifications


def test_addresses_override_or_add_to_the_one_of_the_dashboard(wire, receiver):
    wire.settings(notification_url=f"{receiver.url}/dashboard")

    def paths():
        return sorted(path for path, _, _ in receiver.received)

    named = f"{receiver.url}/a, {receiver.url}/b"
    wire.charge(notify=False)
    until(lambda: paths() == ["/dashboard"])
    receiver.received.clear()
    wire.call("/v2/charge", wire.charge_body(), X_Append_Notification=named)
    until(lambda: paths() == ["/a", "/b", "/dashboard"])
    receiver.received.clear()
    wire.call("/v2/charge", wire.charge_body(), X_Append_Notification=named, X_Override_Notification=wire.callback_url)
    until(lambda: paths() == ["/cb/k/9f2c0d"])


@pytest.mark.parametrize(
    ("status", "tries"), [(200, 1), (500, 2), (503, 5), (400, 3), (404, 3), (301, 1), (302, 1), (502, 6), (429, 6)]
)
def test_a_notification_is_retried_by_what_is_answered(wire, receiver, status, tries):
    wire.settings(callback_retries=[0.01] * 5)
    receiver.statuses = [status] * 10
    wire.charge()
    until(lambda: len(receiver.received) >= tries)
    time.sleep(0.1)
    assert len(receiver.received) == tries


def test_a_notification_follows_a_redirection_that_keeps_the_method(wire, receiver):
    # Without a place to go to, the same one is meant.
    receiver.statuses = [307, 308]
    wire.charge()
    receiver.wait(3)
    assert _statuses(receiver) == ["pending"] * 3


def test_a_notification_comes_twice_or_never_or_late_or_reversed(wire, receiver):
    wire.settings(callback_late_seconds=0.2)
    wire.simulate(id=wire.charged(66611)["transaction_id"], outcome="approve")
    until(lambda: _statuses(receiver) == ["pending", "pending", "settlement", "settlement"])
    receiver.received.clear()
    wire.paid(66614)
    time.sleep(0.1)
    assert receiver.received == []
    wire.paid(66612)
    until(lambda: _statuses(receiver) == ["pending", "settlement"])
    receiver.received.clear()
    first = wire.charged(66613)["transaction_id"]
    wire.simulate(id=first, outcome="approve", callback="normal")
    until(lambda: _statuses(receiver) == ["pending", "settlement"])


def _statuses(receiver):
    return sorted(document["transaction_status"] for document in receiver.documents())


def test_a_payment_can_be_told_before_its_charge_is_answered(wire, receiver):
    answer = wire.charge(66615)
    assert answer.json()["transaction_status"] == "pending"
    assert "settlement" in _statuses(receiver)


def test_a_notification_can_be_signed_by_another_key_or_changed_after_signing(wire, receiver):
    wire.simulate(id=wire.charged(order="ORD-1")["transaction_id"], outcome="approve", callback="bad_signature")
    bad = told(receiver, "settlement")
    assert bad["signature_key"] != wire.status("ORD-1").json()["signature_key"]
    wire.simulate(id=wire.charged(order="ORD-2")["transaction_id"], outcome="decline", callback="tampered")
    found = wire.status("ORD-2").json()
    changed = until(lambda: [news for news in receiver.documents() if news["order_id"] == "ORD-2"][1:])[0]
    assert (changed["transaction_status"], found["transaction_status"]) == ("settlement", "deny")
    assert changed["signature_key"] == found["signature_key"]


# The controls


def test_the_phone_shows_a_waiting_code_and_its_button_pays(wire):
    body = wire.charged(order="ORD-9")
    phone = f"{wire.url}/_simulator/phone"
    page = requests.get(phone, timeout=5).text
    assert "Rp 45.500" in page
    assert "ORD-9" in page
    after = requests.post(phone, data={"id": body["transaction_id"], "outcome": "approve"}, timeout=5).text
    assert "settlement" in after


def test_an_unknown_payment_or_outcome_is_refused(wire):
    assert wire.post("simulate", id="none").status_code == 404
    assert wire.post("simulate", reference="none").status_code == 404
    assert requests.get(f"{wire.url}/_simulator/gopay/none", timeout=5).status_code == 404
    id = wire.charged()["transaction_id"]
    assert wire.post("simulate", id=id, outcome="dance").status_code == 400
    assert wire.post("simulate", id=id, callback="sideways").status_code == 400


def test_the_ledger_finds_a_payment_by_order_and_key_and_a_refund_by_its_own(wire):
    id = wire.paid(order="ORD-1", key="k1")
    number = str(wire.refund(id, refund_key="RF-1", amount=5000).json()["refund_chargeback_id"])
    assert [entry["id"] for known in (id, "ORD-1", "k1") for entry in wire.entries(known)] == [id] * 3
    (refund,) = wire.entries("RF-1")
    assert (refund["id"], refund["payment"], refund["amount"], refund["unit"]) == (number, id, 5000, "whole")
    assert wire.ledger()["calls"] == {CHARGE: 1, REFUND: 1}
