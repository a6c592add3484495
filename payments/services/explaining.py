"""Who would take a payment, and why: the real choice, told. Nothing is written, and nobody is asked."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from core import clock
from core.errors import AmountNotRepresentable, ApiError
from core.routing import Route, Rule, Strategy, deciding
from merchants.models import ProviderAccount
from payments.providers import REGISTRY
from payments.services import choosing
from payments.services.choosing import Question
from payments.services.payment_request import PaymentRequest


@dataclass(frozen=True, slots=True)
class Place:
    """An account to try, and why it stands there. `fee` is in minor units of the payment's currency."""

    account: ProviderAccount
    why: str
    fee: int | None


@dataclass(frozen=True, slots=True)
class LeftOut:
    account: ProviderAccount
    why: str
    fee: int | None


@dataclass(frozen=True, slots=True)
class Explanation:
    """`orders` are the accounts in the order of trying, each with how many payments in a hundred have that order.

    `rules` are the merchant's, as they are asked, up to the one that decides, with what each came to. `refusal` is
    what the API would say instead of making a payment; empty where somebody takes it.
    """

    orders: list[tuple[int, list[Place]]]
    left_out: list[LeftOut]
    rules: list[tuple[Rule, str]]
    refusal: str = ""


def routes(question: Question) -> list[tuple[int, Route]]:
    """Every route that the choice may come to, with how many payments in a hundred take it; the likeliest first."""
    rule = deciding(question.facts, question.candidates, question.rules)
    if rule is None or rule.strategy is not Strategy.SPLIT:
        return [(100, question.choice(draw=0.0).route)]
    found: Counter[Route] = Counter()
    drawn = 0
    for target in rule.targets:
        found[question.choice(draw=(drawn + target.share / 2) / 100).route] += target.share
        drawn += target.share
    return [(share, route) for route, share in found.most_common()]


def explain(asked: PaymentRequest) -> Explanation:
    """What would become of this payment now, told for every account that the merchant has in that mode."""
    everyone = list(
        ProviderAccount.objects.filter(merchant=asked.merchant, livemode=asked.livemode).order_by("priority", "pk")
    )
    try:
        question = choosing.ask(asked)
    except ApiError as fault:
        return Explanation([], _out(asked, everyone, ()), [], fault.detail)
    found = routes(question)
    orders = [(times, _places(asked, question, route)) for times, route in found if route.accounts]
    tried = {account for _, route in found for account in route.accounts}
    left_out = dict(found[0][1].left_out)
    told = [
        LeftOut(account, _rested(left_out[account.pk], account), choosing.expected_fee(account, asked))
        for account in question.able
        if account.pk not in tried
    ]
    able = {account.pk for account in question.able}
    told += _out(asked, everyone, able)
    refusal = "" if orders else choosing.all_resting(question.able).detail
    return Explanation(orders, told, _asked_rules(question), refusal)


def _rested(why: str, account: Any) -> str:
    return f"{why}; it is tried again at {clock.rfc3339(account.retry_at)}" if account.retry_at else why


def _asked_rules(question: Question) -> list[tuple[Rule, str]]:
    decided = deciding(question.facts, question.candidates, question.rules)
    told: list[tuple[Rule, str]] = []
    for rule in question.rules:
        if rule is decided:
            return [*told, (rule, "decides")]
        holds = rule.applies(question.facts)
        told.append((rule, "names nobody who can take it" if holds else "does not hold for it"))
    return told


def _places(asked: PaymentRequest, question: Question, route: Route) -> list[Place]:
    rule = deciding(question.facts, question.candidates, question.rules)
    by_id = {account.pk: account for account in question.able}
    return [
        Place(by_id[account], _why(asked, by_id[account], rule, place), choosing.expected_fee(by_id[account], asked))
        for place, account in enumerate(route.accounts)
    ]


def _why(asked: PaymentRequest, account: Any, rule: Rule | None, place: int) -> str:
    is_default = account.pk == asked.default_account
    priority = "as its store's default account" if is_default else f"by the account's priority, {account.priority}"
    if rule is None:
        return f"{priority}; no rule decides"
    target = next((target for target in rule.targets if target.account == account.pk), None)
    if rule.targets and target is None:
        return f"after those that “{rule.name}” names, {priority}"
    match rule.strategy:
        case Strategy.LOWEST_FEE:
            return f"by its fee, as “{rule.name}” says"
        case Strategy.SPLIT if target is not None and place == 0:
            return f"by its share of {target.share} %, as “{rule.name}” says"
        case _:
            return f"by its place in “{rule.name}”"


def _out(asked: PaymentRequest, everyone: Sequence[ProviderAccount], able: Any) -> list[LeftOut]:
    """Those that cannot take it at all, each with the first reason that the choice finds."""
    opened = choosing.open_accounts(merchant=asked.merchant.pk, livemode=asked.livemode, providers=list(REGISTRY))
    open_ones = {account.pk for account in opened}
    return [
        LeftOut(account, _why_not(account, asked, is_open=account.pk in open_ones), None)
        for account in everyone
        if account.pk not in able
    ]


def _why_not(account: ProviderAccount, asked: PaymentRequest, *, is_open: bool) -> str:
    if account.provider not in REGISTRY:
        return "its provider is not one that this installation has"
    if not account.is_enabled:
        return "the account is switched off"
    if not is_open:
        return "the provider is switched off for new payments"
    if asked.provider and asked.provider != account.provider:
        return f"{asked.provider} is asked for"
    if reason := choosing.unfit(account.provider, asked):
        return f"{account.provider} {reason}"
    try:
        choosing.check_carries(account, asked.money)
    except AmountNotRepresentable as refusal:
        return refusal.detail
    return "it was changed while this was looked at"
