"""PayPal without the wire: its words, its refusals, its webhooks, and its own description of our requests.

The golden vector is that of PayPal's Python library; openapi/paypal.json is taken from PayPal's OpenAPI files.
"""

import base64
import json
import zlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from core.crypto import Secret
from core.http import Request, Response
from core.money import Money, NotRepresentable
from core.providers import (
    Forged,
    Misconfigured,
    NothingCreated,
    OutcomeUnknown,
    TokenRejected,
    Unreadable,
    from_json,
)
from payments.providers import paypal_webhooks as webhooks
from payments.providers import paypal_words as words
from payments.providers.base import Connection, FailureCode, Kind, Line, Order, RawCallback, Report, Topic, Word
from payments.providers.paypal import Credentials, Options, Paypal
from simulators.paypal import certificates
from tests.contracts.world import MemoryTokens

OPENAPI = json.loads((Path(__file__).parent / "openapi" / "paypal.json").read_text())
USD = Money(1250, "USD")
ORDER_ID, CAPTURE_ID = "7SA12345BC678901D", "4CP00SAMPLE00001X"
WEBHOOK = "9AB12345CD678901E"
NOW = datetime(2026, 11, 20, 11, 5, 16, tzinfo=UTC)
CAPTURE: dict[str, Any] = {
    "id": CAPTURE_ID,
    "status": "COMPLETED",
    "amount": {"currency_code": "USD", "value": "12.50"},
    "final_capture": True,
    "custom_id": "REF1",
    "invoice_id": "REF1",
    "seller_receivable_breakdown": {
        "gross_amount": {"currency_code": "USD", "value": "12.50"},
        "paypal_fee": {"currency_code": "USD", "value": "0.93"},
        "net_amount": {"currency_code": "USD", "value": "11.57"},
    },
    "links": [
        {"href": f"https://api-m.sandbox.paypal.com/v2/checkout/orders/{ORDER_ID}", "rel": "up", "method": "GET"}
    ],
}
HELD = {"id": "5AU00SAMPLE00003Z", "status": "CREATED", "amount": {"currency_code": "USD", "value": "12.50"}}


def document(status: str = "COMPLETED", **payments: Any) -> dict[str, Any]:
    return {"id": ORDER_ID, "status": status, "purchase_units": [{"reference_id": "default", "payments": payments}]}


def paypal(*, livemode: bool = False, send: Any = None, **options: Any) -> Paypal:
    def never(request: Request) -> Response:
        raise AssertionError("nothing may be sent")

    host = Paypal.hosts["production" if livemode else "sandbox"]
    credentials = Credentials(Secret("a-client"), Secret("a-secret"))
    given = from_json(Options, {"webhook_ids": [WEBHOOK], **options})
    tokens = MemoryTokens(Secret("a-token"))
    return Paypal(Connection(host, livemode, credentials, given, lambda: NOW, send or never, tokens))


def order(kind: Kind = Kind.CREATE, **changes: Any) -> Order:
    known = {"provider_id": ORDER_ID, "target_id": CAPTURE_ID} if kind is not Kind.CREATE else {}
    made = Order(kind, "REF1", "op1", USD, str, "https://shop.example/back", "paypal", **known)
    return replace(made, **changes)


def answered(status: int, body: Any, kind: Kind = Kind.CREATE, **options: Any) -> Report:
    return paypal(**options).step(order(kind)).read(Response(status, {}, json.dumps(body).encode(), 0.0))


def refusal(issue: str, name: str = "UNPROCESSABLE_ENTITY", **more: Any) -> dict[str, Any]:
    return {"name": name, "debug_id": "f1c2d3e4a5b67", "details": [{"issue": issue}], **more}


# Amounts


@pytest.mark.parametrize(
    ("money", "value"),
    [
        (USD, "12.50"),
        (Money(5, "EUR"), "0.05"),
        (Money(100_00, "HUF"), "100"),
        (Money(100_00, "TWD"), "100"),
        (Money(100, "JPY"), "100"),
        (Money(10**15 - 1, "USD"), "9999999999999.99"),
    ],
)
def test_an_amount_is_a_text_with_the_decimals_that_paypal_takes(money: Money, value: str):
    body = json.loads(paypal().step(order(money=money)).request.body)
    assert body["purchase_units"][0]["amount"] == {"currency_code": money.currency, "value": value}


