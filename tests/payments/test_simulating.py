"""`/v1/test/payments/{id}/simulate`: any outcome for any method of every provider, in one vocabulary."""

import pytest
import requests

from events import work
from merchants import doors
from payments.providers import REGISTRY
from payments.services import registering, simulating
from simulators.outcomes import COMMON
from tests.payments.world import Company, reaches, receipts_of

pytestmark = pytest.mark.django_db(transaction=True)

RUPIAH = {"amount": 4_550_000, "currency": "IDR"}
PAYER = {"payer_details": {"name": "Siti", "email": "siti@example.test", "phone": "+6281200001111"}}
BACK = {"return_url": "https://shop.example/back"}
STRIPE_CARD = {"amount": 1250, "currency": "USD", "method": "card", "payment_method": "pm_card_threeDSecure2Required"}
WAYS = {
    "stripe card": STRIPE_CARD | BACK,
    "mpesa mpesa": {"amount": 25_000, "currency": "KES", "method": "mpesa", "phone": "254711000111"},
    "midtrans qris": RUPIAH | {"method": "qris"},
    "midtrans ewallet": RUPIAH | BACK | {"method": "ewallet", "channel": "gopay"},
    "paypal paypal": {"amount": 1250, "currency": "USD", "method": "paypal"} | BACK,
    "xendit qris": RUPIAH | {"method": "qris"},
    "xendit hosted_page": RUPIAH | BACK | {"method": "hosted_page"},
    "ipaymu qris": RUPIAH | PAYER | {"method": "qris"},
    "ipaymu virtual_account": RUPIAH | PAYER | {"method": "virtual_account", "channel": "bni"},
    "ipaymu retail": RUPIAH | PAYER | {"method": "retail", "channel": "indomaret"},
    "ipaymu hosted_page": RUPIAH | PAYER | BACK | {"method": "hosted_page"},
    "bayarind virtual_account": RUPIAH | {"method": "virtual_account", "channel": "bca"},
    "bayarind qris": RUPIAH | {"method": "qris"},
    "bayarind ewallet": RUPIAH | BACK | {"method": "ewallet", "channel": "bayarind"},
}
CREDENTIALS = {
    "midtrans": {"server_key": "SB-Mid-server-lango-simulator"},
    "paypal": {"client_id": "lango-simulator-client", "client_secret": "lango-simulator-secret"},
    "xendit": {"secret_key": "xnd_development_lango-simulator", "callback_token": "lango-simulator-callback-token"},
    "ipaymu": {"va": "1179000000000001", "api_key": "lango-simulator-ipaymu-key"},
    "bayarind": {"channel_id": "TOKOEXVA01", "secret_key": "0123456789abcdef0123456789abcdef"},
}


@pytest.fixture
def begin(world, companies, shop):
    """`begin(way)`: a payment that waits for its payer, at an account whose callbacks come."""
    used, accounts = [], set()

    def company(name):
        used.append(Company(companies.url(name)))
        used[-1].post("reset")
        return used[-1]

    def account(name):
        there = company(name) if name in CREDENTIALS else None
        if name == "stripe":
            world.listen_to_stripe(shop)
        elif name == "mpesa":
            world.mpesa.post("settings", approve_seconds=3600)
        elif name == "paypal":
            authority = requests.get(f"{there.url}/_simulator/certificate", timeout=5).text
            options = {"webhook_ids": ["9AB12345CD678901E"], "certificate_authorities": authority}
            made = shop.account(name, CREDENTIALS[name], options)
            there.post("settings", webhook_url=doors.callback_url(made, "events"), callback_retries=[])
        elif name == "bayarind":
            services = {"qris": "9001", "ewallet": "1021"}
            options = {"company_codes": {"bca": "12345"}, "service_codes": services}
            made = shop.account(name, CREDENTIALS[name], options=options)
            there.post("settings", flag_url=doors.callback_url(made, "flag"), callback_retries=[])
        else:
            there.post("settings", callback_retries=[])
            made = shop.account(name, CREDENTIALS[name])
            if name == "xendit":
                there.post("settings", webhook_url=doors.callback_url(made, "notifications"))

    def begin(way):
        name = way.split()[0]
        if name not in accounts:
            accounts.add(name)
            account(name)
        payment = shop.api.post("payments", 201, **WAYS[way], provider=name)
        assert payment["state"] == "requires_action", payment
        return payment

    yield begin
    for there in used:
        there.post("reset")


