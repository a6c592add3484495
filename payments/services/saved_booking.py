"""What a provider's word about a saved method does to its row (money.md 2, 5).

Everything here runs in the caller's transaction, with the customer locked before the method.
"""

from typing import Any

from django.db import transaction

from core import clock
from events import attention, outbox, work
from events.models import Attention
from events.transitions import move, record
from merchants.models import Customer
from merchants.states import CustomerState
from payments.models import SavedMethod
from payments.providers.base import Failure, FailureCode, Report, Word
from payments.providers.saving import Card, MethodReport
from payments.saved_models import end_of_month
from payments.services.booking import Because
from payments.states import SavedMethodState

OPEN = (SavedMethodState.CREATED, SavedMethodState.PROCESSING, SavedMethodState.REQUIRES_ACTION)
KEPT = (SavedMethodState.ACTIVE, SavedMethodState.EXPIRED)
_ENDS = (SavedMethodState.FAILED, SavedMethodState.DETACHED)


def lock_saved(saved: SavedMethod) -> SavedMethod:
    """The method with its customer as they are now, locked, the customer first: merges and erasures do so too.

    One that was begun while its customer was being merged is the survivor's from here on.
    """
    while True:
        owner = SavedMethod.objects.values_list("customer", flat=True).get(pk=saved.pk)
        customer = Customer.objects.select_for_update(no_key=True).get(pk=owner)
        if customer.merged_into_id is not None:
            begun = SavedMethod.objects.filter(pk=saved.pk, customer=customer)
            begun.update(customer=customer.merged_into_id, is_default=False)
            continue
        rows = SavedMethod.objects.select_for_update(of=("self",), no_key=True).select_related("account", "holder")
        locked = rows.get(pk=saved.pk)
        if locked.customer_id == customer.pk:
            locked.customer = customer
            return locked


def apply_setup(saved: SavedMethod, report: Report, because: Because) -> None:
    """A word about the set-up. One that succeeds after the method was given up is taken back at the provider."""
    learned = _learned(saved, report)
    if report.word is Word.SUCCEEDED:
        _keep(saved, report.method or MethodReport(), because, learned)
        return
    if saved.state not in OPEN:
        record(saved, **learned)
        return
    match report.word:
        case Word.REQUIRES_ACTION:
            action = dict(report.next_action) if report.next_action else None
            _step(saved, SavedMethodState.REQUIRES_ACTION, because, next_action=action, **learned)
        case Word.PENDING:
            _step(saved, SavedMethodState.PROCESSING, because, **learned)
        case Word.FAILED:
            fail(saved, report.failure or _NO_REASON, because, **learned)
        case Word.CANCELLED:
            fail(saved, _TIMED_OUT, because, **learned)
        case _:
            record(saved, **learned)
            detail = f"{because}: the provider says {report.provider_status!r}, which is not on its adapter's list"
            attention.raise_for(saved, Attention.Reason.PARKED, detail)


_NO_REASON = Failure(FailureCode.DECLINED, "The card was declined.")
_TIMED_OUT = Failure(FailureCode.TIMED_OUT, "The customer did not finish saving the card in time.")


def fail(saved: SavedMethod, failure: Failure, because: Because, **changes: Any) -> None:
    """The set-up has ended without a method, for certain."""
    told = {"failure_code": str(failure.code), "failure_message": failure.message[:300]}
    attention.settle(saved, Attention.Reason.UNKNOWN, by=because.by)
    _step(saved, SavedMethodState.FAILED, because, next_action=None, instrument=None, **told, **changes)


def _step(saved: SavedMethod, to: SavedMethodState, because: Because, **changes: Any) -> None:
    move(saved, to, by=because.by, because=str(because), **changes)


def _learned(saved: SavedMethod, report: Report) -> dict[str, Any]:
    learned: dict[str, Any] = {}
    if report.provider_id and not saved.setup_id:
        learned["setup_id"] = report.provider_id[:100]
    if report.provider_status and report.provider_status != saved.provider_status:
        learned["provider_status"] = report.provider_status[:100]
    return learned


