"""Bayarind from the API call to the money: a number that is shown, asked about, lost, voided, or left alone."""

from datetime import timedelta

import pytest

from core import clock
from tests.payments.world import Company, attention, events_of, operations_of, path_of, receipts_of

pytestmark = pytest.mark.django_db(transaction=True)

INSERT, QUERY, VOID = "POST /PaymentRegister", "POST /PaymentQuery", "POST /PostAuth"
OPTIONS = {"company_codes": {"bca": "12345"}, "service_codes": {"qris": "9001"}}


@pytest.fixture
def bayarind(world, companies):
    company = Company(companies.url("bayarind"))
    company.post("reset")
    company.post("settings", trouble_seconds=0.15, callback_retries=[])
    yield company
    company.post("reset")


@pytest.fixture
def account(bayarind, shop):
    credentials = {"channel_id": "TOKOEXVA01", "secret_key": "0123456789abcdef0123456789abcdef"}
    return shop.account("bayarind", credentials, options=OPTIONS)


def bill(caller, **more):
    asked = {"amount": 12_500_000, "currency": "IDR", "method": "virtual_account", "channel": "bca"}
    return caller.post("payments", 201, **{**asked, **more})


def test_an_account_number_is_shown_and_the_question_tells_that_it_was_paid(world, bayarind, account, shop, caller):
    payment = bill(caller)
    [entry] = bayarind.entries()
    assert payment["state"] == "requires_action"
    number = payment["next_action"].pop("code")
    assert payment["next_action"] == {"type": "instructions", "channel": "bca"}
    assert (number[:5], len(number)) == ("12345", 16)

    bayarind.simulate(payment, "approve", callback="missing")
    with world.later(seconds=61):
        paid = caller.get(f"payments/{payment['id']}")

    assert (paid["state"], paid["captured_amount"], paid["next_action"]) == ("succeeded", 12_500_000, None)
    assert receipts_of(payment) == [("capture", 12_500_000, entry["reference"])]
    assert path_of(payment) == ["created", "requires_action", "succeeded"]
    assert events_of(payment) == ["payment.requires_action", "payment.succeeded"]
    assert attention() == []


def test_a_lost_insert_is_sent_again_refused_as_there_already_and_shown(world, bayarind, account, shop, caller):
    bayarind.trouble("reset_after", INSERT)
    payment = bill(caller)
    assert (payment["state"], payment["next_action"]) == ("processing", None)
    with world.later(seconds=20):
        shown = caller.get(f"payments/{payment['id']}")
    assert (shown["state"], shown["next_action"]["type"]) == ("requires_action", "instructions")
    assert bayarind.calls(INSERT) == 2
    assert len(bayarind.entries()) == 1


def test_an_insert_that_never_arrived_is_made_when_it_is_sent_again(world, bayarind, account, shop, caller):
    bayarind.trouble("reset_before", INSERT)
    payment = bill(caller)
    with world.later(seconds=20):
        shown = caller.get(f"payments/{payment['id']}")
    assert (shown["state"], len(bayarind.entries())) == ("requires_action", 1)


def test_a_bill_is_voided_and_a_lost_void_is_sent_again(world, bayarind, account, shop, caller):
    payment = bill(caller)
    bayarind.trouble("reset_after", VOID)
    caller.send("POST", f"payments/{payment['id']}/cancel")
    with world.later(seconds=20):
        ended = caller.get(f"payments/{payment['id']}")
    assert ended["state"] == "cancelled"
    assert operations_of(payment)[-1] == ("cancel", "succeeded")
    assert [entry["state"] for entry in bayarind.entries()] == ["voided"]


def test_a_code_of_qris_is_shown(bayarind, account, caller):
    shown = caller.post("payments", 201, amount=12_500_000, currency="IDR", method="qris")
    assert shown["next_action"]["type"] == "qr"


def test_an_account_without_the_bank_s_code_has_created_nothing(world, bayarind, account, shop, caller):
    payment = bill(caller, channel="permata")
    assert (payment["state"], payment["failure"]["code"]) == ("failed", "provider_configuration")
    assert bayarind.entries() == []


def test_a_bill_that_nobody_pays_is_voided_when_its_time_is_over(world, bayarind, account, shop, caller):
    ends = (clock.now() + timedelta(hours=1)).isoformat()
    payment = bill(caller, expires_at=ends)
    with clock.shifted(timedelta(hours=2)):
        world.work()
        world.work()
    assert caller.get(f"payments/{payment['id']}")["state"] == "expired"
    assert [entry["state"] for entry in bayarind.entries()] == ["voided"]
