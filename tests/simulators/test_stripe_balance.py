"""Stripe's balance: the line of each charge and refund, what it costs, and how it is expanded and listed."""

import json
from pathlib import Path

import jsonschema
import pytest

from tests.simulators.conftest import until

OPENAPI = Path(__file__).parents[1] / "payments" / "providers" / "openapi"


def charge_of(wire, intent):
    return wire.get(f"/v1/charges/{intent['latest_charge']}", **{"expand[]": "balance_transaction"}).json()


def test_a_captured_charge_has_its_line_in_the_balance_with_the_published_shape(stripe_wire):
    intent = stripe_wire.pay(**{"expand[]": "latest_charge.balance_transaction"}).json()
    line = intent["latest_charge"]["balance_transaction"]
    assert line.pop("id").startswith("txn_")
    created = line.pop("created")
    detail = {
        "amount": 392,
        "application": None,
        "currency": "usd",
        "description": "Stripe processing fees",
        "type": "stripe_fee",
    }
    assert line == {
        "object": "balance_transaction",
        "amount": 12500,
        "available_on": created + 2 * 86_400,
        "balance_type": "payments",
        "currency": "usd",
        "description": None,
        "exchange_rate": None,
        "fee": 392,
        "fee_details": [detail],
        "net": 12108,
        "reporting_category": "charge",
        "source": intent["latest_charge"]["id"],
        "status": "pending",
        "type": "charge",
    }


@pytest.mark.parametrize(
    ("amount", "currency", "fee"),
    [(1000, "usd", 59), (500, "usd", 44), (1500, "usd", 74), (500, "jpy", 44), (99_999_999, "kes", 2_900_030)],
)
def test_the_fee_is_rounded_half_to_even_and_the_same_in_every_currency(stripe_wire, amount, currency, fee):
    intent = stripe_wire.pay(amount=amount, currency=currency).json()
    assert charge_of(stripe_wire, intent)["balance_transaction"]["fee"] == fee


def test_a_hold_has_no_line_and_a_capture_of_a_part_has_one_of_that_part(stripe_wire):
    held = stripe_wire.pay(capture_method="manual", **{"expand[]": "latest_charge.balance_transaction"}).json()
    assert held["latest_charge"]["balance_transaction"] is None
    expand = {"amount_to_capture": 10000, "expand[]": "latest_charge.balance_transaction"}
    captured = stripe_wire.post_form(f"/v1/payment_intents/{held['id']}/capture", expand).json()
    line = captured["latest_charge"]["balance_transaction"]
    assert (line["amount"], line["fee"], line["source"]) == (10000, 320, captured["latest_charge"]["id"])


def test_a_refund_has_its_own_line_below_zero_and_without_a_fee(stripe_wire):
    intent = stripe_wire.pay().json()
    data = {"payment_intent": intent["id"], "amount": 2500, "expand[]": "balance_transaction"}
    refund = stripe_wire.post_form("/v1/refunds", data).json()
    line = refund["balance_transaction"]
    assert (line["amount"], line["fee"], line["net"], line["fee_details"]) == (-2500, 0, -2500, [])
    assert (line["type"], line["reporting_category"], line["source"]) == ("refund", "refund", refund["id"])


def test_the_lines_of_the_balance_are_listed_by_source_type_and_currency(stripe_wire):
    first, second = (stripe_wire.pay(currency=currency).json() for currency in ("usd", "eur"))
    refund = stripe_wire.post_form("/v1/refunds", {"payment_intent": first["id"]}).json()

    def sources(**query):
        page = stripe_wire.get("/v1/balance_transactions", **query).json()
        assert (page["object"], page["url"]) == ("list", "/v1/balance_transactions")
        return [row["source"] for row in page["data"]]

    assert sources() == [refund["id"], second["latest_charge"], first["latest_charge"]]
    assert sources(limit=1) == sources(type="refund") == sources(source=refund["id"]) == [refund["id"]]
    assert sources(type="charge") == [second["latest_charge"], first["latest_charge"]]
    assert sources(currency="eur") == [second["latest_charge"]]
    expanded = stripe_wire.get("/v1/balance_transactions", **{"expand[]": "data.source", "type": "charge"}).json()
    assert expanded["data"][0]["source"]["object"] == "charge"


@pytest.mark.parametrize("method", ["automatic", "manual"])
def test_a_line_can_be_delayed_after_any_capture_and_is_told_of_when_it_comes(stripe_wire, receiver, method):
    stripe_wire.settings(balance_delay_seconds=1.5)
    endpoint = stripe_wire.webhook(receiver, "charge.updated")
    intent = stripe_wire.pay(capture_method=method).json()
    if method == "manual":
        intent = stripe_wire.post_form(f"/v1/payment_intents/{intent['id']}/capture").json()
    assert (intent["status"], charge_of(stripe_wire, intent)["balance_transaction"]) == ("succeeded", None)
    (event,) = receiver.wait(1)
    assert event["data"]["previous_attributes"] == {"balance_transaction": None}
    line = charge_of(stripe_wire, intent)["balance_transaction"]
    assert (line["id"], line["amount"]) == (event["data"]["object"]["balance_transaction"], 12500)
    stripe_wire.delete(f"/v1/webhook_endpoints/{endpoint['id']}")


