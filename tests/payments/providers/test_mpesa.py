"""M-Pesa: the contract, then what only M-Pesa does. Values are samples; names and types are Daraja's."""

import base64
import datetime
import json
import random
from dataclasses import replace
from typing import Any, ClassVar

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from core.companies import mpesa as daraja
from core.crypto import Secret
from core.http import AnswerLost, Request, Response
from core.money import Money, NotRepresentable
from core.providers import (
    Misconfigured,
    NothingCreated,
    OutcomeUnknown,
    TokenRejected,
    Unreachable,
    Unreadable,
    Unsupported,
    from_json,
)
from payments.providers.base import (
    Connection,
    FailureCode,
    Kind,
    MoneyMoved,
    Notice,
    Order,
    RawCallback,
    ReceiptKind,
    Report,
    Topic,
    Word,
)
from payments.providers.mpesa import Credentials, Mpesa, Options
from tests.contracts.payments import World
from tests.contracts.saving import SavingContract
from tests.contracts.world import MemoryTokens, SimulatorControl, Wire, changed, document

KES = Money(25_000, "KES")
CHECKOUT = "ws_CO_20112026140507711000111"
PUSH = "POST /mpesa/stkpush/v1/processrequest"
PUSH_CODES = {
    "1": FailureCode.INSUFFICIENT_FUNDS,
    "2": FailureCode.LIMIT_EXCEEDED,
    "3": FailureCode.LIMIT_EXCEEDED,
    "4": FailureCode.LIMIT_EXCEEDED,
    "8": FailureCode.PROVIDER_CONFIGURATION,
    "17": FailureCode.DUPLICATE,
    "26": FailureCode.PROVIDER_UNAVAILABLE,
    "1001": FailureCode.PAYER_BUSY,
    "1019": FailureCode.TIMED_OUT,
    "1025": FailureCode.PROVIDER_ERROR,
    "1032": FailureCode.CANCELLED_BY_PAYER,
    "1036": FailureCode.PAYER_UNREACHABLE,
    "1037": FailureCode.PAYER_UNREACHABLE,
    "2001": FailureCode.AUTHENTICATION_FAILED,
    "2028": FailureCode.PROVIDER_CONFIGURATION,
    "8006": FailureCode.AUTHENTICATION_FAILED,
    "9999": FailureCode.PROVIDER_ERROR,
    "SFC_IC0003": FailureCode.PROVIDER_CONFIGURATION,
}
WAITING = (Word.REQUIRES_ACTION, {"type": "prompt"})


