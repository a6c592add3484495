"""PayPal on the wire: its API from the other side, the payer's page, signed webhooks."""

import base64
import json
import zlib
from pathlib import Path

import pytest
import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding

import simulators
from tests.simulators.conftest import DEADLINE, Control, until

ORDERS = "/v2/checkout/orders"
WEBHOOK = "9AB12345CD678901E"
GOLDEN_BODY = b'{"id":"WH-SAMPLE-1","event_type":"PAYMENT.CAPTURE.COMPLETED"}'
RETURN, CANCEL = "https://shop.example/r?cart=7", "https://shop.example/c"


class PaypalWire(Control):
    """Plain JSON, with a token fetched on first use."""

    def __init__(self, url):
        super().__init__(url)
        self.tokens = {}

    def fetch_token(self, client="lango-simulator-client", secret="lango-simulator-secret", **form):
        data = {"grant_type": "client_credentials"} | form
        return self.http.post(f"{self.url}/v1/oauth2/token", data=data, auth=(client, secret), timeout=DEADLINE)

    def call(self, method, path, body=None, key="", whole=True, app="lango-simulator-client", **headers):
        secret = app.replace("client", "secret")
        if app not in self.tokens:
            self.tokens[app] = self.fetch_token(app, secret).json()["access_token"]
        sent = {"Authorization": f"Bearer {self.tokens[app]}", "Content-Type": "application/json"} | headers
        sent |= ({"PayPal-Request-Id": key} if key else {}) | ({"Prefer": "return=representation"} if whole else {})
        data = None if body is None else json.dumps(body)
        return self.http.request(method, self.url + path, data=data, headers=sent, timeout=DEADLINE)

    def body(self, value="12.50", currency="USD", intent="CAPTURE", **unit):
        amount = {"currency_code": currency, "value": value}
        context = {"return_url": RETURN, "cancel_url": CANCEL}
        return {
            "intent": intent,
            "purchase_units": [{"custom_id": "att_7f3c", "amount": amount} | unit],
            "payment_source": {"paypal": {"experience_context": context}},
        }

    def create(self, *args, key="", whole=True, **unit):
        return self.call("POST", ORDERS, self.body(*args, **unit), key=key, whole=whole)

    def approved(self, *args, outcome="approve", **unit):
        id = self.create(*args, **unit).json()["id"]
        self.simulate(id=id, outcome=outcome)
        return id

    def capture(self, id, **options):
        return self.call("POST", f"{ORDERS}/{id}/capture", {}, **options)

    def paid(self, *args, **unit):
        captured = self.capture(self.approved(*args, **unit)).json()
        return captured["purchase_units"][0]["payments"]["captures"][0]

    def held(self):
        id = self.approved(intent="AUTHORIZE")
        held = self.call("POST", f"{ORDERS}/{id}/authorize", {}).json()
        return id, held["purchase_units"][0]["payments"]["authorizations"][0]["id"]

    def refund(self, capture, body=None, **options):
        return self.call("POST", f"/v2/payments/captures/{capture}/refund", body or {}, **options)


@pytest.fixture
def wire(running):
    wire = PaypalWire(running.url("paypal"))
    wire.post("reset")
    wire.settings(pending_seconds=0.1, trouble_seconds=0.15)
    return wire


def issue(answer):
    return answer.status_code, answer.json()["details"][0]["issue"]


def rels(document):
    return {link["rel"]: link["href"] for link in document["links"]}


def money(value, currency="USD"):
    return {"currency_code": currency, "value": value}


# Tokens


def test_a_token_says_its_life_in_a_number_of_seconds_and_leaves_others_alive(wire):
    first, second = (wire.fetch_token().json() for _ in range(2))
    assert (first["token_type"], first["expires_in"]) == ("Bearer", 32_400)
    assert first["access_token"] != second["access_token"]
    for token in (first, second):
        wire.tokens["lango-simulator-client"] = token["access_token"]
        assert wire.create().status_code == 201


@pytest.mark.parametrize("client", [("lango-simulator-client", "wrong"), ("stranger", "lango-simulator-secret")])
def test_a_wrong_client_is_refused_in_the_shape_of_oauth(wire, client):
    answer = wire.fetch_token(*client)
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")


