"""What Xendit is sent and what is read, without its wire. Samples are of its documentation, values invented.

openapi/xendit.json holds its published client's models. The code of the samples is a QRIS text of our own making.
"""

import datetime
import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from core.companies import xendit as wire
from core.crypto import Secret
from core.http import Request, Response
from core.money import Money, NotRepresentable
from core.providers import Misconfigured, NothingCreated, OutcomeUnknown, Replay, Unreadable, Unsupported, from_json
from payments.providers.base import (
    Connection,
    Cost,
    FailureCode,
    Kind,
    Line,
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
from payments.providers.xendit import Credentials, Options, Xendit
from tests.contracts.world import MemoryTokens

OPENAPI = json.loads((Path(__file__).parent / "openapi" / "xendit.json").read_text())
NOW = datetime.datetime(2026, 3, 1, 2, 0, 0, tzinfo=datetime.UTC)
IDR = Money(4_550_000, "IDR")
CODE_ID = "qr_61cb0000-0000-4000-8000-000000007781"
PAYMENT_ID = "qrpy_81820000-0000-4000-8000-000000000001"
INVOICE_ID = "692b00000000000000000001"
ACCOUNT = "26670015COM.EXAMPLE.WWW011893600999000000001702150000000000170010303UMI51440014ID.CO.QRIS.WWW"
TEXT = (
    f"000201010212{ACCOUNT}0215ID10200999900170303UMI520458125303360540545500"
    "5802ID5913WARUNG CONTOH6007BANDUNG61054011562190108ORD-77810703A01630424A8"
)
CODE: Mapping[str, Any] = {
    "id": CODE_ID,
    "reference_id": "ORD-7781",
    "business_id": "62440e000000000000000001",
    "type": "DYNAMIC",
    "currency": "IDR",
    "amount": 45500,
    "channel_code": "ID_DANA",
    "status": "ACTIVE",
    "qr_string": TEXT,
    "expires_at": "2026-03-01T02:15:00Z",
    "created": "2026-03-01T02:00:01Z",
    "updated": "2026-03-01T02:00:01Z",
    "basket": None,
    "metadata": {"store_id": "12"},
}
PAYMENT: Mapping[str, Any] = {
    "id": PAYMENT_ID,
    "business_id": "62440e000000000000000001",
    "currency": "IDR",
    "amount": 45500,
    "status": "SUCCEEDED",
    "created": "2026-03-01T02:01:10.5Z",
    "qr_id": CODE_ID,
    "qr_string": TEXT,
    "reference_id": "ORD-7781",
    "type": "DYNAMIC",
    "channel_code": "ID_DANA",
    "expires_at": "2026-03-01T02:15:00Z",
    "description": "",
    "basket": None,
    "metadata": {"store_id": "12"},
    "payment_detail": {"receipt_id": "000111666", "source": "GOPAY", "name": None, "account_details": None},
}
PAID_CODE: Mapping[str, Any] = {
    "event": "qr.payment",
    "api_version": "2022-07-31",
    "business_id": "62440e000000000000000001",
    "created": "2026-03-01T02:01:10.5Z",
    "data": PAYMENT,
}
FIRST_VERSION: Mapping[str, Any] = {
    "event": "qr.payment",
    "id": PAYMENT_ID,
    "amount": 45500,
    "created": "2026-03-01T02:01:10.5Z",
    "qr_code": {"id": CODE_ID, "external_id": "ORD-7781", "qr_string": TEXT, "type": "DYNAMIC"},
    "status": "COMPLETED",
}
PAID_INVOICE: Mapping[str, Any] = {
    "id": INVOICE_ID,
    "external_id": "ORD-7781",
    "user_id": "62440e000000000000000001",
    "status": "PAID",
    "is_high": False,
    "merchant_name": "Warung Contoh",
    "amount": 45500,
    "paid_amount": 45500,
    "currency": "IDR",
    "payer_email": "siti@example.test",
    "description": "Order",
    "created": "2026-03-01T02:00:00.000Z",
    "updated": "2026-03-01T02:01:12.000Z",
    "paid_at": "2026-03-01T02:01:10.000Z",
    "payment_method": "QR_CODE",
    "payment_channel": "QRIS",
    "payment_id": PAYMENT_ID,
    "payment_details": {"source": "DANA", "receipt_id": ""},
}
INVOICE: Mapping[str, Any] = {
    "id": INVOICE_ID,
    "external_id": "ORD-7781",
    "status": "PENDING",
    "amount": 45500,
    "currency": "IDR",
    "invoice_url": "https://checkout.example/web/692b",
    "expiry_date": "2026-03-02T02:00:00.12345Z",
}
REFUND: Mapping[str, Any] = {
    "id": "rfd-1",
    "invoice_id": INVOICE_ID,
    "payment_id": "py-1",
    "reference_id": "op_1",
    "amount": 5000,
    "currency": "IDR",
    "status": "SUCCEEDED",
}
CODE_REFUND: Mapping[str, Any] = {
    "id": "qrrf_1",
    "qrpy_id": PAYMENT_ID,
    "reference_id": "op_1",
    "payment_amount": 45500,
    "refund_amount": 5000,
    "currency": "IDR",
    "status": "SUCCEEDED",
}
CAPTURED = (MoneyMoved(ReceiptKind.CAPTURE, IDR, PAYMENT_ID),)


def xendit(*answers: object, livemode: bool = True, now: datetime.datetime = NOW, **options: Any) -> Xendit:
    """An adapter whose further calls get these answers, one after the other."""
    waiting = list(answers)

    def send(request: Request) -> Response:
        assert "Authorization" in request.headers
        return response(waiting.pop(0))

    credentials = Credentials(Secret("xnd_production_sample"), Secret("a-token"))
    given = from_json(Options, options)
    return Xendit(Connection(Xendit.hosts["api"], livemode, credentials, given, lambda: now, send, MemoryTokens()))


def order(kind: Kind = Kind.CREATE, method: str = "qris", **changes: Any) -> Order:
    known = {} if kind is Kind.CREATE else {"provider_id": CODE_ID if method == "qris" else INVOICE_ID}
    made = Order(kind, "ORD-7781", "op_1", IDR, str, "https://shop.example/back", method, **known)
    return replace(made, **changes)


def response(body: object, status: int = 200) -> Response:
    return Response(status, {}, body if isinstance(body, bytes) else json.dumps(body).encode(), 0.0)


def sent(asked: Order, **options: Any) -> dict[str, Any]:
    return json.loads(xendit(**options).step(asked).request.body)


def created(body: Mapping[str, Any] = CODE, *, method: str = "qris", livemode: bool = True, **changes: Any) -> Report:
    step = xendit(livemode=livemode).step(order(method=method))
    return step.read(response({**body, **changes}, 201))


def asked_code(*payments: Mapping[str, Any], now: datetime.datetime = NOW, code: Any = CODE, **options: Any) -> Report:
    adapter = xendit({"data": list(payments), "has_more": False}, now=now, **options)
    return adapter.fetch(order(provider_id=CODE_ID)).read(response(code))


def asked_invoice(kind: Kind = Kind.CREATE, *, asked: Order | None = None, **changes: Any) -> Report:
    asked = asked or order(kind, "hosted_page", provider_id=INVOICE_ID)
    return xendit().fetch(asked).read(response({**INVOICE, **changes}))


def notice(body: Mapping[str, Any], **options: Any) -> Notice:
    return xendit(**options).read_callback(RawCallback("notifications", {}, json.dumps(body).encode()))


def fault(code: object, status: int = 400, asked: Order | None = None) -> Exception:
    step = xendit().step(asked or order())
    with pytest.raises((NothingCreated, OutcomeUnknown)) as raised:
        step.read(response({"error_code": code, "message": "…"}, status))
    return raised.value


# Going out


def test_the_key_is_the_user_with_no_password():
    request = xendit().authorize(Request("GET", "https://api.xendit.co/balance"))
    assert request.headers["Authorization"] == "Basic eG5kX3Byb2R1Y3Rpb25fc2FtcGxlOg=="
    documented = wire.authorized(request, secret_key=Secret("xnd_development_EXAMPLE")).headers["Authorization"]
    assert documented == "Basic eG5kX2RldmVsb3BtZW50X0VYQU1QTEU6"


def test_a_code_is_asked_for_in_the_second_version():
    request = xendit().step(order()).request
    assert (request.method, request.url) == ("POST", "https://api.xendit.co/qr_codes")
    assert request.headers["api-version"] == "2022-07-31"
    assert json.loads(request.body) == {
        "reference_id": "ORD-7781",
        "type": "DYNAMIC",
        "currency": "IDR",
        "amount": 45500,
    }


def test_a_code_takes_the_merchants_end_and_the_accounts_channel():
    ends = datetime.datetime(2026, 3, 1, 9, 15, tzinfo=datetime.timezone(datetime.timedelta(hours=7)))
    body = sent(order(expires_at=ends), channel_code="ID_LINKAJA")
    assert (body["expires_at"], body["channel_code"]) == ("2026-03-01T02:15:00Z", "ID_LINKAJA")


@pytest.mark.parametrize("payer", [Payer(), Payer("Siti", "siti@example.test", "+6281200001111")])
@pytest.mark.parametrize("lines", [(), (Line("Nasi goreng", 1, IDR, "SKU1"),)])
@pytest.mark.parametrize("options", [{}, {"invoice_methods": ["QRIS", "BCA"]}])
def test_an_invoice_is_as_the_published_models_say(payer: Payer, lines: tuple[Line, ...], options: dict[str, Any]):
    asked = order(method="hosted_page", payer=payer, lines=lines, description="Order 20417")
    body = sent(asked, **options)
    jsonschema.validate(body, OPENAPI["POST /v2/invoices"])
    assert (body["external_id"], body["amount"], body["invoice_duration"]) == ("ORD-7781", 45500, 86_400)
    assert body.get("payment_methods") == options.get("invoice_methods")


def test_a_refund_of_an_invoice_is_as_the_published_models_say():
    request = xendit().step(order(Kind.REFUND, "hosted_page", target_id=INVOICE_ID)).request
    jsonschema.validate(json.loads(request.body), OPENAPI["POST /refunds"])
    assert request.headers["idempotency-key"] == "op_1"
    assert json.loads(request.body) == {
        "reference_id": "op_1",
        "amount": 45500,
        "reason": "REQUESTED_BY_CUSTOMER",
        "invoice_id": INVOICE_ID,
        "currency": "IDR",
    }


def test_a_refund_of_a_code_goes_below_its_payment():
    request = xendit().step(order(Kind.REFUND, target_id=PAYMENT_ID)).request
    assert request.url == f"https://api.xendit.co/qr_codes/payments/{PAYMENT_ID}/refunds"
    assert (request.headers["api-version"], "idempotency-key" in request.headers) == ("2022-07-31", False)


def test_what_is_empty_is_not_sent():
    assert sent(order(method="hosted_page", return_url="")).keys() == {
        "external_id",
        "amount",
        "currency",
        "invoice_duration",
    }


@pytest.mark.parametrize(("seconds", "told"), [(900, 900), (0, 1), (-5, 1)])
def test_an_invoice_lives_until_the_merchants_end(seconds: int, told: int):
    ends = NOW + datetime.timedelta(seconds=seconds)
    assert sent(order(method="hosted_page", expires_at=ends))["invoice_duration"] == told


def test_lines_are_sent_where_they_make_up_the_amount_in_whole_rupiah():
    fitting = (Line("A", 2, Money(2_000_000, "IDR"), "SKU1"), Line("Pajak", 1, Money(550_000, "IDR")))
    assert sent(order(method="hosted_page", lines=fitting))["items"] == [
        {"name": "A", "quantity": 2, "price": 20000, "reference_id": "SKU1"},
        {"name": "Pajak", "quantity": 1, "price": 5500},
    ]
    broken = (Line("A", 1, Money(4_549_950, "IDR")), Line("B", 1, Money(50, "IDR")))
    for lines in ((Line("A", 1, Money(4_550_100, "IDR")),), broken, (Line("A", 1, Money(4_550_000, "USD")),), ()):
        assert "items" not in sent(order(method="hosted_page", lines=lines))


def test_a_sub_account_is_named_on_every_call():
    adapter = xendit(for_user_id="5f9a3fbd571a1c4068aa40ce")
    for step in (adapter.step(order()), adapter.fetch(order(method="hosted_page")), adapter.fetch_cost(order())):
        assert step.request.headers["for-user-id"] == "5f9a3fbd571a1c4068aa40ce"


def test_nothing_that_could_be_made_twice_is_sent_twice():
    declared = Xendit.capabilities.operations
    assert (declared[Kind.CREATE].replay, declared[Kind.REFUND].replay) == (Replay.NONE, Replay.NONE)


def test_a_code_cannot_be_ended():
    with pytest.raises(Unsupported):
        xendit().step(order(Kind.CANCEL))
    assert xendit().step(order(Kind.CANCEL, "hosted_page")).request.url.endswith(f"/invoices/{INVOICE_ID}/expire!")


# Codes


def test_a_code_is_shown_with_its_end():
    ends = datetime.datetime(2026, 3, 1, 2, 15, tzinfo=datetime.UTC)
    shown = {"type": "qr", "qr_string": TEXT}
    assert created() == Report(Word.REQUIRES_ACTION, CODE_ID, "ACTIVE", next_action=shown, expires_at=ends)


@pytest.mark.parametrize(
    "changes",
    [
        {"amount": 45501},
        {"currency": "PHP", "amount": 45500},
        {"qr_string": None},
        {"qr_string": 5},
    ],
)
def test_a_code_that_is_not_what_was_asked_for_is_shown_to_nobody(changes: dict[str, Any]):
    report = created(**changes)
    assert (report.word, report.next_action, report.provider_id) == (Word.UNKNOWN, None, CODE_ID)


@pytest.mark.parametrize("text", [TEXT.replace("540545500", "540545501"), "some-random-qr-string"])
def test_a_code_is_handed_on_as_it_came_to_be_checked_before_it_is_shown(text: str):
    assert created(qr_string=text).next_action == {"type": "qr", "qr_string": text}


def test_an_answer_about_another_order_leaves_it_unknown():
    for changes in ({"reference_id": "ORD-7782"}, {"id": None}, {"status": None}):
        with pytest.raises(OutcomeUnknown):
            created(**changes)
    with pytest.raises(OutcomeUnknown):
        created(INVOICE, method="hosted_page", external_id="ORD-7782")


def test_the_payments_of_a_code_count_before_its_own_status():
    for status in ("ACTIVE", "INACTIVE"):
        assert asked_code(PAYMENT, code={**CODE, "status": status}).moved == CAPTURED
    after_its_end = NOW + datetime.timedelta(days=1)
    late = asked_code(PAYMENT, now=after_its_end, code={**CODE, "status": "INACTIVE"})
    assert (late.word, late.moved) == (Word.SUCCEEDED, CAPTURED)


def test_a_code_that_was_paid_twice_has_two_receipts():
    second = {**PAYMENT, "id": "qrpy_2"}
    assert [moved.provider_money_id for moved in asked_code(PAYMENT, second).moved] == [PAYMENT_ID, "qrpy_2"]


@pytest.mark.parametrize(
    ("status", "minutes", "word"),
    [
        ("ACTIVE", 0, Word.REQUIRES_ACTION),
        ("ACTIVE", 15, Word.EXPIRED),
        ("INACTIVE", 0, Word.PENDING),
        ("INACTIVE", 15, Word.EXPIRED),
        ("TELEPORTED", 15, Word.UNKNOWN),
    ],
)
def test_without_a_payment_the_clock_ends_a_code(status: str, minutes: int, word: Word):
    report = asked_code(now=NOW + datetime.timedelta(minutes=minutes), code={**CODE, "status": status})
    assert (report.word, report.moved, report.provider_status) == (word, (), status)


@pytest.mark.parametrize(
    ("status", "word"),
    [
        ("SUCCEEDED", Word.SUCCEEDED),
        ("COMPLETED", Word.SUCCEEDED),
        ("PENDING", Word.PENDING),
        ("FAILED", Word.REQUIRES_ACTION),
        ("VOIDED", Word.UNKNOWN),
    ],
)
def test_every_status_of_a_payment_has_its_word(status: str, word: Word):
    report = asked_code({**PAYMENT, "status": status})
    assert (report.word, report.moved) == (word, CAPTURED if word is Word.SUCCEEDED else ())


def test_a_strange_payment_beside_a_good_one_is_for_a_person():
    report = asked_code(PAYMENT, {**PAYMENT, "id": "qrpy_2", "status": "VOIDED"})
    assert (report.word, report.moved, report.provider_status) == (Word.UNKNOWN, (), "VOIDED")


@pytest.mark.parametrize(
    "changes",
    [{"qr_id": "qr_2"}, {"amount": 45500.5}, {"amount": "45500"}, {"amount": 0}, {"currency": "PHP"}, {"id": "a b"}],
)
def test_a_payment_in_another_form_proves_nothing(changes: dict[str, Any]):
    with pytest.raises(OutcomeUnknown):
        asked_code({**PAYMENT, **changes})


def test_an_amount_may_have_zeroes_behind_its_point():
    assert asked_code({**PAYMENT, "amount": 45500.0}).moved == CAPTURED


def test_the_question_about_the_payments_must_be_answered_too():
    for answer in ({"error_code": "DATA_NOT_FOUND"}, {"data": None}, {"data": [1]}, {}, b"<html>"):
        with pytest.raises(OutcomeUnknown):
            xendit(answer).fetch(order(provider_id=CODE_ID)).read(response(CODE))


# Invoices


@pytest.mark.parametrize(
    ("status", "word"),
    [
        ("PENDING", Word.REQUIRES_ACTION),
        ("PAID", Word.SUCCEEDED),
        ("SETTLED", Word.SUCCEEDED),
        ("EXPIRED", Word.EXPIRED),
        ("TELEPORTED", Word.UNKNOWN),
    ],
)
def test_every_status_of_an_invoice_has_its_word(status: str, word: Word):
    report = asked_invoice(status=status)
    receipt = (MoneyMoved(ReceiptKind.CAPTURE, IDR, INVOICE_ID),)
    assert (report.word, report.moved) == (word, receipt if word is Word.SUCCEEDED else ())
    assert (report.expires_at is not None) is (word is Word.REQUIRES_ACTION)


def test_what_was_paid_counts_and_not_what_was_asked():
    assert asked_invoice(status="PAID", paid_amount=45000).moved[0].money == Money(4_500_000, "IDR")


def test_an_end_is_the_cancel_that_was_asked_for_unless_its_time_was_over():
    assert asked_invoice(Kind.CANCEL, status="EXPIRED").word is Word.CANCELLED
    over = order(Kind.CANCEL, "hosted_page", expires_at=NOW)
    assert asked_invoice(asked=over, status="EXPIRED").word is Word.EXPIRED
    assert asked_invoice(Kind.CANCEL, status="PAID").word is Word.SUCCEEDED


def test_a_created_invoice_leads_to_its_page():
    report = created(INVOICE, method="hosted_page")
    assert report.next_action == {"type": "redirect", "url": "https://checkout.example/web/692b"}
    assert report.expires_at == datetime.datetime(2026, 3, 2, 2, 0, 0, 123_450, tzinfo=datetime.UTC)
    for changes in ({"amount": 45501}, {"invoice_url": None}, {"invoice_url": ""}):
        assert created(INVOICE, method="hosted_page", **changes).word is Word.UNKNOWN


def test_an_invoice_is_found_among_those_with_its_reference():
    lost = order(method="hosted_page")
    step = xendit().fetch(lost)
    assert step.request.url == "https://api.xendit.co/v2/invoices?external_id=ORD-7781"
    other = {**INVOICE, "external_id": "ORD-77810"}
    assert step.read(response([other, INVOICE])).provider_id == INVOICE_ID
    for found in ([], [other], [INVOICE, INVOICE], [1], {}, b"[", {"error_code": "DATA_NOT_FOUND"}):
        with pytest.raises(OutcomeUnknown):
            step.read(response(found))


# Errors


@pytest.mark.parametrize("code", sorted(wire.REFUSALS))
def test_these_codes_have_created_nothing(code: str):
    refused = fault(code)
    assert isinstance(refused, NothingCreated)
    assert not isinstance(refused, Misconfigured)
    assert refused.code in list(FailureCode)
    assert refused.provider_code == code


@pytest.mark.parametrize("code", sorted(wire.MISCONFIGURED))
def test_these_codes_are_a_matter_of_configuration(code: str):
    assert isinstance(fault(code, 403), Misconfigured)


@pytest.mark.parametrize(
    "code", ["DUPLICATE_ERROR", "IDEMPOTENCY_ERROR", "SOMETHING_NEW", "", None, 5, ["INVALID_API_KEY"]]
)
def test_every_other_code_proves_nothing(code: object):
    assert type(fault(code, 409)) is OutcomeUnknown


@pytest.mark.parametrize("code", ["SERVER_ERROR", "CHANNEL_UNAVAILABLE", "ISSUER_UNAVAILABLE", "INVALID_API_KEY"])
@pytest.mark.parametrize("status", [200, 500, 503])
def test_a_code_under_another_kind_of_status_proves_nothing(code: str, status: int):
    assert type(fault(code, status)) is OutcomeUnknown


@pytest.mark.parametrize("body", [b"", b"<html></html>", b"[]", b"null", b"{"])
@pytest.mark.parametrize("status", [200, 201, 400, 401, 503])
def test_an_answer_without_a_document_is_unknown(body: bytes, status: int):
    for step in (xendit().step(order()), xendit().fetch(order(provider_id=CODE_ID)), xendit().fetch_cost(order())):
        with pytest.raises(OutcomeUnknown):
            step.read(response(body, status))


# Refunds


def refunded(body: Mapping[str, Any] = REFUND, method: str = "hosted_page", **changes: Any) -> Report:
    target = INVOICE_ID if method == "hosted_page" else PAYMENT_ID
    asked = order(Kind.REFUND, method, target_id=target, money=Money(500_000, "IDR"))
    return xendit().step(asked).read(response({**body, **changes}))


@pytest.mark.parametrize(("body", "method"), [(REFUND, "hosted_page"), (CODE_REFUND, "qris")])
@pytest.mark.parametrize(
    ("status", "word"),
    [
        ("PENDING", Word.PENDING),
        ("SUCCEEDED", Word.SUCCEEDED),
        ("FAILED", Word.FAILED),
        ("CANCELLED", Word.CANCELLED),
        ("TELEPORTED", Word.UNKNOWN),
    ],
)
def test_every_status_of_a_refund_has_its_word(body: Mapping[str, Any], method: str, status: str, word: Word):
    report = refunded(body, method, status=status)
    moved = (MoneyMoved(ReceiptKind.REFUND, Money(500_000, "IDR"), body["id"]),)
    assert (report.word, report.moved) == (word, moved if word is Word.SUCCEEDED else ())
    assert (report.failure is not None) is (word is Word.FAILED)


@pytest.mark.parametrize(
    ("code", "ours"),
    [
        ("INSUFFICIENT_BALANCE", FailureCode.INSUFFICIENT_FUNDS),
        ("INELIGIBLE_TRANSACTION", FailureCode.DECLINED),
        ("REFUND_NOT_SUPPORTED", FailureCode.DECLINED),
        ("CHANNEL_UNAVAILABLE", FailureCode.PROVIDER_UNAVAILABLE),
        ("SOMETHING_NEW", FailureCode.PROVIDER_ERROR),
    ],
)
def test_a_failed_refund_says_why(code: str, ours: FailureCode):
    failure = refunded(status="FAILED", failure_code=code).failure
    assert failure is not None
    assert (failure.code, failure.provider_code) == (ours, code)


def test_the_answer_to_another_refund_is_unknown():
    for changes in ({"amount": 5001}, {"reference_id": "op_2"}, {"id": None}, {"status": 7}):
        with pytest.raises(OutcomeUnknown):
            refunded(**changes)
    assert refunded(CODE_REFUND, "qris", reference_id=None).word is Word.SUCCEEDED


def test_a_refund_of_a_code_is_found_by_our_key_or_by_its_id():
    asked = order(Kind.REFUND, target_id=PAYMENT_ID, money=Money(500_000, "IDR"))
    other = {**CODE_REFUND, "id": "qrrf_2", "reference_id": "op_2"}
    by_key = xendit().fetch(asked)
    assert by_key.read(response({"data": [other, CODE_REFUND]})).provider_id == "qrrf_1"
    for found in ([], [other], [{**CODE_REFUND, "reference_id": None}]):
        with pytest.raises(OutcomeUnknown):
            by_key.read(response({"data": found}))
    known = replace(asked, target_id="qrrf_1")
    by_id = xendit({"data": []}, {"data": [other, CODE_REFUND]}).fetch(known)
    assert by_id.request.url == f"https://api.xendit.co/qr_codes/{CODE_ID}/payments"
    assert by_id.read(response({"data": [{**PAYMENT, "id": "qrpy_0"}, PAYMENT]})).provider_id == "qrrf_1"
    with pytest.raises(OutcomeUnknown):
        xendit({"data": [other]}).fetch(known).read(response({"data": [PAYMENT]}))


def test_a_refund_of_an_invoice_is_found_by_our_key_or_by_its_id():
    asked = order(Kind.REFUND, "hosted_page", target_id=INVOICE_ID, money=Money(500_000, "IDR"))
    by_key = xendit().fetch(asked)
    assert by_key.request.url == f"https://api.xendit.co/refunds?invoice_id={INVOICE_ID}"
    assert by_key.read(response({"data": [REFUND]})).provider_id == "rfd-1"
    by_id = xendit().fetch(replace(asked, target_id="rfd-1"))
    assert by_id.request.url == "https://api.xendit.co/refunds/rfd-1"
    assert by_id.read(response(REFUND)).provider_id == "rfd-1"


# Fees


TRANSACTION: Mapping[str, Any] = {
    "id": "txn_13dd178d-41fa-40b7-8fd3-f83675d6f413",
    "product_id": PAYMENT_ID,
    "type": "PAYMENT",
    "status": "SUCCESS",
    "reference_id": "ORD-7781",
    "currency": "IDR",
    "amount": 45500,
    "cashflow": "MONEY_IN",
    "estimated_settlement_time": "2026-03-03T02:01:10.5Z",
}
FEE: Mapping[str, Any] = {"xendit_fee": 318.5, "value_added_tax": 35.035, "status": "COMPLETED"}


def cost(*items: Mapping[str, Any], fee: Mapping[str, Any] = FEE) -> Cost | None:
    step = xendit().fetch_cost(order(provider_id=CODE_ID))
    assert step.request.url == "https://api.xendit.co/transactions?reference_id=ORD-7781&types=PAYMENT"
    return step.read(response({"has_more": False, "data": [{**item, "fee": fee} for item in items]})).cost


def test_the_fee_and_its_tax_are_what_xendit_keeps():
    day = datetime.date(2026, 3, 3)
    assert cost(TRANSACTION) == Cost(IDR, Money(35_354, "IDR"), TRANSACTION["id"], day)


@pytest.mark.parametrize(
    "changes",
    [{"status": "PENDING"}, {"status": None}, {"xendit_withholding_tax": 10}, {"third_party_withholding_tax": 0.5}],
)
def test_a_fee_that_is_not_final_or_not_this_simple_is_not_told(changes: dict[str, Any]):
    assert cost(TRANSACTION, fee={**FEE, **changes}) is None


def test_a_fee_is_of_the_one_payment_with_our_reference():
    strangers = [
        {**TRANSACTION, "reference_id": "ORD-77810"},
        {**TRANSACTION, "type": "REFUND"},
        {**TRANSACTION, "status": "FAILED"},
        {**TRANSACTION, "cashflow": "MONEY_OUT"},
    ]
    assert cost(*strangers) is None
    assert cost(*strangers, TRANSACTION) is not None
    assert cost(TRANSACTION, TRANSACTION) is None


def test_a_fee_in_another_form_proves_nothing():
    for fee in ({}, {**FEE, "xendit_fee": "318.5"}, {**FEE, "xendit_fee": None}, {**FEE, "value_added_tax": -1}):
        if fee:
            with pytest.raises(OutcomeUnknown):
                cost(TRANSACTION, fee=fee)
        else:
            assert cost(TRANSACTION, fee=fee) is None


# Callbacks


def test_a_paid_code_is_told_in_both_versions():
    report = Report(Word.SUCCEEDED, CODE_ID, "SUCCEEDED", CAPTURED)
    event = f"{PAYMENT_ID} SUCCEEDED"
    assert notice(PAID_CODE) == Notice(Topic.PAYMENT, report, event, CODE_ID, "ORD-7781")
    first = notice(FIRST_VERSION)
    assert first.report == replace(report, provider_status="COMPLETED")
    assert (first.payment_provider_id, first.reference) == (CODE_ID, "ORD-7781")


def test_a_paid_invoice_is_told_flat():
    report = Report(Word.SUCCEEDED, INVOICE_ID, "PAID", (MoneyMoved(ReceiptKind.CAPTURE, IDR, INVOICE_ID),))
    assert notice(PAID_INVOICE) == Notice(Topic.PAYMENT, report, f"{INVOICE_ID} PAID", INVOICE_ID, "ORD-7781")
    expired = notice({**PAID_INVOICE, "status": "EXPIRED"}).report
    assert expired is not None
    assert (expired.word, expired.moved) == (Word.EXPIRED, ())


def test_that_it_can_still_be_paid_is_nothing_that_we_act_on():
    event = f"{PAYMENT_ID} FAILED"
    failed = notice({**PAID_CODE, "data": {**PAYMENT, "status": "FAILED"}})
    assert failed == Notice(Topic.NOTHING, event_id=event, reference="ORD-7781")
    assert notice({**PAID_INVOICE, "status": "PENDING"}).topic is Topic.NOTHING


@pytest.mark.parametrize("event", ["refund.succeeded", "refund.failed", "qr.refund"])
def test_a_refund_is_told_with_the_money_that_it_is_of(event: str):
    of_invoice = notice({"event": event, "data": REFUND})
    assert (of_invoice.topic, of_invoice.reference, of_invoice.money) == (Topic.REFUND, "op_1", Money(500_000, "IDR"))
    assert (of_invoice.payment_provider_id, of_invoice.receipt) == (INVOICE_ID, INVOICE_ID)
    of_code = notice({"event": event, "data": {**CODE_REFUND, "reference_id": None}})
    assert (of_code.reference, of_code.payment_provider_id, of_code.receipt) == ("", "", PAYMENT_ID)


@pytest.mark.parametrize(
    "event", ["payment.capture", "payment_request.expiry", "payment.succeeded", "payout.succeeded", "something.new"]
)
def test_events_of_what_we_never_ask_for_are_nothing(event: str):
    assert notice({"event": event, "data": {}}).topic is Topic.NOTHING


@pytest.mark.parametrize(
    "body",
    [
        {"event": 7},
        {"event": "qr.payment"},
        {"event": "qr.payment", "data": "x"},
        {"event": "qr.payment", "data": {**PAYMENT, "amount": None}},
        {"event": "refund.succeeded"},
        {"event": "refund.succeeded", "data": {**REFUND, "amount": None}},
        {**PAID_INVOICE, "external_id": None},
    ],
)
def test_what_lacks_a_part_is_unreadable(body: dict[str, Any]):
    with pytest.raises(Unreadable):
        notice(body)


# The account


def test_an_account_can_read_statuses_in_other_words():
    assert asked_code(code={**CODE, "status": "VOID"}, code_words={"VOID": "cancelled"}).word is Word.CANCELLED
    voided = {**PAYMENT, "status": "VOIDED"}
    assert asked_code(voided, payment_words={"VOIDED": "pending"}).word is Word.PENDING
    options = {"invoice_words": {"PAID": "pending"}}
    paid = notice(PAID_INVOICE, **options).report
    assert paid is not None
    assert (paid.word, paid.moved) == (Word.PENDING, ())
    told = notice({"event": "refund.succeeded", "data": REFUND}, refund_words={"SUCCEEDED": "failed"}).report
    assert told is not None
    assert told.failure is not None


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"channel_code": "ID_OVO"}, "'channel_code'"),
        ({"code_words": {"ACTIVE": "gone"}}, "'code_words'"),
        ({"refund_words": {"PENDING": "gone"}}, "'refund_words'"),
        ({"source_addresses": ["10.0.0.0/99"]}, "10.0.0.0/99"),
    ],
)
def test_options_that_cannot_be_are_refused_by_name(options: dict[str, Any], named: str):
    with pytest.raises(ValueError, match=named):
        from_json(Options, options)


