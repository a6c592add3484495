"""Staff's pages of routing rules."""

import pytest

from core.routing import Rule, Strategy, Target
from merchants import routing
from merchants.models import RoutingRule
from tests import staff
from tests.factories import MerchantFactory, ProviderAccountFactory, StoreFactory

pytestmark = pytest.mark.django_db
MAY = ("merchants.view_routingrule", "merchants.add_routingrule", "merchants.change_routingrule")


@pytest.fixture
def merchant():
    return MerchantFactory()


@pytest.fixture
def first(merchant):
    return ProviderAccountFactory(merchant=merchant, name="Cards")


@pytest.fixture
def second(merchant):
    return ProviderAccountFactory(merchant=merchant, name="Other cards", priority=200)


def adding(merchant, mode="test"):
    return f"{staff.adding(RoutingRule)}?merchant={merchant.pk}&mode={mode}"


def asked(*placed, **given):
    """A form as a browser sends it; `placed` are (account, place, share)."""
    fields = {"name": "dear ones", "priority": "7", "currencies": "usd", "strategy": "in_order"} | given
    for account, place, share in placed:
        fields |= {f"targets-{account.pk}-place": str(place), f"targets-{account.pk}-share": str(share)}
    return fields


def written(merchant, *accounts, **more):
    rule = Rule("ours", Strategy.IN_ORDER, tuple(Target(account.pk) for account in accounts), **more)
    return routing.write_rule(merchant=merchant, livemode=False, rule=rule, priority=100, by="staff:asha")


def test_a_rule_is_added_by_places_and_amounts_in_major_units_and_holds_at_once(merchant, first, second):
    client = staff.signed_in(*MAY)
    assert "Whose payments is it about?" in client.get(staff.adding(RoutingRule)).text
    shown = client.get(adding(merchant)).text
    assert f"targets-{first.pk}-place" in shown
    assert f"For {merchant.name} in test mode." in shown
    given = asked((first, 2, ""), (second, 1, ""), methods=["card"], least="12.50", most="99", only="on")
    answer = client.post(adding(merchant), given)
    row = RoutingRule.objects.get()
    assert answer["Location"] == staff.page(row)
    assert routing.rules_of(merchant.pk, livemode=False) == [
        Rule(
            "dear ones",
            Strategy.IN_ORDER,
            (Target(second.pk), Target(first.pk)),
            methods=frozenset({"card"}),
            currencies=frozenset({"USD"}),
            least=1250,
            most=9900,
            only=True,
        )
    ]
    assert [entry[:2] for entry in staff.recorded(row)] == [("staff:amina", "routing_rule.written")]


def test_a_rule_is_about_a_store_of_that_merchant_and_mode(merchant, first):
    counter, theirs = StoreFactory(merchant=merchant, name="Lunch counter"), StoreFactory(name="Nobody's here")
    client = staff.signed_in(*MAY)
    shown = client.get(adding(merchant)).text
    assert f"Lunch counter ({counter.pk})" in shown
    assert theirs.pk not in shown
    assert counter.pk not in client.get(adding(merchant, "live")).text
    assert "Select a valid choice" in client.post(adding(merchant), asked((first, 1, ""), store=theirs.pk)).text
    client.post(adding(merchant), asked((first, 1, ""), store=counter.pk))
    row = RoutingRule.objects.get()
    assert row.store == counter
    for listed in (client.get(staff.listing(row)).text, client.get(f"{staff.listing(row)}?q={counter.pk}").text):
        assert "USD; in Lunch counter" in listed
    assert f'value="{counter.pk}" selected' in client.get(staff.page(row, "edit")).text


def test_a_split_is_added_by_its_shares(merchant, first, second):
    staff.signed_in(*MAY).post(adding(merchant), asked((first, 1, 70), (second, 2, 30), strategy="split"))
    [rule] = routing.rules_of(merchant.pk, livemode=False)
    assert rule.targets == (Target(first.pk, 70), Target(second.pk, 30))


@pytest.mark.parametrize(
    ("given", "places", "told"),
    [
        ({"currencies": "KSH"}, [1], "names KSH, which are not ISO 4217 codes"),
        ({"currencies": "", "least": "1"}, [1], "An amount needs exactly one currency"),
        ({"currencies": "USD, KES", "most": "1"}, [1], "An amount needs exactly one currency"),
        ({"least": "0.001"}, [1], "0.001 USD is finer than the currency"),
        ({"least": "2", "most": "1"}, [1], "is more than the most"),
        ({"least": "-1"}, [1], "greater than or equal to 0"),
        ({"methods": ["cheque"]}, [1], "Select a valid choice"),
        ({"strategy": "by_moon"}, [1], "Select a valid choice"),
        ({"priority": "-1"}, [1], "greater than or equal to 0"),
        ({"name": ""}, [1], "This field is required"),
        ({}, [], "are missing: only the lowest fee"),
        ({}, [1, 1], "Two accounts have the place 1"),
        ({}, ["first"], "A place is a whole number from 1 on"),
        ({}, ["²"], "A place is a whole number from 1 on"),
    ],
)
def test_a_rule_that_makes_no_sense_is_not_made_and_the_page_says_why(merchant, first, second, given, places, told):
    placed = [(account, place, "") for account, place in zip((first, second), places, strict=False)]
    answer = staff.signed_in(*MAY).post(adding(merchant), asked(*placed, **given))
    assert answer.status_code == 200
    assert told in answer.text.replace("&#x27;", "'")
    assert not RoutingRule.objects.exists()


