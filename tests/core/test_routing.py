"""The pure choice: rules, shares, fees and rest."""

import pytest

from core.routing import Candidate, Facts, Route, Rule, Strategy, Target, route

QRIS = Facts("qris", "IDR", 45_500)
ONE, TWO, THREE = Candidate("one", fee=300), Candidate("two", fee=200), Candidate("three")


def chosen(*rules, facts=QRIS, candidates=(ONE, TWO, THREE), draw=0.0):
    return route(facts, candidates, rules, draw=draw)


def in_order(*accounts, **conditions):
    return Rule("ours", Strategy.IN_ORDER, tuple(Target(account) for account in accounts), **conditions)


def test_without_a_rule_accounts_keep_their_own_order():
    assert chosen() == Route(("one", "two", "three"))


def test_a_rule_s_accounts_go_first_and_the_others_follow():
    assert chosen(in_order("three", "two")) == Route(("three", "two", "one"), "ours")


def test_a_rule_that_says_only_leaves_the_others_out():
    assert chosen(in_order("two", only=True)) == Route(
        ("two",), "ours", (("one", "not named by the rule"), ("three", "not named by the rule"))
    )


@pytest.mark.parametrize(
    ("conditions", "applies"),
    [
        ({}, True),
        ({"methods": frozenset({"qris", "card"})}, True),
        ({"methods": frozenset({"card"})}, False),
        ({"currencies": frozenset({"IDR"})}, True),
        ({"currencies": frozenset({"KES"})}, False),
        ({"least": 45_500, "most": 45_500}, True),
        ({"least": 45_501}, False),
        ({"most": 45_499}, False),
        ({"store": "store_1"}, False),
    ],
)
def test_a_rule_applies_when_each_of_its_conditions_holds(conditions, applies):
    assert chosen(in_order("two", **conditions)).rule == ("ours" if applies else "")


def test_a_rule_about_a_store_holds_for_payments_of_that_store_only():
    ours = in_order("two", store="store_1")
    for store, rule in (("store_1", "ours"), ("store_2", ""), ("", "")):
        assert chosen(ours, facts=Facts("qris", "IDR", 45_500, store)).rule == rule


def test_the_first_rule_that_names_a_candidate_decides():
    nobody, first, second = in_order("elsewhere"), in_order("two"), in_order("three")
    assert chosen(nobody, first, second).accounts == ("two", "one", "three")


def test_the_lowest_expected_fee_goes_first_and_an_unknown_one_last():
    cheapest = Rule("cheapest", Strategy.LOWEST_FEE)
    assert chosen(cheapest, candidates=(THREE, ONE, TWO)).accounts == ("two", "one", "three")


@pytest.mark.parametrize(("draw", "first"), [(0.0, "one"), (0.69, "one"), (0.7, "three"), (0.999, "three")])
def test_a_split_gives_each_its_share(draw, first):
    split = Rule("split", Strategy.SPLIT, (Target("one", 70), Target("three", 30)))
    assert chosen(split, draw=draw).accounts[0] == first


def test_a_share_whose_account_cannot_take_it_goes_to_the_others():
    split = Rule("split", Strategy.SPLIT, (Target("gone", 70), Target("three", 30)))
    assert chosen(split, draw=0.1).accounts == ("three", "one", "two")


def test_an_account_at_rest_is_left_out_whatever_a_rule_says():
    resting = Candidate("one", is_resting=True)
    found = chosen(in_order("one", "two"), candidates=(resting, TWO))
    assert found == Route(("two",), "ours", (("one", "at rest after failures"),))
