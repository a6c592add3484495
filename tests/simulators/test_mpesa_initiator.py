"""Transaction status and reversal: credentials, results that come later, and money that goes back once."""

import base64
import threading
import time

import pytest
import requests
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import padding

STATUS = "/mpesa/transactionstatus/v1/query"
REVERSAL = "/mpesa/reversal/v1/request"
PASSWORD = "Simulator-Pass-1!"


def credential(wire, password=PASSWORD):
    pem = requests.get(f"{wire.url}/_simulator/certificate", timeout=5).content
    key = x509.load_pem_x509_certificate(pem).public_key()
    return base64.b64encode(key.encrypt(password.encode(), padding.PKCS1v15())).decode()


def paid(wire, **changes):
    id = wire.push(**changes).json()["CheckoutRequestID"]
    wire.simulate(id=id, outcome="approve", callback="missing")
    return wire.entries(id)[0]["receipt"]


def ask_status(wire, receiver, receipt="", **changes):
    body = {
        "Initiator": "lango-operator",
        "SecurityCredential": credential(wire),
        "CommandID": "TransactionStatusQuery",
        "TransactionID": receipt,
        "OriginalConversationID": "",
        "PartyA": "600111",
        "IdentifierType": "4",
        "ResultURL": f"{receiver.url}/cb/ts",
        "QueueTimeOutURL": f"{receiver.url}/cb/to",
        "Remarks": "recon",
        "Occasion": "",
    }
    return wire.call(STATUS, body | changes)


def reverse(wire, receiver, receipt, **changes):
    body = {
        "Initiator": "lango-operator",
        "SecurityCredential": credential(wire),
        "CommandID": "TransactionReversal",
        "TransactionID": receipt,
        "Amount": "250",
        "ReceiverParty": "600111",
        "RecieverIdentifierType": "11",
        "ResultURL": f"{receiver.url}/cb/rv",
        "QueueTimeOutURL": f"{receiver.url}/cb/to",
        "Remarks": "Refund 20417",
        "Occasion": "",
    }
    return wire.call(REVERSAL, body | changes)


def result(receiver, count=1):
    return receiver.wait(count)[count - 1]["Result"]


def parameters(result):
    return [(item["Key"], item.get("Value")) for item in result["ResultParameters"]["ResultParameter"]]


def test_the_certificate_is_the_same_every_time(mpesa_wire):
    url = f"{mpesa_wire.url}/_simulator/certificate"
    first, second = (requests.get(url, timeout=5).text for _ in range(2))
    assert first == second
    assert first.startswith("-----BEGIN CERTIFICATE-----")


def test_a_status_is_accepted_at_once_and_answered_later(mpesa_wire, receiver):
    receipt = paid(mpesa_wire)
    answer = ask_status(mpesa_wire, receiver, receipt).json()
    assert (answer["ResponseCode"], answer["ResponseDescription"]) == (
        "0",
        "Accept the service request successfully.",
    )
    assert answer["ConversationID"].startswith("AG_2")
    found = result(receiver)
    assert receiver.received[0][0] == "/cb/ts"
    assert (found["ResultType"], found["ResultCode"]) == (0, 0)
    assert found["ConversationID"] == answer["ConversationID"]
    assert found["OriginatorConversationID"] == answer["OriginatorConversationID"]
    assert isinstance(found["ReferenceData"]["ReferenceItem"], list)
    pairs = parameters(found)
    named = dict(pairs)
    assert (named["ReceiptNo"], named["Amount"], named["TransactionStatus"]) == (receipt, 250, "Completed")
    parties = [value for key, value in pairs if key == "DebitPartyName"]
    assert [party.split(" - ")[0] for party in parties] == ["254711000111", "600111"]
    assert {"Key": "DebitPartyCharges"} in found["ResultParameters"]["ResultParameter"]


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"TransactionID": "TKK4NOTHERE"}, 25),
        ({"Initiator": "stranger"}, 2001),
        ({"SecurityCredential": base64.b64encode(b"plain").decode()}, 2001),
        ({"PartyA": "600999"}, "SFC_IC0003"),
        ({"PartyA": "600333"}, 25),
    ],
)
def test_a_status_that_fails_has_a_code_and_no_parameters(mpesa_wire, receiver, changes, code):
    ask_status(mpesa_wire, receiver, paid(mpesa_wire), **changes)
    found = result(receiver)
    assert found["ResultCode"] == code
    assert "ResultParameters" not in found
    assert found["TransactionID"] == "TKK0000000"


def test_a_wrong_password_is_found_by_decrypting(mpesa_wire, receiver):
    wrong = credential(mpesa_wire, "not-the-password")
    ask_status(mpesa_wire, receiver, paid(mpesa_wire), SecurityCredential=wrong)
    assert result(receiver)["ResultCode"] == 2001


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("Initiator", ""),
        ("SecurityCredential", None),
        ("CommandID", "TransactionStatus"),
        ("TransactionID", ""),
        ("PartyA", "x"),
        ("IdentifierType", "11"),
        ("ResultURL", "https://pay.example/query"),
        ("QueueTimeOutURL", "nowhere"),
        ("Remarks", ""),
    ],
)
def test_a_wrong_status_field_is_named(mpesa_wire, receiver, field, value):
    answer = ask_status(mpesa_wire, receiver, "TKK4SAMPLE", **{field: value})
    assert answer.status_code == 400
    assert answer.json()["errorMessage"] == f"Bad Request - Invalid {field}"


