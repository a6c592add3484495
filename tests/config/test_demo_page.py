"""The demo's page, in front of a stand-in for our API on the wire."""

import json
from urllib.parse import urlencode

import pytest
from django.http import Http404
from django.test import RequestFactory

from config import demo_page, urls
from config.demonstration.credentials import Credentials

PAYMENT_ID = "pay_01m7xt7afpe25rmratbknhhwnz"
PAYMENT = {
    "id": PAYMENT_ID,
    "state": "processing",
    "amount": 4900,
    "currency": "USD",
    "method": "card",
    "payer": None,
    "next_action": None,
    "failure": None,
    "created_at": "2026-11-21T01:06:00Z",
}
FORM = {"amount": "49.00", "currency": "USD", "method": "card", "card": "pm_card_visa", "once": "one"}


@pytest.fixture
def api(settings, tmp_path, company):
    """Keeps what it is asked, and answers with the payment."""
    settings.PUBLIC_URL = company.url
    settings.DEMO_CREDENTIALS = str(tmp_path / "credentials.json")
    Credentials(api_key="sk_test_of_the_demo").write(tmp_path / "credentials.json")
    answer_with(company, PAYMENT)
    return company


def answer_with(api, document, *, status=200):
    api.answer = lambda *request: (status, {}, json.dumps(document).encode())


def asked_of(api) -> dict:
    ((_, _, body),) = api.received
    return json.loads(body)


def send_form(**changes):
    """As a browser does, whose form has no file."""
    body, kind = urlencode(FORM | changes), "application/x-www-form-urlencoded"
    return demo_page.form(RequestFactory().post("/demo/", body, content_type=kind))


def test_it_is_not_there_outside_the_demo():
    assert "demo/" not in [str(entry.pattern) for entry in urls.urlpatterns]


def test_the_form_offers_the_simulators_test_cards_and_asks_for_no_card_number():
    page = demo_page.form(RequestFactory().get("/demo/")).content.decode()
    for token, _, digits, what in demo_page.CARDS:
        assert f'value="{token}"' in page
        assert f"{digits}</b><span>{what}</span>" in page
    assert 'name="number"' not in page


def test_the_form_takes_nothing_from_another_host():
    page = demo_page.form(RequestFactory().get("/demo/")).content.decode()
    assert "<script src" not in page
    assert "https://" not in page
    assert "@import" not in page


def test_a_card_is_paid_for_by_our_api_with_the_demos_key(api):
    answer = send_form()
    assert (answer.status_code, answer["Location"]) == (302, f"/demo/result?payment={PAYMENT_ID}")
    ((path, headers, _),) = api.received
    assert path == "/v1/payments"
    assert headers["authorization"] == "Bearer sk_test_of_the_demo"
    assert headers["idempotency-key"] == "one"
    body = asked_of(api)
    assert (body["amount"], body["currency"], body["method"]) == (4900, "USD", "card")
    assert (body["payment_method"], body["capture"]) == ("pm_card_visa", "automatic")
    assert body["return_url"].endswith("/demo/result")


def test_3d_secure_leads_on_to_the_banks_page(api):
    answer_with(api, PAYMENT | {"next_action": {"type": "redirect", "url": "http://127.0.0.1:12110/challenge"}})
    assert send_form(card="pm_card_threeDSecure2Required")["Location"] == "http://127.0.0.1:12110/challenge"


def test_a_phone_is_asked_in_shillings_whatever_currency_the_card_had(api):
    send_form(method="mpesa", phone=" 0712345678 ", amount="1,250")
    assert asked_of(api) == {
        "amount": 125_000,
        "currency": "KES",
        "method": "mpesa",
        "phone": "0712345678",
        "description": "Demo page",
    }


def test_a_yen_has_no_cents(api):
    send_form(amount="500", currency="JPY")
    assert (asked_of(api)["amount"], asked_of(api)["currency"]) == (500, "JPY")


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"amount": "abc"}, "is no amount"),
        ({"amount": ""}, "is no amount"),
        ({"amount": "NaN"}, "is no amount"),
        ({"amount": "Infinity"}, "is no amount"),
        ({"amount": "1e9"}, "is no amount"),
        ({"amount": "-5"}, "is no amount"),
        ({"amount": "49.005"}, "does not fit the currency"),
        ({"currency": "XXX"}, "is not an ISO 4217 currency code"),
    ],
)
def test_an_amount_that_is_none_never_reaches_the_api(api, changes, told):
    answer = send_form(**changes)
    assert answer.status_code == 400
    assert told in answer.content.decode()
    assert api.received == []


def test_what_the_api_refuses_is_shown_in_its_own_words(api):
    answer_with(api, {"detail": "Whole shillings only."}, status=400)
    answer = send_form()
    assert answer.status_code == 400
    assert "Whole shillings only." in answer.content.decode()


def test_the_result_links_to_the_admin_and_the_phone_and_tells_the_state(api, settings):
    page = demo_page.result(RequestFactory().get("/demo/result", {"payment": PAYMENT_ID})).content.decode()
    assert "USD 49.00" in page
    assert 'class="state processing"' in page
    assert f'href="/admin/payments/payment/{PAYMENT_ID}/change/"' in page
    assert f'href="{settings.SIMULATORS_URL}:{settings.SIMULATORS_PORT}/_simulator/phone"' in page
    assert api.received[0][0] == f"/v1/payments/{PAYMENT_ID}"


def test_the_state_is_told_until_the_payment_has_ended(api):
    failure = {"code": "declined", "message": "The card was declined."}
    answer_with(api, PAYMENT | {"state": "failed", "failure": failure})
    answer = demo_page.state(RequestFactory().get("/demo/state", {"payment": PAYMENT_ID}))
    assert json.loads(answer.content) == {
        "state": "failed",
        "words": "failed",
        "failure": "The card was declined.",
        "ended": True,
    }


def test_what_is_no_payment_is_not_asked_for(api):
    with pytest.raises(Http404):
        demo_page.result(RequestFactory().get("/demo/result", {"payment": "../events"}))
    assert api.received == []