class TestMpesaContract(SavingContract):
    name = "mpesa"
    method = "mpesa"
    credentials: ClassVar = {
        "consumer_key": "lango-simulator-key",
        "consumer_secret": "lango-simulator-secret",
        "passkey": "lango-simulator-passkey-600111",
        "initiator_name": "lango-operator",
        "initiator_password": "Simulator-Pass-1!",
    }
    refused_credentials: ClassVar = {"consumer_secret": "not-the-app's-own"}
    money = KES
    carried: ClassVar = {KES: 250, Money(100, "KES"): 1, Money(25_000_000, "KES"): 250_000}
    not_carried = (Money(25_050, "KES"), Money(0, "KES"), Money(25_000_100, "KES"), Money(250, "USD"))
    calls: ClassVar = {Kind.CREATE: PUSH, Kind.REFUND: "POST /mpesa/reversal/v1/request"}

    def options(self, control: SimulatorControl) -> dict[str, Any]:
        return {"shortcode": "600111", "certificate": control.get("certificate").data.decode()}

    def instrument(self) -> str:
        # A handset takes one prompt at a time, and some numbers of the simulator act by themselves.
        return f"07{random.randint(11_000_000, 99_999_999)}"

    def declined_instrument(self) -> str:
        return "254711000222"

    def arrival(self, world: World) -> RawCallback:
        world.wire.perform(world.provider.register_doors(world.receiver.url))
        wanted = {"short_code": "600111", "amount": 250, "reference": "LUNCH"}
        world.control.post("simulate", outcome="paybill", validation="missing", **wanted)
        return world.receiver.wait(lambda callback: callback.door == "confirmation")

    def with_unknown_word(self, callback: RawCallback) -> RawCallback:
        event = changed(document(callback), ("Body", "stkCallback", "ResultCode"), 4242)
        return replace(callback, body=json.dumps(event).encode())

    def prompted(self, world: World, **changes: Any) -> Order:
        order = self.order(world, **changes)
        report = world.wire.perform(world.provider.step(order))
        assert (report.word, report.next_action) == WAITING
        return replace(order, provider_id=report.provider_id)

    @pytest.mark.parametrize("shape", ["current", "legacy"])
    def test_both_shapes_of_a_pending_answer_mean_that_the_payer_is_still_waited_for(self, world: World, shape: str):
        world.control.post("settings", pending_shape=shape)
        order = self.prompted(world)
        report = world.wire.perform(world.provider.fetch(order))
        assert (report.word, report.moved) == (Word.REQUIRES_ACTION, ())
        assert report.provider_status == {"current": "4999", "legacy": "500.001.1001"}[shape]

    @pytest.mark.parametrize("code", PUSH_CODES)
    def test_each_result_code_reads_the_same_in_callback_and_query(self, world: World, code: str):
        order = self.prompted(world)
        world.control.post("simulate", id=order.provider_id, outcome=code)
        queried = world.wire.perform(world.provider.fetch(order))
        told = self.noticed(world, Topic.PAYMENT, order.provider_id)
        assert queried == told
        assert queried.failure is not None
        assert (queried.word, queried.moved, queried.still_payable) == (Word.FAILED, (), False)
        assert (queried.failure.code, queried.failure.provider_code) == (PUSH_CODES[code], code)

    def test_a_query_confirms_the_money_without_its_receipt_and_the_callback_has_it(self, world: World):
        paid = self.paid(world)
        callback, notice = self.notice(world, Topic.PAYMENT, paid.report.provider_id)
        assert paid.report.moved == (MoneyMoved(ReceiptKind.CAPTURE, KES, ""),)
        assert notice.report is not None
        assert len(notice.report.moved[0].provider_money_id) == 10
        assert notice.payer is not None
        assert notice.payer == paid.order.instrument
        assert world.provider.answer(callback).body == b'{"ResultCode":0,"ResultDesc":"Accepted"}'

    @pytest.mark.parametrize(("trouble", "amount"), [("callback_under", 24_000), ("callback_over", 26_000)])
    def test_a_callback_tells_what_really_moved(self, world: World, trouble: str, amount: int):
        world.control.post("trouble", do=trouble, on=PUSH)
        paid = self.paid(world)
        told = self.noticed(world, Topic.PAYMENT, paid.report.provider_id)
        assert told.moved[0].money == Money(amount, "KES")

    def test_a_second_prompt_on_one_phone_is_refused_and_creates_nothing(self, world: World):
        order = self.prompted(world)
        again = self.order(world, instrument=order.instrument)
        with pytest.raises(NothingCreated) as refused:
            world.wire.perform(world.provider.step(again))
        assert (refused.value.code, world.control.entries(again.reference)) == ("payer_busy", [])

    def test_a_wrong_passkey_is_a_matter_of_configuration(self, world: World):
        wire = self.wire(world.control, passkey="not-of-this-short-code")
        with pytest.raises(Misconfigured):
            wire.perform(wire.provider.step(self.order(world)))

    def test_a_token_that_was_replaced_is_rejected_and_a_fresh_one_sends_the_prompt_once(self, world: World):
        order = self.prompted(world)
        thief = self.wire(world.control)
        thief.provider.authorize(Request("GET", world.control.base_url))
        question = world.provider.fetch(order)
        with pytest.raises(TokenRejected):
            question.read(world.wire.call(question.request))
        again = self.order(world)
        assert world.wire.perform(world.provider.step(again)).word is Word.REQUIRES_ACTION
        assert world.wire.tokens.fetched == 2
        assert len(world.control.entries(again.reference)) == 1

    def test_a_till_is_paid_through_its_store(self, world: World):
        till = {**self.options(world.control), "shortcode": "600333", "till": "600222"}
        credentials = {**self.credentials, "passkey": "lango-simulator-passkey-600333"}
        wire = Wire.to(Mpesa, world.control.base_url, from_json(Credentials, credentials), from_json(Options, till))
        order = self.order(world)
        report = wire.perform(wire.provider.step(order))
        assert self.answered(replace(world, wire=wire), order, report, "approve").word is Word.SUCCEEDED

    def test_a_reversal_is_acknowledged_first_and_told_later(self, world: World):
        order = self.ready(world, Kind.REFUND)
        asked = world.wire.perform(world.provider.step(order))
        assert (asked.word, asked.moved) == (Word.PENDING, ())
        assert asked.provider_id.startswith("AG_")
        callback, notice = self.notice(world, Topic.REFUND, asked.provider_id)
        assert callback.door == "reversal"
        assert notice.report is not None
        assert notice.report.moved[0].money == KES
        assert notice.report.moved[0].provider_money_id not in ("", order.target_id)

    def test_a_status_query_confirms_a_reversal_by_its_own_transaction(self, world: World):
        order = self.ready(world, Kind.REFUND)
        told = self.outcome(world, order, world.wire.perform(world.provider.step(order)))
        question = replace(order, kind=Kind.LOOKUP, target_id=told.moved[0].provider_money_id)
        asked = world.wire.perform(world.provider.step(question))
        callback, notice = self.notice(world, Topic.REFUND, asked.provider_id)
        assert callback.door == "status"
        assert notice.report is not None
        assert (notice.report.word, notice.report.provider_status) == (Word.SUCCEEDED, "Completed")
        assert notice.report.moved == told.moved

    def test_a_status_query_finds_a_reversal_by_its_conversation_too(self, world: World):
        order = self.ready(world, Kind.REFUND)
        refunded = world.wire.perform(world.provider.step(order))
        told = self.outcome(world, order, refunded)
        question = replace(order, kind=Kind.LOOKUP, target_id=refunded.provider_id)
        asked = world.wire.perform(world.provider.step(question))
        assert self.noticed(world, Topic.REFUND, asked.provider_id).moved == told.moved

    def test_a_second_reversal_is_unknown_as_it_does_not_say_whose_the_first_was(self, world: World):
        order = self.ready(world, Kind.REFUND)
        self.outcome(world, order, world.wire.perform(world.provider.step(order)))
        again = self.outcome(world, order, world.wire.perform(world.provider.step(order)))
        assert (again.word, again.provider_status, again.moved) == (Word.UNKNOWN, "R000001", ())

    def test_a_notice_from_the_queue_is_no_failure(self, world: World):
        order = self.ready(world, Kind.REFUND)
        world.control.post("trouble", do="queue_timeout_after", on=self.calls[Kind.REFUND])
        world.wire.perform(world.provider.step(order))
        callback = world.receiver.wait(lambda callback: callback.door == "reversal-late")
        assert world.provider.read_callback(callback) == Notice(Topic.NOTHING)


