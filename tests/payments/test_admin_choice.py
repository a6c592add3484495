"""Which provider a payment would go to, and why: told by the choice itself."""

from datetime import timedelta

import pytest
from django.urls import reverse

from core import clock
from core.errors import ApiError
from core.money import Money
from core.routing import Rule, Strategy, Target
from merchants import routing, services, stores, switches
from merchants.models import Breaker
from payments.models import Payment
from payments.providers import REGISTRY
from payments.services import at_counter, choosing, explaining
from payments.services.payment_request import PaymentRequest
from tests import factories, staff
from tests.payments.world import MPESA, SECOND_APP

pytestmark = pytest.mark.django_db(transaction=True)


def asked(shop, amount=25_000, currency="KES", method="mpesa", **more):
    return PaymentRequest(merchant=shop.merchant, livemode=False, money=Money(amount, currency), method=method, **more)


def write(shop, strategy, *targets, name="ours", priority=1, **terms):
    rule = Rule(name, strategy, tuple(Target(account.pk, share) for account, share in targets), **terms)
    return routing.write_rule(merchant=shop.merchant, livemode=False, rule=rule, priority=priority, by="tests")


def rest(account):
    now = clock.now()
    return Breaker.objects.create(account=account, streak=9, opened_at=now, retry_at=now + timedelta(hours=1))


def told(explanation):
    """(share, accounts in order) of each order, and the reason for each account that is left out."""
    orders = [(times, [place.account.pk for place in places]) for times, places in explanation.orders]
    return orders, {out.account.pk: out.why for out in explanation.left_out}


@pytest.fixture
def second(shop):
    assert shop.mpesa.pk
    return shop.account("mpesa", MPESA | SECOND_APP, shop.world.mpesa_options(largest_amount=1000), priority=200)


def test_without_rules_accounts_come_by_priority_and_every_other_one_has_its_reason(shop, second):
    explanation = explaining.explain(asked(shop))
    assert told(explanation) == (
        [(100, [shop.mpesa.pk, second.pk])],
        {shop.stripe.pk: "stripe does not take mpesa"},
    )
    assert explanation.orders[0][1][0].why == "by the account's priority, 100; no rule decides"
    assert told(explaining.explain(asked(shop, 200_000)))[1][second.pk] == (
        "mpesa: M-Pesa takes from 1 to 1000 shillings at a time."
    )


def test_a_split_is_told_with_each_of_its_orders_and_how_often_it_comes(shop, second):
    write(shop, Strategy.SPLIT, (shop.mpesa, 29), (second, 71))
    explanation = explaining.explain(asked(shop))
    assert told(explanation)[0] == [(71, [second.pk, shop.mpesa.pk]), (29, [shop.mpesa.pk, second.pk])]
    first = explanation.orders[0][1]
    assert [place.why for place in first] == ["by its share of 71 %, as “ours” says", "by its place in “ours”"]


def test_the_lowest_fee_is_told_with_what_each_is_expected_to_take(shop, second):
    write(shop, Strategy.LOWEST_FEE)
    factories.FeeScheduleFactory(account=shop.mpesa, currency="KES", tiers=[(0, 0, "2")])
    factories.FeeScheduleFactory(account=second, currency="KES", tiers=[(0, 0, "1")])
    [(_, places)] = explaining.explain(asked(shop)).orders
    assert [(place.account, place.fee) for place in places] == [(second, 250), (shop.mpesa, 500)]
    assert places[0].why == "by its fee, as “ours” says"


