"""Daraja's wire: tokens, STK push and query, callbacks, and each way in which a prompt can end."""

import base64
import json
import re
import threading
import time

import pytest
import requests

import simulators
from simulators.mpesa.words import DESCRIPTIONS, MAGIC_PHONES
from tests.simulators.conftest import PASSKEY, MpesaWire, until

PUSH = "POST /mpesa/stkpush/v1/processrequest"
APPROVING = "254708374149"


def pushed(wire, **changes):
    answer = wire.push(**changes)
    assert answer.status_code == 200, answer.text
    return answer.json()["CheckoutRequestID"]


def refusal(answer):
    body = answer.json()
    assert set(body) == {"requestId", "errorCode", "errorMessage"}
    return answer.status_code, body["errorCode"], body["errorMessage"]


def stk(document):
    return document["Body"]["stkCallback"]


def items(document):
    return {item["Name"]: item.get("Value") for item in stk(document)["CallbackMetadata"]["Item"]}


def test_the_password_of_the_golden_vector_is_accepted(mpesa_wire):
    mpesa_wire.settings(passkeys={"600111": "samplePasskey"})
    password = "NjAwMTExc2FtcGxlUGFzc2tleTIwMjYxMTIwMTQwNTA2"
    assert mpesa_wire.push(Password=password, Timestamp="20261120140506").status_code == 200


def test_a_token_is_given_for_basic_credentials_with_seconds_as_a_string(mpesa_wire):
    answer = mpesa_wire.fetch_token()
    assert answer.status_code == 200
    assert set(answer.json()) == {"access_token", "expires_in"}
    assert answer.json()["expires_in"] == "3599"


def test_a_new_token_kills_the_old_one_of_that_app_only(mpesa_wire):
    other = mpesa_wire.fetch_token("lango-simulator-key-2", "lango-simulator-secret-2").json()["access_token"]
    mpesa_wire.token = mpesa_wire.fetch_token().json()["access_token"]
    mpesa_wire.fetch_token()
    assert refusal(mpesa_wire.push()) == (404, "404.001.03", "Invalid Access Token")
    status = mpesa_wire.call("/mpesa/transactionstatus/v1/query", {})
    assert refusal(status) == (400, "400.003.01", "Invalid Access Token")
    mpesa_wire.token = other
    assert mpesa_wire.push().status_code == 200


def test_a_token_expires(mpesa_wire):
    mpesa_wire.settings(token_seconds=0)
    assert mpesa_wire.push().json()["errorCode"] == "404.001.03"


def test_wrong_app_credentials_get_an_empty_400(mpesa_wire):
    answer = mpesa_wire.fetch_token(secret="wrong")
    assert (answer.status_code, answer.content) == (400, b"")


def test_the_token_call_names_a_wrong_auth_or_grant_type(mpesa_wire):
    url = f"{mpesa_wire.url}/oauth/v1/generate"
    bearer = requests.get(url, headers={"Authorization": "Bearer x"}, timeout=5)
    assert refusal(bearer)[:2] == (400, "400.008.01")
    grant = requests.get(url, params={"grant_type": "password"}, auth=("a", "b"), timeout=5)
    assert refusal(grant)[:2] == (400, "400.008.02")


def test_wrong_verbs_paths_and_headers_have_their_codes(mpesa_wire):
    url = f"{mpesa_wire.url}/mpesa/stkpush/v1/processrequest"
    assert refusal(requests.get(url, timeout=5))[:2] == (405, "405.001")
    assert refusal(requests.post(url, json={}, timeout=5))[:2] == (404, "404.001.04")
    assert refusal(requests.post(f"{mpesa_wire.url}/mpesa/nothing", timeout=5))[:2] == (404, "404.001.01")


def test_an_accepted_push_has_the_published_shape_and_is_not_paid(mpesa_wire):
    answer = mpesa_wire.push()
    body = answer.json()
    assert answer.status_code == 200
    assert re.fullmatch(r"\d{5}-\d{8}-\d", body["MerchantRequestID"])
    assert re.fullmatch(r"ws_CO_\d{17}711000111", body["CheckoutRequestID"])
    assert body["ResponseCode"] == "0"
    assert body["ResponseDescription"] == body["CustomerMessage"] == "Success. Request accepted for processing"
    assert [entry["state"] for entry in mpesa_wire.entries()] == ["waiting"]


