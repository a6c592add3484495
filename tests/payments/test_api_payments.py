"""`/v1/payments` as a merchant meets it: input that is refused, lists, filters, scopes and simulation."""

import json

import pytest

from core import clock
from events.models import AuditEntry, IdempotencyKey
from payments.models import Attempt, Operation, Payment
from tests.payments.world import PHONE, nothing_was_written, reaches

pytestmark = pytest.mark.django_db(transaction=True)

CARD = {"amount": 1250, "currency": "USD", "method": "card", "payment_method": "pm_card_visa"}
WRONG = [
    ({"amount": True}, "/amount"),
    ({"amount": 12.5}, "/amount"),
    ({"amount": 1250.0}, "/amount"),
    ({"amount": "1250"}, "/amount"),
    ({"amount": None}, "/amount"),
    ({"amount": 0}, "/amount"),
    ({"amount": -1}, "/amount"),
    ({"amount": 10**15 + 1}, "/amount"),
    ({"amount": 10**30}, "/amount"),
    ({"amount": [1]}, "/amount"),
    ({"currency": "usd"}, "/currency"),
    ({"currency": "XXQ"}, "/currency"),
    ({"currency": 840}, "/currency"),
    ({"method": "cheque"}, "/method"),
    ({"method": None}, "/method"),
    ({"capture": "later"}, "/capture"),
    ({"provider": "nosuch"}, "/provider"),
    ({"payment_method": "pm card"}, "/payment_method"),
    ({"payment_method": "tok_visa"}, "/payment_method"),
    ({"payment_method": 7}, "/payment_method"),
    ({"return_url": "javascript:alert(1)"}, "/return_url"),
    ({"return_url": "https://" + "a" * 600}, "/return_url"),
    ({"expires_at": "yesterday"}, "/expires_at"),
    ({"expires_at": "2020-01-01T00:00:00Z"}, "/expires_at"),
    ({"reference": "x" * 101}, "/reference"),
    ({"reference": "a\x00b"}, "/reference"),
    ({"description": "x" * 201}, "/description"),
    ({"metadata": "text"}, "/metadata"),
    ({"metadata": {"a": 1}}, "/metadata/a"),
    ({"metadata": {"k" * 41: "v"}}, "/metadata"),
    ({"metadata": {"k": "v" * 501}}, "/metadata/k"),
    ({"metadata": {str(place): "v" for place in range(51)}}, "/metadata"),
    ({"surprise": 1}, "/surprise"),
]


def test_what_is_wrong_is_refused_with_the_name_of_the_field_and_nothing_is_bound(world, shop, caller):
    for changes, pointer in WRONG:
        problem = caller.refused("payments", 400, "invalid_request", key="same", **CARD | changes)
        assert problem["param"].startswith(pointer), (changes, problem)

    assert nothing_was_written()
    assert not IdempotencyKey.objects.exists()
    assert world.stripe.ledger() == {"entries": [], "calls": {}}
    assert caller.post("payments", 201, key="same", **CARD)["state"] == "succeeded"


def test_every_fault_is_told_at_once(caller):
    problem = caller.refused("payments", 400, "invalid_request", amount="1", currency="usd", method="cheque")

    assert [error["param"] for error in problem["errors"]] == ["/amount", "/currency", "/method"]


def test_bodies_that_are_no_json_object_are_refused(caller, shop):
    cases = [
        (b"{", "application/json", 400),
        (b"[]", "application/json", 400),
        (b"null", "application/json", 400),
        (b"\xff", "application/json", 400),
        (b'{"amount": NaN}', "application/json", 400),
        (b"amount=1", "application/x-www-form-urlencoded", 415),
        (b" " * 300_000, "application/json", 413),
    ]
    for body, kind, status in cases:
        answer = caller.send("POST", "payments", data=body, headers={"Content-Type": kind})
        assert (answer.status_code, answer.headers["Content-Type"]) == (status, "application/problem+json"), body[:20]
    assert nothing_was_written()