def test_a_call_without_a_living_token_is_401(wire):
    wire.tokens["lango-simulator-client"] = "A21AA-nobody"
    answer = wire.create()
    assert (answer.status_code, answer.json()["name"]) == (401, "AUTHENTICATION_FAILURE")
    assert answer.headers["Paypal-Debug-Id"] == answer.json()["debug_id"]


# Orders


def test_an_order_is_short_unless_a_representation_is_preferred(wire):
    short, whole = wire.create(whole=False), wire.create()
    assert (short.status_code, set(short.json())) == (201, {"id", "status", "links"})
    assert whole.json()["purchase_units"][0]["custom_id"] == "att_7f3c"
    assert short.json()["status"] == "PAYER_ACTION_REQUIRED"
    assert set(rels(short.json())) == {"self", "payer-action"}


def test_an_order_without_a_source_has_other_links(wire):
    body = {name: value for name, value in wire.body().items() if name != "payment_source"}
    answer = wire.call("POST", ORDERS, body).json()
    assert answer["status"] == "CREATED"
    assert {"self", "approve", "update", "capture"} == set(rels(answer))


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"intent": "SALE"}, (400, "INVALID_PARAMETER_VALUE")),
        ({"intent": None}, (400, "MISSING_REQUIRED_PARAMETER")),
        ({"purchase_units": []}, (400, "MISSING_REQUIRED_PARAMETER")),
        ({"purchase_units": [{"amount": money("1.00")}] * 11}, (400, "INVALID_ARRAY_MAX_ITEMS")),
        ({"purchase_units": [{"amount": money("1.00")}] * 2}, (422, "DUPLICATE_REFERENCE_ID")),
        ({"payment_source": {"card": {}}}, (422, "PAYMENT_SOURCE_CANNOT_BE_USED")),
        ({"payment_source": {"paypal": {"vault_id": "8kk8451t"}}}, (400, "PAYPAL_REQUEST_ID_REQUIRED")),
    ],
)
def test_a_wrong_order_is_refused_by_its_issue(wire, change, expected):
    assert issue(wire.call("POST", ORDERS, wire.body() | change)) == expected
    assert wire.entries() == []


@pytest.mark.parametrize(
    ("amount", "expected"),
    [
        (money("12.50", "KES"), (422, "INVALID_CURRENCY_CODE")),
        (money("150000.00", "IDR"), (422, "INVALID_CURRENCY_CODE")),
        (money("100.00", "JPY"), (422, "DECIMAL_PRECISION")),
        (money("100.00", "HUF"), (422, "DECIMAL_PRECISION")),
        (money("100.00", "TWD"), (422, "DECIMAL_PRECISION")),
        (money("12.505"), (422, "DECIMAL_PRECISION")),
        (money("0.00"), (422, "CANNOT_BE_ZERO_OR_NEGATIVE")),
        (money("-1.00"), (422, "CANNOT_BE_ZERO_OR_NEGATIVE")),
        (money("12,50"), (400, "INVALID_PARAMETER_SYNTAX")),
        (money(12.5), (400, "INVALID_PARAMETER_SYNTAX")),
        ({"value": "1.00"}, (400, "MISSING_REQUIRED_PARAMETER")),
    ],
)
def test_an_amount_that_paypal_does_not_take_is_refused(wire, amount, expected):
    assert issue(wire.create(amount=amount)) == expected


@pytest.mark.parametrize("currency", ["JPY", "HUF", "TWD"])
def test_three_currencies_have_no_decimals(wire, currency):
    assert wire.paid("100", currency)["amount"] == money("100", currency)


def test_parts_and_items_must_sum_exactly(wire):
    item = {"name": "Cup", "quantity": "2", "unit_amount": money("7.00")}
    parts = {"item_total": money("14.00"), "discount": money("1.50")}
    fits = money("12.50") | {"breakdown": parts}
    assert wire.create(amount=fits, items=[item]).status_code == 201
    assert issue(wire.create(amount=fits | {"value": "12.51"}, items=[item])) == (422, "AMOUNT_MISMATCH")
    assert issue(wire.create(amount=money("14.00"), items=[item])) == (422, "ITEM_TOTAL_REQUIRED")
    assert issue(wire.create(amount=fits, items=[item | {"quantity": "1"}])) == (422, "ITEM_TOTAL_MISMATCH")


def test_an_order_is_its_app_s_alone(wire):
    id = wire.create().json()["id"]
    answer = wire.call("GET", f"{ORDERS}/{id}", app="lango-simulator-client-2")
    assert issue(answer) == (404, "INVALID_RESOURCE_ID")


