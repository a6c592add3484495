"""Bayarind by SNAP, without the wire: what is sent, and every code of the sheet."""

import datetime
import json
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

import pytest

from core import snap
from core.companies import bayarind as wire
from core.crypto import Secret
from core.http import Request, Response
from core.money import Money
from core.providers import Misconfigured, NothingCreated, OutcomeUnknown, Unreadable
from payments.providers.base import (
    Admission,
    Connection,
    Kind,
    MoneyMoved,
    Notice,
    Order,
    Payer,
    RawCallback,
    ReceiptKind,
    Report,
    Topic,
    Word,
)
from payments.providers.bayarind import Bayarind, Credentials, Options
from simulators.bayarind import keys
from tests.contracts.world import MemoryTokens

IDR = Money(12_500_000, "IDR")
KEY = "0123456789abcdef0123456789abcdef"
PASS_APP = "3eb1bd439947eb762998e566ccc2e099c791118b2f40579cc4f7da2b5061b7f9"
NOW = datetime.datetime(2026, 3, 1, 2, 0, tzinfo=datetime.UTC)
REFERENCE, INSERT_ID = "INV202600000001170", "99001234"
NUMBER = wire.customer_number(REFERENCE, service_code="1021")
ACCOUNT = {"partnerServiceId": "   12345", "customerNo": NUMBER, "virtualAccountNo": f"   12345{NUMBER}"}
PAYMENT = {
    **ACCOUNT,
    "virtualAccountName": "Siti Aminah",
    "channelCode": 6010,
    "paymentRequestId": "REQ-1",
    "paidAmount": {"value": "125000.00", "currency": "IDR"},
    "referenceNo": "BCA-7788",
    "trxId": REFERENCE,
    "trxDateTime": "2026-03-01T09:02:00+07:00",
    "flagAdvice": "N",
    "additionalInfo": {"insertId": INSERT_ID, "tagId": "", "flagType": "11", "passApp": PASS_APP, "idApp": ""},
}
PAID = MoneyMoved(ReceiptKind.CAPTURE, IDR, REFERENCE)


def bayarind(answers: dict[str, Any] | None = None, **options: Any) -> Bayarind:
    def send(request: Request) -> Response:
        assert answers is not None, "nothing may be sent"
        return response(answers)

    credentials = Credentials("TOKOEXVA01", Secret(KEY), private_key=Secret(keys.private_pem(keys.MERCHANTS)))
    settings = Options(**{"api": "snap", "company_codes": {"bca": "12345"}, **options})
    url = "https://snaptest.bayarind.id"
    return Bayarind(Connection(url, False, credentials, settings, lambda: NOW, send, MemoryTokens()))


def order(kind: Kind = Kind.CREATE, **changes: Any) -> Order:
    def door(name: str) -> str:
        return f"https://pay.example/cb/{name}"

    made = Order(kind, REFERENCE, "op_1", IDR, door, method="virtual_account", channel="bca", made_at=NOW)
    return replace(made, **changes)


def response(body: Any, status: int = 200) -> Response:
    return Response(status, {}, json.dumps(body).encode(), 0.0)


def created(code: str = "2002700", **data: Any) -> Report:
    told = {**ACCOUNT, "trxId": REFERENCE, "additionalInfo": {"insertId": INSERT_ID}, **data}
    body = {"responseCode": code, "responseMessage": "Successful", "virtualAccountData": told}
    return bayarind().step(order()).read(response(body))


def status(code: str = "2002600", asked: Order | None = None, **body: Any) -> Report:
    return bayarind().fetch(asked or order()).read(response({"responseCode": code, **body}))


def deleted(code: str) -> Report:
    step = bayarind().step(order(Kind.CANCEL, provider_id=INSERT_ID))
    return step.read(response({"responseCode": code}))


def payment(**changes: Any) -> RawCallback:
    return RawCallback("transfer", {}, json.dumps(PAYMENT | changes).encode())


