"""Payments that are a customer's."""

import pytest
from django.db import IntegrityError, transaction

from merchants import customers
from merchants.models import Customer
from payments.models import Payment
from tests import factories
from tests.payments.world import events_of, reaches

pytestmark = pytest.mark.django_db(transaction=True)
CARD = {"amount": 1250, "currency": "USD", "method": "card", "payment_method": "pm_card_visa"}


@pytest.fixture
def customer(shop):
    return factories.CustomerFactory(merchant=shop.merchant, email="njeri@example.com")


def listed(caller, customer):
    return [row["id"] for row in caller.get("payments", customer=customer.pk)["data"]]


def test_a_payment_shows_its_customer_and_is_listed_by_it(shop, caller, customer):
    mine, without = caller.card(customer=customer.pk), caller.card()
    assert (mine["customer"], without["customer"]) == (customer.pk, None)
    assert caller.get(f"payments/{mine['id']}")["customer"] == customer.pk
    assert listed(caller, customer) == [mine["id"]]
    assert caller.get("payments", customer="cus_nobody")["data"] == []
    event = caller.get("events", subject=mine["id"])["data"][0]
    assert event["data"]["object"]["customer"] == customer.pk


def test_a_customer_that_is_not_the_callers_is_refused_by_name_and_nothing_is_written(world, shop, caller):
    other_mode = factories.CustomerFactory(merchant=shop.merchant, livemode=True)
    others = factories.CustomerFactory()
    before = Customer.objects.count()
    told = {
        caller.refused("payments", 400, "invalid_request", **CARD, customer=given)["detail"]
        for given in (others.pk, other_mode.pk, "cus_" + "0" * 26, "cus_'", "pay_1")
    }
    assert told == {"There is no such customer for this key."}
    assert caller.refused("payments", 400, "invalid_request", **CARD, customer=others.pk)["param"] == "/customer"
    assert (Payment.objects.exists(), world.stripe.entries(), Customer.objects.count()) == (False, [], before)
    assert listed(caller, others) == listed(caller, other_mode) == []


def test_the_database_keeps_a_payment_to_customers_of_its_merchant_and_mode():
    payment = factories.PaymentFactory()
    for wrong in (factories.CustomerFactory(), factories.CustomerFactory(merchant=payment.merchant, livemode=True)):
        with pytest.raises(IntegrityError, match="same_merchant_and_mode"), transaction.atomic():
            Payment.objects.filter(pk=payment.pk).update(customer=wrong)
    Payment.objects.filter(pk=payment.pk).update(customer=factories.CustomerFactory(merchant=payment.merchant))


def test_what_a_duplicate_paid_is_found_through_the_survivor_and_new_payments_are_the_survivors(shop, caller, customer):
    duplicate = factories.CustomerFactory(merchant=shop.merchant)
    earlier = caller.card(customer=duplicate.pk)
    customers.merge_customers(survivor=customer, duplicate=duplicate.pk, by="test")
    later = caller.card(customer=duplicate.pk)
    assert (earlier["customer"], later["customer"]) == (duplicate.pk, customer.pk)
    assert listed(caller, customer) == listed(caller, duplicate) == [later["id"], earlier["id"]]


def test_a_payment_under_way_ends_as_it_would_when_its_customer_is_erased(shop, caller, customer):
    asked = caller.card("pm_card_threeDSecure2Required", customer=customer.pk, return_url="https://shop.example/")
    assert caller.send("DELETE", f"customers/{customer.pk}").status_code == 200
    caller.post(f"test/payments/{asked['id']}/simulate", 202, outcome="approve")
    paid = reaches(shop, asked, "succeeded")
    assert (paid["customer"], paid["captured_amount"]) == (customer.pk, 1250)
    assert caller.post(f"payments/{asked['id']}/refunds", 201, amount=250)["amount"] == 250
    assert events_of(asked)[-1] == "payment.succeeded"
    assert listed(caller, customer) == [asked["id"]]


def test_a_prompt_under_way_ends_as_it_would_when_its_customer_is_erased(shop, caller, customer):
    prompt = caller.prompt(customer=customer.pk)
    customers.erase_customer(customer, by="test")
    caller.post(f"test/payments/{prompt['id']}/simulate", 202, outcome="approve")
    assert reaches(shop, prompt, "succeeded")["customer"] == customer.pk


def test_an_erased_customer_pays_nothing_new_and_a_repeat_is_answered_as_before(shop, caller, customer):
    first = caller.card(customer=customer.pk, key="once")
    customers.erase_customer(customer, by="test")
    problem = caller.refused("payments", 400, "invalid_request", **CARD, customer=customer.pk)
    assert (problem["param"], problem["detail"]) == ("/customer", f"{customer.pk} was erased.")
    assert caller.card(customer=customer.pk, key="once") == first
    assert Payment.objects.count() == 1


def test_a_customer_who_paid_cannot_be_deleted_from_the_database():
    payment = factories.PaymentFactory()
    customer = factories.CustomerFactory(merchant=payment.merchant)
    Payment.objects.filter(pk=payment.pk).update(customer=customer)
    with pytest.raises(Exception, match="protected foreign keys"):
        customer.delete()