# The payer


def test_the_page_sends_the_payer_back_with_token_and_payer(wire):
    order = wire.create().json()
    page = rels(order)["payer-action"]
    assert "12.50 USD" in requests.get(page, timeout=5).text
    back = requests.post(page, data={"outcome": "approve"}, allow_redirects=False, timeout=5)
    assert back.headers["Location"] == f"https://shop.example/r?cart=7&token={order['id']}&PayerID=SAMPLEPAYER01"
    assert wire.call("GET", f"{ORDERS}/{order['id']}").json()["status"] == "APPROVED"
    assert "Nothing to approve" not in requests.get(page, timeout=5).text


def test_a_payer_who_cancels_changes_nothing_and_nobody_is_told(wire, receiver):
    wire.settings(webhook_url=receiver.url)
    order = wire.create().json()
    back = requests.post(rels(order)["payer-action"], data={"outcome": "cancel"}, allow_redirects=False, timeout=5)
    assert back.headers["Location"] == f"{CANCEL}?token={order['id']}"
    assert wire.call("GET", f"{ORDERS}/{order['id']}").json()["status"] == "PAYER_ACTION_REQUIRED"
    wire.paid()
    receiver.wait(3)
    assert order["id"] not in json.dumps(receiver.documents())


def test_the_phone_lists_what_waits_and_its_buttons_work(wire):
    id = wire.create().json()["id"]
    assert id in requests.get(f"{wire.url}/_simulator/phone", timeout=5).text
    requests.post(f"{wire.url}/_simulator/phone", data={"id": id, "outcome": "approve"}, timeout=5)
    assert wire.capture(id).status_code == 201


# Captures


def test_an_approved_order_is_captured_once(wire):
    id = wire.approved(invoice_id="INV-1")
    first, again = wire.capture(id, key="k"), wire.capture(id, key="k")
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json() == again.json()
    taken = first.json()["purchase_units"][0]["payments"]["captures"][0]
    assert (taken["status"], taken["final_capture"], taken["invoice_id"]) == ("COMPLETED", True, "INV-1")
    assert taken["seller_receivable_breakdown"]["paypal_fee"] == money("0.93")
    assert rels(taken)["up"].endswith(id)
    assert issue(wire.capture(id, key="other")) == (422, "ORDER_ALREADY_CAPTURED")
    [entry] = wire.entries("att_7f3c")
    assert (entry["amount"], entry["receipt"], entry["state"]) == (1250, taken["id"], "succeeded")


def test_what_does_not_fit_the_order_is_refused(wire):
    waiting, held = wire.create().json()["id"], wire.approved(intent="AUTHORIZE")
    assert issue(wire.capture(waiting)) == (422, "ORDER_NOT_APPROVED")
    assert issue(wire.capture(held)) == (422, "ACTION_DOES_NOT_MATCH_INTENT")
    assert wire.call("POST", f"{ORDERS}/{held}/authorize", **{"Content-Type": "text/plain"}).status_code == 415


def test_a_declined_instrument_can_be_replaced_on_the_same_order(wire):
    id = wire.approved(outcome="instrument_declined")
    refused = wire.capture(id)
    assert issue(refused) == (422, "INSTRUMENT_DECLINED")
    assert id in rels(refused.json())["redirect"]
    wire.simulate(id=id, outcome="approve")
    assert wire.capture(id).status_code == 201


def test_a_refused_request_leaves_its_key_free(wire):
    id = wire.approved(outcome="instrument_declined")
    assert wire.capture(id, key="k").status_code == 422
    wire.simulate(id=id, outcome="approve")
    assert wire.capture(id, key="k").status_code == 201


def test_negative_testing_by_header_as_in_the_sandbox(wire):
    mock = {"PayPal-Mock-Response": json.dumps({"mock_application_codes": "TRANSACTION_REFUSED"})}
    assert issue(wire.capture(wire.approved(), **mock)) == (422, "TRANSACTION_REFUSED")


def test_an_invoice_is_paid_once_unless_the_account_allows_more(wire):
    wire.paid(invoice_id="INV-1")
    second = wire.approved(invoice_id="INV-1")
    assert issue(wire.capture(second)) == (422, "DUPLICATE_INVOICE_ID")
    wire.settings(refuse_duplicate_invoices=False)
    assert wire.capture(second).status_code == 201