def test_rules_are_told_up_to_the_one_that_decides(shop, second):
    write(shop, Strategy.IN_ORDER, (second, 0), name="dollars", currencies=frozenset({"USD"}))
    write(shop, Strategy.IN_ORDER, (shop.stripe, 0), name="cards", priority=2)
    write(shop, Strategy.IN_ORDER, (second, 0), name="that one", priority=3, only=True)
    write(shop, Strategy.IN_ORDER, (second, 0), name="never asked", priority=4)
    explanation = explaining.explain(asked(shop))
    assert [(rule.name, came) for rule, came in explanation.rules] == [
        ("dollars", "does not hold for it"),
        ("cards", "names nobody who can take it"),
        ("that one", "decides"),
    ]
    orders, left_out = told(explanation)
    assert orders == [(100, [second.pk])]
    assert left_out[shop.mpesa.pk] == "not named by the rule"


def test_what_rests_and_what_is_switched_off_is_told_as_such(shop, second):
    breaker = rest(shop.mpesa)
    orders, left_out = told(explaining.explain(asked(shop)))
    assert orders == [(100, [second.pk])]
    again = clock.rfc3339(breaker.retry_at)
    assert left_out[shop.mpesa.pk] == f"at rest after failures; it is tried again at {again}"

    services.switch_account_off(second, by="tests")
    explanation = explaining.explain(asked(shop))
    assert explanation.orders == []
    assert "has not answered for a while" in explanation.refusal
    assert told(explanation)[1][second.pk] == "the account is switched off"

    switches.switch_provider_off(next(row for row in switches.switches() if row.provider == "mpesa"), by="tests")
    explanation = explaining.explain(asked(shop))
    assert "There is no enabled test account" in explanation.refusal
    assert told(explanation)[1][shop.mpesa.pk] == "the provider is switched off for new payments"


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({"currency": "USD"}, "mpesa does not take mpesa in USD"),
        ({"capture": Payment.Capture.MANUAL}, "mpesa cannot hold mpesa for a later capture"),
        ({"channel": "till"}, "mpesa does not have the channel till"),
        ({"provider": "stripe"}, "stripe is asked for"),
        ({"amount": 25_050}, "mpesa: KES 250.50 has more than the 0 decimals that are taken here."),
    ],
)
def test_what_an_account_cannot_take_is_told_in_words(shop, more, reason):
    assert shop.mpesa.pk
    explanation = explaining.explain(asked(shop, **more))
    assert explanation.refusal
    assert told(explanation)[1][shop.mpesa.pk] == reason


def chosen(request, draw):
    """What a payment would really come to: its accounts, or what is said instead."""
    try:
        return [account.pk for account in choosing.choose(request, draw=draw).accounts], ""
    except ApiError as refusal:
        return [], refusal.detail


METHODS = sorted({method for name in REGISTRY for method in REGISTRY[name].capabilities.methods})


@pytest.mark.parametrize("currency", ["USD", "KES", "IDR"])
def test_what_is_told_is_what_is_chosen_and_nobody_is_forgotten(shop, second, currency):
    """Whatever is asked for: an order of the explanation is the choice's, and every account stands somewhere."""
    assert shop.stripe.pk
    shop.account("midtrans", {"server_key": "SB-Mid-server-tests"})
    write(shop, Strategy.SPLIT, (shop.mpesa, 70), (second, 30))
    everyone = set(shop.merchant.provider_accounts.values_list("pk", flat=True))
    for method in METHODS:
        request = asked(shop, 25_000, currency, method)
        explanation = explaining.explain(request)
        orders, left_out = told(explanation)
        tried = {account for _, order in orders for account in order}
        assert tried | set(left_out) == everyone
        assert not tried & set(left_out)
        assert all(left_out.values())
        for draw in (0.0, 0.3, 0.71, 0.99):
            accounts, refusal = chosen(request, draw)
            assert explanation.refusal == refusal
            assert accounts in [order for _, order in orders] or (refusal and not orders)
            assert sum(times for times, _ in orders) == (0 if refusal else 100)