def test_the_balance_can_be_in_another_currency_than_the_payment(stripe_wire):
    stripe_wire.settings(settlement_currency="eur", settlement_rate=0.85)
    paid, own = (stripe_wire.pay(amount=1250, currency=currency).json() for currency in ("usd", "eur"))
    line = charge_of(stripe_wire, paid)["balance_transaction"]
    # 1062.5 cents, and 30.798 + 30 of them.
    assert (line["amount"], line["fee"], line["net"], line["currency"]) == (1062, 61, 1001, "eur")
    assert (line["exchange_rate"], line["fee_details"][0]["currency"]) == (0.85, "eur")
    assert charge_of(stripe_wire, own)["balance_transaction"]["exchange_rate"] is None
    refund = {"payment_intent": paid["id"], "expand[]": "balance_transaction"}
    back = stripe_wire.post_form("/v1/refunds", refund).json()
    assert (back["amount"], back["currency"]) == (1250, "usd")
    assert (back["balance_transaction"]["amount"], back["balance_transaction"]["currency"]) == (-1062, "eur")


def test_a_settlement_currency_that_stripe_does_not_know_is_refused(stripe_wire):
    assert stripe_wire.post("settings", settlement_currency="xxx").status_code == 400


@pytest.mark.parametrize(
    ("path", "expanded"),
    [
        ("/v1/payment_intents", "data"),
        ("/v1/payment_intents", "latest_charge"),
        ("/v1/payment_intents", "data.balance_transaction"),
        ("/v1/payment_intents", "data.latest_charge.latest_charge"),
        ("/v1/events", "data.data"),
        ("/v1/payment_intents/{id}", "data.latest_charge"),
        ("/v1/payment_intents/{id}", "balance_transaction"),
        ("/v1/payment_intents/{id}", "latest_charge."),
        ("/v1/charges/{latest_charge}", "amount"),
    ],
)
def test_only_what_leads_to_an_object_can_be_expanded(stripe_wire, path, expanded):
    intent = stripe_wire.pay().json()
    answer = stripe_wire.get(path.format(**intent), **{"expand[]": expanded})
    assert answer.status_code == 400
    error = answer.json()["error"]
    assert (error["param"], error["message"]) == ("expand", f"This property cannot be expanded ({expanded}).")


def test_a_list_expands_two_steps_away(stripe_wire):
    stripe_wire.pay()
    expand = {"expand[]": "data.latest_charge.balance_transaction"}
    (row,) = stripe_wire.get("/v1/payment_intents", **expand).json()["data"]
    assert row["latest_charge"]["balance_transaction"]["fee"] == 392


def test_every_kind_of_line_fits_stripe_s_own_description_expanded_or_not(stripe_wire):
    stripe_wire.settings(refund_seconds=0.05)
    for card in ("pm_card_visa", "pm_card_createDispute"):
        stripe_wire.pay(card)
    failing = stripe_wire.pay("pm_card_refundFail").json()
    refund = stripe_wire.post_form("/v1/refunds", {"payment_intent": failing["id"]}).json()
    until(lambda: stripe_wire.get(f"/v1/refunds/{refund['id']}").json()["status"] == "failed")
    stripe_wire.simulate(outcome="payout")
    answer = json.loads((OPENAPI / "stripe.json").read_text())["answer to GET /v1/balance_transactions"]
    for query in ({}, {"expand[]": "data.source"}):
        page = stripe_wire.get("/v1/balance_transactions", limit=100, **query).json()
        jsonschema.validate(page, answer)
        kinds = [line["type"] for line in page["data"]]
        assert kinds == ["payout", "refund_failure", "refund", "charge", "adjustment", "charge", "charge"]
    assert sum(line["net"] for line in page["data"]) == 0


def test_lines_are_listed_of_a_span_of_time(stripe_wire):
    line = charge_of(stripe_wire, stripe_wire.pay().json())["balance_transaction"]

    def found(**bounds):
        query = {f"created[{name}]": line["created"] + seconds for name, seconds in bounds.items()}
        return [row["id"] for row in stripe_wire.get("/v1/balance_transactions", **query).json()["data"]]

    assert found(gte=0, lte=0) == found(gte=-60) == found(lt=1) == [line["id"]]
    assert found(gte=1) == found(lte=-1) == found(gt=0) == []