@pytest.mark.parametrize(
    ("value", "status", "type"), [("66621.00", "COMPLETED", "COMPLETED"), ("66624.00", "DECLINED", "DENIED")]
)
def test_a_pending_capture_ends_by_itself_and_says_so(wire, receiver, value, status, type):
    wire.settings(webhook_url=receiver.url)
    taken = wire.paid(value)
    assert (taken["status"], taken["status_details"]) == ("PENDING", {"reason": "PENDING_REVIEW"})
    assert "seller_receivable_breakdown" not in taken
    assert issue(wire.refund(taken["id"])) == (422, "PENDING_CAPTURE")
    until(lambda: f"PAYMENT.CAPTURE.{type}" in [event["event_type"] for event in receiver.documents()])
    assert wire.call("GET", f"/v2/payments/captures/{taken['id']}").json()["status"] == status


def test_an_order_ends_by_itself_unless_it_was_captured(wire):
    waiting, paid = wire.approved(), wire.approved()
    wire.capture(paid)
    wire.settings(approval_seconds=0)
    assert issue(wire.call("GET", f"{ORDERS}/{waiting}")) == (404, "INVALID_RESOURCE_ID")
    assert issue(wire.capture(waiting)) == (404, "INVALID_RESOURCE_ID")
    assert wire.call("GET", f"{ORDERS}/{paid}").json()["status"] == "COMPLETED"


# Authorizations


def test_what_is_held_can_be_taken_in_parts_until_the_last(wire):
    _, held = wire.held()
    path = f"/v2/payments/authorizations/{held}"
    part = wire.call("POST", f"{path}/capture", {"amount": money("5.00")}, key="a").json()
    assert (part["amount"], part["final_capture"]) == (money("5.00"), False)
    assert wire.call("GET", path).json()["status"] == "PARTIALLY_CAPTURED"
    over = wire.call("POST", f"{path}/capture", {"amount": money("7.51")})
    assert issue(over) == (422, "MAX_CAPTURE_AMOUNT_EXCEEDED")
    assert issue(wire.call("POST", f"{path}/capture", {"amount": money("1.00", "EUR")})) == (
        422,
        "AUTH_CAPTURE_CURRENCY_MISMATCH",
    )
    wire.call("POST", f"{path}/capture", {"amount": money("1.00"), "final_capture": True})
    assert issue(wire.call("POST", f"{path}/capture", {})) == (422, "AUTHORIZATION_ALREADY_CAPTURED")
    assert issue(wire.call("POST", f"{path}/void")) == (422, "PREVIOUSLY_CAPTURED")


def test_a_void_is_empty_unless_a_representation_is_preferred_and_comes_once(wire):
    (_, first), (_, second) = wire.held(), wire.held()
    empty = wire.call("POST", f"/v2/payments/authorizations/{first}/void", whole=False)
    shown = wire.call("POST", f"/v2/payments/authorizations/{second}/void")
    assert (empty.status_code, empty.content) == (204, b"")
    assert (shown.status_code, shown.json()["status"]) == (200, "VOIDED")
    assert issue(wire.call("POST", f"/v2/payments/authorizations/{first}/void")) == (422, "PREVIOUSLY_VOIDED")
    assert issue(wire.call("POST", f"/v2/payments/authorizations/{first}/capture", {})) == (422, "AUTHORIZATION_VOIDED")


# Refunds


def test_refunds_come_in_parts_up_to_what_was_captured(wire):
    taken = wire.paid()["id"]
    part = wire.refund(taken, {"amount": money("2.50"), "invoice_id": "RF-1"}, key="r")
    assert (part.status_code, part.json()["status"]) == (201, "COMPLETED")
    assert wire.refund(taken, {"amount": money("2.50"), "invoice_id": "RF-1"}, key="r").status_code == 200
    assert wire.call("GET", f"/v2/payments/captures/{taken}").json()["status"] == "PARTIALLY_REFUNDED"
    assert issue(wire.refund(taken, {"amount": money("10.01")})) == (422, "REFUND_AMOUNT_EXCEEDED")
    assert issue(wire.refund(taken, {"amount": money("1.00", "EUR")})) == (422, "REFUND_CAPTURE_CURRENCY_MISMATCH")
    rest = wire.refund(taken).json()
    assert (rest["amount"], rest["seller_payable_breakdown"]["total_refunded_amount"]) == (
        money("10.00"),
        money("12.50"),
    )
    assert issue(wire.refund(taken)) == (422, "CAPTURE_FULLY_REFUNDED")
    assert [entry["amount"] for entry in wire.entries() if entry["kind"] == "refund"] == [250, 1000]


