"""The tables of docs/providers.md: a row for each method and each provider, whatever there is in the registry."""

import pytest

from config import provider_features
from payments.providers import REGISTRY


def rows(drawn):
    """The cells of a table's rows, by header."""
    lines = [line.strip("|").split("|") for line in drawn.splitlines() if line.startswith("|")]
    headers, _, *body = [[cell.strip() for cell in line] for line in lines]
    assert all(len(line) == len(headers) for line in body)
    return [dict(zip(headers, line, strict=True)) for line in body]


def test_every_method_of_every_provider_has_its_row():
    told = {(row["Provider"], row["Method"]) for row in rows(provider_features.by_method())}
    declared = {(REGISTRY[name].title, f"`{method}`") for name in REGISTRY for method in methods_of(name)}
    assert told == declared


def methods_of(provider):
    return REGISTRY[provider].capabilities.methods


def test_every_provider_has_its_row():
    told = [row["Provider"] for row in rows(provider_features.by_provider())]
    assert told == [REGISTRY[name].title for name in REGISTRY]


def test_a_row_says_what_is_declared():
    card = next(row for row in rows(provider_features.by_method()) if row["Method"] == "`card`")
    assert card["Currencies"] == "any"
    assert card["Needs"] == "`payment_method`"
    assert card["Held, captured later"] == card["Saved"] == "yes"
    assert card["Failover when an answer is lost"] == "-"
    stripe, mpesa = rows(provider_features.by_provider())[:2]
    assert (stripe["Refunds"], mpesa["Refunds"]) == ("in parts", "the whole only")
    assert (stripe["Repeats a lost `create`"], mpesa["Repeats a lost `create`"]) == ("key, for 1 day", "no")
    assert (stripe["Callbacks' proof"], mpesa["Callbacks' proof"]) == ("full", "weak")
    assert (stripe["Answers to disputes"], mpesa["Answers to disputes"]) == ("yes", "-")
    told = {row["Provider"]: row["Static codes"] for row in rows(provider_features.by_provider())}
    assert (told["Xendit"], told["Midtrans"]) == ("`qris`", "-")


@pytest.mark.parametrize("provider", list(REGISTRY))
def test_currencies_that_are_counted_are_listed_below(provider):
    for method, capability in methods_of(provider).items():
        if len(capability.currencies or ()) > 6:
            listed = ", ".join(sorted(capability.currencies))
            assert f"{REGISTRY[provider].title} takes `{method}` in {listed}." in provider_features.by_method()
