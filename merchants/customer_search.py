"""Finding customers by what is sealed, and everyone behind one id."""

import re
from collections.abc import Iterable
from typing import Any

from django.db.models import QuerySet
from django.db.models.functions import Coalesce

from core import contacts, ids
from core.errors import InvalidRequest
from events import sealing
from merchants.models import Customer, Merchant
from merchants.states import CustomerState

_MOST = 1000
_PHONE = re.compile(r"\+?[\d ()./-]{5,30}")


def matching(rows: "QuerySet[Customer]", *, merchant: str, livemode: bool, **sought: str) -> "QuerySet[Customer]":
    """Those of `rows` that answer for a customer with that `reference`, `email` or `phone` (E.164), exactly."""
    found = Customer.objects.filter(merchant=merchant, livemode=livemode)
    for name, value in sought.items():
        found = found.filter(**_condition(name, value, merchant, livemode))
    return rows.filter(pk__in=found.values_list(Coalesce("merged_into", "pk")))


def _condition(name: str, value: str, merchant: str, livemode: bool) -> dict[str, Any]:
    if name == "reference":
        return {"reference": value}
    compared = contacts.email(value) if name == "email" else value
    return {f"{name}_fingerprint__in": sealing.fingerprints(name, merchant, compared, livemode=livemode)}


def living(*, merchant: str, livemode: bool, public_id: str, param: str) -> Customer:
    """The customer who answers for an id. Raises InvalidRequest, naming `param`, for nobody's and an erased one."""
    rows = Customer.objects.filter(merchant=merchant, livemode=livemode).select_related("merged_into")
    found = rows.filter(pk=public_id).first() if ids.is_id(public_id, "cus") else None
    if found is None:
        raise InvalidRequest("There is no such customer for this key.", param=param)
    if found.state == CustomerState.ERASED:
        raise InvalidRequest(f"{found.pk} was erased.", param=param)
    return found.survivor


def everyone_of(*, merchant: str, livemode: bool, public_id: str) -> list[str]:
    """The ids under which things may point to a customer: the survivor's and every duplicate's."""
    rows = Customer.objects.filter(merchant=merchant, livemode=livemode)
    found = rows.filter(pk=public_id).first() if ids.is_id(public_id, "cus") else None
    if found is None:
        return []
    survivor = found.merged_into_id or found.pk
    return [survivor, *rows.filter(merged_into=survivor).values_list("pk", flat=True)]


def found_by_staff(term: str) -> Iterable[str]:
    """Ids of customers of any merchant, by an id, a reference, a phone number or an e-mail address, exactly."""
    yield term
    if term.startswith("mer_"):
        yield from Customer.objects.filter(merchant=term).order_by("-pk").values_list("pk", flat=True)[:_MOST]
    merchants = list(Merchant.objects.all())
    yield from _found(merchants, reference=term)
    if "@" in term:
        yield from _found(merchants, email_fingerprint__in=_fingerprints(merchants, "email", contacts.email(term)))
    if _PHONE.fullmatch(term):
        yield from _found(merchants, phone_fingerprint__in=_phone_fingerprints(merchants, term))


def _found(merchants: list[Merchant], **sought: Any) -> Iterable[str]:
    """The indexes begin with the merchant and the mode, so both are named."""
    rows = Customer.objects.filter(merchant__in=merchants, livemode__in=[True, False], **sought)
    return rows.order_by("-pk").values_list("pk", flat=True)[:_MOST]


def _fingerprints(merchants: Iterable[Merchant], kind: str, value: str) -> list[str]:
    return [
        made
        for merchant in merchants
        for livemode in (True, False)
        for made in sealing.fingerprints(kind, merchant.pk, value, livemode=livemode)
    ]


def _phone_fingerprints(merchants: Iterable[Merchant], term: str) -> list[str]:
    made = []
    for merchant in merchants:
        try:
            number = contacts.phone(term, region=merchant.default_region)
        except ValueError:
            continue
        made += _fingerprints([merchant], "phone", number)
    return made
