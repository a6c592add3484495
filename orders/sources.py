"""The verbs on order sources: register one, which looks at its tables; change it, verify it again; and its orders."""

from collections.abc import Mapping
from typing import Any

from django.db import IntegrityError, transaction

from core import clock, ids
from core.database import insert_all, insert_ignoring, violated
from core.errors import (
    Conflict,
    FieldError,
    InvalidRequest,
    OrderSourceAway,
    OrderSourceUnusable,
)
from events import attention, audit, work
from events.idempotency import Claim
from events.models import Attention
from merchants.models import Merchant
from orders import databases, reading, tables
from orders.mapping import of
from orders.models import Order, OrderSource
from orders.reading import Found

_AWAY_SECONDS = 5


def create_source(
    *,
    merchant: Merchant,
    livemode: bool,
    name: str,
    database: str,
    schema: str,
    by: str,
    mapping: Mapping[str, Any] | None = None,
    metadata: Mapping[str, str] | None = None,
    claim: Claim | None = None,
) -> OrderSource:
    """A source whose tables are as its mapping says. Not inside a transaction: it asks the database.

    Raises InvalidRequest that names every column that is missing, OrderSourceAway, Conflict for a table that another
    source reads, and AlreadyClaimed for a repeated key.
    """
    source = OrderSource(
        merchant=merchant,
        livemode=livemode,
        name=name,
        database=database,
        schema=schema,
        mapping=dict(mapping or {}),
        table=of(schema, mapping or {}).order.table,
        metadata=dict(metadata or {}),
    )
    _demand_as_mapped(source)
    try:
        with transaction.atomic():
            if claim is not None:
                claim.bind(source.pk, source)
            else:
                insert_all(source)
            _record(source, "order_source.created", by, database=database, schema=schema)
    except IntegrityError as error:
        raise _explained(error, source) from error
    return source


def change_source(source: OrderSource, *, by: str, **changes: Any) -> None:
    """Change name, metadata, is_enabled or mapping, which is looked at as at the beginning.

    Which orders there are does not change: a mapping keeps their table and the column of their ids.
    A source that is switched off gives no orders to new payments; what was paid is still written back.
    Raises InvalidRequest, OrderSourceAway and Conflict.
    """
    if not changes:
        return
    if "mapping" in changes:
        _demand_same_orders(source, changes["mapping"])
        changes |= {"fault": "", "verified_at": clock.now()}
    for name, value in changes.items():
        setattr(source, name, value)
    if "mapping" in changes:
        _demand_as_mapped(source)
    try:
        with transaction.atomic():
            OrderSource.objects.filter(pk=source.pk).update(**changes)
            _record(source, "order_source.changed", by, fields=sorted(changes))
    except IntegrityError as error:
        raise _explained(error, source) from error


def verify_source(source: OrderSource, *, by: str) -> OrderSource:
    """Look at its tables again, and keep what was found. Raises OrderSourceAway. Not inside a transaction."""
    fault = fault_of(source)
    _keep_fault(source, fault)
    _record(source, "order_source.verified", by, fault=fault)
    return source


def fault_of(source: OrderSource) -> str:
    """What of its tables is not as its mapping says; empty when all is. Raises OrderSourceAway."""
    try:
        found = _faults(source)
    except databases.Refused as refused:
        return str(refused)
    return "; ".join(fault.detail for fault in found)[:300]


def broken(source: OrderSource, refused: databases.Refused) -> str:
    """Its tables have changed under us: say how, keep that, and show it to a person. Gives what is told."""
    try:
        fault = fault_of(source) or str(refused)
    except OrderSourceAway:
        fault = str(refused)
    _keep_fault(source, fault)
    attention.raise_for(source, Attention.Reason.FAILING, f"{source.name}: {fault}")
    return fault


def works(source: OrderSource) -> None:
    """It has just done what it was asked."""
    if source.fault or Attention.objects.filter(subject=source.pk, closed_at=None).exists():
        _keep_fault(source, "")