def _keep(saved: SavedMethod, told: MethodReport, because: Because, learned: dict[str, Any]) -> None:
    if told.method_id and not saved.provider_id:
        learned["provider_id"] = told.method_id[:100]
    is_gone = saved.closed_at is not None and "provider_id" not in learned
    if saved.state in _ENDS or saved.customer.state == CustomerState.ERASED:
        record(saved, **learned)
        if not is_gone:
            give_up(saved, because)
    elif saved.state in OPEN and not told.is_shown:
        # An event names the method without showing it: it is asked for before anything is said of it.
        ask_soon(saved, **learned)
    elif saved.state in OPEN:
        attention.settle(saved, Attention.Reason.UNKNOWN, by=because.by)
        is_default = _takes_default(saved)
        shown = {"next_action": None, "instrument": None, "is_default": is_default, **_shown_columns(told)}
        _step(saved, SavedMethodState.ACTIVE, because, **shown, **learned)
    else:
        record(saved, **learned)


def _takes_default(saved: SavedMethod) -> bool:
    """The first method of a customer is the default one, and then whichever was asked to be."""
    current = SavedMethod.objects.filter(customer=saved.customer_id, is_default=True)
    if saved.becomes_default:
        current.update(is_default=False)
        return True
    return not current.exists()


def _shown_columns(told: MethodReport) -> dict[str, Any]:
    return card_columns(told.card) if told.card is not None else {"payer_hint": told.payer_hint[:100]}


def card_columns(card: Card) -> dict[str, Any]:
    return {
        "brand": card.brand[:32],
        "last4": card.last4[-4:],
        "exp_month": card.exp_month,
        "exp_year": card.exp_year,
        "ends_at": end_of_month(card.exp_year, card.exp_month),
        "fingerprint": card.fingerprint[:64],
    }


def apply_method(saved: SavedMethod, report: Report, because: Because) -> None:
    """A word about a method that is kept: its card was renewed, or it is not there any more."""
    if saved.state not in KEPT:
        return
    if report.word is Word.CANCELLED:
        forget(saved, because, closed_at=clock.now())
    elif report.method is not None and report.method.card is not None:
        _refresh(saved, report.method.card, because)


def _refresh(saved: SavedMethod, card: Card, because: Because) -> None:
    columns = {name: value for name, value in card_columns(card).items() if getattr(saved, name) != value}
    if not columns:
        return
    record(saved, **columns)
    if saved.state == SavedMethodState.EXPIRED and saved.ends_at is not None and saved.ends_at > clock.now():
        _step(saved, SavedMethodState.ACTIVE, because)
    else:
        outbox.publish(saved, "updated")


def forget(saved: SavedMethod, because: Because, **changes: Any) -> None:
    """Nothing is charged to it from here on, whatever the provider still keeps."""
    dropped = {"is_default": False, "next_action": None, "instrument": None}
    _step(saved, SavedMethodState.DETACHED, because, **dropped, **changes)


def give_up(saved: SavedMethod, because: Because) -> None:
    """What was given up here is given up at the provider as well; a worker sees to it until that is certain."""
    if saved.state not in _ENDS:
        forget(saved, because)
    if saved.closing_since is None or saved.closed_at is not None:
        record(saved, closing_since=clock.now(), closed_at=None, asked=0)
    ask_soon(saved)


def ask_soon(saved: SavedMethod, **changes: Any) -> None:
    record(saved, due_at=clock.now(), claim=None, tries=0, **changes)
    work.wake_on_commit("saved_methods")


def ask_now(public_id: str) -> None:
    """A reason to look has come: a browser that is back, a person, an event."""
    with transaction.atomic():
        ask_soon(lock_saved(SavedMethod.objects.get(pk=public_id)))
