"""Payments that are taken in a store: it is the merchant's own, is shown, and lists are narrowed by it."""

from datetime import timedelta

import pytest
from django.db import IntegrityError, transaction

from core import clock
from core.routing import Rule, Strategy, Target
from merchants import routing, services, stores
from merchants.models import Breaker, Store
from payments.models import Payment
from tests import factories
from tests.payments.world import MPESA, SECOND_APP, reaches

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def store(caller):
    return caller.post("stores", 201, name="Lunch counter", zone="Africa/Nairobi")


def test_a_payment_shows_its_store_and_is_found_by_it(caller, store):
    other = caller.post("stores", 201, name="Bar")
    paid = caller.card(store=store["id"])
    caller.card(store=other["id"])
    caller.card()

    assert paid["store"] == store["id"]
    assert caller.get(f"payments/{paid['id']}")["store"] == store["id"]
    assert [row["id"] for row in caller.get("payments", store=store["id"])["data"]] == [paid["id"]]


def test_its_events_carry_the_store(shop, caller, store):
    paid = reaches(shop, caller.card(store=store["id"]), "succeeded")
    told = caller.get("events", subject=paid["id"])["data"]
    assert {event["data"]["object"]["store"] for event in told} == {store["id"]}


def test_a_store_that_is_not_the_keys_own_is_refused_and_named(shop, caller, other_shop, store):
    theirs = other_shop.api.post("stores", 201, name="Their counter")["id"]
    live = factories.StoreFactory(merchant=shop.merchant, livemode=True).pk
    card = {"amount": 1250, "currency": "USD", "method": "card", "payment_method": "pm_card_visa"}
    for wrong in (theirs, live, f"store_{'0' * 26}", store["id"].upper(), "\x00"):
        problem = caller.refused("payments", 400, "invalid_request", store=wrong, **card)
        assert problem["param"] == "/store"
    assert Payment.objects.count() == 0


def test_a_store_that_is_switched_off_takes_no_new_payments_and_keeps_its_old_ones(shop, caller, store):
    held = caller.card(store=store["id"], capture="manual")
    stores.change_store(Store.objects.get(pk=store["id"]), is_enabled=False, by="tests")

    card = {"amount": 1250, "currency": "USD", "method": "card", "payment_method": "pm_card_visa"}
    assert caller.refused("payments", 400, "invalid_request", store=store["id"], **card)["param"] == "/store"

    caller.post(f"payments/{held['id']}/capture")
    assert reaches(shop, held, "succeeded")["store"] == store["id"]


def test_a_repeat_is_answered_as_the_first_was_though_the_store_has_closed_since(caller, store):
    first = caller.card(store=store["id"], key="lunch-1")
    stores.change_store(Store.objects.get(pk=store["id"]), is_enabled=False, by="tests")
    assert caller.card(store=store["id"], key="lunch-1") == first


def test_a_payment_without_a_method_takes_its_stores(caller):
    counter = caller.post("stores", 201, name="Counter", default_method="card")["id"]
    body = {"amount": 1250, "currency": "USD", "payment_method": "pm_card_visa", "store": counter}
    assert caller.post("payments", 201, **body)["method"] == "card"


def test_a_payment_without_a_method_in_a_store_without_one_is_refused(caller, store):
    problem = caller.refused("payments", 400, "invalid_request", amount=1250, currency="USD", store=store["id"])
    assert problem["param"] == "/method"


def test_the_database_keeps_a_payment_with_its_stores_merchant_and_mode(shop, caller, store):
    paid = caller.card(store=store["id"])
    live = factories.StoreFactory(merchant=shop.merchant, livemode=True)
    for wrong in (factories.StoreFactory(), live):
        with pytest.raises(IntegrityError, match="same_merchant_and_mode"), transaction.atomic():
            Payment.objects.filter(pk=paid["id"]).update(store=wrong)


# Which account takes it


@pytest.fixture
def second(shop):
    """A second M-Pesa account, which comes after the first by its priority."""
    assert shop.mpesa.pk
    return shop.account("mpesa", MPESA | SECOND_APP, shop.world.mpesa_options(), priority=200)


