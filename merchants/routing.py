"""A merchant's routing rules: written and checked here, read as `core.routing` takes them."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from django.db import transaction

from core.money import EXPONENTS
from core.routing import Rule, Strategy, Target
from events import audit
from merchants import accounts
from merchants.models import Merchant, ProviderAccount, RoutingRule, Store


def rules_of(merchant: str, *, livemode: bool) -> list[Rule]:
    """Those in force, in the order in which they are asked."""
    rows = RoutingRule.objects.filter(merchant=merchant, livemode=livemode, is_enabled=True)
    return [as_rule(row) for row in rows.order_by("priority", "id")]


def as_rule(row: RoutingRule) -> Rule:
    return Rule(
        name=row.name,
        strategy=Strategy(row.strategy),
        targets=tuple(Target(**target) for target in row.targets),
        methods=frozenset(row.methods),
        currencies=frozenset(row.currencies),
        least=row.least,
        most=row.most,
        only=row.only,
        store=row.store_id or "",
    )


def write_rule(*, merchant: Merchant, livemode: bool, rule: Rule, priority: int, by: str) -> RoutingRule:
    """A rule that is in force from the next payment on. Raises ValueError that names the field."""
    row = RoutingRule(merchant=merchant, livemode=livemode)
    _take(row, rule, priority)
    with transaction.atomic():
        row.save(force_insert=True)
        _record(row, "routing_rule.written", by)
    return row


def change_rule(row: RoutingRule, *, rule: Rule, priority: int, by: str) -> None:
    """Replace what the rule says, from the next payment on. Raises ValueError that names the field."""
    _take(row, rule, priority)
    with transaction.atomic():
        row.save()
        _record(row, "routing_rule.changed", by)


def switch_rule(row: RoutingRule, *, on: bool, by: str) -> None:
    """Have the rule asked from the next payment on, or no more."""
    row.is_enabled = on
    with transaction.atomic():
        row.save(update_fields=["is_enabled"])
        audit.record(
            actor=by,
            action="routing_rule.switched_on" if on else "routing_rule.switched_off",
            merchant=row.merchant_id,
            livemode=row.livemode,
            object_id=row.pk,
        )


def _take(row: RoutingRule, rule: Rule, priority: int) -> None:
    _check_conditions(rule)
    _check_targets(rule, row.merchant_id, livemode=row.livemode)
    _check_store(rule, row.merchant_id, livemode=row.livemode)
    row.priority, row.name, row.only = priority, rule.name, rule.only
    row.strategy = rule.strategy
    row.methods, row.currencies = sorted(rule.methods), sorted(rule.currencies)
    row.least, row.most = rule.least, rule.most
    row.store_id = rule.store or None
    row.targets = [asdict(target) for target in rule.targets]


def _check_conditions(rule: Rule) -> None:
    known = {method for kind in accounts.everyone().values() for method in kind.methods}
    if unknown := sorted(rule.methods - known):
        raise ValueError(f"'methods' names {', '.join(unknown)}; there are {', '.join(sorted(known))}")
    if unknown := sorted(rule.currencies - set(EXPONENTS)):
        raise ValueError(f"'currencies' names {', '.join(unknown)}, which are not ISO 4217 codes")
    if (rule.least is not None or rule.most is not None) and len(rule.currencies) != 1:
        raise ValueError("'currencies' has to name one currency, of which the amounts are")
    if rule.least is not None and rule.most is not None and rule.least > rule.most:
        raise ValueError("'least' is more than the most")


def _check_targets(rule: Rule, merchant: str, *, livemode: bool) -> None:
    named = [target.account for target in rule.targets]
    own = ProviderAccount.objects.filter(pk__in=named, merchant=merchant, livemode=livemode)
    if missing := sorted(set(named) - set(own.values_list("pk", flat=True))):
        mode = "live" if livemode else "test"
        raise ValueError(f"'targets' names {', '.join(missing)}; the merchant has no such {mode} account")
    if len(set(named)) < len(named):
        raise ValueError("'targets' names an account twice")
    if not named and (rule.strategy is not Strategy.LOWEST_FEE or rule.only):
        raise ValueError("'targets' are missing: only the lowest fee can be looked for among all accounts")
    shares = [target.share for target in rule.targets]
    if rule.strategy is Strategy.SPLIT and (min(shares) < 1 or sum(shares) != 100):
        raise ValueError("'targets' need shares from 1 on that add up to 100 percent in a split")
    if rule.strategy is not Strategy.SPLIT and any(shares):
        raise ValueError("'targets' have shares, which only a split has")


def _check_store(rule: Rule, merchant: str, *, livemode: bool) -> None:
    if rule.store and not Store.objects.filter(pk=rule.store, merchant=merchant, livemode=livemode).exists():
        mode = "live" if livemode else "test"
        raise ValueError(f"'store' names {rule.store}; the merchant has no such {mode} store")


def _record(row: RoutingRule, action: str, by: str) -> None:
    audit.record(
        actor=by,
        action=action,
        merchant=row.merchant_id,
        livemode=row.livemode,
        object_id=row.pk,
        detail=_told(row),
    )


def _told(row: RoutingRule) -> Mapping[str, Any]:
    columns: Sequence[str] = (
        "name",
        "priority",
        "strategy",
        "methods",
        "currencies",
        "least",
        "most",
        "targets",
        "only",
        "store_id",
    )
    return {name: getattr(row, name) for name in columns}