def find_source(*, merchant: Merchant, livemode: bool, public_id: str, param: str) -> OrderSource:
    """The merchant's own source of that mode. Raises InvalidRequest that names `param`, and OrderSourceUnusable."""
    source = None
    if ids.is_id(public_id, "osrc"):
        source = OrderSource.objects.filter(merchant=merchant, livemode=livemode, pk=public_id).first()
    if source is None:
        raise InvalidRequest("There is no such order source for this key.", param=param)
    if not source.is_enabled:
        raise OrderSourceUnusable(f"{source.pk} is switched off.", param=param)
    return source


def read_order(source: OrderSource, number: str, *, with_lines: bool = False) -> Found | None:
    """The order as it stands there now. Raises OrderSourceAway, OrderSourceUnusable and reading.Unreadable."""
    try:
        found = reading.read(source, number, with_lines=with_lines)
    except databases.Away as away:
        raise _away(away) from away
    except databases.Refused as refused:
        raise OrderSourceUnusable(f"{source.name}: {broken(source, refused)}.") from refused
    works(source)
    return found


def keep_order(source: OrderSource, number: str) -> Order:
    """Our row of an order that stands there; the one that is there already, where there is one."""
    order = Order(
        source=source, merchant_id=source.merchant_id, livemode=source.livemode, number=number, lane=source.pk
    )
    if insert_ignoring(order):
        return order
    return Order.objects.get(source=source, number=number)


def orders_called(number: str, *, merchant: str, livemode: bool) -> list[str]:
    """Our ids of the orders with that id, one in each of the merchant's sources at most."""
    own = OrderSource.objects.filter(merchant=merchant, livemode=livemode).values_list("pk", flat=True)
    return list(Order.objects.filter(source__in=list(own), number=number).values_list("pk", flat=True))


def write_now(order: Order) -> None:
    """Have a worker look at once at what is to be written of it."""
    Order.objects.filter(pk=order.pk, claim=None).update(due_at=clock.now())
    work.wake_on_commit("orders")


def accept_order(order: Order, *, by: str) -> None:
    """Let it be marked paid although its total is another than was paid."""
    with transaction.atomic():
        Order.objects.filter(pk=order.pk).update(accepted=True)
        audit.record(
            actor=by,
            action="order.accepted",
            merchant=order.merchant_id,
            livemode=order.livemode,
            object_id=order.pk,
            detail={"fault": order.fault},
        )
        write_now(order)


def _demand_same_orders(source: OrderSource, mapping: Mapping[str, Any]) -> None:
    """What payments name an order by must go on to mean that order."""
    held, given = source.read_by.order, of(source.schema, mapping).order
    faults = [
        FieldError(f"/mapping/order/{what}", f"stays {getattr(held, what)}; register another source for other orders")
        for what in ("table", "id")
        if getattr(held, what) != getattr(given, what)
    ]
    if faults:
        raise InvalidRequest.naming(faults)


def _demand_as_mapped(source: OrderSource) -> None:
    try:
        found = _faults(source)
    except databases.Refused as refused:
        raise InvalidRequest.naming([FieldError("/database", str(refused))]) from refused
    if found:
        raise InvalidRequest.naming(found)


def _faults(source: OrderSource) -> list[FieldError]:
    try:
        return tables.faults(
            source.database, source.schema, source.mapping, merchant=source.merchant_id, livemode=source.livemode
        )
    except databases.Away as away:
        raise _away(away) from away


def _away(away: databases.Away) -> OrderSourceAway:
    return OrderSourceAway(f"{str(away).capitalize()}. Nothing was created.", retry_after=_AWAY_SECONDS)


def _explained(error: IntegrityError, source: OrderSource) -> Exception:
    if violated(error) == "one_source_per_table":
        return Conflict(f"Another source reads {source.table} in {source.database}: an order has one source.")
    return error


def _keep_fault(source: OrderSource, fault: str) -> None:
    source.fault, source.verified_at = fault[:300], clock.now()
    OrderSource.objects.filter(pk=source.pk).update(fault=source.fault, verified_at=source.verified_at)
    if not fault:
        attention.settle(source, Attention.Reason.FAILING, by="system")


def _record(source: OrderSource, action: str, by: str, **detail: object) -> None:
    audit.record(
        actor=by,
        action=action,
        merchant=source.merchant_id,
        livemode=source.livemode,
        object_id=source.pk,
        detail=detail,
    )