# Without the wire


@pytest.fixture(scope="module")
def key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


@pytest.fixture(scope="module")
def certificate(key: rsa.RSAPrivateKey) -> str:
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "test")])
    builder = x509.CertificateBuilder(
        issuer_name=name,
        subject_name=name,
        public_key=key.public_key(),
        serial_number=1,
        not_valid_before=datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC),
        not_valid_after=datetime.datetime(2046, 1, 1, tzinfo=datetime.UTC),
    )
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()


def mpesa(**options: Any) -> Mpesa:
    credentials = Credentials(Secret("key"), Secret("secret"), Secret("samplePasskey"), "apiop1", Secret("Initiator-1"))

    def send(request: Request) -> Response:
        raise AssertionError("nothing may be sent")

    def now() -> datetime.datetime:
        return datetime.datetime(2026, 11, 20, 11, 5, 6, tzinfo=datetime.UTC)

    settings = Options(**{"shortcode": "600111", **options})
    return Mpesa(Connection("https://api.safaricom.co.ke", True, credentials, settings, now, send, MemoryTokens()))


def order(kind: Kind = Kind.CREATE, **changes: Any) -> Order:
    def door(name: str) -> str:
        return f"https://pay.example/cb/{name}"

    made_order = Order(kind, "INV20417ABCD", "op_1", KES, door, instrument=Secret("254711000111"))
    return replace(made_order, **changes)


def sent(step_order: Order, **options: Any) -> dict[str, Any]:
    return json.loads(mpesa(**options).step(step_order).request.body)


def response(status: int, body: Any = None) -> Response:
    return Response(status, {}, b"" if body is None else json.dumps(body).encode(), 0.0)


def fault(code: str, message: str) -> dict[str, str]:
    return {"requestId": "8c1d-4a7b", "errorCode": code, "errorMessage": message}


def pushed(answer: Response) -> Report:
    return mpesa().step(order()).read(answer)


def queried(answer: Response) -> Report:
    return mpesa().fetch(order(provider_id=CHECKOUT)).read(answer)


def query_answer(code: Any, text: str = "", **changes: Any) -> Response:
    body = {
        "ResponseCode": "0",
        "ResponseDescription": "The service request has been accepted successfully",
        "MerchantRequestID": "7d1f-4c2a",
        "CheckoutRequestID": CHECKOUT,
        "ResultCode": code,
        "ResultDesc": text,
    }
    return response(200, {**body, **changes})


def prompt_callback(code: Any, items: Any = None) -> RawCallback:
    callback = {"MerchantRequestID": "7d1f-4c2a", "CheckoutRequestID": CHECKOUT, "ResultCode": code}
    if items is not None:
        callback["CallbackMetadata"] = {"Item": items}
    return RawCallback("prompt", {}, json.dumps({"Body": {"stkCallback": callback}}).encode())