def test_a_key_of_the_other_mode_is_refused():
    development, production = (
        Credentials(Secret(f"xnd_{mode}_1"), Secret("a-token")) for mode in ("development", "production")
    )
    Xendit.check_mode(development, livemode=False)
    Xendit.check_mode(production, livemode=True)
    for credentials, livemode in ((development, True), (production, False)):
        with pytest.raises(ValueError, match="'secret_key'"):
            Xendit.check_mode(credentials, livemode=livemode)


def test_only_whole_rupiah_of_one_or_more_are_carried():
    assert xendit().units(Money(100, "IDR")) == 1
    for money in (Money(150, "IDR"), Money(0, "IDR"), Money(-100, "IDR"), Money(100, "PHP")):
        with pytest.raises(NotRepresentable):
            xendit().units(money)


@pytest.mark.parametrize(
    ("text", "microsecond"),
    [("2026-03-01T02:00:00Z", 0), ("2026-03-01T02:00:00.5Z", 500_000), ("2026-03-01T02:00:00.52345Z", 523_450)],
)
def test_times_have_any_number_of_digits(text: str, microsecond: int):
    assert wire.moment(text) == NOW.replace(microsecond=microsecond)
    assert wire.moment("2026-03-01T02:00:00.123456789Z") == NOW.replace(microsecond=123_456)
    for none in (None, "", "tomorrow", 5):
        assert wire.moment(none) is None