def test_card_data_is_refused_and_never_shown_again(caller, shop):
    number = "4242 4242 4242 4242"
    cases = [
        {"card": {"number": number}},
        {"cvc": "123"},
        {"metadata": {"note": f"card {number}"}},
        {"description": number.replace(" ", "")},
        {"reference": number.replace(" ", "-")},
    ]
    for changes in cases:
        answer = caller.send("POST", "payments", json=CARD | changes)
        assert (answer.status_code, answer.json()["code"]) == (400, "card_data_not_allowed"), changes
        assert "4242" not in answer.text
    assert nothing_was_written()
    assert "4242" not in json.dumps(list(AuditEntry.objects.values_list("detail", flat=True)))


def test_a_list_is_stable_while_rows_are_inserted(caller, shop):
    made = [caller.card(reference=f"r{number}")["id"] for number in range(7)]
    seen, cursor = [], None
    while True:
        page = caller.get("payments", limit=3, **({"cursor": cursor} if cursor else {}))
        assert page["object"] == "list"
        seen += [row["id"] for row in page["data"]]
        cursor = page["next_cursor"]
        caller.card(reference="inserted meanwhile")
        if not page["has_more"]:
            break

    assert seen == made[::-1]
    assert cursor is None


def test_every_filter_finds_what_it_says(world, shop, caller):
    first = caller.card(reference="order-1")
    before = clock.rfc3339(clock.now())
    failed = caller.card("pm_card_visa_chargeDeclined", amount=2000, currency="EUR", reference="order-2")
    prompt = caller.prompt(amount=25_000, reference="order-3")
    everything = [prompt["id"], failed["id"], first["id"]]
    cases = [
        ({}, everything),
        ({"state": "succeeded"}, [first["id"]]),
        ({"state": "failed"}, [failed["id"]]),
        ({"provider": "mpesa"}, [prompt["id"]]),
        ({"provider": "stripe"}, [failed["id"], first["id"]]),
        ({"method": "card"}, [failed["id"], first["id"]]),
        ({"currency": "EUR"}, [failed["id"]]),
        ({"reference": "order-3"}, [prompt["id"]]),
        ({"reference": "nothing"}, []),
        ({"amount[gte]": 2000}, [prompt["id"], failed["id"]]),
        ({"amount[lte]": 2000}, [failed["id"], first["id"]]),
        ({"amount[gte]": 1251, "amount[lte]": 24_999}, [failed["id"]]),
        ({"created[gte]": before}, [prompt["id"], failed["id"]]),
        ({"created[lt]": before}, [first["id"]]),
        ({"provider": "stripe", "state": "succeeded", "limit": 1}, [first["id"]]),
    ]

    for query, wanted in cases:
        assert [row["id"] for row in caller.get("payments", **query)["data"]] == wanted, query


def test_unknown_and_wrong_parameters_are_named(caller, shop):
    for query, pointer in [
        ({"stat": "failed"}, "/stat"),
        ({"state": "paid"}, "/state"),
        ({"limit": 0}, "/limit"),
        ({"limit": 101}, "/limit"),
        ({"limit": "many"}, "/limit"),
        ({"provider": "nosuch"}, "/provider"),
        ({"currency": "usd"}, "/currency"),
        ({"amount[gte]": "much"}, "/amount"),
        ({"created[gte]": "then"}, "/created"),
        ({"cursor": "abc"}, "cursor"),
        ({"cursor": "\x00"}, "/cursor"),
    ]:
        answer = caller.send("GET", "payments", params=query)
        assert answer.status_code == 400, (query, answer.text)
        assert pointer.strip("/") in answer.json()["param"], (query, answer.text)


def test_a_key_needs_the_scope_of_what_it_does(shop, caller):
    paid = caller.card()
    none = shop.key_with("events:read")
    reader = shop.key_with("payments:read", "refunds:read")
    cases = [
        (none, "GET", "payments", "payments:read"),
        (none, "GET", f"payments/{paid['id']}", "payments:read"),
        (reader, "POST", "payments", "payments:write"),
        (reader, "POST", f"payments/{paid['id']}/capture", "payments:write"),
        (reader, "POST", f"payments/{paid['id']}/cancel", "payments:write"),
        (reader, "POST", f"payments/{paid['id']}/refunds", "refunds:write"),
        (reader, "POST", f"test/payments/{paid['id']}/simulate", "payments:write"),
        (none, "GET", f"payments/{paid['id']}/refunds", "refunds:read"),
    ]
    for key, method, path, scope in cases:
        answer = key.send(method, path, json={} if method == "POST" else None)
        assert (answer.status_code, answer.json()["code"], answer.json()["param"]) == (403, "scope_missing", scope), (
            path
        )
    assert len(AuditEntry.objects.filter(action="api.refused", detail__reason="scope_missing")) == len(cases)
    assert reader.get(f"payments/{paid['id']}") == caller.get(f"payments/{paid['id']}")
    assert (Payment.objects.count(), Operation.objects.count()) == (1, 1)