def result_callback(door: str, code: Any, parameters: Any = None, **changes: Any) -> RawCallback:
    result = {
        "ResultType": 0,
        "ResultCode": code,
        "ResultDesc": "x",
        "OriginatorConversationID": "f0aa-41b9",
        "ConversationID": "AG_20261120_2010",
        "TransactionID": "TKK4SAMPL3",
        "ReferenceData": {"ReferenceItem": {"Key": "QueueTimeoutURL", "Value": "https://x"}},
    }
    if parameters is not None:
        result["ResultParameters"] = {"ResultParameter": parameters}
    return RawCallback(door, {}, json.dumps({"Result": {**result, **changes}}).encode())


def test_the_push_to_a_paybill_is_the_documented_one_with_its_golden_password():
    request = mpesa().step(order(description="Order #20417, two pairs")).request
    assert request.url == "https://api.safaricom.co.ke/mpesa/stkpush/v1/processrequest"
    assert (request.method, request.headers) == ("POST", {"Content-Type": "application/json"})
    assert request.fresh
    assert json.loads(request.body) == {
        "BusinessShortCode": "600111",
        "Password": "NjAwMTExc2FtcGxlUGFzc2tleTIwMjYxMTIwMTQwNTA2",
        "Timestamp": "20261120140506",
        "TransactionType": "CustomerPayBillOnline",
        "Amount": 250,
        "PartyA": "254711000111",
        "PartyB": "600111",
        "PhoneNumber": "254711000111",
        "CallBackURL": "https://pay.example/cb/prompt",
        "AccountReference": "INV20417ABCD",
        "TransactionDesc": "Order 20417 t",
    }


def test_the_push_to_a_till_names_the_till_as_receiver():
    body = sent(order(), till="600222")
    assert (body["BusinessShortCode"], body["PartyB"]) == ("600111", "600222")
    assert body["TransactionType"] == "CustomerBuyGoodsOnline"


@pytest.mark.parametrize("description", ["", "#!?", "—"])
def test_a_description_is_always_sent(description: str):
    assert sent(order(description=description))["TransactionDesc"] == "Payment"


def test_a_reversal_is_the_documented_one_with_its_misspelling(certificate: str, key: rsa.RSAPrivateKey):
    request = mpesa(certificate=certificate).step(order(Kind.REFUND, target_id="TKK4SAMPLE")).request
    body = json.loads(request.body)
    credential = base64.b64decode(body.pop("SecurityCredential"))
    assert key.decrypt(credential, padding.PKCS1v15()) == b"Initiator-1"
    assert request.url == "https://api.safaricom.co.ke/mpesa/reversal/v1/request"
    assert request.fresh
    assert body == {
        "Initiator": "apiop1",
        "CommandID": "TransactionReversal",
        "TransactionID": "TKK4SAMPLE",
        "Amount": "250",
        "ReceiverParty": "600111",
        "RecieverIdentifierType": "11",
        "ResultURL": "https://pay.example/cb/reversal",
        "QueueTimeOutURL": "https://pay.example/cb/reversal-late",
        "Remarks": "Refund INV20417ABCD",
        "Occasion": "",
    }


def test_a_status_query_asks_for_the_transaction(certificate: str):
    body = sent(order(Kind.LOOKUP, target_id="TKK4SAMPL3"), certificate=certificate)
    del body["SecurityCredential"]
    assert body == {
        "Initiator": "apiop1",
        "CommandID": "TransactionStatusQuery",
        "TransactionID": "TKK4SAMPL3",
        "OriginalConversationID": "",
        "PartyA": "600111",
        "IdentifierType": "4",
        "ResultURL": "https://pay.example/cb/status",
        "QueueTimeOutURL": "https://pay.example/cb/status-late",
        "Remarks": "Refund INV20417ABCD",
        "Occasion": "",
    }


def test_a_status_query_asks_by_conversation_where_no_transaction_is_known(certificate: str):
    body = sent(order(Kind.LOOKUP, target_id="AG_20261120_2010"), certificate=certificate)
    assert (body["TransactionID"], body["OriginalConversationID"]) == ("", "AG_20261120_2010")


@pytest.mark.parametrize("pem", ["", "not a certificate"])
def test_a_reversal_without_a_certificate_is_a_matter_of_configuration(pem: str):
    with pytest.raises(Misconfigured, match="certificate"):
        mpesa(certificate=pem).step(order(Kind.REFUND, target_id="TKK4SAMPLE"))


def test_a_reversal_waits_for_the_receipt(certificate: str):
    with pytest.raises(NothingCreated, match="receipt"):
        mpesa(certificate=certificate).step(order(Kind.REFUND))


def test_a_prompt_without_its_id_cannot_be_asked_about():
    with pytest.raises(Unsupported):
        mpesa().fetch(order())


