"""iPaymu from the API call to the money: a code, a bank's number and a page; callbacks that the query denies."""

import pytest

from core import qris
from core.money import Money
from events.models import Callback
from payments.models import Attempt, Payment
from tests.payments.world import Company, attention, counters, reaches, receipts_of, until

pytestmark = pytest.mark.django_db(transaction=True)

CREDENTIALS = {"va": "1179000000000001", "api_key": "lango-simulator-ipaymu-key"}
PAYER = {"name": "Siti", "email": "siti@example.test", "phone": "+6281200001111"}
DIRECT = "POST /api/v2/payment/direct"


@pytest.fixture
def ipaymu(world, companies):
    company = Company(companies.url("ipaymu"))
    company.post("reset")
    company.post("settings", trouble_seconds=0.15, callback_retries=[])
    yield company
    company.post("reset")


@pytest.fixture
def account(ipaymu, shop):
    return shop.account("ipaymu", CREDENTIALS)


def pay(caller, method, **more):
    body = {"amount": 4_550_000, "currency": "IDR", "method": method, "payer_details": PAYER, "provider": "ipaymu"}
    return caller.post("payments", 201, **body | more)


def test_a_code_is_shown_scanned_and_paid_and_its_cost_is_known(ipaymu, account, shop, caller):
    payment = pay(caller, "qris")
    assert (payment["state"], payment["next_action"]["type"]) == ("requires_action", "qr")
    assert qris.parse(payment["next_action"]["qr_string"]).amount == Money(4_550_000, "IDR")
    ipaymu.simulate(payment, "approve")
    reaches(shop, payment, "succeeded")
    [entry] = ipaymu.entries()
    row = Payment.objects.get(pk=payment["id"])
    assert receipts_of(payment) == [("capture", 4_550_000, entry["id"])]
    assert (row.fee_amount, row.net_amount, row.fee_is_final) == (31_800, 4_518_200, True)
    assert attention() == []


def test_a_callback_that_the_query_denies_moves_nothing(world, ipaymu, account, shop, caller):
    payment = pay(caller, "qris")
    ipaymu.simulate(payment, "nothing", callback="untrue")
    world.work_until(lambda: Callback.objects.filter(note__contains="does not say yet").exists())
    assert counters(payment) == (0, 0, 0)
    assert caller.get(f"payments/{payment['id']}")["state"] == "requires_action"
    ipaymu.simulate(payment, "decline")
    with world.later(seconds=20):
        failed = caller.get(f"payments/{payment['id']}")
    assert (failed["state"], failed["failure"]["code"], counters(payment)) == ("failed", "declined", (0, 0, 0))


def test_a_callback_signed_by_somebody_else_is_quarantined_and_moves_nothing(world, ipaymu, account, shop, caller):
    payment = pay(caller, "qris")
    ipaymu.simulate(payment, "approve", callback="bad_signature")
    until(lambda: Callback.objects.filter(state=Callback.State.QUARANTINED).exists())
    assert counters(payment) == (0, 0, 0)
    with world.later(seconds=20):
        assert caller.get(f"payments/{payment['id']}")["state"] == "succeeded"


def test_a_banks_number_whose_answer_was_lost_is_found_by_our_reference(world, ipaymu, account, shop, caller):
    ipaymu.trouble("reset_after", DIRECT)
    payment = pay(caller, "virtual_account", channel="bni")
    assert (payment["state"], payment["next_action"]) == ("processing", None)
    with world.later(seconds=20):
        shown = caller.get(f"payments/{payment['id']}")
    action = shown["next_action"]
    assert (shown["state"], action["type"], action["channel"]) == ("requires_action", "instructions", "bni")
    assert (ipaymu.calls(DIRECT), len(ipaymu.entries())) == (1, 1)


def test_a_banks_number_that_never_was_is_asked_about_for_a_week_and_then_given_up(
    world, ipaymu, account, shop, caller
):
    ipaymu.trouble("reset_before", DIRECT)
    payment = pay(caller, "virtual_account", channel="bni")
    for hours in (1, 4, 13, 26, 73):
        with world.later(hours=hours):
            assert caller.get(f"payments/{payment['id']}")["state"] == "processing"
    with world.later(days=7, hours=2):
        ended = caller.get(f"payments/{payment['id']}")
    assert (ended["state"], ended["failure"]["code"]) == ("failed", "provider_unavailable")
    assert attention() == []


def test_a_page_is_known_by_its_session_and_its_money_by_its_transaction(ipaymu, account, shop, caller):
    payment = pay(caller, "hosted_page", return_url="https://shop.example/back")
    assert payment["next_action"]["type"] == "redirect"
    ipaymu.simulate(payment, "approve_unsettled")
    reaches(shop, payment, "succeeded")
    [entry] = ipaymu.entries()
    assert Attempt.objects.get(payment=payment["id"]).provider_id == entry["id"]
    assert receipts_of(payment) == [("capture", 4_550_000, entry["receipt"])]
    assert entry["id"] != entry["receipt"]
    assert attention() == []


def test_what_expires_at_a_shop_ends_and_money_after_that_is_booked(ipaymu, account, shop, caller):
    payment = pay(caller, "retail", channel="indomaret")
    assert payment["next_action"]["channel"] == "indomaret"
    ipaymu.simulate(payment, "expire")
    reaches(shop, payment, "expired")
    ipaymu.simulate(payment, "late_success")
    late = reaches(shop, payment, "succeeded")
    assert (late["late"], late["captured_amount"]) == (True, 4_550_000)


def test_an_account_that_is_refused_is_a_matter_of_configuration(ipaymu, account, shop, caller):
    ipaymu.post("settings", error_layer="body", registered_domains=["pay.example"])
    failed = pay(caller, "qris")
    assert (failed["state"], failed["failure"]["code"]) == ("failed", "provider_configuration")
    assert ipaymu.entries() == []


def test_a_payment_whose_fee_rounds_to_nothing_costs_nothing(ipaymu, account, shop, caller):
    payment = pay(caller, "qris", amount=100)
    ipaymu.simulate(payment, "approve")
    reaches(shop, payment, "succeeded")
    row = Payment.objects.get(pk=payment["id"])
    assert (row.fee_amount, row.net_amount, row.fee_is_final) == (0, 100, True)


def test_what_a_method_needs_is_named_before_anything_is_created(account, ipaymu, caller):
    asked = {"amount": 2_500_000, "currency": "IDR", "method": "virtual_account"}
    without_channel = caller.refused("payments", 400, "invalid_request", **asked)
    without_payer = caller.refused("payments", 400, "invalid_request", channel="bca", **asked)
    assert (without_channel["param"], without_payer["param"]) == ("/channel", "/payer_details/email")
    assert ipaymu.entries() == []
