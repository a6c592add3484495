"""Stripe's wire: authentication, PaymentIntents, cards, captures, refunds, lists."""

import base64

import pytest
import requests

from simulators.stripe.cards import ALIASES, CARDS
from tests.simulators.conftest import KEY, until

STATUSES_AFTER = {
    "always": "requires_action",
    "on_session": "requires_action",
    "unless_set_up": "requires_action",
    "never": "succeeded",
}


def error_of(answer, status):
    assert answer.status_code == status, answer.text
    return answer.json()["error"]


def challenged(wire, card="pm_card_threeDSecure2Required", **more):
    intent = wire.pay(card, return_url="https://shop.example/return?order=7", **more).json()
    assert intent["status"] == "requires_action"
    return intent


def answer_challenge(intent, outcome):
    page = intent["next_action"]["redirect_to_url"]["url"]
    return requests.post(page, data={"outcome": outcome}, allow_redirects=False, timeout=5)


def test_a_card_payment_succeeds_with_the_published_shape(stripe_wire):
    answer = stripe_wire.pay(key="att_7f3c-1", **{"metadata[attempt]": "att_7f3c", "expand[]": "latest_charge"})
    intent = answer.json()
    assert answer.status_code == 200
    assert answer.headers["Request-Id"].startswith("req_")
    assert answer.headers["Stripe-Version"] == "2023-08-16"
    assert answer.headers["Idempotency-Key"] == "att_7f3c-1"
    assert intent["id"].startswith("pi_")
    assert intent["client_secret"].startswith(f"{intent['id']}_secret_")
    expected = {
        "amount": 12500,
        "amount_capturable": 0,
        "amount_received": 12500,
        "capture_method": "automatic",
        "confirmation_method": "automatic",
        "currency": "usd",
        "last_payment_error": None,
        "livemode": False,
        "metadata": {"attempt": "att_7f3c"},
        "next_action": None,
        "object": "payment_intent",
        "payment_method_types": ["card"],
        "status": "succeeded",
    }
    assert {name: intent[name] for name in expected} == expected
    charge = intent["latest_charge"]
    assert (charge["status"], charge["paid"], charge["captured"]) == ("succeeded", True, True)
    assert charge["metadata"] == {"attempt": "att_7f3c"}
    fees = stripe_wire.get(f"/v1/balance_transactions/{charge['balance_transaction']}").json()
    assert (fees["amount"], fees["fee"], fees["net"]) == (12500, 392, 12108)


@pytest.mark.parametrize(
    ("authorization", "code"),
    [
        ("", None),
        ("Bearer sk_live_1234567890", None),
        ("Bearer sk_test_expired", "api_key_expired"),
        ("Basic !", None),
    ],
)
def test_a_wrong_key_is_401(stripe_wire, authorization, code):
    headers = {"Authorization": authorization} if authorization else {}
    error = error_of(requests.get(f"{stripe_wire.url}/v1/events", headers=headers, timeout=5), 401)
    assert error["type"] == "invalid_request_error"
    assert error.get("code") == code
    assert "1234567890" not in error["message"]


def test_the_key_may_come_as_basic_user_and_each_key_is_an_account(stripe_wire):
    id = stripe_wire.pay().json()["id"]
    url = f"{stripe_wire.url}/v1/payment_intents/{id}"
    assert requests.get(url, auth=(KEY, ""), timeout=5).status_code == 200
    error = error_of(stripe_wire.get(f"/v1/payment_intents/{id}", secret="sk_test_other"), 404)
    assert error["code"] == "resource_missing"


def test_nested_forms_are_decoded_and_json_is_refused(stripe_wire):
    token = base64.b64encode(f"{KEY}:".encode()).decode()
    headers = {"Authorization": f"Basic {token}", "Content-Type": "application/x-www-form-urlencoded"}
    body = "amount=500&currency=usd&payment_method_types[0]=card&metadata[1]=one&shipping[address][city]=Nairobi"
    url = f"{stripe_wire.url}/v1/payment_intents"
    intent = requests.post(url, body, headers=headers, timeout=5).json()
    assert intent["metadata"] == {"1": "one"}
    assert intent["shipping"] == {"address": {"city": "Nairobi"}}
    refused = requests.post(url, json={"amount": 500}, headers={"Authorization": f"Bearer {KEY}"}, timeout=5)
    assert refused.status_code == 400


