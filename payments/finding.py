"""Finding a payment by whatever word somebody has: our id, a merchant's reference, a provider's word or receipt."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from django.db.models import OuterRef, QuerySet, Subquery

from merchants.models import Merchant, ProviderAccount
from payments.models import Attempt, Dispute, Operation, Payment, Receipt, Refund

_MOST = 100
_BY_ID: dict[str, Callable[[str], "QuerySet[Any, str]"]] = {
    "att": lambda term: Attempt.objects.filter(pk=term).values_list("payment", flat=True),
    "dp": lambda term: Dispute.objects.filter(pk=term).values_list("payment", flat=True),
    "op": lambda term: Operation.objects.filter(pk=term).values_list("attempt__payment", flat=True),
    "ref": lambda term: Refund.objects.filter(pk=term).values_list("payment", flat=True),
    "rcpt": lambda term: Receipt.objects.filter(pk=term).values_list("attempt__payment", flat=True),
    "cus": lambda term: Payment.objects.filter(customer=term).order_by("-pk").values_list("pk", flat=True),
    "mer": lambda term: Payment.objects.filter(merchant=term).order_by("-pk").values_list("pk", flat=True),
    "store": lambda term: Payment.objects.filter(store=term).order_by("-pk").values_list("pk", flat=True),
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
    for look in PROVIDER_WORDS.values():
        yield from look(accounts, word)[:_MOST]


def _by_provider_reference(accounts: Sequence[str], word: str) -> "QuerySet[Any, str]":
    return Attempt.objects.filter(account__in=accounts, provider_reference=word).values_list("payment", flat=True)


def _by_provider_id(accounts: Sequence[str], word: str) -> "QuerySet[Any, str]":
    return Attempt.objects.filter(account__in=accounts, provider_id=word).values_list("payment", flat=True)


def _by_receipt(accounts: Sequence[str], word: str) -> "QuerySet[Any, str]":
    rows = Receipt.objects.filter(account__in=accounts, provider_money_id=word)
    return rows.values_list("attempt__payment", flat=True)


PROVIDER_WORDS: Mapping[str, Callable[[Sequence[str], str], "QuerySet[Any, str]"]] = {
    "provider_reference": _by_provider_reference,
    "provider_id": _by_provider_id,
    "receipt": _by_receipt,
}


def known_to_provider_as(
    rows: QuerySet[Payment], words: Mapping[str, str], *, merchant: str, livemode: bool
) -> QuerySet[Payment]:
    """Of `rows` those that fit each of the words, whose names are those of PROVIDER_WORDS."""
    if not words:
        return rows
    owned = ProviderAccount.objects.filter(merchant=merchant, livemode=livemode)
    accounts = list(owned.values_list("pk", flat=True))
    for name, word in words.items():
        rows = rows.filter(pk__in=list(PROVIDER_WORDS[name](accounts, word)))
    return rows


def taken_by(rows: QuerySet[Payment], provider: str) -> QuerySet[Payment]:
    """Of `rows` those that the provider was asked about: each once, however often it was tried there."""
    tried = Attempt.objects.filter(payment=OuterRef("pk"), account__provider=provider)
    return rows.annotate(tried_there=Subquery(tried.values("pk")[:1])).filter(tried_there__isnull=False)