def test_limits_are_the_accounts_own():
    account = mpesa(smallest_amount=10, largest_amount=20)
    assert account.units(Money(1000, "KES")) == 10
    for amount in (900, 2100, 1050):
        with pytest.raises(NotRepresentable):
            account.units(Money(amount, "KES"))


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (400, fault("400.002.02", "Bad Request - Invalid PhoneNumber"), NothingCreated),
        (400, fault("400.002.05", "Invalid Request Payload"), NothingCreated),
        (400, fault("400.003.02", "Bad Request"), NothingCreated),
        (404, fault("404.001.01", "Resource not found"), NothingCreated),
        (404, fault("404.001.04", "Invalid Authentication Header"), NothingCreated),
        (405, fault("405.001", "Method Not Allowed"), NothingCreated),
        (404, fault("404.001.03", "Invalid Access Token"), TokenRejected),
        (400, fault("400.003.01", "Invalid Access Token"), TokenRejected),
        (401, fault("401.002.01", "Error Occurred - Invalid Access Token - x"), TokenRejected),
        (401, fault("401.001", "Invalid token"), TokenRejected),
        (403, fault("403.001.01", "Invalid access token"), TokenRejected),
        (
            401,
            {"fault": {"faultstring": "Invalid Access Token", "detail": {"errorcode": "x"}}},
            TokenRejected,
        ),
        (401, None, TokenRejected),
        (401, {"fault": {"faultstring": "Invalid API call as no apiproduct match found"}}, Misconfigured),
        (500, fault("500.001.1001", "[MerchantValidate] - Wrong credentials"), Misconfigured),
        (500, fault("500.001.1001", "Merchant does not exist"), Misconfigured),
        (
            500,
            fault("500.001.1001", "Unable to lock subscriber, a transaction is in process"),
            NothingCreated,
        ),
        (500, fault("500.001.1001", "The transaction is being processed"), OutcomeUnknown),
        (500, fault("500.001.1001", ""), OutcomeUnknown),
        (500, fault("500.003.02", "Spike Arrest Violation"), OutcomeUnknown),
        (500, fault("500.003.03", "Quota Violation"), OutcomeUnknown),
        (429, fault("500.003.02", "Spike Arrest Violation"), OutcomeUnknown),
        (500, fault("500.003.1001", "Internal Server Error"), OutcomeUnknown),
        (500, fault("400.002.02", "Bad Request - Invalid PhoneNumber"), OutcomeUnknown),
        (
            503,
            {"fault": {"faultstring": "The Service is temporarily unavailable", "detail": "x"}},
            OutcomeUnknown,
        ),
        (400, None, OutcomeUnknown),
        (403, "an html page", OutcomeUnknown),
        (200, None, OutcomeUnknown),
        (200, {}, OutcomeUnknown),
        (200, {"ResponseCode": "1", "CheckoutRequestID": CHECKOUT}, OutcomeUnknown),
        (200, {"ResponseCode": "0"}, OutcomeUnknown),
        (200, {"ResponseCode": "0", "CheckoutRequestID": ""}, OutcomeUnknown),
    ],
)
def test_an_answer_to_the_push_proves_only_what_is_listed(status: int, body: Any, kind: type[Exception]):
    with pytest.raises(kind) as caught:
        pushed(response(status, body))
    assert type(caught.value) is kind


def test_a_locked_subscriber_is_a_busy_payer():
    with pytest.raises(NothingCreated) as refused:
        pushed(response(500, fault("500.001.1001", "Unable to lock subscriber")))
    assert (refused.value.code, refused.value.provider_code) == ("payer_busy", "500.001.1001")


@pytest.mark.parametrize("code", ["0", 0])
def test_an_acceptance_means_that_the_payer_is_asked(code: Any):
    report = pushed(response(200, {"ResponseCode": code, "CheckoutRequestID": CHECKOUT, "MerchantRequestID": "x"}))
    assert (report.word, report.next_action) == WAITING
    assert (report.provider_id, report.moved) == (CHECKOUT, ())


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        (query_answer("4999", "The transaction is still under processing"), "4999"),
        (query_answer(4999), "4999"),
        (response(500, fault("500.001.1001", "The transaction is being processed")), "500.001.1001"),
        (response(500, fault("500.001.1001", "Something never seen before")), "500.001.1001"),
    ],
)
def test_a_query_that_is_pending_or_unsure_keeps_waiting(answer: Response, status: str):
    report = queried(answer)
    assert (report.word, report.moved) == (Word.REQUIRES_ACTION, ())
    assert (report.provider_id, report.provider_status) == (CHECKOUT, status)


def test_a_pending_code_whose_message_says_otherwise_is_unknown():
    report = queried(query_answer("4999", "Request cancelled by user"))
    assert (report.word, report.provider_status, report.moved) == (Word.UNKNOWN, "4999", ())