@pytest.mark.parametrize(
    ("change", "code", "param"),
    [
        ({"amount": ""}, "parameter_missing", "amount"),
        ({"amount": "12.5"}, "parameter_invalid_integer", "amount"),
        ({"amount": "49"}, "amount_too_small", "amount"),
        ({"amount": "100000000"}, "amount_too_large", "amount"),
        ({"currency": ""}, "parameter_missing", "currency"),
        ({"currency": "xxx"}, None, "currency"),
        ({"currency": "ugx", "amount": "50050"}, "parameter_invalid_integer", "amount"),
        ({"currency": "kwd", "amount": "5005"}, "parameter_invalid_integer", "amount"),
        ({"colour": "red"}, "parameter_unknown", "colour"),
        ({"payment_method": "pm_none"}, "resource_missing", "payment_method"),
        ({"customer": "cus_none"}, "resource_missing", "customer"),
        ({"confirm": "maybe"}, None, "confirm"),
        ({"metadata[k]": "v" * 501}, None, "metadata[k]"),
        ({"expand[]": "nonsense"}, None, "expand"),
    ],
)
def test_a_bad_parameter_is_400_names_itself_and_creates_nothing(stripe_wire, change, code, param):
    error = error_of(stripe_wire.pay(**change), 400)
    assert (error["type"], error.get("code"), error["param"]) == ("invalid_request_error", code, param)
    assert stripe_wire.entries() == []


def test_automatic_methods_want_a_return_url_from_2023_08_16_on(stripe_wire):
    data = {"amount": 500, "currency": "usd", "payment_method": "pm_card_visa", "confirm": "true"}
    error = error_of(stripe_wire.post_form("/v1/payment_intents", data), 400)
    assert "return_url" in error["message"]
    never = data | {
        "automatic_payment_methods[enabled]": "true",
        "automatic_payment_methods[allow_redirects]": "never",
    }
    assert stripe_wire.post_form("/v1/payment_intents", never).json()["status"] == "succeeded"
    old = stripe_wire.post_form("/v1/payment_intents", data, **{"Stripe-Version": "2022-11-15"})
    assert old.json()["status"] == "succeeded"


def test_newer_versions_capture_asynchronously(stripe_wire):
    data = {
        "amount": 500,
        "currency": "usd",
        "payment_method_types[]": "card",
        "payment_method": "pm_card_visa",
    }
    version = {"Stripe-Version": "2026-06-24.dahlia"}
    more = {"confirm": "true", "expand[]": "latest_charge"}
    intent = stripe_wire.post_form("/v1/payment_intents", data | more, **version).json()
    assert intent["capture_method"] == "automatic_async"
    assert intent["latest_charge"]["balance_transaction"] is None
    url = f"/v1/charges/{intent['latest_charge']['id']}"
    assert until(lambda: stripe_wire.get(url).json()["balance_transaction"]).startswith("txn_")


@pytest.mark.parametrize("card", [card for card in CARDS if not card.decline], ids=lambda card: card.id)
def test_each_accepted_test_card_pays_or_asks_for_3d_secure(stripe_wire, card):
    intent = stripe_wire.pay(card.id).json()
    assert intent["status"] == STATUSES_AFTER[card.authentication]
    method = stripe_wire.get(f"/v1/payment_methods/{intent['payment_method']}").json()
    assert (method["card"]["brand"], method["card"]["last4"]) == (card.brand, card.number[-4:])


DECLINING = [card for card in CARDS if card.decline and card.authentication == "never"]


@pytest.mark.parametrize("card", DECLINING, ids=lambda card: card.id)
def test_each_declining_test_card_is_402_with_its_payment_intent(stripe_wire, card):
    error = error_of(stripe_wire.pay(card.id), 402)
    assert error["type"] == "card_error"
    assert (error["code"], error.get("decline_code")) == (card.decline.code, card.decline.decline_code)
    intent = error["payment_intent"]
    assert (intent["status"], intent["payment_method"]) == ("requires_payment_method", None)
    assert intent["last_payment_error"]["code"] == card.decline.code
    assert stripe_wire.get(f"/v1/payment_intents/{intent['id']}").json() == intent
    charge = stripe_wire.get(f"/v1/charges/{error['charge']}").json()
    assert (charge["status"], charge["paid"], charge["failure_code"]) == ("failed", False, card.decline.code)


