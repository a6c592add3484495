"""The published `mpesakit` against the simulator, with nothing but its address changed."""

import json

import pytest
import requests
from mpesakit import MpesaClient
from mpesakit.c2b import C2BValidationRequest
from mpesakit.errors import MpesaApiException
from mpesakit.security.get_credential import generate_security_credential
from pydantic import ValidationError

from tests.simulators.conftest import PASSKEY, STORE_PASSKEY, until
from tests.simulators.test_mpesa_initiator import PASSWORD, credential

PHONE = "254711000111"


@pytest.fixture
def client(mpesa_wire):
    client = MpesaClient("lango-simulator-key", "lango-simulator-secret", use_session=True)
    client.http_client.base_url = mpesa_wire.url
    yield client
    client.http_client.close()


def push(client, wire, **changes):
    asked = {
        "business_short_code": 600111,
        "transaction_type": "CustomerPayBillOnline",
        "amount": 250,
        "party_a": PHONE,
        "party_b": "600111",
        "phone_number": PHONE,
        "callback_url": wire.callback_url,
        "account_reference": "INV-20417",
        "transaction_desc": "Order 20417",
        "passkey": PASSKEY,
    }
    return client.stk_push(**asked | changes)


def ask(client, id):
    return client.stk_query(business_short_code=600111, checkout_request_id=id, passkey=PASSKEY)


def answers_at(receiver):
    """Where results go, as the library names it."""
    return {"result_url": f"{receiver.url}/cb/rs", "queue_timeout_url": f"{receiver.url}/cb/to"}


def told(receiver, path):
    found = until(lambda: [body for at, _, body in list(receiver.received) if at == path])
    return json.loads(found[0])


def paid(client, wire):
    id = push(client, wire).CheckoutRequestID
    wire.simulate(id=id, outcome="approve", callback="missing")
    return wire.entries(id)[0]["receipt"]


def test_the_library_pushes_asks_and_reads_what_it_is_told(client, mpesa_wire, receiver):
    pushed = push(client, mpesa_wire)
    assert pushed.is_successful()
    mpesa_wire.simulate(id=pushed.CheckoutRequestID, outcome="approve")
    callback = client.process_stk_callback(until(receiver.documents)[0])
    assert callback.is_successful
    assert (callback.amount, callback.phone_number) == (250.0, PHONE)
    assert callback.mpesa_receipt_number == mpesa_wire.entries("INV-20417")[0]["receipt"]
    asked = ask(client, pushed.CheckoutRequestID)
    assert asked.is_successful()
    assert (str(asked.ResultCode), asked.CheckoutRequestID) == ("0", pushed.CheckoutRequestID)


def test_the_library_pushes_to_a_till_through_its_store(client, mpesa_wire):
    till = {"transaction_type": "CustomerBuyGoodsOnline", "business_short_code": 600333, "party_b": "600222"}
    pushed = push(client, mpesa_wire, **till, passkey=STORE_PASSKEY)
    mpesa_wire.simulate(id=pushed.CheckoutRequestID, outcome="approve")
    assert mpesa_wire.entries(pushed.CheckoutRequestID)[0]["state"] == "paid"


@pytest.mark.parametrize(("outcome", "code"), [("cancel", "1032"), ("insufficient_funds", "1"), ("timeout", "1037")])
def test_the_library_learns_why_a_prompt_was_not_paid(client, mpesa_wire, receiver, outcome, code):
    id = push(client, mpesa_wire).CheckoutRequestID
    mpesa_wire.simulate(id=id, outcome=outcome)
    assert str(ask(client, id).ResultCode) == code
    callback = client.process_stk_callback(until(receiver.documents)[0])
    assert not callback.is_successful
    assert (str(callback.Body.stkCallback.ResultCode), callback.amount) == (code, None)


def test_the_library_learns_that_a_prompt_waits_in_either_shape(client, mpesa_wire):
    id = push(client, mpesa_wire).CheckoutRequestID
    assert str(ask(client, id).ResultCode) == "4999"
    mpesa_wire.settings(pending_shape="legacy")
    with pytest.raises(MpesaApiException) as waits:
        ask(client, id)
    assert waits.value.error.status_code == 500
    assert waits.value.error.raw_response["errorCode"] == "500.001.1001"


