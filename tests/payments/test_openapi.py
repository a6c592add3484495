"""The OpenAPI document: valid 3.1, complete, and true of what is really answered."""

import json
import re
from importlib import resources

import pytest
from django.urls import get_resolver
from jsonschema import Draft202012Validator

from events.models import Event
from merchants.webhook_sending import present_event
from payments.models import Attempt, SavedMethod
from tests import factories
from tests.payments import scheduled
from tests.payments.test_isolation import endpoints, unallocated
from tests.payments.world import reaches
from tests.till import POS, tills

pytestmark = pytest.mark.django_db(transaction=True)

FOLLOWING = ("/v1/stores/{store_id}/stream", "get")
"""Served by a process of its own, to screens, which have no key."""
SHOWN_ON_SCREENS = {f"/v1/payments/{{payment_id}}/qr.{kind}" for kind in ("png", "svg")}
"""Which screens may see, too."""


@pytest.fixture
def document(caller):
    return caller.get("openapi.json")


@pytest.fixture
def check(document):
    """Hold a real answer against the shape that the document gives for its operation and status."""

    def check(method, path, answer):
        operation = document["paths"][path][method.lower()]
        documented = operation["responses"][str(answer.status_code)]["content"]
        kind = answer.headers["Content-Type"].partition(";")[0]
        assert kind in documented, (path, kind, list(documented))
        schema = {"components": document["components"], **documented[kind]["schema"]}
        faults = [fault.message for fault in Draft202012Validator(schema).iter_errors(answer.json())]
        assert faults == [], (method, path, answer.text)
        named = set(_properties(document, documented[kind]["schema"]))
        assert set(answer.json()) <= named, (method, path, set(answer.json()) - named)

    return check


def _properties(document, schema):
    schema = schema.get("allOf", [schema])[0]
    if "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    return schema["properties"]


def test_it_is_valid_openapi_3_1(document):
    published = resources.files("drf_spectacular.validation").joinpath("openapi_3_1_schema.json").read_text()

    faults = [fault.message for fault in Draft202012Validator(json.loads(published)).iter_errors(document)]

    assert faults == []
    assert re.fullmatch(r"3\.1\.\d", document["openapi"])


def test_it_names_every_path_and_verb_of_the_url_map(document):
    documented = {(path, verb) for path, verbs in document["paths"].items() for verb in verbs} - {FOLLOWING}
    mapped = {("/" + re.sub(r"<\w+:(\w+)>", r"{\1}", route), method.lower()) for route, method in endpoints()}

    assert documented == mapped
    assert get_resolver().resolve("/v1/openapi.json")


def test_every_operation_documents_its_problems_and_its_way_to_authenticate(document):
    for path, verbs in document["paths"].items():
        for verb, operation in verbs.items():
            if (path, verb) == FOLLOWING:
                continue
            answered = set(operation["responses"])
            assert {"401", "403", "406", "429", "500", "503"} <= answered, (path, verb)
            assert ("404" in answered) >= ("{" in path), (path, verb)
            assert {"400", "409", "413", "415", "422"} <= answered or verb != "post", (path, verb)
            ways = [["ApiKey"], ["ApiKeyHeader"], *([["DisplayToken"]] if path in SHOWN_ON_SCREENS else [])]
            assert [list(way) for way in operation["security"]] == ways, (path, verb)


def test_a_stream_is_documented_with_its_answer_its_token_and_its_refusals(document, caller):
    path, verb = FOLLOWING
    operation = document["paths"][path][verb]
    assert list(operation["responses"]["200"]["content"]) == ["text/event-stream"]
    assert operation["security"] == [{"DisplayToken": []}]
    assert "DisplayToken" in document["components"]["securitySchemes"]
    assert set(operation["responses"]) == {"200", "400", "401", "404", "429", "500", "503"}
    assert caller.send("GET", path).json()["detail"].startswith("This process serves no live events")


def test_every_event_is_as_its_webhook_is_documented(world, shop, caller, document):
    paid = caller.card()
    caller.card("pm_card_visa_chargeDeclined")
    caller.post(f"payments/{paid['id']}/refunds", 201, amount=100)
    held = caller.card(capture="manual")
    caller.post(f"payments/{held['id']}/cancel")
    customer = caller.post("customers", 201, name="Njeri Kamau")
    caller.send("DELETE", f"customers/{customer['id']}")
    endpoint = caller.post("webhook-endpoints", 201, url="http://127.0.0.1:1/hook")
    caller.post(f"webhook-endpoints/{endpoint['id']}/ping", 202)
    factories.DisputeFactory(attempt=Attempt.objects.get(payment=paid["id"]))

    happened = list(Event.objects.order_by("pk"))

    assert len({event.type for event in happened}) >= 7
    for event in happened:
        content = document["webhooks"][event.type]["post"]["requestBody"]["content"]["application/json"]
        body = json.loads(json.dumps(present_event(event)))
        schema = {"components": document["components"], **content["schema"]}
        assert [fault.message for fault in Draft202012Validator(schema).iter_errors(body)] == [], event.type
        assert set(content["example"]["data"]["object"]) == set(body["data"]["object"]), event.type


