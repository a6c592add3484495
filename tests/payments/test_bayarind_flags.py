"""Bayarind's payment flags from the bank to our books: the answer decides whether the money stays."""

from datetime import timedelta

import pytest

from core import clock
from events.models import Callback
from merchants import doors
from simulators.bayarind import keys
from tests.payments.world import Company, attention, counters, path_of, reaches, receipts_of, until

pytestmark = pytest.mark.django_db(transaction=True)

OPTIONS = {"company_codes": {"bca": "12345"}}
CREDENTIALS = {"channel_id": "TOKOEXVA01", "secret_key": "0123456789abcdef0123456789abcdef"}
SNAP = {"api": "snap", "bayarind_key": keys.public_pem(keys.OURS)}


@pytest.fixture
def bayarind(world, companies):
    company = Company(companies.url("bayarind"))
    company.post("reset")
    company.post("settings", trouble_seconds=0.15, callback_retries=[])
    yield company
    company.post("reset")


@pytest.fixture(params=["classic", "snap"])
def account(request, bayarind, shop):
    """By either protocol; the bank tells of its payments at the door of that protocol."""
    if request.param == "classic":
        made = shop.account("bayarind", CREDENTIALS, options=OPTIONS)
        bayarind.post("settings", flag_url=doors.callback_url(made, "flag"))
        return made
    signing = CREDENTIALS | {"private_key": keys.private_pem(keys.MERCHANTS)}
    made = shop.account("bayarind", signing, options=OPTIONS | SNAP)
    bayarind.post("settings", snap_url=doors.callback_url(made, "transfer"))
    return made


def bill(caller, **more):
    asked = {"amount": 12_500_000, "currency": "IDR", "method": "virtual_account", "channel": "bca"}
    return caller.post("payments", 201, **{**asked, **more})


def test_money_that_is_accepted_stays_and_is_booked_before_we_say_so(bayarind, account, shop, caller):
    payment = bill(caller)
    assert bayarind.simulate(payment, "approve")["answer"] == "00"
    paid = caller.get(f"payments/{payment['id']}")
    assert (paid["state"], paid["captured_amount"]) == ("succeeded", 12_500_000)
    assert path_of(payment) == ["created", "requires_action", "succeeded"]
    assert attention() == []


def test_the_same_money_told_again_is_paid_before_and_booked_once(bayarind, account, shop, caller):
    payment = bill(caller)
    bayarind.simulate(payment, "approve", callback="duplicate")
    told = until(lambda: len(told := bayarind.callbacks()) > 1 and told)
    assert [flag["result"] for flag in told] == ["00", "02"]
    assert receipts_of(payment) == [("capture", 12_500_000, payment["attempts"][0]["provider_reference"])]


def test_money_for_a_payment_that_has_expired_goes_back(world, bayarind, account, shop, caller):
    payment = bill(caller, expires_at=(clock.now() + timedelta(hours=1)).isoformat())
    with clock.shifted(timedelta(hours=2)):
        assert bayarind.simulate(payment, "approve")["answer"] == "04"
        world.work()
        world.work()
        assert caller.get(f"payments/{payment['id']}")["state"] == "expired"
        assert bayarind.simulate(payment, "late_success")["answer"] == "04"
    assert counters(payment) == (0, 0, 0)


def test_money_for_a_payment_that_was_cancelled_goes_back(bayarind, account, shop, caller):
    payment = bill(caller)
    assert caller.post(f"payments/{payment['id']}/cancel")["state"] == "cancelled"
    assert bayarind.simulate(payment, "late_success")["answer"] == "05"
    assert counters(payment) == (0, 0, 0)


@pytest.mark.parametrize("mode", ["under", "over", "wrong_insert"])
def test_money_of_another_sum_or_insert_goes_back(bayarind, account, shop, caller, mode):
    payment = bill(caller)
    assert bayarind.simulate(payment, "approve", callback=mode)["answer"] == "01"
    assert caller.get(f"payments/{payment['id']}")["state"] == "requires_action"
    assert bayarind.simulate(payment, "approve")["answer"] == "00"


def test_a_payment_told_before_its_insert_is_answered_is_booked(bayarind, account, shop, caller):
    bayarind.post("settings", callback_mode="before_answer")
    payment = bill(caller)
    reaches(shop, payment, "succeeded")
    assert [told["result"] for told in bayarind.callbacks()] == ["00"]


def test_a_payment_whose_insert_was_lost_is_found_by_its_number(bayarind, account, shop, caller):
    bayarind.trouble("reset_after")
    payment = bill(caller)
    assert payment["state"] == "processing"
    assert bayarind.simulate(payment, "approve")["answer"] == "00"
    reaches(shop, payment, "succeeded")


@pytest.mark.parametrize("account", ["classic"], indirect=True)
def test_a_flag_that_says_something_else_than_paid_is_refused_and_moves_nothing(bayarind, account, shop, caller):
    payment = bill(caller)
    bayarind.simulate(payment, "failed_flag")
    assert [told["result"] for told in bayarind.callbacks()] == ["01"]
    assert attention() == [(payment["id"], "parked")]
    assert counters(payment) == (0, 0, 0)
    assert bayarind.simulate(payment, "approve")["answer"] == "00"


def test_a_forged_flag_moves_nothing_but_what_the_question_says(world, bayarind, account, shop, caller):
    payment = bill(caller)
    bayarind.simulate(payment, "approve", callback="bad_signature")
    assert Callback.objects.get().state == Callback.State.QUARANTINED
    assert counters(payment) == (0, 0, 0)
    reaches(shop, payment, "succeeded")