@pytest.mark.parametrize(
    ("field", "value", "named"),
    [
        ("BusinessShortCode", "abc", "BusinessShortCode"),
        ("Timestamp", "2026", "Timestamp"),
        ("Password", "", "Password"),
        ("TransactionType", "CustomerPayBill", "TransactionType"),
        ("Amount", 0, "Amount"),
        ("Amount", 10.5, "Amount"),
        ("Amount", "10.00", "Amount"),
        ("Amount", None, "Amount"),
        ("PartyA", "0711000111", "PartyA"),
        ("PhoneNumber", "+254711000111", "PhoneNumber"),
        ("PartyB", None, "PartyB"),
        ("CallBackURL", "pay.example.co.ke", "CallBackURL"),
        ("CallBackURL", "https://pay.example.co.ke/mpesa/cb", "CallBackURL"),
        ("CallBackURL", "https://pay.example.co.ke/SQL", "CallBackURL"),
        ("CallBackURL", "https://Safaricom.example/cb", "CallBackURL"),
        ("CallBackURL", "https://pay.example.co.ke/exec", "CallBackURL"),
        ("AccountReference", "INV-204170000", "AccountReference"),
        ("AccountReference", "", "AccountReference"),
        ("TransactionDesc", None, "Remarks"),
        ("TransactionDesc", "fourteen chars", "Remarks"),
    ],
)
def test_a_wrong_field_is_named_and_prompts_nobody(mpesa_wire, field, value, named):
    expected = (400, "400.002.02", f"Bad Request - Invalid {named}")
    assert refusal(mpesa_wire.push(**{field: value})) == expected
    assert mpesa_wire.entries() == []


def test_a_numeric_string_is_an_amount(mpesa_wire):
    assert mpesa_wire.push(Amount="250").status_code == 200


def test_wrong_payload_and_content_type_have_their_codes(mpesa_wire):
    mpesa_wire.push()
    headers = {"Authorization": f"Bearer {mpesa_wire.token}", "Content-Type": "application/json"}
    url = f"{mpesa_wire.url}/mpesa/stkpush/v1/processrequest"
    assert refusal(requests.post(url, b"{", headers=headers, timeout=5))[:2] == (400, "400.002.05")
    form = requests.post(url, {"a": "b"}, headers={"Authorization": headers["Authorization"]}, timeout=5)
    assert refusal(form) == (400, "400.002.02", "Bad Request - Invalid BusinessShortCode")


def test_a_wrong_passkey_or_short_code_is_500(mpesa_wire):
    wrong = base64.b64encode(b"600111wrong20261120140506").decode()
    expected = (500, "500.001.1001", "[MerchantValidate] - Wrong credentials")
    assert refusal(mpesa_wire.push(Password=wrong)) == expected
    assert refusal(mpesa_wire.push(Timestamp="20261120140507")) == expected
    stranger = refusal(mpesa_wire.push(BusinessShortCode="600999", PartyB="600999"))
    assert stranger == (500, "500.001.1001", "Merchant does not exist")


def test_one_prompt_at_a_time_per_handset(mpesa_wire):
    first = pushed(mpesa_wire)
    status, code, message = refusal(mpesa_wire.push())
    assert (status, code) == (500, "500.001.1001")
    assert message.startswith("Unable to lock subscriber")
    assert pushed(mpesa_wire, PhoneNumber="254711000112") != first
    mpesa_wire.simulate(id=first, outcome="cancel")
    pushed(mpesa_wire)