@pytest.mark.parametrize(
    ("value", "status", "captured"), [("66626.00", "COMPLETED", "REFUNDED"), ("66627.00", "FAILED", "COMPLETED")]
)
def test_a_pending_refund_ends_by_itself(wire, value, status, captured):
    taken = wire.paid(value)["id"]
    made = wire.refund(taken).json()
    assert (made["status"], made["status_details"]) == ("PENDING", {"reason": "ECHECK"})
    until(lambda: wire.call("GET", f"/v2/payments/refunds/{made['id']}").json()["status"] == status)
    assert wire.call("GET", f"/v2/payments/captures/{taken}").json()["status"] == captured


def test_a_disputed_capture_is_not_refunded(wire):
    taken = wire.paid()["id"]
    wire.simulate(id=taken, outcome="dispute")
    assert issue(wire.refund(taken)) == (422, "TRANSACTION_DISPUTED")
    wire.simulate(id=taken, outcome="dispute_won")
    assert wire.refund(taken).status_code == 201


# Keys


def test_a_repeat_shows_what_the_first_made_as_it_is_now(wire):
    made = wire.create(key="k").json()
    wire.simulate(id=made["id"], outcome="approve")
    again = wire.create("99.00", key="k")
    assert (again.status_code, again.json()["id"], again.json()["status"]) == (200, made["id"], "APPROVED")
    assert len(wire.entries()) == 1


def test_keys_of_orders_and_of_payments_live_for_their_own_time(wire):
    wire.settings(order_request_seconds=0)
    assert wire.create(key="k").json()["id"] != wire.create(key="k").json()["id"]
    taken = wire.paid()["id"]
    ids = [wire.refund(taken, {"amount": money("1.00")}, key="r").json()["id"] for _ in range(2)]
    assert ids[0] == ids[1]
    wire.settings(payment_request_seconds=0)
    assert wire.refund(taken, {"amount": money("1.00")}, key="r").json()["id"] != ids[0]


def test_a_key_is_of_its_call_and_app_and_not_too_long(wire):
    id = wire.approved(key="k")
    assert wire.capture(id, key="k").status_code == 201
    assert wire.call("POST", ORDERS, wire.body(), key="k", app="lango-simulator-client-2").status_code == 201
    assert issue(wire.create(key="x" * 109)) == (400, "INVALID_STRING_LENGTH")


def test_a_lost_answer_is_found_again_under_its_key(wire):
    wire.trouble(on=f"POST {ORDERS}", do="500_after")
    assert wire.create(key="k").status_code == 500
    [entry] = wire.entries()
    again = wire.create(key="k")
    assert (again.status_code, again.json()["id"]) == (200, entry["id"])


def test_a_magic_amount_troubles_a_key_once(wire):
    assert wire.create("66605.00", key="k").status_code == 500
    assert wire.create("66605.00", key="k").status_code == 201
    assert wire.create("66610", "JPY", key="j").status_code == 429


# Saved accounts


def set_up(wire, **options):
    context = {"return_url": RETURN, "cancel_url": CANCEL}
    body = {"customer": {"id": "customer_7"}, "payment_source": {"paypal": {"experience_context": context}}}
    return wire.call("POST", "/v3/vault/setup-tokens", body, **options)


def save(wire, setup, **options):
    body = {"payment_source": {"token": {"id": setup, "type": "SETUP_TOKEN"}}}
    return wire.call("POST", "/v3/vault/payment-tokens", body, **options)


def saved(wire):
    setup = set_up(wire).json()["id"]
    wire.simulate(id=setup, outcome="approve")
    return save(wire, setup).json()["id"]


def charge(wire, token, key="charge", **changes):
    body = wire.body(**changes) | {"payment_source": {"paypal": {"vault_id": token}}}
    return wire.call("POST", ORDERS, body, key=key)


