"""What a payment's store and order say of it: the method of a store, and the total of an order where it lives."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from django.db import transaction
from django.db.models import F, Q

from core.errors import InvalidRequest, OrderTaken, OrderTotalDiffers
from merchants import stores
from orders import sources
from orders.models import Order
from orders.reading import Unreadable
from payments import states
from payments.models import Payment
from payments.services.payment_request import PaymentRequest
from payments.states import PaymentState

_ORDER = "/order"


def completed(asked: PaymentRequest) -> PaymentRequest:
    """The request as `in_store` has it, with our row of its order.

    An order is read in its own database, so this is not for inside a transaction. Raises InvalidRequest,
    OrderTotalDiffers, OrderTaken, OrderSourceUnusable and OrderSourceAway.
    """
    return _with_order(in_store(asked))


def in_store(asked: PaymentRequest) -> PaymentRequest:
    """With the account that its store prefers, and its method where none is named. Raises InvalidRequest."""
    if not asked.store:
        return asked
    store = stores.open_store(merchant=asked.merchant, livemode=asked.livemode, public_id=asked.store, param="/store")
    asked = replace(asked, default_account=store.default_account_id or "")
    if asked.method or asked.saved_method:
        return asked
    if not store.default_method:
        raise InvalidRequest(f"Name a `method`: {store.pk} has no default one.", param="/method")
    return replace(asked, method=store.default_method)


def _with_order(asked: PaymentRequest) -> PaymentRequest:
    if asked.order is None:
        return asked
    named, number = asked.order["source"], asked.order["id"]
    source = sources.find_source(
        merchant=asked.merchant, livemode=asked.livemode, public_id=named, param=f"{_ORDER}/source"
    )
    try:
        found = sources.read_order(source, number)
    except Unreadable as fault:
        raise InvalidRequest(f"{fault}.", param=f"{_ORDER}/id") from fault
    if found is None:
        raise InvalidRequest(f"{source.name} has no order of that id.", param=f"{_ORDER}/id")
    if found.is_paid or found.is_closed:
        told = "paid" if found.is_paid else "closed"
        raise OrderTaken(f"Order {found.number} is {told} in {source.name} already.", param=_ORDER)
    if found.money != asked.money:
        told = f"Order {found.number} is {found.money} in {source.name}, and {asked.money} was asked for."
        raise OrderTotalDiffers(told, param="/amount")
    return replace(asked, order_row=sources.keep_order(source, found.number).pk)


@contextmanager
def kept_free(asked: PaymentRequest) -> Iterator[None]:
    """A transaction in which nobody else begins to pay the order. Raises OrderTaken where somebody has."""
    if not asked.order_row:
        yield
        return
    with transaction.atomic():
        order = Order.objects.select_for_update(no_key=True).get(pk=asked.order_row)
        standing = Payment.objects.filter(_STANDS, order=order).order_by("-pk").first()
        if standing is not None:
            told = f"{standing.pk}, which is {standing.state}, stands for order {order.number}."
            raise OrderTaken(told, param=_ORDER)
        yield


_STANDS = ~Q(state__in=list(states.PAYMENT.terminals)) | Q(
    state=PaymentState.SUCCEEDED, captured_amount__gt=F("refunded_amount")
)
"""A payment that may still be paid, or that holds the order's money."""
