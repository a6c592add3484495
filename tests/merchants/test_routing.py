"""Routing rules are checked when they are written, and read in their order."""

import pytest
from django.db import IntegrityError, transaction

from core.routing import Rule, Strategy, Target
from events.models import AuditEntry
from merchants import routing
from merchants.models import RoutingRule
from tests.factories import MerchantFactory, ProviderAccountFactory, StoreFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def merchant():
    return MerchantFactory()


@pytest.fixture
def account(merchant):
    return ProviderAccountFactory(merchant=merchant).pk


def rule(*accounts, strategy=Strategy.IN_ORDER, shares=(), **terms):
    shares = shares or [0] * len(accounts)
    targets = tuple(Target(account, share) for account, share in zip(accounts, shares, strict=True))
    return Rule(terms.pop("name", "ours"), strategy, targets, **terms)


def write(merchant, written, priority=100, livemode=False):
    return routing.write_rule(merchant=merchant, livemode=livemode, rule=written, priority=priority, by="staff:asha")


def test_what_is_written_is_read_back_in_its_order(merchant, account):
    whole = rule(
        account,
        store=StoreFactory(merchant=merchant).pk,
        methods=frozenset({"card"}),
        currencies=frozenset({"USD"}),
        least=100,
        most=5000,
        only=True,
    )
    write(merchant, whole)
    first = rule(account, name="first", strategy=Strategy.SPLIT, shares=[100])
    write(merchant, first, priority=1)
    assert routing.rules_of(merchant.pk, livemode=False) == [first, whole]
    assert routing.rules_of(merchant.pk, livemode=True) == []
    assert routing.rules_of(MerchantFactory().pk, livemode=False) == []


def test_a_rule_that_is_off_is_not_asked_until_it_is_on_again(merchant, account):
    row = write(merchant, rule(account))
    routing.switch_rule(row, on=False, by="staff:asha")
    assert routing.rules_of(merchant.pk, livemode=False) == []
    routing.switch_rule(row, on=True, by="staff:asha")
    assert routing.rules_of(merchant.pk, livemode=False) == [rule(account)]


def test_each_change_is_in_the_audit_log_with_what_it_says(merchant, account):
    row = write(merchant, rule(account))
    routing.change_rule(row, rule=rule(account, only=True), priority=7, by="staff:juma")
    written, changed = AuditEntry.objects.filter(object_id=row.pk).order_by("pk")
    assert (written.action, written.actor) == ("routing_rule.written", "staff:asha")
    assert (changed.action, changed.actor) == ("routing_rule.changed", "staff:juma")
    assert (changed.detail["priority"], changed.detail["only"]) == (7, True)


@pytest.mark.parametrize(
    ("terms", "field"),
    [
        ({"methods": frozenset({"cheque"})}, "'methods'"),
        ({"currencies": frozenset({"XXX"})}, "'currencies'"),
        ({"least": 1}, "'currencies'"),
        ({"most": 1, "currencies": frozenset({"USD", "KES"})}, "'currencies'"),
        ({"least": 2, "most": 1, "currencies": frozenset({"USD"})}, "'least'"),
        ({"strategy": Strategy.SPLIT}, "'targets' need shares"),
        ({"strategy": Strategy.SPLIT, "shares": [99]}, "'targets' need shares"),
        ({"shares": [1]}, "'targets' have shares"),
    ],
)
def test_a_rule_that_makes_no_sense_is_refused_by_its_field(merchant, account, terms, field):
    with pytest.raises(ValueError, match=f"^{field}"):
        write(merchant, rule(account, **terms))
    assert routing.rules_of(merchant.pk, livemode=False) == []


@pytest.mark.parametrize("strategy", [Strategy.IN_ORDER, Strategy.SPLIT])
def test_only_the_lowest_fee_needs_no_accounts(merchant, strategy):
    with pytest.raises(ValueError, match=r"^'targets' are missing"):
        write(merchant, rule(strategy=strategy))
    write(merchant, rule(strategy=Strategy.LOWEST_FEE))


def test_an_account_of_another_merchant_or_mode_or_twice_is_refused(merchant, account):
    for named in ([ProviderAccountFactory().pk], ["acct_nobody"], [account, account]):
        with pytest.raises(ValueError, match=r"^'targets' names"):
            write(merchant, rule(*named))
    with pytest.raises(ValueError, match="no such live account"):
        write(merchant, rule(account), livemode=True)


def test_a_store_of_another_merchant_or_mode_is_refused_and_the_database_refuses_it_too(merchant, account):
    row = write(merchant, rule(account))
    live = StoreFactory(merchant=merchant, livemode=True)
    for wrong in (StoreFactory(), live):
        with pytest.raises(ValueError, match=r"^'store' names .* no such test store"):
            write(merchant, rule(account, store=wrong.pk))
        with pytest.raises(IntegrityError, match="same_merchant_and_mode"), transaction.atomic():
            RoutingRule.objects.filter(pk=row.pk).update(store=wrong)