def test_the_library_reverses_a_payment_once(client, mpesa_wire, receiver):
    receipt = paid(client, mpesa_wire)
    order = {"transaction_id": receipt, "amount": 250, "receiver_party": 600111, "remarks": "Refund 20417"}
    asked = {"initiator": "lango-operator", "security_credential": credential(mpesa_wire)}
    accepted = client.reversal.reverse(**asked, **order, **answers_at(receiver))
    assert accepted.is_successful()
    result = told(receiver, "/cb/rs")["Result"]
    assert (result["ConversationID"], str(result["ResultCode"])) == (accepted.ConversationID, "0")
    assert [entry["state"] for entry in mpesa_wire.entries() if entry["kind"] == "refund"] == ["succeeded"]
    again = {"result_url": f"{receiver.url}/cb/again", "queue_timeout_url": f"{receiver.url}/cb/to"}
    client.reversal.reverse(**asked, **order, **again)
    assert told(receiver, "/cb/again")["Result"]["ResultCode"] == "R000001"


def test_the_library_asks_what_became_of_a_payment(client, mpesa_wire, receiver):
    receipt = paid(client, mpesa_wire)
    asked = {"initiator": "lango-operator", "security_credential": credential(mpesa_wire)}
    whom = {"transaction_id": receipt, "party_a": 600111, "identifier_type": 4}
    accepted = client.transactions.query_status(**asked, **whom, **answers_at(receiver))
    assert accepted.is_successful()
    result = told(receiver, "/cb/rs")["Result"]
    assert (result["ConversationID"], result["TransactionID"]) == (accepted.ConversationID, receipt)


def test_the_library_cannot_open_the_results_that_safaricom_describes(client, mpesa_wire, receiver):
    """It wants `ResultParameters` to be the list itself, which Daraja's page has under `ResultParameter`."""
    receipt = paid(client, mpesa_wire)
    asked = {"initiator": "lango-operator", "security_credential": credential(mpesa_wire)}
    whom = {"transaction_id": receipt, "party_a": 600111, "identifier_type": 4}
    client.transactions.query_status(**asked, **whom, **answers_at(receiver))
    result = told(receiver, "/cb/rs")
    assert isinstance(result["Result"]["ResultParameters"]["ResultParameter"], list)
    with pytest.raises(ValidationError):
        client.process_transactions_callback(result)


@pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning")
def test_the_library_s_own_credential_has_a_time_in_it_that_safaricom_does_not_describe(
    client, mpesa_wire, receiver, tmp_path
):
    pem = tmp_path / "certificate.pem"
    pem.write_bytes(requests.get(f"{mpesa_wire.url}/_simulator/certificate", timeout=5).content)
    asked = {
        "initiator": "lango-operator",
        "security_credential": generate_security_credential(PASSWORD, cert_path=str(pem)),
    }
    whom = {"transaction_id": paid(client, mpesa_wire), "party_a": 600111, "identifier_type": 4}
    assert client.transactions.query_status(**asked, **whom, **answers_at(receiver)).is_successful()
    assert str(told(receiver, "/cb/rs")["Result"]["ResultCode"]) == "2001"


def test_the_library_registers_the_addresses_of_a_paybill_and_reads_its_news(client, mpesa_wire, receiver):
    urls = {"confirmation_url": f"{receiver.url}/cb/confirm", "validation_url": f"{receiver.url}/cb/validate"}
    registered = client.c2b.register_url(short_code=600111, response_type="Completed", **urls)
    assert registered.is_successful()
    assert registered.OriginatorConversationID
    customer = {"short_code": "600111", "amount": 990, "reference": "INV-7", "validation": "missing"}
    came = mpesa_wire.simulate(outcome="paybill", **customer)
    news = C2BValidationRequest.model_validate(told(receiver, "/cb/confirm"))
    assert (news.TransID, news.TransAmount, news.BillRefNumber) == (came["id"], 990.0, "INV-7")


def test_the_library_raises_its_own_error_for_what_is_refused(client, mpesa_wire):
    with pytest.raises(MpesaApiException) as refused:
        push(client, mpesa_wire, passkey="another")
    assert (refused.value.error.status_code, refused.value.error.raw_response["errorCode"]) == (500, "500.001.1001")
    assert set(refused.value.error.raw_response) == {"requestId", "errorCode", "errorMessage"}
    client.token_manager.consumer_secret = "another"
    with pytest.raises(MpesaApiException) as stranger:
        client.token_manager.get_token(force_refresh=True)
    assert stranger.value.error.status_code == 400