def test_a_race_for_one_handset_opens_one_prompt(mpesa_wire):
    mpesa_wire.call("/mpesa/nothing", {})
    statuses, start = [], threading.Barrier(15)

    def run():
        start.wait()
        statuses.append(mpesa_wire.push().status_code)

    threads = [threading.Thread(target=run) for _ in range(15)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(statuses) == [200] + [500] * 14


def test_an_approved_prompt_calls_back_with_the_receipt(mpesa_wire, receiver):
    began = time.time()
    answer = mpesa_wire.push().json()
    mpesa_wire.simulate(id=answer["CheckoutRequestID"], outcome="approve")
    document = receiver.wait(1)[0]
    path, headers, body = receiver.received[0]
    assert path == "/cb/k/9f2c0d"
    assert headers["Content-Type"] == "application/json"
    assert stk(document)["MerchantRequestID"] == answer["MerchantRequestID"]
    assert stk(document)["CheckoutRequestID"] == answer["CheckoutRequestID"]
    assert (stk(document)["ResultCode"], stk(document)["ResultDesc"]) == (0, DESCRIPTIONS["0"])
    assert b'{"Name": "Amount", "Value": 250.00}' in body
    assert b'{"Name": "Balance"}' in body
    found = items(document)
    assert re.fullmatch(r"[A-Z]{2}[1-9A-V][A-Z0-9]{7}", found["MpesaReceiptNumber"])
    assert found["PhoneNumber"] == 254711000111
    eastern = [time.strftime("%Y%m%d%H%M%S", time.gmtime(moment + 3 * 3600)) for moment in (began, time.time())]
    assert eastern[0] <= str(found["TransactionDate"]) <= eastern[1]
    (entry,) = mpesa_wire.entries("INV-20417")
    expected = {"kind": "payment", "amount": 250, "unit": "whole", "currency": "KES", "state": "paid"}
    assert {name: entry[name] for name in expected} == expected
    assert (entry["receipt"], entry["account"]) == (found["MpesaReceiptNumber"], "600111")


def test_a_declined_prompt_calls_back_without_metadata(mpesa_wire, receiver):
    id = pushed(mpesa_wire)
    mpesa_wire.simulate(reference="INV-20417", outcome="decline")
    document = receiver.wait(1)[0]
    assert "CallbackMetadata" not in stk(document)
    assert (stk(document)["ResultCode"], stk(document)["ResultDesc"]) == (1032, "Request cancelled by user.")
    assert mpesa_wire.query(id).json()["ResultCode"] == "1032"


def test_the_sandbox_number_approves_by_itself(mpesa_wire, receiver):
    pushed(mpesa_wire, PhoneNumber=APPROVING)
    assert stk(receiver.wait(1)[0])["ResultCode"] == 0


def test_every_number_approves_when_told_so(mpesa_wire, receiver):
    mpesa_wire.settings(auto_approve=True)
    pushed(mpesa_wire)
    assert stk(receiver.wait(1)[0])["ResultCode"] == 0


@pytest.mark.parametrize(("phone", "code"), [(p, c) for p, c in MAGIC_PHONES.items() if c.isdigit() and c != "1037"])
def test_each_result_code_has_its_phone(mpesa_wire, receiver, phone, code):
    mpesa_wire.settings(approve_seconds=0)
    id = pushed(mpesa_wire, PhoneNumber=phone)
    assert stk(receiver.wait(1)[0])["ResultCode"] == int(code)
    final = mpesa_wire.query(id).json()
    assert (final["ResultCode"], final["ResultDesc"]) == (code, DESCRIPTIONS[code])


@pytest.mark.parametrize("phone", ["254711000111", "254700001037"])
def test_an_unanswered_prompt_ends_with_1037(mpesa_wire, receiver, phone):
    mpesa_wire.settings(prompt_seconds=1.5)
    id = pushed(mpesa_wire, PhoneNumber=phone)
    assert mpesa_wire.query(id).json()["ResultCode"] == "4999"
    assert stk(receiver.wait(1)[0])["ResultCode"] == 1037


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"PartyB": "600333"}, 2028),
        ({"TransactionType": "CustomerBuyGoodsOnline"}, "SFC_IC0003"),
        ({"TransactionType": "CustomerBuyGoodsOnline", "PartyB": "600222"}, 2028),
        ({"BusinessShortCode": "600333", "PartyB": "600333"}, 2028),
        ({"PhoneNumber": "254700100003"}, "SFC_IC0003"),
        ({"Amount": 250_001}, 3),
    ],
)
def test_a_misdirected_push_is_accepted_and_then_fails(mpesa_wire, receiver, changes, code):
    id = pushed(mpesa_wire, **changes)
    assert stk(receiver.wait(1)[0])["ResultCode"] == code
    business = {}
    if changes.get("BusinessShortCode"):
        body = mpesa_wire.push_body(**changes)
        business = {name: body[name] for name in ("BusinessShortCode", "Password")}
    assert mpesa_wire.query(id, **business).json()["ResultCode"] == str(code)


def test_a_till_is_paid_through_its_store(mpesa_wire, receiver):
    goods = {"TransactionType": "CustomerBuyGoodsOnline", "BusinessShortCode": "600333", "PartyB": "600222"}
    pushed(mpesa_wire, PhoneNumber=APPROVING, **goods)
    assert stk(receiver.wait(1)[0])["ResultCode"] == 0


def test_a_pending_query_has_two_shapes(mpesa_wire):
    id = pushed(mpesa_wire)
    current = mpesa_wire.query(id)
    assert current.status_code == 200
    assert (current.json()["ResultCode"], current.json()["ResultDesc"]) == ("4999", DESCRIPTIONS["4999"])
    mpesa_wire.settings(pending_shape="legacy")
    assert refusal(mpesa_wire.query(id)) == (500, "500.001.1001", "The transaction is being processed")


