"""Telling a merchant's POS or ERP what became of an order's payment, until it stands there.

The outbox says that something has happened to a payment; what is written is what its rows say when it is written. So
neither order nor repetition matters, and nothing of ours ever waits for a database of somebody else's.
"""

from collections.abc import Sequence
from datetime import timedelta

from django.db.models import Case, F, When

from core import clock
from core.money import Money
from events import attention, outbox, work
from events.models import Attention, Event
from orders import databases, sources, writing
from orders.mapping import EXPIRED, PAID, REFUNDED
from orders.models import Order
from orders.writing import Edited, Outcome
from payments.models import Payment
from payments.states import PaymentState

_AWAY = (timedelta(seconds=2), timedelta(seconds=5), timedelta(seconds=15), timedelta(seconds=60))
"""After each try at a database that is away; the last again and again."""
_CHANGED = timedelta(minutes=5)
"""After a try that only a person, or the order's own people, can help."""
_TOLD_AFTER = 5


def follow_payments(events: Sequence[Event]) -> None:
    """Have the orders written whose payments these events are about, in the transaction that moves the cursor."""
    about = {_payment_of(event) for event in events if event.type.startswith(("payment.", "refund."))}
    orders = Payment.objects.filter(pk__in=about, order__isnull=False).values("order")
    now = clock.now()
    due = Case(When(claim=None, then=now), default=F("due_at"))
    if Order.objects.filter(pk__in=orders).update(news=F("news") + 1, due_at=due):
        work.wake_on_commit("orders")


def _payment_of(event: Event) -> str:
    return str(event.data.get("payment", "")) if event.type.startswith("refund.") else event.subject


def status_of(order: Order) -> tuple[str, Money | None]:
    """What its source is to say of the order, and what was paid of it; an empty word where there is nothing to say."""
    payments = list(order.payments.order_by("-pk").defer("instrument", "payer"))
    succeeded = [payment for payment in payments if payment.state == PaymentState.SUCCEEDED]
    paid = [payment for payment in succeeded if payment.captured_amount > payment.refunded_amount]
    if len(paid) > 1:
        told = f"{' and '.join(payment.pk for payment in paid)} have both paid order {order.number}: refund one"
        attention.raise_for(order, Attention.Reason.OVERPAID, told)
    if paid:
        return PAID, _paid_by(paid[-1])
    if succeeded:
        return REFUNDED, None
    return (EXPIRED, None) if payments and payments[0].state == PaymentState.EXPIRED else ("", None)


def _paid_by(payment: Payment) -> Money:
    """What was asked of the order, unless less was collected."""
    return Money(min(payment.amount, payment.captured_amount), payment.currency)


def write(order: Order) -> None:
    """Write what there is to be written of an order; where that fails, it is due again."""
    status, paid = status_of(order)
    if not status or (status == order.written and order.writing == status):
        _done(order)
        return
    try:
        outcome = writing.write(order, status, paid=paid)
    except databases.Away as away:
        _away(order, str(away))
    except databases.Refused as refused:
        _put_off(order, sources.broken(order.source, refused), _CHANGED)
    except Edited as edited:
        attention.raise_for(order, Attention.Reason.UNDERPAID, str(edited))
        _put_off(order, str(edited), _CHANGED)
    else:
        _written(order, status, outcome)


def _written(order: Order, status: str, outcome: Outcome) -> None:
    elsewhere = order.paid_elsewhere or outcome is Outcome.ELSEWHERE
    if outcome is Outcome.ELSEWHERE:
        told = f"order {order.number} was marked paid at {order.source.name} before our payment of it: refund one"
        attention.raise_for(order, Attention.Reason.OVERPAID, told)
    now = clock.now()
    Order.objects.filter(pk=order.pk).update(
        writing=status, written=status, written_at=now, fault="", paid_elsewhere=elsewhere
    )
    for settled in (Attention.Reason.UNDERPAID, Attention.Reason.FAILING):
        attention.settle(order, settled, by="system")
    sources.works(order.source)
    _done(order)


def _done(order: Order) -> None:
    """Nothing more is due, unless something has happened since the order was claimed."""
    held = Order.objects.filter(pk=order.pk, claim=order.claim)
    if not held.filter(news=order.news).update(claim=None, due_at=None, tries=0):
        held.update(claim=None, due_at=clock.now(), tries=0)


def _put_off(order: Order, fault: str, wait: timedelta) -> None:
    held = Order.objects.filter(pk=order.pk, claim=order.claim)
    held.update(claim=None, due_at=clock.now() + wait, fault=fault[:300])


def _away(order: Order, fault: str) -> None:
    """All that waits for that source waits together: one try tells of all."""
    wait = _AWAY[min(order.tries, len(_AWAY)) - 1]
    _put_off(order, fault, wait)
    until = clock.now() + wait
    Order.objects.filter(lane=order.lane, claim=None, due_at__lt=until).update(due_at=until)
    if order.tries >= _TOLD_AFTER:
        told = f"{order.source.name} cannot be told of paid orders: {fault}"
        attention.raise_for(order.source, Attention.Reason.FAILING, told)


def _failing(order: Order) -> None:
    attention.raise_for(order, Attention.Reason.FAILING, "writing this order's payment status fails again and again")


work.register(
    work.Queue("orders", model=Order, do=write, lane_limit=2, threads=8, failing=_failing, related=("source",))
)
outbox.register(outbox.Reader("orders", follow_payments))