@pytest.mark.parametrize("alias", ALIASES)
def test_an_older_name_of_a_card_is_the_same_card(stripe_wire, alias):
    assert stripe_wire.pay(alias).status_code == 402


def test_a_declined_intent_can_be_paid_with_another_card(stripe_wire):
    id = stripe_wire.pay("pm_card_chargeDeclined").json()["error"]["payment_intent"]["id"]
    again = stripe_wire.post_form(f"/v1/payment_intents/{id}/confirm", {"payment_method": "pm_card_mastercard"})
    assert again.json()["status"] == "succeeded"
    assert again.json()["last_payment_error"] is None


def test_an_intent_goes_step_by_step(stripe_wire):
    create = {"amount": 500, "currency": "kes", "payment_method_types[]": "card"}
    intent = stripe_wire.post_form("/v1/payment_intents", create).json()
    assert intent["status"] == "requires_payment_method"
    path = f"/v1/payment_intents/{intent['id']}"
    assert error_of(stripe_wire.post_form(f"{path}/confirm"), 400)["code"] == "payment_intent_unexpected_state"
    change = {"payment_method": "pm_card_visa", "amount": 700, "metadata[order]": "7"}
    updated = stripe_wire.post_form(path, change).json()
    assert (updated["status"], updated["amount"]) == ("requires_confirmation", 700)
    assert stripe_wire.post_form(f"{path}/confirm").json()["amount_received"] == 700
    for verb in ("confirm", "cancel", "capture"):
        error = error_of(stripe_wire.post_form(f"{path}/{verb}"), 400)
        assert error["code"] == "payment_intent_unexpected_state"
        assert error["payment_intent"]["status"] == "succeeded"
    assert error_of(stripe_wire.post_form(path, {"amount": 900}), 400)["code"] == "payment_intent_unexpected_state"
    assert stripe_wire.post_form(path, {"metadata[order]": ""}).json()["metadata"] == {}


def test_3d_secure_completes_on_the_simulators_own_page(stripe_wire):
    intent = challenged(stripe_wire)
    assert intent["next_action"]["type"] == "redirect_to_url"
    page = requests.get(intent["next_action"]["redirect_to_url"]["url"], timeout=5)
    assert "Complete" in page.text
    assert "Fail" in page.text
    answer = answer_challenge(intent, "approve")
    assert answer.status_code == 303
    assert answer.headers["Location"] == (
        f"https://shop.example/return?order=7&payment_intent={intent['id']}"
        f"&payment_intent_client_secret={intent['client_secret']}&redirect_status=succeeded"
    )
    assert stripe_wire.get(f"/v1/payment_intents/{intent['id']}").json()["status"] == "succeeded"


def test_a_challenge_that_was_never_made_is_404(stripe_wire):
    assert requests.get(f"{stripe_wire.url}/_simulator/3d_secure/pi_none", timeout=5).status_code == 404


def test_failed_3d_secure_leaves_the_intent_payable(stripe_wire):
    intent = challenged(stripe_wire)
    assert answer_challenge(intent, "decline").headers["Location"].endswith("redirect_status=failed")
    after = stripe_wire.get(f"/v1/payment_intents/{intent['id']}").json()
    assert after["status"] == "requires_payment_method"
    assert after["last_payment_error"]["code"] == "payment_intent_authentication_failure"


@pytest.mark.parametrize(
    ("card", "decline_code"),
    [
        ("pm_card_authenticationRequiredChargeDeclinedInsufficientFunds", "insufficient_funds"),
        ("pm_card_threeDSecureRequiredChargeDeclined", "generic_decline"),
    ],
)
def test_a_card_may_pass_3d_secure_and_still_decline(stripe_wire, card, decline_code):
    intent = challenged(stripe_wire, card)
    stripe_wire.simulate(id=intent["id"], outcome="approve")
    after = stripe_wire.get(f"/v1/payment_intents/{intent['id']}").json()
    assert after["status"] == "requires_payment_method"
    assert after["last_payment_error"]["decline_code"] == decline_code


