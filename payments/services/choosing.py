"""Which accounts may take a payment, and in which order they are tried."""

import math
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from core import clock, routing
from core.errors import AmountNotRepresentable, InvalidRequest, NoRoute, ProviderBusy
from core.money import Money, NotRepresentable
from core.routing import Candidate, Facts, Route, Rule, Strategy
from merchants import breakers, fees
from merchants.models import Breaker, ProviderAccount, ProviderSwitch, RoutingRule
from merchants.routing import rules_of
from payments.models import Payment, SavedMethod
from payments.providers import REGISTRY
from payments.services import connections
from payments.services.payment_request import PaymentRequest

_CHANCE = secrets.SystemRandom()


@dataclass(frozen=True, slots=True)
class Choice:
    """The accounts to try, in order, and how the choice came about: every account that could take the payment."""

    accounts: list[ProviderAccount]
    route: Route
    able: list[ProviderAccount]


@dataclass(frozen=True, slots=True)
class Question:
    """Everything that a choice is made of, but chance: who could take it, how they are, and the rules."""

    facts: Facts
    able: list[ProviderAccount]
    candidates: list[Candidate]
    rules: list[Rule]

    def choice(self, *, draw: float) -> Choice:
        route = routing.route(self.facts, self.candidates, self.rules, draw=draw)
        by_id = {account.pk: account for account in self.able}
        return Choice([by_id[account] for account in route.accounts], route, self.able)


def accounts_for(asked: PaymentRequest, saved: SavedMethod | None) -> list[ProviderAccount]:
    """The accounts to try, in order; for a saved method the one that keeps it, and no other.

    Raises NoRoute or AmountNotRepresentable that says why there is none, and ProviderBusy while all of them rest.
    """
    if saved is not None:
        return [_keeper(saved, asked)]
    choice = choose(asked, draw=_CHANCE.random())
    if not choice.accounts:
        raise all_resting(choice.able)
    return choice.accounts


def _keeper(saved: SavedMethod, asked: PaymentRequest) -> ProviderAccount:
    if unfit(saved.account.provider, asked):
        raise NoRoute(f"{saved.account.provider} does not take {asked.method} in {asked.money.currency}.")
    check_carries(saved.account, asked.money)
    return saved.account


def choose(asked: PaymentRequest, *, draw: float) -> Choice:
    """What the merchant's rules, the accounts' health and their fees make of it. Raises as `candidates`."""
    return ask(asked).choice(draw=draw)


def ask(asked: PaymentRequest) -> Question:
    """What is to be decided for this payment. Raises as `candidates`."""
    able = candidates(asked)
    return question(asked, able, _rules(asked, able[0]))


def question(asked: PaymentRequest, able: list[ProviderAccount], rules: list[Rule]) -> Question:
    """What is to be decided among those accounts, as `candidates` gives them; the store's own comes first."""
    able = sorted(able, key=lambda account: account.pk != asked.default_account)
    return Question(_facts(asked), able, _with_health(able, asked, rules), rules)


def _facts(asked: PaymentRequest) -> Facts:
    return Facts(asked.method, asked.money.currency, asked.money.amount, asked.store)


def _rules(asked: PaymentRequest, account: Any) -> list[Rule]:
    return rules_of(asked.merchant.pk, livemode=asked.livemode) if account.has_rules else []


def _with_health(able: Sequence[Any], asked: PaymentRequest, rules: Sequence[Rule]) -> list[Candidate]:
    with_fees = any(rule.strategy is Strategy.LOWEST_FEE for rule in rules)
    return [
        Candidate(
            account.pk,
            fee=expected_fee(account, asked) if with_fees else None,
            is_resting=breakers.is_resting(account.pk, streak=account.streak, retry_at=account.retry_at),
        )
        for account in able
    ]


def expected_fee(account: ProviderAccount, asked: PaymentRequest) -> int | None:
    """In minor units of the payment's currency, by the account's schedule; None where there is none."""
    fee = fees.expected_fee(account_id=account.pk, method=asked.method, money=asked.money, at=clock.now())
    return fee.amount if fee else None


def all_resting(able: Sequence[Any]) -> ProviderBusy:
    """What is said where everybody who could take it rests."""
    resting = [account for account in able if account.retry_at]
    soonest: datetime = min(account.retry_at for account in resting)
    return ProviderBusy(
        f"{resting[0].provider} has not answered for a while and gets no new payments now. "
        "Nothing was created; send the same request again.",
        retry_after=max(1, math.ceil((soonest - clock.now()).total_seconds())),
    )


# Who can take it at all