def test_every_documented_shape_fits_a_real_answer(world, shop, caller, check):
    answered = set()

    def ask(method, path, body=None, **ids):
        answer = caller.send(method, path.format(**ids), json=body)
        if answer.status_code != 204:
            check(method, path, answer)
        answered.add((path, method))
        return answer.json() if answer.content else None

    card = {"amount": 1250, "currency": "USD", "method": "card", "payment_method": "pm_card_visa"}
    challenge = card | {"payment_method": "pm_card_threeDSecure2Required", "return_url": "https://shop.example/"}
    decline = card | {"payment_method": "pm_card_visa_chargeDeclined", "metadata": {"a": "b"}, "reference": "r"}
    prompt = {"amount": 25_000, "currency": "KES", "method": "mpesa", "phone": "254708374149"}
    pay, one = "/v1/payments", "/v1/payments/{payment_id}"
    paid, asked, waits = (ask("POST", pay, body) for body in (card, challenge, prompt))
    ask("POST", pay, decline)
    ask("POST", pay, {"amount": "1"})
    reaches(shop, waits, "succeeded")
    ask("GET", pay)
    for payment in (paid, asked, waits):
        ask("GET", one, payment_id=payment["id"])
    ask("GET", one, payment_id="pay_nobodys")
    for kind in ("svg", "png"):
        ask("GET", f"{one}/qr.{kind}", payment_id=asked["id"])
    held = [ask("POST", pay, card | {"capture": "manual"})["id"] for _ in range(2)]
    ask("POST", one + "/capture", {"amount": 1000}, payment_id=held[0])
    ask("POST", one + "/capture", {}, payment_id=held[0])
    ask("POST", one + "/cancel", {}, payment_id=held[1])
    refund = ask("POST", one + "/refunds", {"amount": 400}, payment_id=paid["id"])
    ask("POST", one + "/refunds", {"amount": 4000}, payment_id=paid["id"])
    ask("GET", one + "/refunds", payment_id=paid["id"])
    ask("GET", "/v1/refunds/{refund_id}", refund_id=refund["id"])
    ask("POST", "/v1/test/payments/{payment_id}/simulate", {"outcome": "approve"}, payment_id=asked["id"])
    disputes = (factories.DisputeFactory(attempt=Attempt.objects.get(payment=paid["id"])) for _ in range(2))
    dispute, other = (row.pk for row in disputes)
    case = factories.DiscrepancyFactory(run__account=shop.mpesa)
    ask("GET", "/v1/reconciliation/runs")
    ask("GET", "/v1/reconciliation/runs/{run_id}", run_id=case.run_id)
    ask("GET", "/v1/reconciliation/exceptions")
    ask("GET", "/v1/reconciliation/exceptions/{exception_id}", exception_id=case.pk)
    ask("GET", "/v1/disputes")
    ask("GET", "/v1/disputes/{dispute_id}", dispute_id=dispute)
    given = {"evidence": {"explanation": "sent"}}
    ask("POST", "/v1/disputes/{dispute_id}/evidence", given, dispute_id=dispute)
    ask("POST", "/v1/disputes/{dispute_id}/accept", {}, dispute_id=other)
    endpoint = ask("POST", "/v1/webhook-endpoints", {"url": "http://127.0.0.1:1/hook"})
    ask("GET", "/v1/webhook-endpoints")
    where = "/v1/webhook-endpoints/{endpoint_id}"
    ask("GET", where, endpoint_id=endpoint["id"])
    ask("PATCH", where, {"description": "till"}, endpoint_id=endpoint["id"])
    ask("POST", where + "/rotate-secret", {"overlap_seconds": 60}, endpoint_id=endpoint["id"])
    ping = ask("POST", where + "/ping", {}, endpoint_id=endpoint["id"])
    replay = ask("POST", where + "/replay", {"event": ping["id"]}, endpoint_id=endpoint["id"])
    ask("GET", where + "/replays/{replay_id}", endpoint_id=endpoint["id"], replay_id=replay["id"])
    delivery = ask("GET", where + "/deliveries", endpoint_id=endpoint["id"])["data"][0]
    ask("GET", where + "/deliveries/{delivery_id}", endpoint_id=endpoint["id"], delivery_id=delivery["id"])
    ask("DELETE", where, endpoint_id=endpoint["id"])
    ask("GET", "/v1/payment-methods")
    ask("GET", "/v1/balance")
    ask("GET", "/v1/balance-transactions")
    them, who = "/v1/customers", "/v1/customers/{customer_id}"
    address = {"line1": "Moi Avenue 1", "city": "Nairobi", "country": "KE"}
    customer, same = (ask("POST", them, {"name": "Njeri", "address": given}) for given in (address, None))
    ask("POST", them, {"phone": "1"})
    ask("GET", them)
    ask("PATCH", who, {"email": "njeri@example.com"}, customer_id=customer["id"])
    ask("POST", who + "/merge", {"duplicate": same["id"]}, customer_id=customer["id"])
    ask("POST", pay, card | {"customer": customer["id"]})
    _ask_for_saved_methods(ask, customer["id"])
    ask("GET", who, customer_id=same["id"])
    ask("DELETE", who, customer_id=customer["id"])
    ask("GET", who, customer_id=customer["id"])
    ask("GET", "/v1/transactions")
    ask("GET", "/v1/request-logs")
    came = unallocated(shop)
    ask("GET", "/v1/unallocated-receipts")
    ask("GET", "/v1/unallocated-receipts/{receipt_id}", receipt_id=came.pk)
    assign = "/v1/unallocated-receipts/{receipt_id}/assign"
    ask("POST", assign, {"payment": "pay_nobodys"}, receipt_id=came.pk)
    ask("POST", assign, {"new_payment": {"reference": "lunch"}}, receipt_id=came.pk)
    ask("POST", assign, {"new_payment": {}}, receipt_id=came.pk)
    account = "/v1/provider-accounts/{account_id}"
    registration = ask("POST", account + "/register-callbacks", {}, account_id=shop.mpesa.pk)
    ask("POST", account + "/register-callbacks", {}, account_id=shop.mpesa.pk)
    ask("GET", account + "/registrations", account_id=shop.mpesa.pk)
    where = account + "/registrations/{registration_id}"
    ask("GET", where, account_id=shop.mpesa.pk, registration_id=registration["id"])
    events = ask("GET", "/v1/events")
    ask("GET", "/v1/events/{event_id}", event_id=events["data"][0]["id"])

    _ask_for_schedules(ask, caller)
    _ask_for_keys_and_accounts(ask)
    _ask_for_stores(ask, shop, card)
    _ask_for_order_sources(ask, check, shop, card)

    mapped = {("/" + re.sub(r"<\w+:(\w+)>", r"{\1}", route), method) for route, method in endpoints()}
    assert mapped - answered == set(), "an endpoint whose documented answers nothing here has held against a real one"