@pytest.mark.parametrize(
    "answer",
    [
        response(500, fault("500.001.1001", "Wrong credentials")),
        response(500, fault("500.001.1001", "Merchant does not exist")),
        response(500, fault("500.001.1001", "Unable to lock subscriber")),
        response(500, fault("500.003.02", "Spike Arrest Violation")),
        response(429, fault("500.003.03", "Quota Violation")),
        response(400, fault("400.002.02", "Bad Request - Invalid CheckoutRequestID")),
        response(200, {"ResponseCode": "0", "CheckoutRequestID": CHECKOUT}),
        query_answer("0", CheckoutRequestID="ws_CO_another"),
        query_answer(None),
        query_answer(True),
        response(200),
    ],
)
def test_a_query_that_is_refused_or_about_something_else_says_nothing(answer: Response):
    with pytest.raises(OutcomeUnknown):
        queried(answer)


@pytest.mark.parametrize("code", ["0", 0])
def test_a_query_that_succeeds_is_the_money_asked_for_with_the_receipt_pending(code: Any):
    report = queried(query_answer(code))
    assert (report.word, report.moved) == (Word.SUCCEEDED, (MoneyMoved(ReceiptKind.CAPTURE, KES, ""),))


@pytest.mark.parametrize("code", ["5", "1033", "R000001", "SFC_IC0009", "-1"])
def test_a_result_code_that_no_table_lists_is_unknown(code: str):
    assert queried(query_answer(code)).word is Word.UNKNOWN
    report = mpesa().read_callback(prompt_callback(code)).report
    assert report is not None
    assert (report.word, report.provider_status) == (Word.UNKNOWN, code)


def test_a_callback_s_items_come_in_any_order_with_values_missing_or_masked():
    items = [
        {"Name": "PhoneNumber", "Value": "2547 ***** 111"},
        {"Name": "Balance"},
        {"Name": "MpesaReceiptNumber", "Value": "TKK4SAMPLE"},
        {"Name": "Amount", "Value": 233.8},
    ]
    notice = mpesa().read_callback(prompt_callback(0, items))
    assert notice.report is not None
    assert notice.report.moved == (MoneyMoved(ReceiptKind.CAPTURE, Money(23_380, "KES"), "TKK4SAMPLE"),)
    assert notice.payer == Secret("2547 ***** 111")


def test_a_callback_without_its_amount_or_receipt_claims_no_more_than_it_says():
    paid = mpesa().read_callback(prompt_callback("0", [{"Name": "Amount", "Value": 250}])).report
    bare = mpesa().read_callback(prompt_callback(0)).report
    assert paid is not None
    assert bare is not None
    assert paid.moved == (MoneyMoved(ReceiptKind.CAPTURE, KES, ""),)
    assert (bare.word, bare.moved) == (Word.SUCCEEDED, ())


@pytest.mark.parametrize("amount", ["many", -1, 250.005, True, "NaN", "Infinity", "1e30", [250]])
def test_a_callback_with_an_amount_that_is_none_is_unreadable(amount: Any):
    with pytest.raises(Unreadable):
        mpesa().read_callback(prompt_callback(0, [{"Name": "Amount", "Value": amount}]))


@pytest.mark.parametrize(
    ("code", "word", "failure"),
    [
        (1, Word.FAILED, FailureCode.INSUFFICIENT_FUNDS),
        ("11", Word.FAILED, FailureCode.DECLINED),
        (15, Word.UNKNOWN, None),
        (17, Word.UNKNOWN, None),
        (18, Word.FAILED, FailureCode.PROVIDER_CONFIGURATION),
        (21, Word.FAILED, FailureCode.PROVIDER_CONFIGURATION),
        (26, Word.UNKNOWN, None),
        ("2001", Word.FAILED, FailureCode.PROVIDER_CONFIGURATION),
        ("R000001", Word.UNKNOWN, None),
        ("R000002", Word.FAILED, FailureCode.INVALID_REQUEST),
        ("SFC_IC0003", Word.FAILED, FailureCode.PROVIDER_CONFIGURATION),
    ],
)
def test_a_reversal_fails_only_where_the_money_has_certainly_stayed(code: Any, word: Word, failure: FailureCode | None):
    callback = result_callback("reversal", code, TransactionID="TKK0000000")
    notice = mpesa().read_callback(callback)
    assert notice.report is not None
    assert (notice.topic, notice.report.word, notice.report.moved) == (Topic.REFUND, word, ())
    assert (notice.report.failure.code if notice.report.failure else None) is failure