def test_a_final_query_is_all_strings_and_has_no_receipt(mpesa_wire):
    answer = mpesa_wire.push().json()
    mpesa_wire.simulate(id=answer["CheckoutRequestID"], outcome="approve")
    assert mpesa_wire.query(answer["CheckoutRequestID"]).json() == {
        "ResponseCode": "0",
        "ResponseDescription": "The service request has been accepted successfully",
        "MerchantRequestID": answer["MerchantRequestID"],
        "CheckoutRequestID": answer["CheckoutRequestID"],
        "ResultCode": "0",
        "ResultDesc": "The service request is processed successfully.",
    }


def test_an_unknown_or_foreign_id_is_an_error_envelope(mpesa_wire):
    expected = (400, "400.002.02", "Bad Request - Invalid CheckoutRequestID")
    assert refusal(mpesa_wire.query("ws_CO_none")) == expected
    body = mpesa_wire.push_body(BusinessShortCode="600333")
    foreign = {name: body[name] for name in ("BusinessShortCode", "Password")}
    assert refusal(mpesa_wire.query(pushed(mpesa_wire), **foreign)) == expected
    wrong = base64.b64encode(f"600111{PASSKEY}x".encode()).decode()
    assert refusal(mpesa_wire.query("ws_CO_none", Password=wrong))[1] == "500.001.1001"


@pytest.mark.parametrize("outcome", ["approve", "decline", "late_success"])
def test_an_ended_prompt_cannot_be_answered_again(mpesa_wire, outcome):
    id = pushed(mpesa_wire)
    mpesa_wire.simulate(id=id, outcome="approve")
    assert mpesa_wire.post("simulate", id=id, outcome=outcome).status_code == 409
    assert len([entry for entry in mpesa_wire.entries() if entry["receipt"]]) == 1


def test_an_unknown_prompt_or_outcome_is_refused(mpesa_wire):
    assert mpesa_wire.post("simulate", id="ws_CO_none").status_code == 404
    assert mpesa_wire.post("simulate", reference="none").status_code == 404
    id = pushed(mpesa_wire)
    assert mpesa_wire.post("simulate", id=id, outcome="dance").status_code == 400
    assert mpesa_wire.post("simulate", id=id, outcome="4999").status_code == 400
    assert mpesa_wire.post("simulate", id=id, callback="sideways").status_code == 400
    assert mpesa_wire.simulate(id=id, outcome="1019")["result"] == "1019"


@pytest.mark.parametrize("how", ["amount", "simulate", "afterwards"])
def test_money_can_come_after_1037(mpesa_wire, receiver, how):
    id = pushed(mpesa_wire, Amount=66618 if how == "amount" else 250)
    if how == "simulate":
        mpesa_wire.simulate(id=id, outcome="late_success")
    elif how == "afterwards":
        mpesa_wire.simulate(id=id, outcome="timeout")
        receiver.wait(1)
        mpesa_wire.simulate(id=id, outcome="late_success")
    first, second = (stk(document) for document in receiver.wait(2))
    assert (first["ResultCode"], second["ResultCode"]) == (1037, 0)
    assert first["CheckoutRequestID"] == second["CheckoutRequestID"] == id
    assert mpesa_wire.query(id).json()["ResultCode"] == "0"
    assert [entry["state"] for entry in mpesa_wire.entries()] == ["paid"]


@pytest.mark.parametrize(
    ("amount", "prompts"),
    [(66601, 0), (66602, 1), (66603, 0), (66604, 1), (66605, 0), (66606, 1), (66608, 1), (66609, 1)],
)
def test_a_push_whose_answer_is_lost_may_have_prompted(mpesa_wire, amount, prompts):
    try:
        answer = mpesa_wire.push(Amount=amount)
        assert answer.status_code in (500, 502) or answer.content == b""
    except requests.ConnectionError:
        pass
    assert len(mpesa_wire.entries()) == prompts
    if prompts:
        mpesa_wire.simulate(reference="INV-20417", outcome="approve")


def test_a_push_can_hang_or_be_limited_by_amount(mpesa_wire):
    mpesa_wire.settings(trouble_seconds=1.5)
    with pytest.raises(requests.Timeout):
        mpesa_wire.push(Amount=66607, timeout=0.1)
    assert len(until(mpesa_wire.entries)) == 1
    assert refusal(mpesa_wire.push(Amount=66610)) == (429, "500.003.02", "Spike Arrest Violation")


