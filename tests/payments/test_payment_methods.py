"""`/v1/payment-methods`: what a merchant can offer now, as its accounts, rules and fees have it."""

from datetime import timedelta

import pytest

from core import clock
from core.routing import Rule, Strategy, Target
from merchants import routing, services, switches
from merchants.models import Breaker
from payments.providers import REGISTRY
from payments.providers.base import MethodCapability
from payments.services import offering
from tests import factories
from tests.payments.world import MPESA, SECOND_APP

pytestmark = pytest.mark.django_db(transaction=True)

CARD = {
    "object": "payment_method",
    "method": "card",
    "channel": None,
    "name": "Card",
    "currencies": None,
    "limits": [],
    "expected_fee": None,
    "requires": ["payment_method"],
    "next_actions": ["redirect"],
    "expires_in": None,
    "manual_capture": True,
    "can_be_saved": True,
}
PHONE = CARD | {
    "method": "mpesa",
    "name": "M-Pesa",
    "currencies": ["KES"],
    "limits": [{"currency": "KES", "least": 100, "most": 25_000_000}],
    "requires": ["phone"],
    "next_actions": ["prompt"],
    "expires_in": 300,
    "manual_capture": False,
    "can_be_saved": False,
}


def offered(caller, **asked):
    return [(one["method"], one["channel"]) for one in caller.get("payment-methods", **asked)["data"]]


def rest(account):
    now = clock.now()
    Breaker.objects.create(account=account, streak=9, opened_at=now, retry_at=now + timedelta(hours=1))


def write(shop, strategy, *targets, **terms):
    rule = Rule("ours", strategy, tuple(Target(account.pk, share) for account, share in targets), **terms)
    routing.write_rule(merchant=shop.merchant, livemode=False, rule=rule, priority=1, by="tests")


@pytest.fixture
def second(shop):
    assert shop.mpesa.pk
    return shop.account("mpesa", MPESA | SECOND_APP, shop.world.mpesa_options(largest_amount=1000), priority=200)


def test_every_method_of_the_merchants_accounts_is_told_with_what_it_needs(caller):
    assert caller.get("payment-methods") == {
        "object": "list",
        "data": [CARD, PHONE],
        "next_cursor": None,
        "has_more": False,
    }


def test_a_method_is_told_once_for_each_of_its_channels_under_the_name_that_payers_know(shop, caller):
    shop.account("midtrans", {"server_key": "SB-Mid-server-tests"})
    told = {(one["method"], one["channel"]): one for one in caller.get("payment-methods", currency="IDR")["data"]}
    assert set(told) == {("card", None), ("qris", None), ("ewallet", "gopay")}
    assert [one["name"] for one in told.values()] == ["Card", "GoPay", "QRIS"]
    assert told["qris", None]["next_actions"] == ["qr"]
    assert told["qris", None]["expires_in"] == 900
    assert told["qris", None]["limits"] == [{"currency": "IDR", "least": 100, "most": 1_000_000_000}]


def test_currency_country_and_amount_leave_out_what_does_not_take_them(caller):
    assert offered(caller, currency="USD") == [("card", None)]
    assert offered(caller, country="KE") == [("card", None), ("mpesa", None)]
    assert offered(caller, country="ID") == [("card", None)]
    assert offered(caller, currency="KES", amount=25_000) == [("card", None), ("mpesa", None)]
    assert offered(caller, currency="KES", amount=25_050) == [("card", None)]
    assert offered(caller, currency="KES", amount=25_000_100) == [("card", None)]
    assert offered(caller, currency="KES", amount=25_000, country="ID") == [("card", None)]


@pytest.mark.parametrize(
    ("currencies", "country", "fits"),
    [
        ({"IDR"}, "ID", True),
        ({"IDR"}, "KE", False),
        ({"IDR"}, "", True),
        ({"IDR", "USD"}, "KE", True),
        ({"EUR"}, "DE", True),
        ({"XOF"}, "SN", True),
        (None, "KE", True),
    ],
)
def test_a_method_of_one_national_currency_is_that_countrys(currencies, country, fits):
    capability = MethodCapability(currencies=None if currencies is None else frozenset(currencies))
    assert offering.is_for(capability, country) is fits


def test_what_takes_no_new_payments_is_not_offered(shop, caller, second):
    rest(second)
    assert offered(caller, currency="KES", amount=25_000) == [("card", None), ("mpesa", None)]
    rest(shop.mpesa)
    assert offered(caller, currency="KES", amount=25_000) == [("card", None)]
    assert offered(caller) == [("card", None)]
    services.switch_account_off(shop.stripe, by="tests")
    assert offered(caller) == []
    Breaker.objects.all().delete()
    assert offered(caller) == [("mpesa", None)]
    switches.switch_provider_off(next(row for row in switches.switches() if row.provider == "mpesa"), by="tests")
    assert offered(caller) == []


