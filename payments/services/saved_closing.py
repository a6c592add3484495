"""Giving a saved method up: here at once, at the provider until it is certain; and what else its queue does."""

from django.conf import settings
from django.db import transaction

from core import clock
from core.providers import NothingCreated, OutcomeUnknown, ProviderFault, Unsupported
from events import attention, work
from events.idempotency import Claim
from events.models import Attention
from events.transitions import record
from payments.models import SavedMethod
from payments.providers.base import Failure, FailureCode, Report, Word
from payments.services import connections
from payments.services.booking import Because
from payments.services.places import place_in_flight
from payments.services.saved_booking import KEPT, OPEN, apply_method, fail, give_up, lock_saved
from payments.services.saving import advance_setup, call, conclude, declared, find_out, order_of, schedule
from payments.states import SavedMethodState

BY = "resolver"
_NEVER_SENT = Failure(FailureCode.PROVIDER_UNAVAILABLE, "The provider could not be asked to keep the card in time.")


def detach(saved: SavedMethod, *, claim: Claim, by: str) -> SavedMethod:
    """Nothing is charged to it from the commit on; then the provider is told. Twice is the same as once.

    Raises ProviderBusy before anything is written.
    """
    with place_in_flight(saved.account):
        with transaction.atomic():
            locked = _given_up(saved, by)
            claim.bind(locked.pk)
            # Its queue follows only once this caller must have died.
            record(locked, due_at=clock.now() + settings.WORK_LEASE if _is_closing(locked) else locked.due_at)
        return close(locked) if _is_closing(locked) else locked


def detach_by_staff(saved: SavedMethod, *, by: str) -> None:
    """The same, with the call left to the queue."""
    with transaction.atomic():
        _given_up(saved, by)


def _given_up(saved: SavedMethod, by: str) -> SavedMethod:
    locked = lock_saved(saved)
    if locked.state not in (SavedMethodState.DETACHED, SavedMethodState.FAILED):
        give_up(locked, Because(by=by, source="api", detail="detached"))
    return locked


def _is_closing(saved: SavedMethod) -> bool:
    return saved.closing_since is not None and saved.closed_at is None


def advance(row: SavedMethod) -> None:
    """One step for a saved method that is due."""
    saved = load(row.pk)
    if _is_closing(saved):
        close(saved)
    elif saved.state in KEPT:
        _look(saved)
    elif saved.state in OPEN and saved.setup_ends_at <= clock.now():
        _end_setup(saved)
    elif saved.state in OPEN:
        _hand_over(advance_setup(saved))
    else:
        record(saved, due_at=None, claim=None)


def load(public_id: str) -> SavedMethod:
    return SavedMethod.objects.select_related("account", "holder", "customer").get(pk=public_id)


def resume(public_id: str) -> SavedMethod:
    """Continue a method whose first request died."""
    saved = load(public_id)
    if saved.due_at is not None and saved.due_at <= clock.now():
        advance(saved)
    return load(public_id)


def _look(saved: SavedMethod) -> None:
    """Its card may have been renewed, or it may have been given up at the provider."""
    because = Because(by=BY, source="query", detail="asked about the method")
    try:
        report = call(saved, connections.connect(saved.account).fetch_method(order_of(saved)), purpose="fetch")
    except (NothingCreated, OutcomeUnknown):
        _look_later(saved)
        return
    with transaction.atomic():
        locked = lock_saved(saved)
        apply_method(locked, report, because)
        record(locked, asked=0)
        schedule(locked)


def _look_later(saved: SavedMethod) -> None:
    """The provider did not say. It is asked again after the times that it declares, and then left to the next event."""
    times = declared(saved.account).declaration.ask_after
    later = clock.now() + times[saved.asked] * settings.RESOLVER_PACE if saved.asked < len(times) else None
    with transaction.atomic():
        locked = lock_saved(saved)
        record(locked, due_at=later, claim=None, tries=0, asked=saved.asked + 1 if later else 0)


def _end_setup(saved: SavedMethod) -> None:
    """The customer's time is over: closed at the provider first, so that it cannot succeed afterwards."""
    because = Because(by=BY, source="expiry", detail="its time is over")
    if saved.request is None:
        with transaction.atomic():
            locked = lock_saved(saved)
            if locked.request is None and locked.state in OPEN:
                fail(locked, _NEVER_SENT, because)
            schedule(locked)
    else:
        _hand_over(conclude(saved, _cancelled(saved), because))


def _cancelled(saved: SavedMethod) -> Report | ProviderFault:
    """What became of the set-up once it was cancelled; one that had succeeded before says so."""
    try:
        if not saved.setup_id:
            found = find_out(saved)
            saved.setup_id = found.provider_id
            if found.word not in (Word.REQUIRES_ACTION, Word.PENDING):
                return found
        provider = connections.connect(saved.account)
        order = order_of(saved, key=f"{saved.closing_key}-cancel")
        told = call(saved, provider.cancel_setup(order), purpose="cancel_setup")
        if told.word is Word.SUCCEEDED and not (told.method and told.method.card):
            # It was too late to cancel it, and the refusal names the method without showing it.
            return call(saved, provider.fetch_setup(order_of(saved)), purpose="fetch")
        return told
    except (NothingCreated, OutcomeUnknown, Unsupported) as fault:
        return OutcomeUnknown(str(fault))


def close(saved: SavedMethod) -> SavedMethod:
    """Have the provider forget what was given up here. It is sent until an answer says that nothing is left."""
    is_closed, method_id = saved.request is None, saved.provider_id
    if not is_closed and not method_id:
        outcome = _cancelled(saved)
        if isinstance(outcome, Report):
            method_id = outcome.method.method_id if outcome.method and outcome.word is Word.SUCCEEDED else ""
            is_closed = outcome.word in (Word.CANCELLED, Word.FAILED)
    if method_id and not is_closed:
        saved.provider_id = method_id
        is_closed = _detached(saved)
    with transaction.atomic():
        locked = lock_saved(saved)
        columns = {"provider_id": method_id} if method_id and not locked.provider_id else {}
        record(locked, closed_at=clock.now() if is_closed else None, **columns)
        schedule(locked)
        _hand_over(locked)
    return locked


def _detached(saved: SavedMethod) -> bool:
    provider = connections.connect(saved.account)
    try:
        report = call(saved, provider.detach(order_of(saved, key=f"{saved.closing_key}-detach")), purpose="detach")
        return report.word is Word.CANCELLED
    except (NothingCreated, OutcomeUnknown, Unsupported):
        return False


def _hand_over(saved: SavedMethod) -> None:
    """Its times are over, and nobody knows how it stands at the provider: a person looks."""
    if saved.due_at is None and (saved.state in OPEN or _is_closing(saved)):
        detail = f"{saved.pk} at {saved.account.provider}: no answer within its schedule"
        with transaction.atomic():
            attention.raise_for(saved, Attention.Reason.UNKNOWN, detail)


def _failing(saved: SavedMethod) -> None:
    attention.raise_for(saved, Attention.Reason.FAILING, "a step of this saved method fails again and again")


work.register(work.Queue("saved_methods", model=SavedMethod, do=advance, lane_limit=4, threads=8, failing=_failing))