def test_an_account_is_asked_for_as_documented():
    payer = Payer("Siti Aminah", "siti@example.test", "+628120001111")
    step = bayarind().step(order(description="Order 20417 of Siti Aminah", payer=payer))
    assert (step.request.method, step.request.url) == (
        "POST",
        "https://snaptest.bayarind.id/api/v1.0/transfer-va/create-va",
    )
    assert json.loads(step.request.body) == {
        **ACCOUNT,
        "virtualAccountName": "Siti Aminah",
        "virtualAccountEmail": "siti@example.test",
        "virtualAccountPhone": "+628120001111",
        "billDetails": [{"billDescription": {"indonesia": "Order 20417 of Sit", "english": "Order 20417 of Sit"}}],
        "trxId": REFERENCE,
        "totalAmount": {"value": "125000.00", "currency": "IDR"},
        "expiredDate": "2026-03-02T09:00:00+07:00",
        "additionalInfo": {"billDescription": "Order 20417 of Siti Aminah"},
    }


@pytest.mark.parametrize("kind", [Kind.CREATE, Kind.CANCEL])
def test_a_call_is_signed_over_method_path_body_and_time(kind: Kind):
    kept = bayarind().step(order(kind)).request
    sent = bayarind().authorize(kept)
    assert PASS_APP.encode() not in kept.body
    assert json.loads(sent.body)["additionalInfo"]["passApp"] == PASS_APP
    headers = sent.headers
    assert (headers["X-PARTNER-ID"], headers["CHANNEL-ID"]) == ("TOKOEXVA01", "1021")
    assert headers["X-TIMESTAMP"] == "2026-03-01T09:00:00+07:00"
    assert headers["X-EXTERNAL-ID"].isdigit()
    assert len(headers["X-EXTERNAL-ID"]) <= 36
    assert headers["X-EXTERNAL-ID"] != bayarind().authorize(kept).headers["X-EXTERNAL-ID"]
    path = urlsplit(sent.url).path
    text = snap.string_to_sign(method=sent.method, path=path, body=sent.body, timestamp=headers["X-TIMESTAMP"])
    snap.verify(text, signature=headers["X-SIGNATURE"], public_key=keys.public_pem(keys.MERCHANTS))
    assert path.startswith("/api/v1.0/transfer-va/")


def test_a_deletion_is_a_delete_with_a_body():
    request = bayarind().step(order(Kind.CANCEL)).request
    assert (request.method, urlsplit(request.url).path) == ("DELETE", "/api/v1.0/transfer-va/delete-va")
    assert json.loads(request.body)["trxId"] == REFERENCE


def test_a_created_account_shows_its_number_and_its_insert_id():
    report = created()
    assert (report.word, report.provider_id) == (Word.REQUIRES_ACTION, INSERT_ID)
    assert report.next_action == {"type": "instructions", "channel": "bca", "code": f"12345{NUMBER}"}


@pytest.mark.parametrize("code", ["4012700", "4042716"])
def test_a_wrong_account_is_a_matter_of_configuration(code: str):
    with pytest.raises(Misconfigured):
        created(code)


@pytest.mark.parametrize("code", ["4002701", "4002702"])
def test_after_the_refusals_of_the_table_nothing_was_created(code: str):
    with pytest.raises(NothingCreated) as refused:
        created(code)
    assert (refused.value.code, refused.value.provider_code) == ("invalid_request", code)


@pytest.mark.parametrize("code", ["4092701", "4092700", "5002702", "2002600", "4042799", "27", "", None])
def test_every_other_answer_to_a_creation_is_unknown(code: Any):
    with pytest.raises(OutcomeUnknown):
        created(code)


@pytest.mark.parametrize("data", [{"additionalInfo": {}}, {"additionalInfo": None}, {"trxId": "ANOTHER"}])
def test_an_account_of_another_payment_or_without_an_id_is_unknown(data: dict[str, Any]):
    with pytest.raises(OutcomeUnknown):
        created(**data)


def test_an_answer_under_a_fault_of_theirs_is_unknown():
    with pytest.raises(OutcomeUnknown):
        bayarind().step(order()).read(response({"responseCode": "4002701"}, 502))


def test_statuses_are_read_as_documented():
    known = order(provider_id=INSERT_ID)
    paid = Report(Word.SUCCEEDED, INSERT_ID, "00", (PAID,))
    assert status(asked=known, additionalInfo={"trxStatus": "00"}) == paid
    listed = [{"trxId": "ANOTHER", "trxStatus": "03"}, {"trxId": REFERENCE, "trxStatus": "00"}]
    assert status(asked=known, additionalInfo={"list": listed}) == paid
    assert status(additionalInfo={"trxStatus": "03"}).word is Word.REQUIRES_ACTION
    assert status(additionalInfo={"trxStatus": "77"}).word is Word.UNKNOWN
    for says_nothing in ("06", "07"):
        with pytest.raises(OutcomeUnknown):
            status(additionalInfo={"trxStatus": says_nothing})


