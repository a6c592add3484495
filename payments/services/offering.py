"""What a merchant can offer a payer now: the methods, and what is to be known of each before it is asked for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from core import contacts
from core.money import Money
from core.routing import Rule
from merchants import breakers, stores
from merchants.models import Merchant
from merchants.routing import rules_of
from payments.providers import REGISTRY
from payments.providers.base import MethodCapability
from payments.services import choosing, connections, explaining
from payments.services.payment_request import PaymentRequest

_METHODS: Mapping[str, str] = {"ewallet": "E-wallet", "qris": "QRIS"}
_CHANNELS: Mapping[str, str] = {
    "gopay": "GoPay",
    "shopeepay": "ShopeePay",
    "linkaja": "LinkAja",
    "bpd_bali": "BPD Bali",
}
"""Names that are not their words with a capital letter; a short one is an abbreviation: `bca` is BCA."""
_SHORT = 4


@dataclass(frozen=True, slots=True)
class Asked:
    """What is known of the payment so far. `money`, where it is known, is in `currency`; `country` is the payer's.

    `store` is an id, empty where it is taken in none; `default_account` is found by it.
    """

    merchant: Merchant
    livemode: bool
    money: Money | None = None
    currency: str = ""
    country: str = ""
    store: str = ""
    default_account: str = ""


@dataclass(frozen=True, slots=True)
class Offer:
    """A method, or one channel of a method that has several.

    `currencies` None means any. `limits` are the least and the most by currency, in minor units, where every account
    that may take the payment has such limits. `expected_fee` is in minor units of the asked currency, the dearest of
    those that may come first; None where it is not known. `expires_in` is in seconds.
    """

    method: str
    channel: str
    name: str
    currencies: list[str] | None
    limits: Mapping[str, tuple[int, int]]
    expected_fee: int | None
    requires: list[str]
    next_actions: list[str]
    expires_in: int | None
    manual_capture: bool
    can_be_saved: bool


def offers(asked: Asked) -> list[Offer]:
    """By method and channel. With an amount they are what the merchant's rules and its accounts' health make of it.

    Raises InvalidRequest for a store that takes no payments.
    """
    asked = _in_store(asked)
    accounts = choosing.open_accounts(merchant=asked.merchant.pk, livemode=asked.livemode, providers=list(REGISTRY))
    rules = rules_of(asked.merchant.pk, livemode=asked.livemode) if accounts and accounts[0].has_rules else []
    found = (_offer(asked, method, channel, accounts, rules) for method, channel in _ways(accounts))
    return [offer for offer in found if offer is not None]


def _in_store(asked: Asked) -> Asked:
    if not asked.store:
        return asked
    store = stores.open_store(merchant=asked.merchant, livemode=asked.livemode, public_id=asked.store, param="/store")
    return replace(asked, default_account=store.default_account_id or "")


def _ways(accounts: Sequence[Any]) -> list[tuple[str, str]]:
    """Every method of those accounts, once for each of its channels."""
    providers = {account.provider for account in accounts}
    return sorted(
        {
            (method, channel)
            for provider in providers
            for method, capability in REGISTRY[provider].capabilities.methods.items()
            for channel in capability.channels or ("",)
        }
    )


def _offer(asked: Asked, method: str, channel: str, accounts: Sequence[Any], rules: list[Rule]) -> Offer | None:
    fee = None
    if asked.money is None:
        takers = [account for account in accounts if _has(account, asked, method, channel) and not _rests(account)]
    else:
        takers, fee = _routed(asked, asked.money, method, channel, accounts, rules)
    # The choice knows no country: whoever it may come to, one of them has to be for that payer.
    if not any(is_for(REGISTRY[account.provider].capabilities.methods[method], asked.country) for account in takers):
        return None
    return _described(method, channel, takers, fee)


def _has(account: Any, asked: Asked, method: str, channel: str) -> bool:
    capability = REGISTRY[account.provider].capabilities.methods.get(method)
    if capability is None or (channel and channel not in capability.channels):
        return False
    return not asked.currency or capability.currencies is None or asked.currency in capability.currencies


def is_for(capability: MethodCapability, country: str) -> bool:
    """Whether payers of that country (ISO 3166; empty is any) use the method.

    One whose only currency is that of one country is that country's; every other is for anybody. The first two letters
    of a national currency are its country's in ISO 4217.
    """
    homes = {currency[:2] for currency in capability.currencies or ()}
    only = homes.pop() if len(capability.currencies or ()) == 1 else ""
    return not country or not contacts.is_region(only) or only == country


def _rests(account: Any) -> bool:
    return breakers.is_resting(account.pk, streak=account.streak, retry_at=account.retry_at)


def _routed(
    asked: Asked, money: Money, method: str, channel: str, accounts: Sequence[Any], rules: list[Rule]
) -> tuple[list[Any], int | None]:
    """Those that the choice may come to, by it alone, and the dearest fee of those that may come first."""
    request = PaymentRequest(
        merchant=asked.merchant,
        livemode=asked.livemode,
        money=money,
        method=method,
        channel=channel,
        store=asked.store,
        default_account=asked.default_account,
    )
    able = choosing.able_among(accounts, request)
    if not able:
        return [], None
    found = [route for _, route in explaining.routes(choosing.question(request, able, rules)) if route.accounts]
    tried = {account for route in found for account in route.accounts}
    first = {route.accounts[0] for route in found}
    fees = [choosing.expected_fee(account, request) for account in able if account.pk in first]
    known = [fee for fee in fees if fee is not None]
    dearest = max(known) if known and len(known) == len(fees) else None
    return [account for account in able if account.pk in tried], dearest


def _described(method: str, channel: str, takers: Sequence[Any], fee: int | None) -> Offer:
    """What holds whoever of them takes the payment: all that any of them wants, and the shortest time."""
    capabilities = [REGISTRY[account.provider].capabilities for account in takers]
    declared = [capability.methods[method] for capability in capabilities]
    lives = [life for one in declared for life in (one.code_life, one.prompt_life) if life is not None]
    any_currency = any(one.currencies is None for one in declared)
    return Offer(
        method=method,
        channel=channel,
        name=name_of(method, channel),
        currencies=None if any_currency else sorted({code for one in declared for code in one.currencies or ()}),
        limits=_limits(takers, method),
        expected_fee=fee,
        requires=sorted({field for one in declared for field in fields_of(one)}),
        next_actions=sorted({action for one in declared for action in one.next_actions}),
        expires_in=int(min(lives).total_seconds()) if lives else None,
        manual_capture=any(one.manual_capture for one in declared),
        can_be_saved=any(one.saving is not None and method in one.saving.methods for one in capabilities),
    )


def fields_of(capability: MethodCapability) -> list[str]:
    """What has to be sent, as the fields of `POST /v1/payments` are called."""
    return [
        *([capability.instrument] if capability.instrument else []),
        *(f"payer_details.{one}" for one in capability.payer),
    ]


def _limits(takers: Sequence[Any], method: str) -> dict[str, tuple[int, int]]:
    """Of the currencies that all of them have limits for: the widest, as another account takes what one does not."""
    named = [connections.connect(account).limits(method) for account in takers]
    shared = set.intersection(*(set(limits) for limits in named))
    return {
        currency: (min(limits[currency][0] for limits in named), max(limits[currency][1] for limits in named))
        for currency in sorted(shared)
    }


def name_of(method: str, channel: str) -> str:
    """As payers know it."""
    if channel:
        return _CHANNELS.get(channel) or (channel.upper() if len(channel) <= _SHORT else _in_words(channel))
    if method in REGISTRY:
        return REGISTRY[method].title
    return _METHODS.get(method) or _in_words(method)


def _in_words(word: str) -> str:
    return word.replace("_", " ").capitalize()
