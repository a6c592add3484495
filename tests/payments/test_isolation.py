"""What is another merchant's, or of the other mode, does not exist: on every endpoint that the URL map knows."""

import re

import pytest
from django.db import transaction
from django.urls import URLPattern, get_resolver
from django.urls.resolvers import RoutePattern

from merchants import endpoints as endpoint_verbs
from merchants.models import ApiKey, Customer, DisplayToken, ProviderAccount, Store, WebhookEndpoint
from merchants.views import ApiView
from orders.models import OrderSource
from payments.models import (
    Attempt,
    Operation,
    Payment,
    Refund,
    Registration,
    SavedMethod,
    SchedulePeriod,
    StaticCode,
    UnallocatedReceipt,
)
from payments.services import posting, registering
from tests import factories
from tests.payments import scheduled
from tests.payments.world import events_of

pytestmark = pytest.mark.django_db(transaction=True)

NOBODYS = "00000000000000000000000000"


def endpoints():
    """(route, method) of every API view below `/v1/` that takes an id; a new one appears here by itself."""
    found = []
    for prefix, pattern in _patterns(get_resolver().url_patterns):
        view = getattr(pattern.callback, "view_class", None)
        assert isinstance(pattern.pattern, RoutePattern)
        route = prefix + str(pattern.pattern)
        if route.startswith("v1/") and view is not None and issubclass(view, ApiView) and view.scopes:
            found += [(route, method) for method in sorted(view.scopes)]
    return found


def _patterns(patterns, prefix=""):
    for pattern in patterns:
        if isinstance(pattern, URLPattern):
            yield prefix, pattern
        elif str(pattern.pattern).startswith("v1/"):
            yield from _patterns(pattern.url_patterns, prefix + str(pattern.pattern))


@pytest.fixture
def theirs(world, other_shop):
    """One of everything that the other merchant has, by the name of its parameter in the URL map."""
    paid = other_shop.api.card()
    refund = other_shop.api.post(f"payments/{paid['id']}/refunds", 201, amount=1)
    held = other_shop.api.card(capture="manual")
    endpoint = other_shop.api.post("webhook-endpoints", 201, url="http://127.0.0.1:1/hook")
    event = other_shop.api.get("events")["data"][0]
    customer = other_shop.api.post("customers", 201, name="Njeri Kamau", reference="their-1")
    replay = other_shop.api.post(f"webhook-endpoints/{endpoint['id']}/replay", 202, event=event["id"])
    delivery = other_shop.api.get(f"webhook-endpoints/{endpoint['id']}/deliveries")["data"][0]
    dispute = factories.DisputeFactory(attempt=Attempt.objects.get(payment=paid["id"]))
    saved = other_shop.api.save_card(customer=customer["id"])
    case = factories.DiscrepancyFactory(run__account=other_shop.mpesa)
    store = other_shop.api.post("stores", 201, name="Their counter")
    token = other_shop.api.post(f"stores/{store['id']}/display-tokens", 201, name="Kitchen")
    return {
        "run_id": case.run_id,
        "exception_id": case.pk,
        "customer_id": customer["id"],
        "payment_id": held["id"],
        "refund_id": refund["id"],
        "dispute_id": dispute.pk,
        "endpoint_id": endpoint["id"],
        "delivery_id": delivery["id"],
        "replay_id": replay["id"],
        "event_id": event["id"],
        "key_id": other_shop.api.get("api-keys")["data"][0]["id"],
        "account_id": other_shop.mpesa.pk,
        "receipt_id": unallocated(other_shop).pk,
        "store_id": store["id"],
        "source_id": factories.OrderSourceFactory(merchant=other_shop.merchant).pk,
        "token_id": token["id"],
        "code_id": factories.StaticCodeFactory(store=Store.objects.get(pk=store["id"]), account=other_shop.stripe).pk,
        "registration_id": registering.register_doors(other_shop.mpesa, by="tests").pk,
        "saved_method_id": saved["id"],
        "schedule_id": scheduled.scheduled(other_shop, SavedMethod.objects.get(pk=saved["id"]))["id"],
    }


