"""Callbacks without full proof: the operation that they are about, by their path or by what they name at their account.

It is asked about (`weak_callbacks`). What is not about a payment or refund of ours, such as one that was begun at the
provider's dashboard, is believed where the provider can be asked whether it has sent this very callback, or shows the
refund itself.
"""

from dataclasses import replace

from django.db import transaction

from core.providers import Forged, NothingCreated, OutcomeUnknown, Unsupported
from events import inbox
from events.models import Callback
from payments import proven_callbacks, static_callbacks, weak_callbacks
from payments.models import Attempt, Operation
from payments.providers.base import Kind, Notice, RawCallback, Report, Topic, Word
from payments.services import connections, dashboard_refunds, refund_booking, resolving, static_codes
from payments.services.booking import Because
from payments.services.connections import Adapter
from payments.services.locking import lock_attempt
from payments.services.preparing import order_for
from payments.states import AttemptState

_RELATED = Operation.objects.select_related("attempt__payment", "attempt__account", "refund", "about")


def follow(callback: Callback, notice: Notice, adapter: Adapter, raw: RawCallback) -> None:
    operation = _operation_of_path(callback, notice)
    if operation is not None:
        weak_callbacks.question(callback, operation, notice)
    elif notice.topic is Topic.NOTHING or notice.report is None:
        inbox.finish(callback, Callback.State.IGNORED, note="not about anything that we act on")
    elif (named := _operation_named(callback, notice, notice.report)) is not None:
        weak_callbacks.question(callback, named, notice)
    elif notice.topic is Topic.PAYMENT and (code := static_codes.named(callback.account, notice.report.provider_id)):
        static_callbacks.question(callback, code, notice.report)
    elif notice.topic is Topic.PAYMENT:
        inbox.finish(callback, Callback.State.UNMATCHED, note=f"no payment here is {notice.report.provider_id!r}")
    else:
        _prove(callback, notice, adapter, raw)


def _operation_of_path(callback: Callback, notice: Notice) -> Operation | None:
    """What the path names; some companies tell of refunds where they tell of the payment."""
    if not callback.operation:
        return None
    operation = _RELATED.get(pk=callback.operation)
    of_payment = operation.refund_id is None and operation.kind != Kind.LOOKUP
    return None if notice.topic is Topic.REFUND and of_payment else operation


def _operation_named(callback: Callback, notice: Notice, report: Report) -> Operation | None:
    """The creation of the payment, or our refund, that the notice speaks of."""
    if notice.topic is Topic.REFUND:
        return _refund_named(callback, notice, report)
    if notice.topic is not Topic.PAYMENT:
        return None
    attempt = proven_callbacks.find_attempt(callback, notice, report.provider_id)
    return _RELATED.filter(attempt=attempt, kind=Kind.CREATE).first() if attempt else None


def _refund_named(callback: Callback, notice: Notice, report: Report) -> Operation | None:
    refunds = _RELATED.filter(attempt__account=callback.account, kind=Kind.REFUND).order_by("pk")
    found = refunds.filter(refund__provider_id=report.provider_id).first() if report.provider_id else None
    return found or (refunds.filter(key=notice.reference).first() if notice.reference else None)


def _prove(callback: Callback, notice: Notice, adapter: Adapter, raw: RawCallback) -> None:
    try:
        adapter.prove(raw)
    except Unsupported:
        _look_for_refund(callback, notice, adapter)
    except Forged as fault:
        inbox.finish(callback, Callback.State.QUARANTINED, note=str(fault))
    except (NothingCreated, OutcomeUnknown):
        weak_callbacks.wait(callback)
    else:
        proven_callbacks.follow(callback, notice)


def _look_for_refund(callback: Callback, notice: Notice, adapter: Adapter) -> None:
    """A refund that we did not begin, as its provider shows it with its payment."""
    attempt = proven_callbacks.find_attempt(callback, notice, notice.payment_provider_id)
    create = _RELATED.filter(attempt=attempt, kind=Kind.CREATE).first() if attempt else None
    if notice.topic is not Topic.REFUND or attempt is None or create is None:
        inbox.finish(callback, Callback.State.UNMATCHED, note="names nothing that is ours, and cannot be proven")
        return
    if attempt.state == AttemptState.OPEN:
        # What was given back was paid before that, whichever news of it comes first.
        resolving.ask(create)
    report = _refund_shown(notice, adapter, attempt, create)
    if report is None or report.word is Word.PENDING:
        weak_callbacks.wait(callback)
        return
    because = Because(by=callback.provider, source="callback", detail=f"query after callback {callback.pk}")
    with transaction.atomic():
        locked = lock_attempt(attempt)
        money = next((moved.money for moved in report.moved), None)
        refund = dashboard_refunds.find_or_book(locked, replace(notice, money=money), report)
        refund_booking.apply_to_refund(refund, report, because)
        state = proven_callbacks.settled_state(report)
        inbox.finish(callback, state, subject=refund.pk, note=report.provider_status)


def _refund_shown(notice: Notice, adapter: Adapter, attempt: Attempt, create: Operation) -> Report | None:
    create.attempt = attempt
    about = notice.report.provider_id if notice.report else ""
    order = replace(order_for(create), kind=Kind.REFUND, target_id=about, operation_key=notice.reference)
    try:
        return connections.ask(adapter, adapter.fetch(order), purpose="fetch")
    except (NothingCreated, OutcomeUnknown, Unsupported):
        return None