def test_another_sum_that_is_shown_is_told():
    shown = {"additionalInfo": {"trxStatus": "00"}, "virtualAccountData": {"paidAmount": PAYMENT["paidAmount"]}}
    assert status(**shown).moved == (PAID,)
    shown["virtualAccountData"] = {"paidAmount": {"value": "10.00", "currency": "IDR"}}
    assert status(**shown).moved[0].money == Money(1_000, "IDR")


@pytest.mark.parametrize("code", ["4042601", "4012600", "4002602", "5002602", "2002700"])
def test_a_question_that_is_refused_says_nothing(code: str):
    with pytest.raises(OutcomeUnknown):
        status(code, additionalInfo={"trxStatus": "00"})


@pytest.mark.parametrize("body", [{}, {"additionalInfo": None}, {"additionalInfo": {"list": []}}])
def test_a_question_that_is_not_answered_is_unknown(body: dict[str, Any]):
    with pytest.raises(OutcomeUnknown):
        status(**body)


def test_a_deletion_that_was_done_before_is_done():
    assert deleted("2003100") == deleted("4043104") == Report(Word.CANCELLED, INSERT_ID, "deleted")
    for code in ("4043101", "4043114"):
        with pytest.raises(NothingCreated):
            deleted(code)
    for code in ("4013100", "4093100", "5003102"):
        with pytest.raises(OutcomeUnknown):
            deleted(code)


@pytest.mark.parametrize("code", ["4042601", "2002600"])
def test_credentials_are_good_where_a_question_is_answered(code: str):
    bayarind({"responseCode": code}).check_credentials()


def test_credentials_that_are_refused_are_told_from_what_cannot_be_known():
    with pytest.raises(Misconfigured):
        bayarind({"responseCode": "4012600"}).check_credentials()
    with pytest.raises(OutcomeUnknown):
        bayarind({"responseCode": "4092600"}).check_credentials()


def test_a_payment_says_what_was_paid_however_its_advice_is_spelt():
    paid = Report(Word.SUCCEEDED, INSERT_ID, "00", (PAID,))
    notice = Notice(Topic.PAYMENT, paid, payment_provider_id=INSERT_ID, reference=REFERENCE, money=IDR)
    assert bayarind().read_callback(payment()) == notice
    assert bayarind().read_callback(payment(flagAdvise="Y", flagAdvice="Y")) == notice


@pytest.mark.parametrize(
    "changes", [{"paidAmount": {"value": "125000.50", "currency": "IDR"}}, {"trxId": ""}, {"additionalInfo": {}}]
)
def test_a_payment_of_another_shape_is_unreadable(changes: dict[str, Any]):
    with pytest.raises(Unreadable):
        bayarind().read_callback(payment(**changes))


@pytest.mark.parametrize(
    ("admission", "code", "status"),
    [
        (Admission.ACCEPTED, "2002500", "00"),
        (Admission.ALREADY_PAID, "4042514", "02"),
        (Admission.EXPIRED, "4042519", "04"),
        (Admission.CANCELLED, "4042504", "05"),
        (Admission.NOT_OPEN, "4042504", "05"),
        (Admission.UNKNOWN_REFERENCE, "4042512", "01"),
        (Admission.ELSEWHERE, "4042512", "01"),
        (Admission.WRONG_AMOUNT, "4042513", "01"),
    ],
)
def test_the_answer_decides_in_the_words_of_snap(admission: Admission, code: str, status: str):
    answer = bayarind().admit(payment(), admission)
    told = json.loads(answer.body)
    assert (answer.status, answer.headers) == (200, {"X-TIMESTAMP": "2026-03-01T09:00:00+07:00"})
    assert (told["responseCode"], told["virtualAccountData"]["paymentFlagStatus"]) == (code, status)
    echoed = {name: told["virtualAccountData"][name] for name in (*ACCOUNT, "paidAmount", "paymentRequestId")}
    assert echoed == {name: PAYMENT[name] for name in echoed}


def test_what_is_not_understood_is_not_accepted():
    strange = payment(additionalInfo=PAYMENT["additionalInfo"] | {"flagType": "77"})
    assert json.loads(bayarind().admit(strange, Admission.ACCEPTED).body)["responseCode"] == "4002501"
