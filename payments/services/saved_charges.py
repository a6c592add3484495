"""Charging a saved method: whether it may be, and that it stays so until the payment is written down."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from django.db import transaction

from core import ids
from core.errors import InvalidRequest, SavedMethodUnusable
from merchants.customer_search import living
from payments.models import SavedMethod
from payments.providers import REGISTRY
from payments.services.payment_request import PaymentRequest
from payments.states import SavedMethodState

_PARAM = "/saved_method"


def completed(asked: PaymentRequest) -> tuple[PaymentRequest, SavedMethod | None]:
    """The request with the method and account that its saved method stands for, and the saved method.

    Raises InvalidRequest, or SavedMethodUnusable, that names the field.
    """
    if not asked.saved_method:
        if asked.off_session:
            raise InvalidRequest("Only a saved method can be charged without its owner.", param="/off_session")
        return asked, None
    saved = _find(asked)
    _check_agrees(asked, saved)
    _check_usable(saved)
    return replace(asked, method=saved.method, provider=saved.account.provider), saved


def _find(asked: PaymentRequest) -> SavedMethod:
    rows = SavedMethod.objects.filter(merchant=asked.merchant, livemode=asked.livemode)
    rows = rows.select_related("account", "holder", "customer__merged_into")
    found = rows.filter(pk=asked.saved_method).first() if ids.is_id(asked.saved_method, "sm") else None
    if found is None:
        raise InvalidRequest("There is no such saved method for this key.", param=_PARAM)
    return found


def _check_agrees(asked: PaymentRequest, saved: SavedMethod) -> None:
    """What is said beside the saved method must be what it stands for."""
    if asked.instrument:
        raise InvalidRequest("Give either a saved method or a new instrument.", param=_PARAM)
    if asked.method not in ("", saved.method):
        raise InvalidRequest(f"{saved.pk} is charged by {saved.method}.", param="/method")
    if asked.provider not in ("", saved.account.provider):
        raise InvalidRequest(f"{saved.pk} is kept by {saved.account.provider}.", param="/provider")
    if asked.customer:
        merchant, livemode = asked.merchant.pk, asked.livemode
        customer = living(merchant=merchant, livemode=livemode, public_id=asked.customer, param="/customer")
        if customer != saved.customer.survivor:
            raise InvalidRequest(f"{saved.pk} is another customer's.", param="/customer")


def _check_usable(saved: SavedMethod) -> None:
    if saved.state == SavedMethodState.ACTIVE and not saved.is_usable:
        raise SavedMethodUnusable(f"The card of {saved.pk} has expired.", param=_PARAM)
    if not saved.is_usable:
        raise SavedMethodUnusable(f"{saved.pk} is {saved.state}.", param=_PARAM)
    if not saved.account.is_enabled:
        raise SavedMethodUnusable(f"{saved.account_id}, which keeps {saved.pk}, is switched off.", param=_PARAM)
    if REGISTRY[saved.account.provider].capabilities.saving is None:
        raise SavedMethodUnusable(f"{saved.account.provider} keeps no methods.", param=_PARAM)


@contextmanager
def kept_usable(saved: SavedMethod | None) -> Iterator[None]:
    """A transaction in which nobody gives the method up: either it goes first, or the charge is written down first."""
    if saved is None:
        yield
        return
    with transaction.atomic():
        state = SavedMethod.objects.select_for_update(no_key=True).values_list("state", flat=True).get(pk=saved.pk)
        if state != SavedMethodState.ACTIVE:
            raise SavedMethodUnusable(f"{saved.pk} is {state}.", param=_PARAM)
        yield