def test_the_account_that_a_store_prefers_stands_first_and_is_told_as_such(shop, second):
    store = factories.StoreFactory(merchant=shop.merchant, default_account=second.pk)
    request = at_counter.in_store(asked(shop, store=store.pk))
    [(_, places)] = explaining.explain(request).orders
    assert [place.account for place in places] == [second, shop.mpesa]
    assert places[0].why == "as its store's default account; no rule decides"
    assert choosing.choose(request, draw=0.0).accounts == [second, shop.mpesa]

    write(shop, Strategy.IN_ORDER, (shop.mpesa, 0), store=store.pk)
    [(_, places)] = explaining.explain(request).orders
    assert [place.account for place in places] == [shop.mpesa, second]
    assert places[1].why == "after those that “ours” names, as its store's default account"
    [(_, places)] = explaining.explain(asked(shop)).orders
    assert places[0].why == "by the account's priority, 100; no rule decides"


# The page


def page(client, shop, **given):
    fields = {"merchant": shop.merchant.pk, "mode": "test", "method": "mpesa", "currency": "kes", "amount": "250"}
    return client.get(reverse("admin:merchants_routingrule_choice"), fields | given)


def test_the_page_shows_the_order_the_rules_and_the_reasons(shop, second):
    row = write(shop, Strategy.IN_ORDER, (second, 0), name="the second first")
    factories.FeeScheduleFactory(account=second, currency="KES", tiers=[(0, 0, "1.5")])
    client = staff.signed_in("merchants.view_routingrule")
    assert client.get(reverse("admin:merchants_routingrule_choice")).status_code == 200
    shown = page(client, shop, country="id").text
    for text in (
        "Tried in this order",
        "by its place in “the second first”",
        "KES 3.75",
        "not known",
        "stripe does not take mpesa",
        staff.page(row),
        "Payers of ID are not offered mpesa",
    ):
        assert text in shown, text
    assert shown.index(staff.page(second)) < shown.index(staff.page(shop.mpesa))
    assert "Payers of" not in page(client, shop, country="KE").text


def test_the_page_takes_a_store_and_says_why_it_cannot(shop, second):
    store = factories.StoreFactory(merchant=shop.merchant, default_account=second.pk)
    client = staff.signed_in("merchants.view_routingrule")
    shown = page(client, shop, store=store.pk).text
    assert shown.index(staff.page(second)) < shown.index(staff.page(shop.mpesa))
    assert "There is no such store for this key" in page(client, shop, store=factories.StoreFactory().pk).text
    stores.change_store(store, is_enabled=False, by="tests")
    refused = page(client, shop, store=store.pk).text
    assert f"{store.pk} is switched off and takes no payments" in refused
    assert "Tried in this order" not in refused


def test_the_page_says_what_the_api_would_say_where_nobody_takes_it(shop):
    shown = page(staff.signed_in("merchants.view_routingrule"), shop, currency="USD").text.replace("&#x27;", "'")
    assert "Nobody takes USD 250.00 by mpesa now. The API would say: There is no enabled test account" in shown


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"currency": "KSH"}, "This is no ISO 4217 code"),
        ({"amount": "0"}, "more than nothing"),
        ({"amount": "NaN"}, "Enter a number"),
        ({"amount": "1.001"}, "finer than the currency"),
        ({"country": "ZZ"}, "No country has that code"),
        ({"method": "cheque"}, "Select a valid choice"),
        ({"merchant": "mer_nobody"}, "Select a valid choice"),
    ],
)
def test_what_is_asked_wrongly_is_refused_at_its_field(shop, given, words):
    shown = page(staff.signed_in("merchants.view_routingrule"), shop, **given)
    assert shown.status_code == 200
    assert words in shown.text
    assert "Tried in this order" not in shown.text


def test_only_who_may_see_rules_may_see_it_and_it_writes_nothing(shop):
    before = Payment.objects.count()
    assert page(staff.signed_in("merchants.view_merchant"), shop).status_code == 403
    client = staff.signed_in("merchants.view_routingrule", username="bakari")
    assert page(client, shop).status_code == 200
    assert reverse("admin:merchants_routingrule_choice") in client.get("/admin/").text
    assert Payment.objects.count() == before