@pytest.mark.parametrize(
    "parameters",
    [
        {"Key": "Amount", "Value": "250.00"},
        [{"Key": "Charge"}, {"Key": "Amount", "Value": 250}, {"Key": "Amount", "Value": 1}],
    ],
)
def test_a_reversal_s_parameters_are_a_list_or_a_lone_object(parameters: Any):
    notice = mpesa().read_callback(result_callback("reversal", "0", parameters))
    assert notice.report is not None
    assert notice.report.provider_id == "AG_20261120_2010"
    assert notice.report.moved == (MoneyMoved(ReceiptKind.REFUND, KES, "TKK4SAMPL3"),)


@pytest.mark.parametrize(
    ("code", "status", "word", "told"),
    [
        (0, "Completed", Word.SUCCEEDED, "Completed"),
        ("0", "Declined", Word.UNKNOWN, "Declined"),
        (0, None, Word.UNKNOWN, "None"),
        (25, "Completed", Word.FAILED, "25"),
        (26, "Completed", Word.UNKNOWN, "26"),
    ],
)
def test_a_status_is_read_by_the_accounts_own_words(code: Any, status: str | None, word: Word, told: str):
    parameters = [
        {"Key": "DebitPartyName", "Value": "600111 - Lango"},
        {"Key": "DebitPartyName", "Value": "254711000111 - ACHIENG"},
        {"Key": "TransactionStatus", "Value": status},
        {"Key": "Amount", "Value": 250},
        {"Key": "ReceiptNo", "Value": "TKK4SAMPL3"},
    ]
    report = mpesa().read_callback(result_callback("status", code, parameters)).report
    assert report is not None
    assert (report.word, report.provider_status) == (word, told)
    money = (MoneyMoved(ReceiptKind.REFUND, KES, "TKK4SAMPL3"),)
    assert report.moved == (money if word is Word.SUCCEEDED else ())


def test_a_status_word_can_be_taught_on_the_account():
    words = {"Declined": "failed"}
    callback = result_callback("status", 0, {"Key": "TransactionStatus", "Value": "Declined"})
    report = mpesa(transaction_status_words=words).read_callback(callback).report
    assert report is not None
    assert report.word is Word.FAILED


def receipt_answer(code: Any = 0, **changes: Any) -> RawCallback:
    """What a question about a receipt came to; a value of None is left out."""
    told = {"TransactionStatus": "Completed", "Amount": 250, "ReceiptNo": "TKK4SAMPL2", "CreditPartyName": "600111 - L"}
    parameters = [{"Key": key, "Value": value} for key, value in (told | changes).items() if value is not None]
    return result_callback("receipt", code, parameters)


@pytest.mark.parametrize(
    ("code", "changes", "word"),
    [
        (0, {}, Word.SUCCEEDED),
        ("0", {"Amount": "250.00", "CreditPartyName": "600111"}, Word.SUCCEEDED),
        (0, {"CreditPartyName": "600222 - Another"}, Word.FAILED),
        (0, {"CreditPartyName": "254711000111 - ACHIENG"}, Word.FAILED),
        (0, {"CreditPartyName": None}, Word.UNKNOWN),
        (0, {"Amount": None}, Word.UNKNOWN),
        (0, {"ReceiptNo": None}, Word.UNKNOWN),
        (0, {"TransactionStatus": "Declined"}, Word.UNKNOWN),
        (0, {"TransactionStatus": None}, Word.UNKNOWN),
        (25, {}, Word.FAILED),
        ("17", {}, Word.UNKNOWN),
        (2001, {}, Word.UNKNOWN),
    ],
)
def test_a_receipt_counts_when_it_is_complete_and_was_credited_here(code: Any, changes: dict[str, Any], word: Word):
    notice = mpesa().read_callback(receipt_answer(code, **changes))
    assert notice.report is not None
    assert (notice.topic, notice.report.word, notice.report.provider_id) == (Topic.ARRIVAL, word, "AG_20261120_2010")
    moved = (MoneyMoved(ReceiptKind.CAPTURE, KES, "TKK4SAMPL2"),)
    assert notice.report.moved == (moved if word is Word.SUCCEEDED else ())


@pytest.mark.parametrize(
    ("names", "word"),
    [
        (["254711000111 - ACHIENG", "600111 - Lango"], Word.SUCCEEDED),
        (["600111 - Lango", "254711000111 - ACHIENG"], Word.FAILED),
        (["600111 - Lango"], Word.UNKNOWN),
    ],
)
def test_the_second_who_is_said_to_be_debited_was_credited(names: list[str], word: Word):
    parties = [{"Key": "DebitPartyName", "Value": name} for name in names]
    told = {"TransactionStatus": "Completed", "Amount": 250, "ReceiptNo": "TKK4SAMPL2"}
    parameters = parties + [{"Key": key, "Value": value} for key, value in told.items()]
    report = mpesa().read_callback(result_callback("receipt", 0, parameters)).report
    assert report is not None
    assert report.word is word


