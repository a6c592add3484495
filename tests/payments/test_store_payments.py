"""Payments that are taken in a store: it is the merchant's own, is shown, and lists are narrowed by it."""

import pytest
from django.db import IntegrityError, transaction

from merchants import stores
from merchants.models import Store
from payments.models import Payment
from tests import factories
from tests.payments.world import reaches

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