@pytest.mark.parametrize("currency", sorted(words.DOMESTIC))
def test_a_currency_of_one_country_is_taken_where_the_account_says_so(currency: str):
    with pytest.raises(NotRepresentable):
        paypal().units(Money(1250, currency))
    assert paypal(domestic_currencies=[currency]).units(Money(1250, currency)) == 1250


# Requests


@pytest.mark.parametrize(
    ("kind", "changes", "call"),
    [
        (Kind.CREATE, {}, "POST /v2/checkout/orders"),
        (Kind.CREATE, {"manual_capture": True, "description": "Tea\nand\tcups " * 20}, "POST /v2/checkout/orders"),
        (Kind.CREATE, {"lines": (Line("Tea\ncup", 5, Money(250, "USD"), "CUP"),)}, "POST /v2/checkout/orders"),
        (
            Kind.CREATE,
            {"lines": (Line("Cup", 1, Money(1500, "USD")), Line("Voucher", 1, Money(-250, "USD")))},
            "POST /v2/checkout/orders",
        ),
        (Kind.CONFIRM, {}, "POST /v2/checkout/orders/{id}/capture"),
        (Kind.CONFIRM, {"manual_capture": True}, "POST /v2/checkout/orders/{id}/authorize"),
        (Kind.REFUND, {}, "POST /v2/payments/captures/{id}/refund"),
    ],
)
def test_paypal_s_own_description_takes_what_we_send(kind: Kind, changes: dict[str, Any], call: str):
    shop = {"brand_name": "Acme", "locale": "en-US", "soft_descriptor": "ACME"}
    request = paypal(**shop).step(order(kind, **changes)).request
    jsonschema.validate(json.loads(request.body), OPENAPI[call])
    path = call.replace("{id}", CAPTURE_ID if "captures" in call else ORDER_ID)
    assert f"{request.method} {request.url.removeprefix('https://api-m.sandbox.paypal.com')}" == path
    assert request.headers["PayPal-Request-Id"] == "op1"


def test_paypal_s_own_description_takes_the_capture_of_what_is_held():
    sent = asked_after(document(authorizations=[HELD]), Kind.CAPTURE, CAPTURE)
    assert sent.url.endswith("/v2/payments/authorizations/5AU00SAMPLE00003Z/capture")
    assert sent.headers["PayPal-Request-Id"] == "op1"
    jsonschema.validate(json.loads(sent.body), OPENAPI["POST /v2/payments/authorizations/{id}/capture"])


def asked_after(first: Any, kind: Kind, second: Any, status: int = 201) -> Request:
    """The call that a step makes once its question was answered."""
    sent: list[Request] = []

    def send(request: Request) -> Response:
        sent.append(request)
        return Response(status, {}, json.dumps(second).encode() if second else b"", 0.0)

    paypal(send=send).step(order(kind)).read(Response(200, {}, json.dumps(first).encode(), 0.0))
    return sent[0]


def test_a_void_is_asked_of_what_is_held_and_needs_no_body_in_answer():
    sent = asked_after(document(authorizations=[{**HELD, "status": "VOIDED"}, HELD]), Kind.CANCEL, None, 204)
    assert sent.url.endswith(f"/v2/payments/authorizations/{HELD['id']}/void")


def test_an_order_without_items_that_add_up_names_none():
    for lines in ((Line("Cup", 1, Money(1, "USD")),), (Line("Cup", 1, Money(1250, "EUR")),)):
        assert b"items" not in paypal().step(order(lines=lines)).request.body


# Words


@pytest.mark.parametrize(
    ("status", "word"),
    [
        ("CREATED", Word.REQUIRES_ACTION),
        ("PAYER_ACTION_REQUIRED", Word.REQUIRES_ACTION),
        ("SAVED", Word.PENDING),
        ("APPROVED", Word.APPROVED),
        ("VOIDED", Word.CANCELLED),
        ("COMPLETED", Word.PENDING),
        ("EATEN", Word.UNKNOWN),
    ],
)
def test_each_status_of_an_order_has_its_word_and_none_of_them_is_money(status: str, word: Word):
    report = answered(201, document(status))
    assert (report.word, report.provider_status, report.provider_id, report.moved) == (word, status, ORDER_ID, ())