@pytest.mark.parametrize("how", ["amount", "trouble", "simulate"])
def test_a_callback_comes_twice(mpesa_wire, receiver, how):
    settle(mpesa_wire, 66611, "duplicate", how)
    receiver.wait(2)
    assert receiver.received[0][2] == receiver.received[1][2]


@pytest.mark.parametrize("how", ["amount", "trouble", "simulate"])
def test_a_callback_never_comes_and_the_query_knows(mpesa_wire, receiver, how):
    id = settle(mpesa_wire, 66614, "missing", how)
    time.sleep(0.1)
    assert receiver.received == []
    assert mpesa_wire.query(id).json()["ResultCode"] == "0"


def test_a_callback_comes_late(mpesa_wire, receiver):
    mpesa_wire.settings(callback_late_seconds=1.5)
    settle(mpesa_wire, 66612, "late", "amount")
    time.sleep(0.1)
    assert receiver.received == []
    receiver.wait(1)


def test_a_lone_callback_is_overtaken_by_the_next(mpesa_wire, receiver):
    first = settle(mpesa_wire, 66613, "reordered", "amount")
    time.sleep(0.05)
    second = pushed(mpesa_wire)
    mpesa_wire.simulate(id=second, outcome="approve")
    assert [stk(document)["CheckoutRequestID"] for document in receiver.wait(2)] == [second, first]


@pytest.mark.parametrize("how", ["amount", "trouble", "setting"])
def test_a_callback_comes_before_the_answer(mpesa_wire, receiver, how):
    if how == "trouble":
        mpesa_wire.trouble(on=PUSH, do="callback_before_answer")
    elif how == "setting":
        mpesa_wire.settings(callback_mode="before_answer")
    id = pushed(mpesa_wire, Amount=66615 if how == "amount" else 250)
    assert stk(receiver.documents()[0])["CheckoutRequestID"] == id


@pytest.mark.parametrize(("amount", "mode", "moved"), [(66616, "under", -10), (66617, "over", 10)])
@pytest.mark.parametrize("how", ["amount", "trouble", "simulate"])
def test_another_amount_moves_than_was_asked(mpesa_wire, receiver, amount, mode, moved, how):
    settle(mpesa_wire, amount, mode, how)
    asked = amount if how == "amount" else 250
    assert items(receiver.wait(1)[0])["Amount"] == asked + moved
    assert mpesa_wire.entries()[0]["amount"] == asked + moved


def test_the_phone_shows_a_waiting_prompt_and_its_button_pays(mpesa_wire):
    id = pushed(mpesa_wire)
    phone = f"{mpesa_wire.url}/_simulator/phone"
    page = requests.get(phone, timeout=5).text
    assert id in page
    assert "KES 250" in page
    assert "INV-20417" in page
    after = requests.post(phone, data={"id": id, "outcome": "approve"}, timeout=5).text
    assert mpesa_wire.entries()[0]["receipt"] in after


def test_what_the_payer_typed_is_escaped_on_the_phone(mpesa_wire):
    pushed(mpesa_wire, AccountReference="<b>INV</b>")
    assert "<b>INV" not in requests.get(f"{mpesa_wire.url}/_simulator/phone", timeout=5).text


def test_an_open_prompt_survives_a_restart_and_still_ends(tmp_path, receiver):
    with simulators.start("mpesa", data=tmp_path) as running:
        wire = MpesaWire(running.url("mpesa"), receiver.url)
        wire.settings(prompt_seconds=2.5)
        id, token = pushed(wire), wire.token
    with simulators.start("mpesa", data=tmp_path) as running:
        wire = MpesaWire(running.url("mpesa"), receiver.url)
        wire.token = token
        assert wire.push().json()["errorMessage"].startswith("Unable to lock")
        assert stk(receiver.wait(1)[0])["ResultCode"] == 1037
        assert wire.query(id).json()["ResultCode"] == "1037"


def test_calls_and_callbacks_can_be_read(mpesa_wire, receiver):
    pushed(mpesa_wire, PhoneNumber=APPROVING)
    receiver.wait(1)
    assert mpesa_wire.ledger()["calls"][PUSH] == 1
    assert "GET /oauth/v1/generate" in mpesa_wire.ledger()["calls"]
    assert json.loads(receiver.received[0][2])


def settle(wire, amount, mode, how):
    """Push and approve with that callback mode, asked for in one of its three ways."""
    if how == "trouble":
        wire.trouble(on=PUSH, do=f"callback_{mode}")
    id = pushed(wire, Amount=amount if how == "amount" else 250, PhoneNumber="254711000113")
    wire.simulate(id=id, outcome="approve", **({"callback": mode} if how == "simulate" else {}))
    return id