def test_an_unknown_provider_account_is_no_route(world):
    empty = world.shop("Empty")

    problem = empty.api.refused("payments", 400, "no_provider_available", **CARD)

    assert problem["param"] == "/method"
    assert nothing_was_written()


def test_a_pinned_provider_must_take_the_method(shop, caller):
    body = {"amount": 25_000, "currency": "KES", "method": "mpesa", "phone": PHONE}
    assert caller.refused("payments", 400, "no_provider_available", provider="stripe", **body)["param"] == "/provider"
    caller.refused("payments", 400, "no_provider_available", capture="manual", **body)
    assert caller.card(provider="stripe")["attempts"][0]["provider"] == "stripe"


def test_the_account_with_the_lowest_priority_that_is_enabled_takes_the_payment(shop, caller):
    first = shop.account("stripe", {"secret_key": "sk_test_first", "webhook_secrets": ["whsec_x"]}, priority=1)
    assert caller.card()["attempts"][0]["account"] == first.pk
    type(first).objects.filter(pk=first.pk).update(is_enabled=False)
    assert caller.card()["attempts"][0]["account"] == shop.stripe.pk


def test_a_test_key_simulates_what_the_payer_does(world, shop, caller):
    prompt = caller.prompt()
    answer = caller.send("POST", f"test/payments/{prompt['id']}/simulate", json={"outcome": "approve"})
    assert (answer.status_code, answer.json()["id"]) == (202, prompt["id"])
    assert reaches(shop, prompt, "succeeded")["captured_amount"] == 25_000

    asked = caller.card("pm_card_threeDSecure2Required", return_url="https://shop.example/")
    caller.post(f"test/payments/{asked['id']}/simulate", 202, outcome="approve")
    with world.later(seconds=6):
        reaches(shop, asked, "succeeded")

    caller.refused(f"test/payments/{asked['id']}/simulate", 400, "invalid_request", outcome="explode")
    caller.refused(f"test/payments/{asked['id']}/simulate", 400, "invalid_request", outcome="../../settings")
    caller.refused(f"test/payments/{asked['id']}/simulate", 400, "invalid_request")
    caller.refused(f"test/payments/{asked['id']}/simulate", 409, "conflict", outcome="approve")


def test_simulation_is_for_simulators_only(world, shop, caller, settings):
    paid = caller.card()
    type(shop.stripe).objects.filter(pk=shop.stripe.pk).update(host="production")
    caller.refused(f"test/payments/{paid['id']}/simulate", 409, "conflict", outcome="dispute")
    type(shop.stripe).objects.filter(pk=shop.stripe.pk).update(host="simulator")
    settings.SIMULATORS_PORT = 1
    caller.refused(f"test/payments/{paid['id']}/simulate", 409, "conflict", outcome="dispute")
    live = shop.key_with(livemode=True)
    live.refused(f"test/payments/{paid['id']}/simulate", 404, "not_found", outcome="dispute")


def test_every_request_leaves_an_audit_row_with_its_outcome(shop, caller):
    paid = caller.card(key="audited")
    caller.card(key="audited")

    accepted = AuditEntry.objects.get(action="api.accepted")
    answered = AuditEntry.objects.filter(action="api.answered", object_id=paid["id"]).get()
    assert (accepted.object_id, accepted.merchant, accepted.address) == (paid["id"], shop.merchant.pk, "127.0.0.1")
    assert (answered.method, answered.route, answered.status) == ("POST", "/v1/payments", 201)
    assert accepted.request_id == answered.request_id != ""
    assert Attempt.objects.count() == 1