@pytest.mark.parametrize(
    ("status", "word"),
    [
        ("COMPLETED", Word.SUCCEEDED),
        ("PARTIALLY_REFUNDED", Word.SUCCEEDED),
        ("REFUNDED", Word.SUCCEEDED),
        ("PENDING", Word.PENDING),
        ("DECLINED", Word.FAILED),
        ("FAILED", Word.FAILED),
        ("EATEN", Word.UNKNOWN),
    ],
)
def test_each_status_of_a_capture_has_its_word(status: str, word: Word):
    report = answered(201, document(captures=[{**CAPTURE, "status": status}]), Kind.CONFIRM)
    assert (report.word, report.provider_status, bool(report.moved)) == (word, status, word is Word.SUCCEEDED)
    assert (report.failure is None) is (word is not Word.FAILED)


@pytest.mark.parametrize(
    ("status", "word"),
    [
        ("CREATED", Word.AUTHORIZED),
        ("PENDING", Word.PENDING),
        ("CAPTURED", Word.PENDING),
        ("PARTIALLY_CAPTURED", Word.PENDING),
        ("DENIED", Word.FAILED),
        ("VOIDED", Word.CANCELLED),
        ("EATEN", Word.UNKNOWN),
    ],
)
def test_each_status_of_an_authorization_has_its_word(status: str, word: Word):
    report = answered(201, document(authorizations=[{**HELD, "status": status}]), Kind.CONFIRM)
    assert (report.word, report.moved) == (word, ())
    assert report.authorized == (USD if word is Word.AUTHORIZED else None)


@pytest.mark.parametrize(
    ("status", "word"),
    [
        ("PENDING", Word.PENDING),
        ("COMPLETED", Word.SUCCEEDED),
        ("FAILED", Word.FAILED),
        ("CANCELLED", Word.CANCELLED),
        ("EATEN", Word.UNKNOWN),
    ],
)
def test_each_status_of_a_refund_has_its_word(status: str, word: Word):
    report = answered(201, {"id": "5RF", "status": status, "amount": CAPTURE["amount"]}, Kind.REFUND)
    assert (report.word, report.provider_id, bool(report.moved)) == (word, "5RF", word is Word.SUCCEEDED)


def test_an_account_can_give_a_status_another_word():
    completed = document(captures=[CAPTURE])
    assert answered(201, completed, Kind.CONFIRM, capture_words={}).word is Word.UNKNOWN
    assert answered(201, completed, Kind.CONFIRM, capture_words={"COMPLETED": "pending"}).word is Word.PENDING


def test_of_several_captures_each_that_moved_is_money_and_none_hides_another():
    captures = [{**CAPTURE, "status": "DECLINED"}, CAPTURE, {**CAPTURE, "id": "5CP", "status": "COMPLETED"}]
    report = answered(201, document(captures=captures), Kind.CONFIRM)
    assert [moved.provider_money_id for moved in report.moved] == [CAPTURE_ID, "5CP"]
    assert (report.word, report.cost) == (Word.SUCCEEDED, None)


@pytest.mark.parametrize(
    "wrong",
    [
        None,
        [],
        {},
        {**CAPTURE["seller_receivable_breakdown"], "gross_amount": {"currency_code": "USD", "value": "12.51"}},
        {**CAPTURE["seller_receivable_breakdown"], "net_amount": {"currency_code": "USD", "value": "13.00"}},
        {**CAPTURE["seller_receivable_breakdown"], "net_amount": {"currency_code": "EUR", "value": "11.57"}},
        {**CAPTURE["seller_receivable_breakdown"], "net_amount": {"currency_code": "USD", "value": 11.57}},
        {
            **CAPTURE["seller_receivable_breakdown"],
            "net_amount": {"currency_code": "USD", "value": "0.00"},
            "receivable_amount": {"currency_code": "EUR", "value": "1.00"},
        },
    ],
)
def test_a_cost_that_is_not_readable_leaves_the_money_as_it_is(wrong: Any):
    report = answered(201, document(captures=[{**CAPTURE, "seller_receivable_breakdown": wrong}]), Kind.CONFIRM)
    assert (report.moved[0].money, report.cost) == (USD, None)