def _ask_for_saved_methods(ask, customer):
    kept, one = "/v1/saved-methods", "/v1/saved-methods/{saved_method_id}"
    card = {"customer": customer, "method": "card", "payment_method": "pm_card_visa"}
    saved, asks, _ = (
        ask("POST", kept, card | change)
        for change in (
            {},
            {"payment_method": "pm_card_authenticationRequired", "return_url": "https://shop.example/"},
            {"payment_method": "pm_card_visa_chargeDeclined"},
        )
    )
    ask("POST", kept, {"method": "card"})
    ask("GET", kept)
    ask("GET", one, saved_method_id=saved["id"])
    ask("GET", one, saved_method_id=asks["id"])
    ask("POST", one + "/default", {}, saved_method_id=saved["id"])
    ask("POST", one + "/default", {}, saved_method_id=asks["id"])
    charge = {"amount": 1250, "currency": "USD", "saved_method": saved["id"], "off_session": True}
    ask("POST", "/v1/payments", charge)
    ask("POST", one + "/detach", {}, saved_method_id=saved["id"])
    ask("POST", "/v1/payments", charge)


def _ask_for_keys_and_accounts(ask):
    keys, key = "/v1/api-keys", "/v1/api-keys/{key_id}"
    made = ask("POST", keys, {"name": "till", "scopes": ["payments:read"]})
    ask("POST", keys, {"name": "till", "scopes": ["payments:none"]})
    ask("GET", keys)
    ask("GET", key, key_id=made["id"])
    ask("POST", key + "/rotate", {}, key_id=made["id"])
    ask("POST", key + "/revoke", {}, key_id=made["id"])
    ask("POST", key + "/rotate", {}, key_id=made["id"])
    accounts, account = "/v1/provider-accounts", "/v1/provider-accounts/{account_id}"
    credentials = {"secret_key": "sk_test_documented", "webhook_secrets": ["whsec_documented"]}
    body = {"provider": "stripe", "name": "Shop", "host": "simulator", "credentials": credentials}
    opened = ask("POST", accounts, body)
    ask("POST", accounts, body | {"host": "elsewhere"})
    ask("GET", accounts)
    ask("GET", account, account_id=opened["id"])
    ask("PATCH", account, {"priority": 7}, account_id=opened["id"])
    ask("POST", account + "/credentials", {"credentials": credentials}, account_id=opened["id"])
    ask("POST", account + "/callback-urls", {}, account_id=opened["id"])
    ask("POST", account + "/test", {}, account_id=opened["id"])
    ask("POST", account + "/disable", {}, account_id=opened["id"])