def unallocated(shop, **more):
    """Money that came to the shop's paybill without a payment."""
    account = more.get("account", shop.mpesa)
    receipt = factories.ReceiptFactory(
        attempt=None, account=account, livemode=account.livemode, amount=1, currency="KES", source="arrival"
    )
    row = UnallocatedReceipt(
        receipt=receipt, account=account, merchant=shop.merchant, livemode=account.livemode, reference="LUNCH"
    )
    row.save(force_insert=True)
    with transaction.atomic():
        posting.post_unallocated(row)
    return row


def fill(route, ids):
    route = route.replace("<int:number>", "1")
    names = re.findall(r"<str:(\w+)>", route)
    for name in names:
        assert name in ids, f"teach `theirs` what a {name} is, so that {route} is covered"
        route = route.replace(f"<str:{name}>", ids[name])
    return "/" + route


def body_for(route):
    if route.endswith("merge"):
        return {"duplicate": f"cus_{NOBODYS}"}
    if route.endswith("assign"):
        return {"new_payment": {}}
    return (
        {"amount": 1}
        if route.endswith(("capture", "amount"))
        else {"outcome": "succeed"}
        if "simulate" in route
        else {}
    )


def snapshot():
    return (
        list(Payment.objects.order_by("pk").values_list("pk", "state", "refund_reserved", "captured_amount")),
        Operation.objects.count(),
        Refund.objects.count(),
        list(UnallocatedReceipt.objects.order_by("pk").values_list("pk", "state", "payment")),
        list(SavedMethod.objects.values_list("pk", "state", "is_default")),
        list(SchedulePeriod.objects.values_list("pk", "state", "amount", "schedule__state", "schedule__amount")),
        list(WebhookEndpoint.objects.values_list("pk", "is_enabled", "url")),
        list(Customer.objects.values_list("pk", "state", "sequence", "reference")),
        list(ApiKey.objects.order_by("pk").values_list("pk", "revoked_at", "expires_at")),
        list(ProviderAccount.objects.order_by("pk").values_list("pk", "is_enabled", "revision")),
        Registration.objects.count(),
        list(OrderSource.objects.values_list("pk", "name", "is_enabled", "verified_at")),
        list(Store.objects.values_list("pk", "name", "is_enabled")),
        list(DisplayToken.objects.values_list("pk", "expires_at", "revoked_at")),
        list(StaticCode.objects.values_list("pk", "outcome")),
    )


def test_another_merchants_ids_are_404_on_every_endpoint(shop, caller, theirs):
    before = snapshot()
    asked = 0
    for route, method in endpoints():
        if "<" not in route:
            continue
        answer = caller.send(method, fill(route, theirs), json=body_for(route) if method != "GET" else None)
        nobodys = {name: value.split("_")[0] + "_" + NOBODYS for name, value in theirs.items()}
        missing = caller.send(method, fill(route, nobodys), json=body_for(route) if method != "GET" else None)

        assert (answer.status_code, answer.json()["code"]) == (404, "not_found"), (method, route, answer.text)
        assert missing.status_code == 404
        told = [re.sub(r"\w+_[0-9a-z]{26}", "…", each.json()["detail"]) for each in (answer, missing)]
        assert told[0] == told[1], "an id that exists must not be told from one that does not"
        asked += 1

    assert asked >= 11
    assert snapshot() == before


def test_every_list_shows_the_callers_own_rows_only(shop, caller, other_shop, theirs):
    mine = caller.card()
    for route, method in endpoints():
        if method != "GET" or "<" in route:
            continue
        answer = caller.send("GET", "/" + route)
        assert answer.status_code == 200, route
        assert not any(public_id in answer.text for public_id in theirs.values()), route
        assert other_shop.merchant.pk not in answer.text
    assert [row["id"] for row in caller.get("payments")["data"]] == [mine["id"]]
    assert [row["subject"] for row in caller.get("events")["data"]] == [mine["id"]]
    assert [row["amount"] for row in caller.get("balance")["currencies"]] == [mine["amount"]]
    assert [row["source"] for row in caller.get("balance-transactions")["data"]] == [mine["id"]]
    assert caller.get("events", subject=theirs["payment_id"])["data"] == []
    assert caller.get("payments", cursor=_cursor_at(other_shop))["data"] == []