def candidates(asked: PaymentRequest) -> list[ProviderAccount]:
    """The enabled accounts that can take this, by priority. Raises NoRoute or AmountNotRepresentable.

    Each has `streak` and `retry_at` of its breaker, and `has_rules`: whether the merchant has rules to be asked.
    """
    usable = [name for name in REGISTRY if not unfit(name, asked) and not _missing(name, asked)]
    if asked.provider and asked.provider not in usable:
        _check_complete(asked)
        raise NoRoute(f"{asked.provider} does not take {asked.method} in {asked.money.currency}.", param="/provider")
    named = [asked.provider] if asked.provider else usable
    accounts = open_accounts(merchant=asked.merchant.pk, livemode=asked.livemode, providers=named)
    able = [account for account in accounts if _carries(account, asked.money)]
    if not accounts:
        _check_complete(asked)
        mode = "live" if asked.livemode else "test"
        raise NoRoute(
            f"There is no enabled {mode} account that takes {asked.method} in {asked.money.currency}. "
            "Add a provider account, or ask for another method or currency.",
            param="/method",
        )
    if not able:
        check_carries(accounts[0], asked.money)
    return able


def open_accounts(*, merchant: str, livemode: bool, providers: Sequence[str]) -> list[Any]:
    """The merchant's accounts there that new payments may go to, by priority, with what `candidates` says of each."""
    # Written out, as this is asked for every payment and the ORM takes longer to word it than PostgreSQL to answer.
    values = [merchant, livemode, merchant, livemode, list(providers)]
    return list(ProviderAccount.objects.raw(_OPEN_ACCOUNTS, values))


_OPEN_ACCOUNTS = f"""
SELECT account.*, COALESCE(breaker.streak, 0) AS streak, breaker.retry_at, EXISTS (
    SELECT FROM {RoutingRule._meta.db_table} WHERE merchant_id = %s AND livemode = %s AND is_enabled
) AS has_rules
FROM {ProviderAccount._meta.db_table} account
    LEFT JOIN {Breaker._meta.db_table} breaker ON breaker.account_id = account.id
    LEFT JOIN {ProviderSwitch._meta.db_table} switch ON switch.provider = account.provider
WHERE account.merchant_id = %s AND account.livemode = %s AND account.is_enabled AND account.provider = ANY(%s)
    AND COALESCE(switch.is_on, TRUE)
ORDER BY account.priority, account.id
"""  # noqa: S608  (names from models)


def able_among(accounts: Sequence[Any], asked: PaymentRequest) -> list[Any]:
    """Those of some open accounts that can take this: what `candidates` would find among them."""
    return [account for account in accounts if not unfit(account.provider, asked) and _carries(account, asked.money)]


def _carries(account: ProviderAccount, money: Money) -> bool:
    try:
        check_carries(account, money)
    except AmountNotRepresentable:
        return False
    return True


def check_carries(account: ProviderAccount, money: Money) -> None:
    """Raises AmountNotRepresentable when the provider's own units cannot hold the amount."""
    try:
        connections.connect(account).units(money)
    except NotRepresentable as error:
        raise AmountNotRepresentable(f"{account.provider}: {error}.", param="/amount") from error


def unfit(provider: str, asked: PaymentRequest) -> str:
    """Why the provider does not take this, by what its adapter declares; empty where it does."""
    method = REGISTRY[provider].capabilities.methods.get(asked.method)
    currency, amount = asked.money.currency, asked.money.amount
    if method is None:
        return f"does not take {asked.method}"
    if method.currencies is not None and currency not in method.currencies:
        return f"does not take {asked.method} in {currency}"
    if asked.capture == Payment.Capture.MANUAL and not method.manual_capture:
        return f"cannot hold {asked.method} for a later capture"
    if asked.channel and asked.channel not in method.channels:
        return f"does not have the channel {asked.channel}"
    least, most = method.limits.get(currency, (0, amount))
    if not least <= amount <= most:
        return f"takes from {Money(least, currency)} to {Money(most, currency)} by {asked.method}"
    return ""


def _missing(provider: str, asked: PaymentRequest) -> str:
    """The first field that the method needs there and the request lacks; a customer may bring the payer's."""
    method = REGISTRY[provider].capabilities.methods[asked.method]
    if len(method.channels) > 1 and not asked.channel:
        return "channel"
    wanted = () if asked.customer else sorted(method.payer)
    return next((f"payer_details/{name}" for name in wanted if not getattr(asked.payer, name)), "")


def _check_complete(asked: PaymentRequest) -> None:
    """Where an account would take it but for a field, say which. Raises InvalidRequest that names it."""
    named = [asked.provider] if asked.provider else list(REGISTRY)
    wanting = [name for name in named if not unfit(name, asked) and _missing(name, asked)]
    for account in open_accounts(merchant=asked.merchant.pk, livemode=asked.livemode, providers=wanting):
        field = _missing(account.provider, asked)
        channels = REGISTRY[account.provider].capabilities.methods[asked.method].channels
        choices = f": {', '.join(channels)}" if field == "channel" else ""
        raise InvalidRequest(f"A payment by {asked.method} at {account.provider} needs it{choices}.", param=f"/{field}")