# Refusals


@pytest.mark.parametrize("issue", sorted(words.TERMINAL))
def test_a_final_refusal_of_a_capture_is_a_failure(issue: str):
    report = answered(422, refusal(issue), Kind.CONFIRM)
    assert report.failure is not None
    assert (report.word, report.still_payable, report.failure.provider_code) == (Word.FAILED, False, issue)


@pytest.mark.parametrize(
    ("issue", "word"),
    [
        ("INSTRUMENT_DECLINED", Word.REQUIRES_ACTION),
        ("REDIRECT_PAYER_FOR_ALTERNATE_FUNDING", Word.REQUIRES_ACTION),
        ("PAYER_ACTION_REQUIRED", Word.REQUIRES_ACTION),
        ("ORDER_NOT_APPROVED", Word.REQUIRES_ACTION),
        ("ORDER_COMPLETION_IN_PROGRESS", Word.PENDING),
        ("ORDER_EXPIRED", Word.EXPIRED),
    ],
)
def test_each_other_refusal_of_a_capture_says_how_the_order_stands(issue: str, word: Word):
    page = {"href": f"https://www.sandbox.paypal.com/checkoutnow?token={ORDER_ID}", "rel": "payer-action"}
    report = answered(422, refusal(issue, links=[page]), Kind.CONFIRM)
    assert (report.word, report.provider_id, report.moved) == (word, ORDER_ID, ())
    goes_back = issue in words.ANOTHER_INSTRUMENT
    assert report.next_action == ({"type": "redirect", "url": page["href"]} if goes_back else None)


@pytest.mark.parametrize("kind", [Kind.CREATE, Kind.CONFIRM, Kind.REFUND])
@pytest.mark.parametrize(
    ("status", "body"),
    [
        (422, refusal("DUPLICATE_INVOICE_ID")),
        (422, refusal("NEVER_HEARD_OF")),
        (409, refusal("PREVIOUS_REQUEST_IN_PROGRESS", "RESOURCE_CONFLICT")),
        (429, {"message": "slow down"}),
        (401, {}),
        (403, []),
        (500, refusal("", "INTERNAL_SERVER_ERROR")),
        (503, {"name": "SERVICE_UNAVAILABLE"}),
        (302, {}),
        (200, []),
        (200, {"id": ORDER_ID}),
        (201, {**document("PAYER_ACTION_REQUIRED"), "links": [{"rel": "approve", "href": "javascript:x"}]}),
        (201, document(captures=[{**CAPTURE, "amount": {"currency_code": "USD", "value": "-1.00"}}])),
        (201, document(captures=[{**CAPTURE, "amount": {"currency_code": "XXX", "value": "1.00"}}])),
        (201, document(captures=[{**CAPTURE, "amount": {"currency_code": "USD", "value": "1.001"}}])),
    ],
)
def test_every_other_answer_leaves_the_outcome_unknown(status: int, body: Any, kind: Kind):
    if kind is Kind.REFUND and status == 201:
        body = {"id": "5RF", "status": "COMPLETED"}
    with pytest.raises(OutcomeUnknown):
        answered(status, body, kind)


@pytest.mark.parametrize(
    ("status", "name", "issue", "code"),
    [
        (400, "INVALID_REQUEST", "MISSING_REQUIRED_PARAMETER", FailureCode.INVALID_REQUEST),
        (400, "INVALID_REQUEST", "", FailureCode.INVALID_REQUEST),
        (404, "RESOURCE_NOT_FOUND", "INVALID_RESOURCE_ID", FailureCode.INVALID_REQUEST),
        (415, "UNSUPPORTED_MEDIA_TYPE", "", FailureCode.INVALID_REQUEST),
        (422, "UNPROCESSABLE_ENTITY", "INVALID_CURRENCY_CODE", FailureCode.INVALID_REQUEST),
        (422, "UNPROCESSABLE_ENTITY", "PAYEE_ACCOUNT_RESTRICTED", FailureCode.PROVIDER_CONFIGURATION),
        (422, "UNPROCESSABLE_ENTITY", "REFUND_FAILED_INSUFFICIENT_FUNDS", FailureCode.INSUFFICIENT_FUNDS),
        (422, "UNPROCESSABLE_ENTITY", "TRANSACTION_LIMIT_EXCEEDED", FailureCode.LIMIT_EXCEEDED),
        (429, "RATE_LIMIT_REACHED", "", FailureCode.PROVIDER_UNAVAILABLE),
    ],
)
def test_a_listed_refusal_has_created_nothing(status: int, name: str, issue: str, code: FailureCode):
    body = refusal(issue, name) if issue else {"name": name}
    for kind in (Kind.CREATE, Kind.REFUND):
        with pytest.raises(NothingCreated) as refused:
            answered(status, body, kind)
        assert (refused.value.code, refused.value.provider_code) == (code, issue or name)