def test_an_account_is_saved_once_its_payer_has_agreed(wire, receiver):
    wire.settings(webhook_url=receiver.url)
    setup = set_up(wire, key="s")
    assert (setup.status_code, setup.json()["status"]) == (201, "PAYER_ACTION_REQUIRED")
    assert set_up(wire, key="s").json()["id"] == setup.json()["id"]
    assert issue(save(wire, setup.json()["id"])) == (422, "TOKEN_NOT_APPROVED")
    page = rels(setup.json())["approve"]
    assert "Agree and continue" in requests.get(page, timeout=5).text
    back = requests.post(page, data={"outcome": "approve"}, allow_redirects=False, timeout=5)
    assert back.headers["Location"] == f"{RETURN}&approval_token_id={setup.json()['id']}"
    token = save(wire, setup.json()["id"], key="t")
    assert (token.status_code, token.json()["customer"]) == (201, {"id": "customer_7"})
    assert token.json()["payment_source"]["paypal"]["account_id"] == "SAMPLEPAYER01"
    assert save(wire, setup.json()["id"], key="t").status_code == 200
    assert receiver.wait(1)[0]["event_type"] == "VAULT.PAYMENT-TOKEN.CREATED"


def test_a_saved_account_is_charged_at_once_under_its_key(wire):
    token = saved(wire)
    paid = charge(wire, token)
    assert (paid.status_code, paid.json()["status"]) == (201, "COMPLETED")
    assert paid.json()["purchase_units"][0]["payments"]["captures"][0]["amount"] == money("12.50")
    assert charge(wire, token).json()["id"] == paid.json()["id"]
    held = charge(wire, token, "held", intent="AUTHORIZE").json()
    assert held["purchase_units"][0]["payments"]["authorizations"][0]["status"] == "CREATED"
    assert issue(charge(wire, token, "")) == (400, "PAYPAL_REQUEST_ID_REQUIRED")


def test_a_charge_that_is_refused_makes_no_order(wire):
    assert issue(charge(wire, saved(wire), value="66622.00")) == (422, "TRANSACTION_REFUSED")
    assert wire.entries() == []


def test_a_saved_account_is_listed_until_it_is_deleted_and_is_its_app_s_alone(wire):
    token = saved(wire)
    listed = wire.call("GET", "/v3/vault/payment-tokens?customer_id=customer_7").json()
    assert [kept["id"] for kept in listed["payment_tokens"]] == [token]
    stranger = {"app": "lango-simulator-client-2"}
    assert wire.call("GET", f"/v3/vault/payment-tokens/{token}", **stranger).status_code == 404
    wire.call("DELETE", f"/v3/vault/payment-tokens/{token}", **stranger)
    assert wire.call("GET", f"/v3/vault/payment-tokens/{token}").json()["id"] == token
    for _ in range(2):
        assert wire.call("DELETE", f"/v3/vault/payment-tokens/{token}").status_code == 204
    assert issue(charge(wire, token)) == (422, "TOKEN_ID_NOT_FOUND")


# Webhooks


def verified(wire, headers, body, webhook_id=WEBHOOK):
    """Checks a delivery as PayPal's own library does, with a certificate fetched from where it says."""
    message = "|".join(
        [headers["PAYPAL-TRANSMISSION-ID"], headers["PAYPAL-TRANSMISSION-TIME"], webhook_id, str(zlib.crc32(body))]
    )
    pem = requests.get(headers["PAYPAL-CERT-URL"], timeout=5).content
    signature = base64.b64decode(headers["PAYPAL-TRANSMISSION-SIG"])
    key = x509.load_pem_x509_certificate(pem).public_key()
    key.verify(signature, message.encode(), padding.PKCS1v15(), hashes.SHA256())
    return message


def question(headers, body, webhook_id=WEBHOOK):
    names = {"auth_algo": "AUTH-ALGO", "cert_url": "CERT-URL"} | {
        f"transmission_{name}": f"TRANSMISSION-{name.upper()}" for name in ("id", "sig", "time")
    }
    told = {name: headers[f"PAYPAL-{header}"] for name, header in names.items()} | {"webhook_id": webhook_id}
    return json.dumps(told).removesuffix("}").encode() + b',"webhook_event":' + body + b"}"


def ask(wire, sent):
    headers = {"Authorization": f"Bearer {wire.tokens['lango-simulator-client']}", "Content-Type": "application/json"}
    url = f"{wire.url}/v1/notifications/verify-webhook-signature"
    return requests.post(url, data=sent, headers=headers, timeout=5)


def test_the_checksum_of_the_golden_vector():
    assert zlib.crc32(GOLDEN_BODY) == 2081483530