def simulate(shop, payment, outcome):
    return shop.api.post(f"test/payments/{payment['id']}/simulate", 202, outcome=outcome)


OPEN = "requires_action"
BECOMES = {
    "stripe card": {"fail": "failed", "insufficient_funds": "failed", "cancel": "cancelled", "expire": "failed"},
    "mpesa mpesa": {"fail": "failed", "insufficient_funds": "failed", "cancel": "failed", "expire": "failed"},
    "paypal paypal": {"fail": "failed", "insufficient_funds": "failed", "cancel": OPEN, "expire": "expired"},
    "midtrans": {"fail": "failed", "insufficient_funds": "failed", "cancel": "cancelled", "expire": "expired"},
    "ipaymu": {"fail": "failed", "insufficient_funds": "failed", "cancel": "cancelled", "expire": "expired"},
    "xendit": {"fail": OPEN, "insufficient_funds": OPEN, "cancel": OPEN, "expire": "expired"},
    "bayarind": {"fail": OPEN, "insufficient_funds": OPEN, "cancel": OPEN, "expire": "expired"},
}
"""Without money. As in life nobody hears of a payer who was refused, or went away, where it says that it stays open."""


@pytest.mark.parametrize("way", list(WAYS))
def test_every_way_to_pay_is_paid(begin, shop, way):
    payment = begin(way)
    assert simulate(shop, payment, "succeed")["id"] == payment["id"]
    paid = reaches(shop, payment, "succeeded")
    assert paid["captured_amount"] == payment["amount"]


@pytest.mark.parametrize("way", list(WAYS))
def test_every_way_to_pay_ends_without_money_as_it_does_there(begin, shop, world, way):
    ends = BECOMES.get(way) or BECOMES[way.split()[0]]
    for outcome in ("fail", "insufficient_funds", "cancel"):
        payment = begin(way)
        simulate(shop, payment, outcome)
        if ends[outcome] == OPEN:
            world.work()
            assert shop.api.get(f"payments/{payment['id']}")["state"] == OPEN, outcome
            simulate(shop, payment, "succeed")
            reaches(shop, payment, "succeeded")
        else:
            reaches(shop, payment, ends[outcome])
        assert [kind for kind, *_ in receipts_of(payment)] == (["capture"] if ends[outcome] == OPEN else [])


@pytest.mark.parametrize("way", list(WAYS))
def test_every_way_to_pay_runs_out_of_time(begin, shop, world, way):
    payment = begin(way)
    simulate(shop, payment, "expire")
    ends = BECOMES.get(way) or BECOMES[way.split()[0]]
    world.work()
    with world.later(minutes=3):
        ended = reaches(shop, payment, ends["expire"])
    assert (ended["captured_amount"], receipts_of(payment)) == (0, [])


def test_every_provider_is_played():
    assert {way.split()[0] for way in WAYS} == set(REGISTRY)
    ways = {(name, method) for name in REGISTRY for method in REGISTRY[name].capabilities.methods}
    assert {tuple(way.split()) for way in WAYS} == ways


def test_a_prompt_is_paid_by_paybill_instead(begin, shop, world):
    payment = begin("mpesa mpesa")
    unheard = shop.api.refused(f"test/payments/{payment['id']}/simulate", 409, "conflict", outcome="paybill")
    assert "no addresses are registered for 600111" in unheard["detail"]
    registering.register_doors(shop.mpesa, by="tests")
    work.drain("registrations")

    simulate(shop, payment, "paybill")

    assert reaches(shop, payment, "succeeded")["captured_amount"] == 25_000


