"""Orders of a till that are paid by a QRIS code on a screen, on bad days."""

import pytest
import requests

from events import work
from events.models import Attention
from orders.models import Order
from tests.payments.world import Company, reaches
from tests.till import tills

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def till(shop, make_till):
    with tills("till", make=make_till) as (made,):
        made.run(made.pos)
        made.configure(shop.merchant.pk)
        made.ring_up(total="45500", currency="IDR")
        yield made


@pytest.fixture
def source(caller, till):
    return caller.post("order-sources", 201, name="Lunch till", database="till", schema="pos")


@pytest.fixture
def phone(world, companies, shop):
    """The customer's, before a screen with a code of Midtrans."""
    company = Company(companies.url("midtrans"))
    company.post("reset")
    company.post("settings", bank_confirm_seconds=0.02, callback_retries=[])
    shop.account("midtrans", {"server_key": "SB-Mid-server-lango-simulator"})
    yield company
    company.post("reset")


def show_code(caller, source):
    asked = {"amount": 4_550_000, "currency": "IDR", "method": "qris", "order": {"source": source["id"], "id": "1042"}}
    payment = caller.post("payments", 201, **asked)
    assert payment["next_action"]["type"] == "qr"
    return payment


def scan(phone, payment):
    told = {"code": payment["next_action"]["qr_string"], "outcome": "succeed"}
    assert requests.post(f"{phone.url}/_simulator/scan", data=told, timeout=10).status_code == 200


def write_back():
    work.drain("outbox")
    work.drain("orders")


def attention_to(subject):
    return list(Attention.objects.filter(subject=subject, closed_at=None).values_list("reason", "detail"))


def test_an_order_is_paid_by_the_code_on_the_screen(shop, caller, till, source, phone):
    payment = show_code(caller, source)
    scan(phone, payment)
    reaches(shop, payment, "succeeded")
    write_back()
    assert till.status() == "paid"


def test_a_till_that_is_away_while_the_code_is_paid_is_told_when_it_is_back(shop, caller, till, source, phone, world):
    payment = show_code(caller, source)
    till.go_away()
    scan(phone, payment)
    reaches(shop, payment, "succeeded")
    write_back()
    assert Order.objects.get().fault == "till cannot be reached, or does not answer in time"
    till.come_back()
    with world.later(minutes=2):
        write_back()
    assert till.status() == "paid"
    assert Order.objects.get().fault == ""


def test_an_order_that_is_edited_while_its_code_is_shown_is_not_marked_paid(shop, caller, till, source, phone):
    payment = show_code(caller, source)
    till.run("UPDATE pos_orders SET total = 60500")
    scan(phone, payment)
    assert reaches(shop, payment, "succeeded")["captured_amount"] == 4_550_000
    write_back()
    assert till.status() == "open"
    told = "order 1042 is IDR 60,500.00 now, and IDR 45,500.00 was paid"
    assert attention_to(Order.objects.get().pk) == [("underpaid", told)]


def test_an_order_that_is_paid_by_the_codes_of_two_tills_is_shown_to_a_person(shop, caller, till, source, phone):
    """The first code has run out when the second is shown, and is paid all the same, late."""
    first = show_code(caller, source)
    caller.refused(
        "payments",
        409,
        "order_taken",
        amount=4_550_000,
        currency="IDR",
        method="qris",
        order={"source": source["id"], "id": "1042"},
    )
    phone.simulate(first, "expire")
    reaches(shop, first, "expired")
    second = show_code(caller, source)
    scan(phone, second)
    reaches(shop, second, "succeeded")
    phone.simulate(first, "late_success")
    reaches(shop, first, "succeeded")

    write_back()

    assert till.status() == "paid"
    ((reason, detail),) = attention_to(Order.objects.get().pk)
    assert reason == "overpaid"
    assert first["id"] in detail
    assert second["id"] in detail