def test_a_reversal_gives_the_money_back_and_its_own_receipt(mpesa_wire, receiver):
    receipt = paid(mpesa_wire)
    answer = reverse(mpesa_wire, receiver, receipt).json()
    found = result(receiver)
    named = dict(parameters(found))
    assert (found["ResultCode"], found["ConversationID"]) == (0, answer["ConversationID"])
    assert (named["OriginalTransactionID"], named["Amount"]) == (receipt, 250)
    assert isinstance(named["TransCompletedTime"], int)
    assert isinstance(found["ReferenceData"]["ReferenceItem"], dict)
    payment, refund = mpesa_wire.entries()
    assert (refund["kind"], refund["state"], refund["amount"]) == ("refund", "succeeded", 250)
    assert refund["receipt"] == found["TransactionID"] != receipt
    assert refund["payment"] == payment["id"]
    ask_status(mpesa_wire, receiver, found["TransactionID"])
    again = dict(parameters(result(receiver, 2)))
    assert (again["ReceiptNo"], again["ReasonType"]) == (refund["receipt"], "Transaction Reversal")


def test_a_status_by_conversation_finds_a_reversal(mpesa_wire, receiver):
    ids = reverse(mpesa_wire, receiver, paid(mpesa_wire)).json()
    own = result(receiver)["TransactionID"]
    for count, id in enumerate((ids["ConversationID"], ids["OriginatorConversationID"]), 2):
        ask_status(mpesa_wire, receiver, OriginalConversationID=id)
        assert dict(parameters(result(receiver, count)))["ReceiptNo"] == own


def test_a_receipt_is_reversed_once_also_in_a_race(mpesa_wire, receiver):
    receipt, start = paid(mpesa_wire), threading.Barrier(8)

    def run():
        start.wait()
        reverse(mpesa_wire, receiver, receipt)

    threads = [threading.Thread(target=run) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    codes = [document["Result"]["ResultCode"] for document in receiver.wait(8)]
    assert sorted(map(str, codes)) == ["0"] + ["R000001"] * 7
    assert [entry["state"] for entry in mpesa_wire.entries()].count("succeeded") == 1


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"TransactionID": "TKK4NOTHERE"}, "R000002"),
        ({"ReceiverParty": "600333"}, "R000002"),
        ({"ReceiverParty": "600999"}, "SFC_IC0003"),
        ({"Amount": "249"}, 25),
        ({"Initiator": "stranger"}, 2001),
    ],
)
def test_a_reversal_that_fails_moves_nothing(mpesa_wire, receiver, changes, code):
    reverse(mpesa_wire, receiver, paid(mpesa_wire), **changes)
    assert result(receiver)["ResultCode"] == code
    assert [entry["state"] for entry in mpesa_wire.entries()] == ["paid", "failed"]


@pytest.mark.parametrize(
    ("field", "value"),
    [("RecieverIdentifierType", "4"), ("Amount", "2.5"), ("Remarks", "x"), ("TransactionID", "")],
)
def test_a_wrong_reversal_field_is_named(mpesa_wire, receiver, field, value):
    answer = reverse(mpesa_wire, receiver, "TKK4SAMPLE", **{field: value})
    assert answer.json()["errorMessage"] == f"Bad Request - Invalid {field}"


@pytest.mark.parametrize(("do", "reversed_too"), [("queue_timeout_before", False), ("queue_timeout_after", True)])
def test_a_queue_timeout_proves_nothing(mpesa_wire, receiver, do, reversed_too):
    receipt = paid(mpesa_wire)
    mpesa_wire.trouble(on=f"POST {REVERSAL}", do=do)
    reverse(mpesa_wire, receiver, receipt)
    receiver.wait(1)
    assert receiver.received[0][0] == "/cb/to"
    reverse(mpesa_wire, receiver, receipt)
    assert result(receiver, 2)["ResultCode"] == ("R000001" if reversed_too else 0)


@pytest.mark.parametrize("code", ["1", "17", "26", "21", "2028", "8006"])
def test_any_result_code_can_be_asked_for(mpesa_wire, receiver, code):
    receipt = paid(mpesa_wire)
    mpesa_wire.trouble(on=f"POST {REVERSAL}", do=f"result_{code}")
    reverse(mpesa_wire, receiver, receipt)
    assert result(receiver)["ResultCode"] == int(code)
    assert [entry["state"] for entry in mpesa_wire.entries()] == ["paid", "failed"]


@pytest.mark.parametrize(("mode", "count"), [("duplicate", 2), ("missing", 0), ("before_answer", 1)])
def test_results_come_twice_never_or_too_early(mpesa_wire, receiver, mode, count):
    receipt = paid(mpesa_wire)
    mpesa_wire.trouble(on=f"POST {REVERSAL}", do=f"callback_{mode}")
    reverse(mpesa_wire, receiver, receipt)
    assert len(receiver.received) >= (1 if mode == "before_answer" else 0)
    receiver.wait(count)
    time.sleep(0.2)
    assert len(receiver.received) == count
    assert mpesa_wire.entries()[1]["state"] == "succeeded"


def test_a_lost_answer_to_a_reversal_may_have_reversed(mpesa_wire, receiver):
    receipt = paid(mpesa_wire)
    mpesa_wire.trouble(on=f"POST {REVERSAL}", do="reset_after")
    with pytest.raises(requests.ConnectionError):
        reverse(mpesa_wire, receiver, receipt)
    assert result(receiver)["ResultCode"] == 0