def test_every_event_is_signed_and_can_be_verified_in_both_ways(wire, receiver):
    wire.settings(webhook_url=receiver.url)
    taken = wire.paid()
    told = {event["event_type"]: event["resource"] for event in receiver.wait(3)}
    assert set(told) == {"CHECKOUT.ORDER.APPROVED", "CHECKOUT.ORDER.COMPLETED", "PAYMENT.CAPTURE.COMPLETED"}
    captured = told["PAYMENT.CAPTURE.COMPLETED"]
    assert captured["id"] == taken["id"]
    assert captured["supplementary_data"]["related_ids"]["order_id"] == told["CHECKOUT.ORDER.APPROVED"]["id"]
    for _, headers, body in receiver.received:
        assert verified(wire, headers, body).count("|") == 3
        assert ask(wire, question(headers, body)).json() == {"verification_status": "SUCCESS"}


def test_the_verify_endpoint_refuses_what_was_written_anew_or_never_sent(wire, receiver):
    wire.settings(webhook_url=receiver.url)
    wire.approved()
    receiver.wait(1)
    _, headers, body = receiver.received[0]
    anew = json.dumps(json.loads(body), indent=1).encode()
    for sent in (
        question(headers, anew),
        question(headers, body, "0XX00000XX000000X"),
        question(headers | {"PAYPAL-TRANSMISSION-ID": "another-transmission"}, body),
        question(headers | {"PAYPAL-CERT-URL": "https://certs.example/v1/notifications/certs/CERT-1"}, body),
    ):
        answer = ask(wire, sent)
        assert (answer.status_code, answer.json()) == (200, {"verification_status": "FAILURE"})
    assert issue(ask(wire, b"{}")) == (400, "MISSING_REQUIRED_PARAMETER")


def test_a_subscription_has_an_id_of_its_own_and_gets_only_what_it_wants(wire, receiver):
    wanted = {"url": receiver.url, "event_types": [{"name": "PAYMENT.CAPTURE.COMPLETED"}]}
    made = wire.call("POST", "/v1/notifications/webhooks", wanted)
    id = made.json()["id"]
    assert (made.status_code, len(id)) == (201, 17)
    wire.paid()
    receiver.wait(1)
    _, headers, body = receiver.received[0]
    assert json.loads(body)["event_type"] == "PAYMENT.CAPTURE.COMPLETED"
    verified(wire, headers, body, id)
    assert wire.call("GET", "/v1/notifications/webhooks").json()["webhooks"][0]["id"] == id
    assert wire.call("DELETE", f"/v1/notifications/webhooks/{id}").status_code == 204
    assert wire.call("GET", f"/v1/notifications/webhooks/{id}").status_code == 404


def test_a_delivery_that_is_refused_comes_again_with_another_transmission(wire, receiver):
    wire.settings(webhook_url=receiver.url, callback_retries=[0.05])
    receiver.statuses = [500]
    wire.approved()
    first, second = receiver.wait(2)[:2]
    assert first == second
    ids = {headers["PAYPAL-TRANSMISSION-ID"] for _, headers, _ in receiver.received}
    assert len(ids) == 2


def test_an_event_can_be_read_again_and_sent_again(wire, receiver):
    wire.settings(webhook_url=receiver.url)
    wire.approved()
    event = receiver.wait(1)[0]
    path = f"/v1/notifications/webhooks-events/{event['id']}"
    assert wire.call("GET", path).json() == event
    assert wire.call("POST", f"{path}/resend", {}).status_code == 202
    assert receiver.wait(2)[1] == event
    assert wire.call("GET", "/v1/notifications/webhooks-events").json()["count"] == 1


def test_what_is_not_simulated_is_refused_in_paypal_s_words(wire):
    assert wire.call("GET", "/v1/customer/disputes").json()["name"] == "RESOURCE_NOT_FOUND"
    assert wire.call("DELETE", ORDERS).status_code == 405


def test_memory_outlives_the_process(tmp_path: Path):
    with simulators.start("paypal", data=tmp_path) as first:
        wire = PaypalWire(first.url("paypal"))
        id = wire.approved(key="k")
        until(lambda: (tmp_path / "paypal.sqlite3").stat().st_size > 0)
    with simulators.start("paypal", data=tmp_path) as second:
        wire = PaypalWire(second.url("paypal"))
        assert wire.create(key="k").json()["id"] == id
        assert wire.capture(id).status_code == 201