def tried_first(caller, **more):
    """The account that a prompt goes to first, each to a phone of its own."""
    prompted = caller.prompt(phone=f"2547110{Payment.objects.count():05}", **more)
    return prompted["attempts"][0]["account"]


def write(shop, account, priority=1, **terms):
    rule = Rule(f"rule {priority}", Strategy.IN_ORDER, (Target(account.pk),), **terms)
    routing.write_rule(merchant=shop.merchant, livemode=False, rule=rule, priority=priority, by="tests")


def test_the_account_that_a_store_prefers_is_tried_first_there_and_nowhere_else(shop, caller, store, second):
    caller.send("PATCH", f"stores/{store['id']}", json={"default_account": second.pk})
    other = caller.post("stores", 201, name="Bar")
    assert tried_first(caller, store=store["id"]) == second.pk
    assert tried_first(caller, store=other["id"]) == shop.mpesa.pk
    assert tried_first(caller) == shop.mpesa.pk


def test_a_rule_comes_before_what_a_store_prefers(shop, caller, store, second):
    caller.send("PATCH", f"stores/{store['id']}", json={"default_account": second.pk})
    write(shop, shop.mpesa)
    assert tried_first(caller, store=store["id"]) == shop.mpesa.pk


def test_a_rule_may_be_about_one_store(shop, caller, store, second):
    write(shop, second, store=store["id"], only=True)
    assert tried_first(caller, store=store["id"]) == second.pk
    assert tried_first(caller) == shop.mpesa.pk


def test_an_account_that_cannot_take_it_or_is_off_leaves_it_to_the_others(shop, caller, store, second):
    caller.send("PATCH", f"stores/{store['id']}", json={"default_account": shop.stripe.pk})
    assert tried_first(caller, store=store["id"]) == shop.mpesa.pk
    caller.send("PATCH", f"stores/{store['id']}", json={"default_account": second.pk})
    services.switch_account_off(second, by="tests")
    assert tried_first(caller, store=store["id"]) == shop.mpesa.pk


def test_methods_are_offered_as_that_store_has_them(shop, caller, store, second):
    asked = {"currency": "KES", "amount": 20_000, "store": store["id"]}

    def offered():
        return {one["method"]: one["expected_fee"] for one in caller.get("payment-methods", **asked)["data"]}

    def fee():
        return offered()["mpesa"]

    factories.FeeScheduleFactory(account=shop.mpesa, currency="KES", tiers=[(0, 0, "1")])
    factories.FeeScheduleFactory(account=second, currency="KES", tiers=[(0, 0, "2")])
    assert fee() == 200
    caller.send("PATCH", f"stores/{store['id']}", json={"default_account": second.pk})
    assert fee() == 400
    write(shop, shop.mpesa, store=store["id"])
    assert fee() == 200
    write(shop, second, priority=0, store=store["id"], only=True)
    now = clock.now()
    Breaker.objects.create(account=second, streak=9, opened_at=now, retry_at=now + timedelta(hours=1))
    assert set(offered()) == {"card"}
    del asked["store"]
    assert fee() == 200


def test_methods_of_a_store_that_takes_no_payments_are_refused_by_its_name(shop, caller, other_shop, store):
    theirs = other_shop.api.post("stores", 201, name="Their counter")["id"]
    stores.change_store(Store.objects.get(pk=store["id"]), is_enabled=False, by="tests")
    for wrong in (store["id"], theirs, "store_nowhere"):
        answer = caller.send("GET", "payment-methods", params={"store": wrong})
        assert (answer.status_code, answer.json()["param"]) == (400, "/store")


# Its refunds


def test_a_refund_stands_in_the_history_of_its_payments_store(shop, caller, store):
    paid = reaches(shop, caller.card(store=store["id"]), "succeeded")
    given = caller.post(f"payments/{paid['id']}/refunds", 201, amount=250)
    caller.card()
    told = caller.get("transactions", store=store["id"])["data"]
    assert [(row["id"], row["store"]) for row in told] == [(given["id"], store["id"]), (paid["id"], store["id"])]