def test_what_a_rule_keeps_away_is_not_offered_for_its_amounts(shop, caller, second):
    terms = {"methods": frozenset({"mpesa"}), "currencies": frozenset({"KES"}), "only": True}
    write(shop, Strategy.IN_ORDER, (second, 0), **terms)
    rest(second)
    assert offered(caller, currency="KES", amount=25_000) == [("card", None)]
    assert offered(caller, currency="KES", amount=200_000) == [("card", None), ("mpesa", None)]


def test_limits_are_the_widest_of_those_that_may_take_it(shop, caller, second):
    def limits(**asked):
        return caller.get("payment-methods", **asked)["data"][1]["limits"]

    assert limits() == [{"currency": "KES", "least": 100, "most": 25_000_000}]
    write(shop, Strategy.IN_ORDER, (second, 0), methods=frozenset({"mpesa"}), only=True)
    assert limits(currency="KES", amount=25_000) == [{"currency": "KES", "least": 100, "most": 100_000}]


def test_the_fee_is_that_of_the_account_which_comes_first_and_null_where_nobody_knows(shop, caller, second):
    def fee():
        return caller.get("payment-methods", currency="KES", amount=20_000)["data"][1]["expected_fee"]

    assert fee() is None
    factories.FeeScheduleFactory(account=shop.mpesa, currency="KES", tiers=[(0, 0, "1.5")])
    assert fee() == 300
    factories.FeeScheduleFactory(account=second, currency="KES", tiers=[(0, 50, "1")])
    assert fee() == 300
    write(shop, Strategy.LOWEST_FEE, methods=frozenset({"mpesa"}))
    assert fee() == 250


def test_where_chance_decides_the_fee_is_the_dearest_of_those_that_may_come_first(shop, caller, second):
    write(shop, Strategy.SPLIT, (shop.mpesa, 90), (second, 10), methods=frozenset({"mpesa"}))
    factories.FeeScheduleFactory(account=shop.mpesa, currency="KES", tiers=[(0, 0, "1")])
    asked = {"currency": "KES", "amount": 20_000}
    assert caller.get("payment-methods", **asked)["data"][1]["expected_fee"] is None
    factories.FeeScheduleFactory(account=second, currency="KES", tiers=[(0, 0, "2")])
    assert caller.get("payment-methods", **asked)["data"][1]["expected_fee"] == 400


def test_each_mode_and_merchant_has_its_own_and_providers_are_not_told(shop, caller, other_shop):
    services.switch_account_off(other_shop.stripe, by="tests")
    assert offered(caller) == [("card", None), ("mpesa", None)]
    assert offered(other_shop.api) == [("mpesa", None)]
    assert offered(shop.key_with(livemode=True)) == []
    told = caller.send("GET", "/v1/payment-methods").text
    for hidden in ("stripe", shop.stripe.pk, shop.mpesa.pk):
        assert hidden not in told


@pytest.mark.parametrize(
    ("asked", "pointer"),
    [
        ({"amount": 100}, "/currency"),
        ({"amount": 0, "currency": "KES"}, "/amount"),
        ({"amount": "1.5", "currency": "KES"}, "/amount"),
        ({"currency": "KSH"}, "/currency"),
        ({"country": "ZZ"}, "/country"),
        ({"country": "ke"}, "/country"),
        ({"method": "card"}, "/method"),
        ({"limit": 10}, "/limit"),
    ],
)
def test_a_parameter_that_is_not_understood_is_an_error_that_names_it(caller, asked, pointer):
    answer = caller.send("GET", "/v1/payment-methods", params=asked)
    assert (answer.status_code, answer.json()["param"]) == (400, pointer)


def test_it_needs_its_scope(shop):
    answer = shop.key_with("payments:read").send("GET", "/v1/payment-methods")
    assert (answer.status_code, answer.json()["code"]) == (403, "scope_missing")


@pytest.mark.parametrize(
    ("method", "channel", "name"),
    [
        ("card", "", "Card"),
        ("mpesa", "", "M-Pesa"),
        ("virtual_account", "", "Virtual account"),
        ("virtual_account", "bca", "BCA"),
        ("virtual_account", "mandiri", "Mandiri"),
        ("virtual_account", "bpd_bali", "BPD Bali"),
        ("ewallet", "shopeepay", "ShopeePay"),
    ],
)
def test_a_name_is_one_that_payers_know(method, channel, name):
    assert offering.name_of(method, channel) == name


@pytest.mark.parametrize("provider", list(REGISTRY))
def test_every_method_of_every_provider_can_be_told(provider):
    """Whatever an adapter declares: a name for payers, and fields as a payment has them."""
    for method, capability in REGISTRY[provider].capabilities.methods.items():
        for channel in capability.channels or ("",):
            assert offering.name_of(method, channel)
        assert set(offering.fields_of(capability)) <= {
            *("phone", "payment_method"),
            *("payer_details.name", "payer_details.email", "payer_details.phone"),
        }