def test_a_refused_token_is_told_from_an_app_that_may_not():
    for body in ({"name": "AUTHENTICATION_FAILURE"}, {"error": "invalid_token"}):
        with pytest.raises(TokenRejected):
            answered(401, body)
    for status, body in ((403, refusal("PERMISSION_DENIED")), (401, refusal("INVALID_ACCOUNT_STATUS"))):
        with pytest.raises(Misconfigured):
            answered(status, body)


def test_every_refusal_has_one_of_our_codes():
    assert set(words.FAILURES.values()) <= set(FailureCode)
    assert set(words.FAILURES) >= words.TERMINAL | words.ANOTHER_INSTRUMENT


# Webhooks


def event(kind: str, resource: Any) -> RawCallback:
    body = {"id": "WH-1", "event_type": kind, "resource": resource}
    return RawCallback("events", {}, json.dumps(body).encode())


@pytest.mark.parametrize("kind", ["COMPLETED", "PENDING", "DENIED", "DECLINED"])
def test_every_event_of_a_capture_finds_its_order_and_our_reference(kind: str):
    related = {"supplementary_data": {"related_ids": {"order_id": ORDER_ID}}, "links": []}
    for told in ({**CAPTURE, **related}, CAPTURE):
        notice = paypal().read_callback(event(f"PAYMENT.CAPTURE.{kind}", told))
        assert (notice.topic, notice.event_id, notice.reference) == (Topic.PAYMENT, "WH-1", "REF1")
        assert notice.payment_provider_id == ORDER_ID
    orphan = paypal().read_callback(event(f"PAYMENT.CAPTURE.{kind}", {**CAPTURE, "links": []}))
    assert (orphan.payment_provider_id, orphan.reference) == ("", "REF1")


@pytest.mark.parametrize("kind", ["CHECKOUT.ORDER.SAVED", "VAULT.PAYMENT-TOKEN.CREATED", "NEVER.HEARD.OF"])
def test_every_other_event_says_nothing(kind: str):
    assert paypal().read_callback(event(kind, None)).topic is Topic.NOTHING


@pytest.mark.parametrize("resource", [None, [], {}, {**CAPTURE, "status": None}, {**CAPTURE, "amount": "12.50"}])
def test_an_event_of_another_shape_is_unreadable(resource: Any):
    with pytest.raises(Unreadable):
        paypal().read_callback(event("PAYMENT.CAPTURE.COMPLETED", resource))


GOLDEN_BODY = b'{"id":"WH-SAMPLE-1","event_type":"PAYMENT.CAPTURE.COMPLETED"}'
GOLDEN = b"tid|2026-11-20T11:05:16Z|9AB12345CD678901E|2081483530"


def test_the_golden_vector_is_what_is_signed():
    told = {"transmission_id": "tid", "transmission_time": "2026-11-20T11:05:16Z"}
    assert webhooks.message(told, WEBHOOK, GOLDEN_BODY) == GOLDEN
    assert zlib.crc32(GOLDEN_BODY) == 2081483530


def signed(url: str, *, at: datetime = NOW) -> RawCallback:
    stamp = at.strftime("%Y-%m-%dT%H:%M:%SZ")
    told = {"transmission_id": "tid", "transmission_time": stamp}
    signature = certificates.signature(webhooks.message(told, WEBHOOK, GOLDEN_BODY))
    headers = {
        "paypal-transmission-id": "tid",
        "paypal-transmission-time": stamp,
        "paypal-transmission-sig": base64.b64encode(signature).decode(),
        "paypal-cert-url": url,
        "paypal-auth-algo": "SHA256withRSA",
    }
    return RawCallback("events", headers, GOLDEN_BODY)