@pytest.mark.parametrize(
    "way", ["stripe card", "mpesa mpesa", "paypal paypal", "xendit qris", "ipaymu qris", "bayarind qris"]
)
def test_every_provider_knows_the_vocabulary(begin, shop, way):
    path = f"test/payments/{begin(way)['id']}/simulate"
    problem = shop.api.refused(path, 400, "invalid_request", outcome="explode")
    told = problem["detail"].partition("known: ")[2].partition(";")[0].split(", ")
    never_late = way in ("stripe card", "paypal paypal")
    assert told == [word for word in simulating.OUTCOMES if word != "late_success" or not never_late]


@pytest.mark.parametrize("way", [way for way in WAYS if way.endswith("qris")])
def test_the_phone_scans_the_code_that_is_on_the_screen(begin, shop, companies, way):
    """Whoever's address it is opened at: here it is Stripe's."""
    payment = begin(way)
    scan, code = f"{companies.url('stripe')}/_simulator/scan", payment["next_action"]["qr_string"]
    assert "Rp 45.500" in requests.get(scan, params={"code": code}, timeout=10).text
    requests.post(scan, data={"code": code, "outcome": "succeed"}, timeout=10)
    assert reaches(shop, payment, "succeeded")["captured_amount"] == 4_550_000


def test_a_wrong_outcome_is_answered_with_those_that_there_are(begin, shop):
    payment = begin("midtrans qris")
    path = f"test/payments/{payment['id']}/simulate"
    problem = shop.api.refused(path, 400, "invalid_request", outcome="explode")
    assert problem["param"] == "/outcome"
    assert problem["detail"] == (
        "No outcome named 'explode'; known: succeed, fail, insufficient_funds, cancel, expire, late_success;"
        " and of its own: approve, approve_by_qr, decline, timeout, refund."
    )
    odd = shop.api.refused(path, 400, "invalid_request", outcome="No!")
    assert (odd["param"], "succeed, fail, insufficient_funds" in odd["detail"]) == ("/outcome", True)
    assert shop.api.get(f"payments/{payment['id']}")["state"] == OPEN


def test_what_cannot_be_now_is_refused_and_says_why(begin, shop):
    payment = begin("midtrans qris")
    simulate(shop, payment, "succeed")
    reaches(shop, payment, "succeeded")
    problem = shop.api.refused(f"test/payments/{payment['id']}/simulate", 409, "conflict", outcome="expire")
    assert "settlement" in problem["detail"]
    assert shop.api.get(f"payments/{payment['id']}")["state"] == "succeeded"


def test_an_outcome_is_played_once_by_its_key(begin, shop):
    payment = begin("midtrans qris")
    path = f"test/payments/{payment['id']}/simulate"
    first = shop.api.post(path, 202, key="pay-once", outcome="succeed")
    assert shop.api.post(path, 202, key="pay-once", outcome="succeed")["id"] == first["id"]
    reaches(shop, payment, "succeeded")
    assert len(receipts_of(payment)) == 1


def test_nothing_is_simulated_in_live_mode_or_for_another_merchant(begin, shop, other_shop):
    payment = begin("midtrans qris")
    path = f"test/payments/{payment['id']}/simulate"
    live = shop.key_with(livemode=True)
    assert live.refused(path, 404, "not_found", outcome="succeed")["detail"].startswith(
        "Payments are simulated in test"
    )
    other_shop.api.refused(path, 404, "not_found", outcome="succeed")
    assert shop.api.get(f"payments/{payment['id']}")["state"] == OPEN


def test_the_vocabulary_is_the_simulators_own():
    assert simulating.OUTCOMES == COMMON