def _ask_for_schedules(ask, caller):
    many, one = "/v1/schedules", "/v1/schedules/{schedule_id}"
    period = one + "/periods/{number}"
    saved = SavedMethod.objects.get(pk=caller.save_card()["id"])
    made = ask("POST", many, scheduled.body(saved, amount=None, retries=[1], metadata={"flat": "7"}))
    ask("POST", many, scheduled.body(saved, zone="Mars/Olympus"))
    ask("GET", many)
    ask("GET", one, schedule_id=made["id"])
    ask("PATCH", one, {"notice_days": 2}, schedule_id=made["id"])
    ask("PATCH", one, {"amount": 1}, schedule_id=made["id"])
    ask("POST", period + "/amount", {"amount": 700}, schedule_id=made["id"], number=1)
    ask("POST", period + "/skip", {}, schedule_id=made["id"], number=1)
    ask("POST", period + "/skip", {}, schedule_id=made["id"], number=1)
    ask("GET", one + "/periods", schedule_id=made["id"])
    for verb in ("pause", "resume", "cancel", "resume"):
        ask("POST", f"{one}/{verb}", {}, schedule_id=made["id"])


def _ask_for_stores(ask, shop, card):
    stores, store = "/v1/stores", "/v1/stores/{store_id}"
    tokens, token = store + "/display-tokens", store + "/display-tokens/{token_id}"
    made = ask("POST", stores, {"name": "Counter", "zone": "Asia/Jakarta", "default_method": "card"})
    ask("POST", stores, {"name": "Counter", "zone": "Mars/Olympus"})
    ask("GET", stores)
    ask("GET", store, store_id=made["id"])
    ask("POST", "/v1/payments", card | {"store": made["id"]})
    shown = ask("POST", tokens, {"name": "Kitchen"}, store_id=made["id"])
    ask("GET", tokens, store_id=made["id"])
    ask("POST", token + "/rotate", {}, store_id=made["id"], token_id=shown["id"])
    ask("POST", token + "/revoke", {}, store_id=made["id"], token_id=shown["id"])
    ask("POST", token + "/rotate", {}, store_id=made["id"], token_id=shown["id"])
    ask("PATCH", store, {"default_account": shop.stripe.pk}, store_id=made["id"])
    secrets = {"secret_key": "xnd_development_lango-simulator", "callback_token": "lango-simulator-callback-token"}
    codes, xendit = store + "/static-codes", shop.account("xendit", secrets)
    code = ask("POST", codes, {"account": xendit.pk, "reference": "counter 2"}, store_id=made["id"])
    ask("POST", codes, {"account": xendit.pk}, store_id=made["id"])
    ask("POST", codes, {"account": shop.stripe.pk}, store_id=made["id"])
    ask("GET", codes, store_id=made["id"])
    ask("GET", codes + "/{code_id}", store_id=made["id"], code_id=code["id"])
    ask("PATCH", store, {"is_enabled": False}, store_id=made["id"])
    ask("POST", codes, {"account": xendit.pk}, store_id=made["id"])
    ask("POST", "/v1/payments", card | {"store": made["id"]})


def _ask_for_order_sources(ask, check, shop, card):
    many, one = "/v1/order-sources", "/v1/order-sources/{source_id}"
    with tills("till") as (till,):
        till.configure(shop.merchant.pk)
        body = {"name": "Till", "database": "till", "schema": "pos"}
        ask("POST", many, body)
        till.run(POS)
        till.ring_up(tax="1.5")
        till.run(
            "INSERT INTO pos_order_lines (order_id, name, quantity, unit_price) VALUES ('1042', 'Nasi goreng', 1, 12.5)"
        )
        source = ask("POST", many, body)["id"]
        ask("POST", many, body)
        ask("GET", many)
        ask("GET", one, source_id=source)
        ask("PATCH", one, {"name": "Bar"}, source_id=source)
        ask("POST", one + "/verify", {}, source_id=source)
        ask("GET", one + "/orders", source_id=source)
        shown = shop.api.send("GET", f"order-sources/{source}/orders", params={"order": "1042"})
        check("GET", one + "/orders", shown)
        order = {"order": {"source": source, "id": "1042"}}
        ask("POST", "/v1/payments", card | order)
        ask("POST", "/v1/payments", card | order)
        ask("POST", "/v1/payments", card | order | {"amount": 1})
        till.go_away()
        ask("POST", "/v1/payments", card | order)
        ask("POST", one + "/verify", {}, source_id=source)