def test_without_return_url_only_stripe_js_understands_the_action(stripe_wire):
    intent = stripe_wire.pay("pm_card_authenticationRequired").json()
    assert intent["next_action"]["type"] == "use_stripe_sdk"


@pytest.mark.parametrize("extra", [{"off_session": "true"}, {"error_on_requires_action": "true"}])
def test_nobody_there_to_authenticate_is_an_error_with_the_intent(stripe_wire, extra):
    error = error_of(stripe_wire.pay("pm_card_authenticationRequired", **extra), 402)
    assert error["code"] == error["decline_code"] == "authentication_required"
    assert error["payment_intent"]["status"] == "requires_payment_method"


def test_a_card_set_up_for_off_session_is_not_asked_then(stripe_wire):
    card = "pm_card_authenticationRequiredSetupForOffSession"
    assert stripe_wire.pay(card, off_session="true").json()["status"] == "succeeded"


def test_manual_confirmation_wants_the_server_once_more(stripe_wire):
    intent = challenged(stripe_wire, confirmation_method="manual")
    stripe_wire.simulate(id=intent["id"], outcome="approve")
    path = f"/v1/payment_intents/{intent['id']}"
    assert stripe_wire.get(path).json()["status"] == "requires_confirmation"
    confirm = {"return_url": "https://shop.example/"}
    assert stripe_wire.post_form(f"{path}/confirm", confirm).json()["status"] == "succeeded"


def test_a_hold_is_captured_in_part_and_the_rest_released(stripe_wire):
    intent = stripe_wire.pay(capture_method="manual").json()
    assert (intent["status"], intent["amount_capturable"], intent["amount_received"]) == (
        "requires_capture",
        12500,
        0,
    )
    path = f"/v1/payment_intents/{intent['id']}/capture"
    assert error_of(stripe_wire.post_form(path, {"amount_to_capture": 12501}), 400)["code"] == "amount_too_large"
    refund = stripe_wire.post_form("/v1/refunds", {"payment_intent": intent["id"]})
    assert "Cancel its PaymentIntent" in error_of(refund, 400)["message"]
    captured = stripe_wire.post_form(path, {"amount_to_capture": 10000}).json()
    assert (captured["status"], captured["amount_capturable"], captured["amount_received"]) == (
        "succeeded",
        0,
        10000,
    )
    charge = stripe_wire.get(f"/v1/charges/{captured['latest_charge']}").json()
    assert (charge["amount"], charge["amount_captured"], charge["captured"]) == (12500, 10000, True)
    over = stripe_wire.post_form("/v1/refunds", {"payment_intent": intent["id"], "amount": 10001})
    assert "greater than unrefunded amount" in error_of(over, 400)["message"]


def test_a_hold_is_released_by_cancel_or_by_time(stripe_wire):
    first, second = (stripe_wire.pay(capture_method="manual").json()["id"] for _ in range(2))
    reason = {"cancellation_reason": "abandoned"}
    canceled = stripe_wire.post_form(f"/v1/payment_intents/{first}/cancel", reason).json()
    assert (canceled["status"], canceled["cancellation_reason"]) == ("canceled", "abandoned")
    assert canceled["canceled_at"]
    assert canceled["amount_capturable"] == 0
    stripe_wire.simulate(id=second, outcome="expire")
    assert stripe_wire.get(f"/v1/payment_intents/{second}").json()["cancellation_reason"] == "automatic"


def test_a_processing_intent_succeeds_later(stripe_wire):
    intent = stripe_wire.pay(amount=6662100).json()
    assert intent["status"] == "processing"
    until(lambda: stripe_wire.get(f"/v1/payment_intents/{intent['id']}").json()["status"] == "succeeded")