@pytest.mark.parametrize(
    ("shares", "strategy", "told"),
    [
        ((70, 29), "split", "add up to 100 percent"),
        ((70, 30), "in_order", "have shares, which only a split has"),
        (("x", 30), "split", "A share is a whole number"),
    ],
)
def test_shares_that_do_not_add_up_are_refused_at_the_accounts_and_what_was_typed_stays(
    merchant, first, second, shares, strategy, told
):
    placed = [
        (account, 1 + place, share) for place, (account, share) in enumerate(zip((first, second), shares, strict=True))
    ]
    shown = staff.signed_in(*MAY).post(adding(merchant), asked(*placed, strategy=strategy)).text
    assert told in shown
    assert f'name="targets-{second.pk}-share" value="{shares[1]}"' in shown
    assert not RoutingRule.objects.exists()


def test_a_share_without_a_place_is_refused(merchant, first):
    answer = staff.signed_in(*MAY).post(adding(merchant), asked((first, "", 100), strategy="split"))
    assert "An account with a share needs a place" in answer.text
    assert not RoutingRule.objects.exists()


def test_accounts_of_another_merchant_or_mode_are_not_offered_and_not_taken(merchant, first):
    other = ProviderAccountFactory(name="Nobody here")
    client = staff.signed_in(*MAY)
    assert "Nobody here" not in client.get(adding(merchant)).text
    assert first.pk not in client.get(adding(merchant, "live")).text
    answer = client.post(adding(merchant), asked((other, 1, "")))
    assert "are missing" in answer.text
    assert not RoutingRule.objects.exists()
    assert "Select a valid choice" in client.get(f"{staff.adding(RoutingRule)}?merchant=mer_nobody&mode=test").text


def test_a_rule_is_changed_from_what_it_says_and_why_is_recorded(merchant, first, second):
    row = written(merchant, first, currencies=frozenset({"USD"}), least=1250)
    client = staff.signed_in(*MAY)
    shown = client.get(staff.page(row, "edit")).text
    for text in ('value="12.50"', f'name="targets-{first.pk}-place" value="1"', 'value="USD"'):
        assert text in shown, text
    client.post(staff.page(row, "edit"), asked((second, 1, ""), reason="cheaper there"))
    [rule] = routing.rules_of(merchant.pk, livemode=False)
    assert (rule.name, rule.targets, rule.least) == ("dear ones", (Target(second.pk),), None)
    recorded = staff.recorded(row)
    assert {entry[1] for entry in recorded} >= {"routing_rule.changed", "routingrule.edit"}
    assert "cheaper there" in str(recorded)


def test_a_change_that_makes_no_sense_is_refused_at_its_field_and_the_rule_stays(merchant, first):
    row = written(merchant, first)
    before = routing.rules_of(merchant.pk, livemode=False)
    answer = staff.signed_in(*MAY).post(staff.page(row, "edit"), asked((first, 1, 50), strategy="split", reason="try"))
    assert "add up to 100 percent" in answer.text
    assert routing.rules_of(merchant.pk, livemode=False) == before


def test_a_rule_is_switched_off_and_on_again_with_a_reason(merchant, first):
    row = written(merchant, first)
    client = staff.signed_in(*MAY)
    client.post(staff.page(row, "switch_off"), {"reason": "a trial has ended"})
    assert routing.rules_of(merchant.pk, livemode=False) == []
    client.post(staff.page(row, "switch_on"), {"reason": "another one"})
    assert len(routing.rules_of(merchant.pk, livemode=False)) == 1
    actions = [entry[1] for entry in staff.recorded(row)][1:]
    assert sorted(actions) == [
        *("routing_rule.switched_off", "routing_rule.switched_on"),
        *("routingrule.switch_off", "routingrule.switch_on"),
    ]


def test_list_and_page_show_a_rule_its_conditions_and_its_accounts(merchant, first, second):
    row = written(merchant, second, first, currencies=frozenset({"USD"}), least=1250, most=9900, only=True)
    client = staff.signed_in("merchants.view_routingrule")
    for shown in (client.get(staff.listing(row)).text, client.get(staff.page(row)).text):
        for text in ("USD; from USD 12.50; up to USD 99.00", "2 accounts, no other", merchant.name):
            assert text in shown, text
    shown = client.get(staff.page(row)).text
    assert shown.index(str(second)) < shown.index(str(first))
    found = client.get(staff.listing(row), {"q": merchant.pk}).text
    assert staff.page(row) in found
    assert staff.page(row) not in client.get(staff.listing(row), {"q": "mer_nobody"}).text


def test_a_list_takes_as_many_queries_for_25_rows_as_for_one(merchant, first):
    row = written(merchant, first)
    client = staff.signed_in(superuser=True)
    few = staff.queries(client, staff.listing(row))
    for _ in range(24):
        written(merchant, first)
    assert staff.queries(client, staff.listing(row)) == few


def test_rules_are_seen_written_and_changed_only_by_those_who_may(merchant, first):
    row = written(merchant, first)
    client = staff.signed_in("merchants.view_routingrule")
    assert client.get(staff.adding(RoutingRule)).status_code == 403
    assert client.post(adding(merchant), asked((first, 1, ""))).status_code == 403
    for action in ("edit", "switch_off"):
        assert client.post(staff.page(row, action), asked((first, 1, ""), reason="why")).status_code == 403
    nobody = staff.signed_in("merchants.view_merchant", username="bakari")
    assert nobody.get(staff.page(row)).status_code == 403
    assert staff.listing(row) not in nobody.get("/admin/").text
    assert staff.listing(row) in client.get("/admin/").text
    assert client.post(staff.page(row, "delete"), {"post": "yes"}).status_code == 403
    assert len(routing.rules_of(merchant.pk, livemode=False)) == 1