def _cursor_at(other_shop):
    """A cursor that was made for somebody else's list only says where to go on."""
    return other_shop.api.get("payments", limit=1)["next_cursor"]


def test_a_test_key_never_sees_live_rows_and_a_live_key_no_test_rows(shop, caller):
    refund = factories.RefundFactory(
        attempt__payment__merchant=shop.merchant,
        attempt__payment__livemode=True,
        attempt__payment__state="succeeded",
        attempt__account__host="production",
        attempt__account__credentials={"secret_key": "sk_live_nobodys", "webhook_secrets": ["whsec_nobodys"]},
        amount=1,
        state="failed",
    )
    live_account = factories.ProviderAccountFactory(
        mpesa=True, merchant=shop.merchant, livemode=True, host="production"
    )
    live_event = factories.EventFactory(about=refund.payment)
    live_endpoint = factories.WebhookEndpointFactory(merchant=shop.merchant, livemode=True)
    live_key = factories.ApiKeyFactory(merchant=shop.merchant, livemode=True)
    live_delivery = factories.DeliveryFactory(event=live_event, endpoint=live_endpoint)
    live_replay = endpoint_verbs.replay_event(live_endpoint, event=live_event.pk, by="tests")
    live_store = factories.StoreFactory(merchant=shop.merchant, livemode=True)
    live_saved = factories.SavedMethodFactory(merchant=shop.merchant, livemode=True, account=refund.attempt.account)
    live_case = factories.DiscrepancyFactory(run__account=live_account)
    live_ids = {
        "run_id": live_case.run_id,
        "exception_id": live_case.pk,
        "key_id": live_key.pk,
        "account_id": refund.attempt.account_id,
        "payment_id": refund.payment_id,
        "refund_id": refund.pk,
        "dispute_id": factories.DisputeFactory(attempt=refund.attempt).pk,
        "event_id": live_event.pk,
        "endpoint_id": live_endpoint.pk,
        "customer_id": factories.CustomerFactory(merchant=shop.merchant, livemode=True).pk,
        "delivery_id": live_delivery.pk,
        "replay_id": live_replay.pk,
        "receipt_id": unallocated(shop, account=live_account).pk,
        "store_id": live_store.pk,
        "source_id": factories.OrderSourceFactory(merchant=shop.merchant, livemode=True).pk,
        "token_id": factories.DisplayTokenFactory(store=live_store).pk,
        "code_id": factories.StaticCodeFactory(store=live_store, account=live_account).pk,
        "registration_id": registering.register_doors(live_account, by="tests").pk,
        "saved_method_id": live_saved.pk,
        "schedule_id": factories.SchedulePeriodFactory(schedule__saved_method=live_saved, number=1).schedule_id,
    }
    live = shop.key_with(livemode=True)
    assert live.get(f"payments/{refund.payment_id}")["livemode"] is True
    tested = caller.card()
    test_ids = {"payment_id": tested["id"], "event_id": caller.get("events")["data"][0]["id"]}

    for route, method in endpoints():
        if "<" not in route:
            continue
        asked = [(caller, live_ids)]
        asked += [(live, test_ids | live_ids | test_ids)] if re.search(r"payment_id|event_id", route) else []
        for key, ids in asked:
            answer = key.send(method, fill(route, ids), json=body_for(route) if method != "GET" else None)
            assert (answer.status_code, answer.json()["code"]) == (404, "not_found"), (method, route, answer.text)
    assert [row["id"] for row in caller.get("payments")["data"]] == [tested["id"]]
    assert [row["id"] for row in live.get("payments")["data"]] == [refund.payment_id]
    assert events_of(tested) == ["payment.succeeded"]


def test_every_endpoint_wants_a_key_and_names_a_scope_for_each_verb(caller, shop, theirs):
    nobody = type(caller)(caller.base_url, "sk_test_" + "x" * 43)
    for route, method in endpoints():
        answer = nobody.send(method, fill(route, theirs), json={} if method != "GET" else None)
        assert (answer.status_code, answer.json()["code"]) == (401, "unauthorized"), (method, route)
        assert answer.headers["WWW-Authenticate"] == "Bearer"
