"""Finding a payment by whatever word staff have: our id, a merchant's reference, a provider's word or receipt."""

from collections.abc import Callable, Iterable
from typing import Any

from django.db.models import QuerySet

from merchants.models import Merchant, ProviderAccount
from payments.models import Attempt, Operation, Payment, Receipt, Refund

_MOST = 100
_BY_ID: dict[str, Callable[[str], "QuerySet[Any, str]"]] = {
    "att": lambda term: Attempt.objects.filter(pk=term).values_list("payment", flat=True),
    "op": lambda term: Operation.objects.filter(pk=term).values_list("attempt__payment", flat=True),
    "ref": lambda term: Refund.objects.filter(pk=term).values_list("payment", flat=True),
    "rcpt": lambda term: Receipt.objects.filter(pk=term).values_list("attempt__payment", flat=True),
    "cus": lambda term: Payment.objects.filter(customer=term).order_by("-pk").values_list("pk", flat=True),
    "mer": lambda term: Payment.objects.filter(merchant=term).order_by("-pk").values_list("pk", flat=True),
}


def find_payments(term: str) -> Iterable[str]:
    """The ids of at most a few hundred payments. Each question can be answered by an index of its table."""
    prefix = term.partition("_")[0]
    if prefix in _BY_ID:
        yield from _BY_ID[prefix](term)[:_MOST]
    yield term
    yield from _by_reference(term)
    yield from _by_provider(term)


def _by_reference(reference: str) -> Iterable[str]:
    """The index on references begins with the merchant and the mode, so both are named."""
    merchants = list(Merchant.objects.values_list("pk", flat=True))
    rows = Payment.objects.filter(merchant__in=merchants, livemode__in=[True, False], reference=reference)
    return rows.order_by("-pk").values_list("pk", flat=True)[:_MOST]


def _by_provider(word: str) -> Iterable[str]:
    """The indexes on what providers call things begin with the account."""
    accounts = list(ProviderAccount.objects.values_list("pk", flat=True))
    attempts = Attempt.objects.filter(account__in=accounts)
    receipts = Receipt.objects.filter(account__in=accounts, provider_money_id=word)
    yield from attempts.filter(provider_reference=word).values_list("payment", flat=True)[:_MOST]
    yield from attempts.filter(provider_id=word).values_list("payment", flat=True)[:_MOST]
    yield from receipts.values_list("attempt__payment", flat=True)[:_MOST]
