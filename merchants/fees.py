"""What a provider is expected to take of a payment: the fee schedules of its account, kept as data.

A schedule is in force from its moment until a later one for the same account, method and currency. One for exactly
the payment's method goes before one for any method, whichever is the later.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from decimal import Decimal, localcontext
from itertools import pairwise

from django.db import connection, transaction

from core import clock
from core.money import EXPONENTS, Money
from events import audit
from merchants import accounts
from merchants.models import FeeSchedule, FeeTier, ProviderAccount

_DIGITS = 60
"""More than an amount, a percentage and a tax have together, so that their product is exact before it is rounded."""
_PERCENT_DECIMALS = 4
_LATEST_PAST = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Tier:
    """The fee of amounts from `from_amount` to the next tier: `fixed`, and `percent` of the amount.

    The two amounts are minor units; Decimal("2.9") is 2.9 percent.
    """

    from_amount: int
    fixed: int
    percent: Decimal


def fee_of(money: Money, *, tiers: Sequence[Tier], tax_percent: Decimal) -> Money:
    """The fee of that much with its tax, rounded once. Below the first tier there is none."""
    reached = [tier for tier in tiers if tier.from_amount <= money.amount]
    if not reached:
        return Money(0, money.currency)
    tier = max(reached, key=lambda tier: tier.from_amount)
    with localcontext(prec=_DIGITS):
        fee = tier.fixed + money.amount * tier.percent.scaleb(-2)
        return Money(1, money.currency).times(fee * (1 + tax_percent.scaleb(-2)))


def expected_fee(*, account_id: str, method: str, money: Money, at: datetime) -> Money | None:
    """The fee by the schedule in force at that moment, with its tax; None where there is no schedule. One query."""
    with connection.cursor() as cursor:
        cursor.execute(_IN_FORCE, [account_id, method, money.currency, at])
        rows = cursor.fetchall()
    if not rows:
        return None
    tiers = [Tier(from_amount, fixed, percent) for _, from_amount, fixed, percent in rows]
    return fee_of(money, tiers=tiers, tax_percent=rows[0][0])


_IN_FORCE = f"""
SELECT schedule.tax_percent, tier.from_amount, tier.fixed, tier.percent
FROM (
    SELECT id, tax_percent FROM {FeeSchedule._meta.db_table}
    WHERE account_id = %s AND method IN (%s, '') AND currency = %s AND effective_from <= %s
    ORDER BY method DESC, effective_from DESC LIMIT 1
) AS schedule JOIN {FeeTier._meta.db_table} AS tier ON tier.schedule_id = schedule.id
"""  # noqa: S608  (names from models)
"""Written out, as it is asked for every payment that succeeds."""


def tiers_of(schedule: FeeSchedule) -> list[Tier]:
    """By amount, the lowest first."""
    rows = schedule.tiers.order_by("from_amount").values_list("from_amount", "fixed", "percent")
    return [Tier(from_amount, fixed, percent) for from_amount, fixed, percent in rows]


def write_schedule(
    *,
    account: ProviderAccount,
    method: str,
    currency: str,
    effective_from: datetime,
    tax_percent: Decimal,
    tiers: Sequence[Tier],
    note: str,
    by: str,
) -> FeeSchedule:
    """A schedule that is in force from that moment on. It can be replaced by a later one, and not be changed.

    Raises ValueError that names the field: a method that the account's provider does not have (empty is any), an
    unknown currency, a moment that is past or taken, a share that is none, or tiers that do not ascend from 0.
    """
    _check_terms(account, method=method, currency=currency, tax_percent=tax_percent)
    _check_tiers(tiers, currency)
    if effective_from < clock.now() - _LATEST_PAST:
        raise ValueError(
            "'effective_from' is past: payments since then are already booked with the fee that was expected of them"
        )
    moment = {"account": account, "method": method, "currency": currency, "effective_from": effective_from}
    if FeeSchedule.objects.filter(**moment).exists():
        raise ValueError("'effective_from' is taken: another schedule for that method and currency starts just then")
    with transaction.atomic():
        schedule = FeeSchedule.objects.create(**moment, tax_percent=tax_percent, note=note, created_by=by)
        for tier in tiers:
            FeeTier.objects.create(schedule=schedule, **asdict(tier))
        _record(schedule, tiers)
    return schedule


def _check_terms(account: ProviderAccount, *, method: str, currency: str, tax_percent: Decimal) -> None:
    if method:
        accounts.check_method(account.provider, method)
    if currency not in EXPONENTS:
        raise ValueError(f"'currency' is {currency!r}, which is not an ISO 4217 code")
    _check_share("'tax_percent'", tax_percent)


def _check_tiers(tiers: Sequence[Tier], currency: str) -> None:
    if not tiers:
        raise ValueError("'tiers' are missing; a fee of nothing is one tier from 0 that says so")
    if tiers[0].from_amount != 0:
        raise ValueError(f"'tiers' start from {Money(tiers[0].from_amount, currency)}; the first one has to be from 0")
    for number, (before, tier) in enumerate(pairwise(tiers), start=2):
        if tier.from_amount <= before.from_amount:
            starts = Money(tier.from_amount, currency), Money(before.from_amount, currency)
            raise ValueError(f"'tiers' do not ascend: line {number} is from {starts[0]}, after {starts[1]}")
    for number, tier in enumerate(tiers, start=1):
        if tier.fixed < 0:
            raise ValueError(f"'tiers' take less than nothing: line {number} has {Money(tier.fixed, currency)}")
        _check_share(f"'tiers' line {number}: percent", tier.percent)


def _check_share(name: str, percent: Decimal) -> None:
    if not 0 <= percent <= 100:
        raise ValueError(f"{name} is {percent}, which is not from 0 to 100")
    if percent != round(percent, _PERCENT_DECIMALS):
        raise ValueError(f"{name} is {percent}, which has more than {_PERCENT_DECIMALS} decimals")


def _record(schedule: FeeSchedule, tiers: Sequence[Tier]) -> None:
    audit.record(
        actor=schedule.created_by,
        action="fee_schedule.written",
        merchant=schedule.account.merchant_id,
        livemode=schedule.account.livemode,
        object_id=schedule.pk,
        detail={
            "account": schedule.account_id,
            "method": schedule.method,
            "currency": schedule.currency,
            "effective_from": clock.rfc3339(schedule.effective_from),
            "tax_percent": str(schedule.tax_percent),
            "tiers": [[tier.from_amount, tier.fixed, str(tier.percent)] for tier in tiers],
            "note": schedule.note,
        },
    )