def serving(asked: list[str], certificate: str = "") -> Any:
    def send(request: Request) -> Response:
        assert "Authorization" not in request.headers
        asked.append(request.url)
        return Response(200, {}, (certificate or certificates.certificate()).encode(), 0.0)

    return send


CERTS = "/v1/notifications/certs/CERT-360caa42"
LIVE = ["https://api.paypal.com", "https://api-m.paypal.com"]
SANDBOX = ["https://api.sandbox.paypal.com", "https://api-m.sandbox.paypal.com"]


@pytest.mark.parametrize("place", range(4))
def test_a_certificate_is_fetched_once_from_paypal_s_own_hosts(place: int):
    asked: list[str] = []
    url = f"{[*LIVE, *SANDBOX][place]}{CERTS}-{place}"
    provider = paypal(send=serving(asked), certificate_authorities=certificates.authority())
    for _ in range(2):
        provider.verify(signed(url))
    assert asked == [url]


def test_a_live_account_trusts_no_certificate_of_the_sandbox():
    asked: list[str] = []
    provider = paypal(livemode=True, send=serving(asked), certificate_authorities=certificates.authority())
    for host in SANDBOX:
        with pytest.raises(Forged, match="not at PayPal's"):
            provider.verify(signed(host + CERTS))
    assert asked == []
    provider.verify(signed(f"{LIVE[0]}{CERTS}-live"))


def test_a_certificate_that_an_unknown_authority_signed_is_refused_and_not_kept():
    asked: list[str] = []
    stranger = certificates.certificate(certificates.STRANGER)
    provider = paypal(send=serving(asked, stranger), certificate_authorities=certificates.authority())
    for _ in range(2):
        with pytest.raises(Forged, match="no authority"):
            provider.verify(signed(f"{LIVE[0]}{CERTS}-stranger"))
    assert len(asked) == 2


@pytest.mark.parametrize(
    ("age", "fits"),
    [
        (timedelta(0), True),
        (timedelta(days=3), True),
        (timedelta(hours=97), False),
        (timedelta(minutes=-4), True),
        (timedelta(minutes=-6), False),
    ],
)
def test_a_transmission_is_taken_for_as_long_as_paypal_retries(age: timedelta, fits: bool):
    provider = paypal(send=serving([]), certificate_authorities=certificates.authority())
    callback = signed(f"{LIVE[0]}{CERTS}-age", at=NOW - age)
    if fits:
        provider.verify(callback)
        return
    with pytest.raises(Forged, match="too old"):
        provider.verify(callback)


def test_paypal_s_own_description_takes_our_question_about_a_webhook():
    asked: list[Request] = []

    def send(request: Request) -> Response:
        asked.append(request)
        return Response(200, {}, b'{"verification_status": "SUCCESS"}', 0.0)

    paypal(send=send).prove(signed(LIVE[0] + CERTS))
    jsonschema.validate(json.loads(asked[0].body), OPENAPI["POST /v1/notifications/verify-webhook-signature"])
    assert b'"webhook_event": ' + GOLDEN_BODY in asked[0].body


# Options


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"landing_page": "HOME"}, "landing_page"),
        ({"payment_method_preference": "ANY"}, "payment_method_preference"),
        ({"webhook_verification": "never"}, "webhook_verification"),
        ({"webhook_max_age_hours": 0}, "webhook_max_age_hours"),
        ({"soft_descriptor": "x" * 23}, "soft_descriptor"),
        ({"brand_name": "x" * 128}, "brand_name"),
        ({"domestic_currencies": ["USD"]}, "domestic_currencies"),
        ({"certificate_authorities": "none"}, "certificate_authorities"),
        ({"capture_words": {"COMPLETED": "paid"}}, "capture_words"),
        ({"source_addresses": ["nowhere"]}, "nowhere"),
    ],
)
def test_an_option_that_does_not_fit_is_named(options: dict[str, Any], named: str):
    with pytest.raises(ValueError, match=named):
        from_json(Options, options)


def test_paypal_asks_the_payer_itself():
    assert paypal().instrument("") == ""
    with pytest.raises(ValueError, match="page of its own"):
        paypal().instrument("buyer@example.com")