def test_a_till_is_credited_under_its_own_number():
    account = mpesa(shortcode="600333", till="600222")
    for party, word in (("600222 - T", Word.SUCCEEDED), ("600333 - S", Word.SUCCEEDED), ("600111 - P", Word.FAILED)):
        report = account.read_callback(receipt_answer(CreditPartyName=party)).report
        assert report is not None
        assert report.word is word


def test_a_receipt_is_asked_about_by_its_number(certificate: str):
    step = mpesa(certificate=certificate).ask_about_money("TKK4SAMPL2", lambda door: f"https://example.com/{door}")
    sent = json.loads(step.request.body)
    assert (sent["TransactionID"], sent["OriginalConversationID"], sent["PartyA"]) == ("TKK4SAMPL2", "", "600111")
    assert (sent["ResultURL"], sent["QueueTimeOutURL"]) == (
        "https://example.com/receipt",
        "https://example.com/receipt-late",
    )


@pytest.mark.parametrize("door", ["reversal-late", "status-late", "receipt-late"])
@pytest.mark.parametrize("body", [b"{}", b'{"Result": "expired"}', b'{"Result": {"ResultCode": "1"}}'])
def test_whatever_the_queue_says_nothing_has_failed(door: str, body: bytes):
    assert mpesa().read_callback(RawCallback(door, {}, body)) == Notice(Topic.NOTHING)


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"shortcode": "6001x"}, "'shortcode'"),
        ({"shortcode": ""}, "'shortcode'"),
        ({"till": "12-3"}, "'till'"),
        ({"source_addresses": ("196.201.214",)}, "196.201.214"),
        ({"transaction_status_words": {"Completed": "done"}}, "'done'"),
    ],
)
def test_options_that_cannot_be_right_are_refused_by_name(values: dict[str, Any], named: str):
    with pytest.raises(ValueError, match=named):
        Options(**{"shortcode": "600111", **values})


def test_callbacks_come_from_the_published_addresses_unless_the_account_lists_others():
    assert len(mpesa().source_addresses()) == 12
    assert mpesa(source_addresses=("10.0.0.0/8",)).source_addresses() == ("10.0.0.0/8",)


# What every one of Daraja's APIs shares


@pytest.mark.parametrize(
    "given",
    ["0711000111", "711000111", "254711000111", "+254 711 000 111", "+254-711-000-111", " 0711 000111 "],
)
def test_a_phone_number_is_sent_in_twelve_digits(given: str):
    assert daraja.phone(given) == "254711000111"


def test_the_newer_range_is_a_phone_number_too():
    assert daraja.phone("0110000111") == daraja.phone("110000111") == "254110000111"


@pytest.mark.parametrize(
    "given",
    ["", "254211000111", "25471100011", "2547110001112", "0611000111", "+1 212 555 0100", "07\uff111000111"],
)
def test_what_is_no_kenyan_mobile_number_is_refused(given: str):
    with pytest.raises(ValueError, match="not a Kenyan mobile number"):
        daraja.phone(given)


@pytest.mark.parametrize("seconds", ["3599", 3599])
def test_a_token_s_lifetime_is_a_text_or_a_number(seconds: Any):
    token = fetched(response(200, {"access_token": "Zk3Qd0Vt", "expires_in": seconds}))
    assert (token.value.reveal(), token.lifetime) == ("Zk3Qd0Vt", datetime.timedelta(seconds=3599))


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (400, None, Misconfigured),
        (401, None, Misconfigured),
        (400, fault("400.008.01", "Invalid Authentication passed"), Misconfigured),
        (500, None, Unreachable),
        (503, {"fault": {}}, Unreachable),
        (200, None, Unreachable),
        (200, {"access_token": "", "expires_in": "3599"}, Unreachable),
        (200, {"access_token": "x", "expires_in": "soon"}, Unreachable),
        (200, {"access_token": "x", "expires_in": 10**30}, Unreachable),
    ],
)
def test_without_a_token_nothing_is_done(status: int, body: Any, kind: type[Exception]):
    with pytest.raises(kind):
        fetched(response(status, body))


@pytest.mark.parametrize("lost", [AnswerLost("no whole answer"), OutcomeUnknown("no whole answer")])
def test_a_lost_answer_about_a_token_is_no_lost_payment(lost: Exception):
    with pytest.raises(Unreachable):
        fetched(lost)


def fetched(answer: Response | Exception) -> Any:
    def send(request: Request) -> Response:
        assert request.url == "https://x/oauth/v1/generate?grant_type=client_credentials"
        assert request.headers == {"Authorization": "Basic a2V5OnNlY3JldA=="}
        if isinstance(answer, Exception):
            raise answer
        return answer

    return daraja.access_token(
        base_url="https://x", consumer_key=Secret("key"), consumer_secret=Secret("secret"), send=send
    )