def test_refunds_in_part_until_nothing_is_left(stripe_wire):
    intent = stripe_wire.pay(**{"metadata[reference]": "order-9"}).json()

    def refund(**data):
        return stripe_wire.post_form("/v1/refunds", {"payment_intent": intent["id"]} | data)

    first = refund(amount=2500, reason="requested_by_customer").json()
    assert (first["object"], first["status"], first["amount"]) == ("refund", "succeeded", 2500)
    assert first["charge"] == intent["latest_charge"]
    error = error_of(refund(amount=10001), 400)
    assert "greater than unrefunded amount on charge" in error["message"]
    assert refund().json()["amount"] == 10000
    assert error_of(refund(), 400)["code"] == "charge_already_refunded"
    charge = stripe_wire.get(f"/v1/charges/{intent['latest_charge']}").json()
    assert (charge["amount_refunded"], charge["refunded"]) == (12500, True)
    assert stripe_wire.get(f"/v1/payment_intents/{intent['id']}").json()["status"] == "succeeded"
    listed = stripe_wire.get("/v1/refunds", payment_intent=intent["id"]).json()["data"]
    assert [row["amount"] for row in listed] == [10000, 2500]
    assert [entry["kind"] for entry in stripe_wire.entries("order-9")] == ["payment", "refund", "refund"]


def test_a_pending_refund_succeeds_later(stripe_wire):
    intent = stripe_wire.pay("pm_card_pendingRefund").json()
    refund = stripe_wire.post_form("/v1/refunds", {"payment_intent": intent["id"]}).json()
    assert refund["status"] == "pending"
    until(lambda: stripe_wire.get(f"/v1/refunds/{refund['id']}").json()["status"] == "succeeded")


def test_a_refund_can_fail_after_it_succeeded_and_gives_the_money_back(stripe_wire):
    intent = stripe_wire.pay("pm_card_refundFail").json()
    refund = stripe_wire.post_form("/v1/refunds", {"charge": intent["latest_charge"]}).json()
    assert refund["status"] == "succeeded"
    failed = until(
        lambda: [r for r in [stripe_wire.get(f"/v1/refunds/{refund['id']}").json()] if r["status"] == "failed"]
    )
    assert failed[0]["failure_reason"] == "expired_or_canceled_card"
    charge = stripe_wire.get(f"/v1/charges/{intent['latest_charge']}").json()
    assert (charge["amount_refunded"], charge["refunded"]) == (0, False)


def test_only_a_refund_that_requires_action_can_be_canceled(stripe_wire):
    stripe_wire.settings(refund_seconds=60)
    intent = stripe_wire.pay("pm_card_pendingRefund").json()
    refund = stripe_wire.post_form("/v1/refunds", {"payment_intent": intent["id"]}).json()
    path = f"/v1/refunds/{refund['id']}/cancel"
    assert stripe_wire.post_form(path).status_code == 400
    stripe_wire.simulate(id=refund["id"], outcome="requires_action")
    assert stripe_wire.post_form(path).json()["status"] == "canceled"


def test_a_disputed_charge_cannot_be_refunded(stripe_wire):
    intent = stripe_wire.pay("pm_card_createDispute").json()
    assert intent["status"] == "succeeded"
    refund = stripe_wire.post_form("/v1/refunds", {"payment_intent": intent["id"]})
    assert error_of(refund, 400)["code"] == "charge_disputed"
    dispute = stripe_wire.get(f"/v1/charges/{intent['latest_charge']}").json()["dispute"]
    stripe_wire.simulate(id=intent["id"], outcome="dispute_lost")
    assert stripe_wire.get(f"/v1/disputes/{dispute}").json()["status"] == "lost"


def test_lists_go_newest_first_by_cursor(stripe_wire):
    ids = [stripe_wire.pay().json()["id"] for _ in range(3)][::-1]
    page = stripe_wire.get("/v1/payment_intents", limit=2).json()
    assert (page["object"], page["url"], page["has_more"]) == ("list", "/v1/payment_intents", True)
    assert [row["id"] for row in page["data"]] == ids[:2]
    rest = stripe_wire.get("/v1/payment_intents", starting_after=ids[1], **{"expand[]": "data.latest_charge"}).json()
    assert [row["id"] for row in rest["data"]] == ids[2:]
    assert rest["data"][0]["latest_charge"]["object"] == "charge"
    assert not rest["has_more"]
    before = stripe_wire.get("/v1/payment_intents", ending_before=ids[2], limit=1).json()
    assert [row["id"] for row in before["data"]] == [ids[1]]
    assert stripe_wire.get("/v1/payment_intents", **{"created[gt]": 4_000_000_000}).json()["data"] == []


def test_an_unknown_path_is_404_in_stripes_words(stripe_wire):
    error = error_of(stripe_wire.get("/v1/unicorns"), 404)
    assert error["message"].startswith("Unrecognized request URL (GET: /v1/unicorns)")


def test_the_phone_lists_challenges_and_its_buttons_work(stripe_wire):
    intent = challenged(stripe_wire)
    phone = f"{stripe_wire.url}/_simulator/phone"
    assert intent["id"] in requests.get(phone, timeout=5).text
    pressed = requests.post(phone, data={"id": intent["id"], "outcome": "approve"}, timeout=5)
    assert pressed.status_code == 200
    assert stripe_wire.entries()[0]["state"] == "succeeded"
    assert requests.post(phone, data={"id": intent["id"], "outcome": "approve"}, timeout=5).status_code == 200


def test_the_payer_is_simulated_by_reference_and_only_once(stripe_wire):
    challenged(stripe_wire, **{"metadata[reference]": "order-11"})
    assert stripe_wire.simulate(reference="order-11", outcome="approve")["state"] == "succeeded"
    again = stripe_wire.post("simulate", reference="order-11", outcome="approve")
    assert (again.status_code, "succeeded" in again.json()["error"]) == (409, True)
    assert stripe_wire.post("simulate", reference="nobody").status_code == 404
    assert stripe_wire.post("simulate", reference="order-11", outcome="dance").status_code == 400


def dispute_of(stripe_wire, intent):
    found = stripe_wire.get(f"/v1/charges/{intent['latest_charge']}").json()["dispute"]
    return stripe_wire.get(f"/v1/disputes/{found}").json()


def test_a_dispute_takes_the_money_and_a_fee_and_gives_back_the_money_when_it_is_won(stripe_wire):
    intent = stripe_wire.pay("pm_card_createDispute").json()
    [taken] = dispute_of(stripe_wire, intent)["balance_transactions"]
    assert (taken["amount"], taken["fee"], taken["net"]) == (-intent["amount"], 1500, -intent["amount"] - 1500)
    assert (taken["type"], taken["reporting_category"]) == ("adjustment", "dispute")

    stripe_wire.simulate(id=intent["id"], outcome="dispute_won")

    won = dispute_of(stripe_wire, intent)
    assert won["status"] == "won"
    assert [line["amount"] for line in won["balance_transactions"]] == [-intent["amount"], intent["amount"]]


def test_evidence_is_staged_submitted_once_and_then_refused(stripe_wire):
    path = f"/v1/disputes/{dispute_of(stripe_wire, stripe_wire.pay('pm_card_createDispute').json())['id']}"
    staged = stripe_wire.post_form(path, {"evidence[customer_name]": "Wanjiru", "submit": "false"}).json()
    assert (staged["status"], staged["evidence_details"]["has_evidence"]) == ("needs_response", True)
    assert error_of(stripe_wire.post_form(path, {"evidence[nothing]": "x"}), 400)["param"] == "evidence[nothing]"

    submitted = stripe_wire.post_form(path, {"evidence[uncategorized_text]": "sent"}).json()

    assert (submitted["status"], submitted["evidence_details"]["submission_count"]) == ("under_review", 1)
    error_of(stripe_wire.post_form(path, {"evidence[customer_name]": "late"}), 400)
    error_of(stripe_wire.post_form(f"{path}/close"), 400)


def test_a_closed_dispute_is_lost(stripe_wire):
    path = f"/v1/disputes/{dispute_of(stripe_wire, stripe_wire.pay('pm_card_createDispute').json())['id']}"
    assert stripe_wire.post_form(f"{path}/close").json()["status"] == "lost"


def test_an_inquiry_moves_no_money_until_it_is_escalated(stripe_wire):
    intent = stripe_wire.pay("pm_card_visa").json()
    stripe_wire.simulate(id=intent["id"], outcome="inquiry")
    asked = dispute_of(stripe_wire, intent)
    assert (asked["status"], asked["balance_transactions"]) == ("warning_needs_response", [])
    assert asked["is_charge_refundable"] is True

    stripe_wire.simulate(id=intent["id"], outcome="inquiry_escalated")

    escalated = dispute_of(stripe_wire, intent)
    assert (escalated["id"], escalated["status"]) == (asked["id"], "needs_response")
    assert len(escalated["balance_transactions"]) == 1
