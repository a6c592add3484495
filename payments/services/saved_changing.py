"""Which of a customer's methods is the default one, and what becomes of them when customers are merged or erased."""

from django.db import transaction

from core.errors import Conflict
from events import outbox
from events.idempotency import Claim
from events.transitions import record
from merchants.models import Customer
from payments.models import SavedMethod
from payments.services.booking import Because
from payments.services.saved_booking import give_up, lock_saved
from payments.services.saved_closing import load
from payments.states import SavedMethodState


def make_default(saved: SavedMethod, *, claim: Claim) -> SavedMethod:
    """Twice is the same as once. Raises Conflict for a method that is not active."""
    with transaction.atomic():
        locked = lock_saved(saved)
        if locked.state != SavedMethodState.ACTIVE:
            raise Conflict(f"{locked.pk} is {locked.state}; only an active method can be the default one.")
        claim.bind(locked.pk)
        if not locked.is_default:
            SavedMethod.objects.filter(customer=locked.customer_id, is_default=True).update(is_default=False)
            record(locked, is_default=True)
            outbox.publish(locked, "made_default")
    return load(locked.pk)


def follow_merge(survivor: Customer, duplicate: Customer) -> None:
    """The duplicate's methods are the survivor's. Whose default counts when both have one: the survivor's."""
    has_default = SavedMethod.objects.filter(customer=survivor, is_default=True).exists()
    rows = SavedMethod.objects.select_for_update(of=("self",), no_key=True).select_related("account")
    for saved in rows.filter(customer=duplicate).order_by("pk"):
        record(saved, customer=survivor, is_default=saved.is_default and not has_default)
        outbox.publish(saved, "updated")


def follow_erasure(customer: Customer, by: str) -> None:
    """Nothing is charged to an erased customer: their methods are given up, and what names a card is emptied."""
    rows = SavedMethod.objects.select_for_update(of=("self",), no_key=True).select_related("account", "holder")
    for saved in rows.filter(customer=customer).order_by("pk"):
        record(saved, last4="", fingerprint="", metadata={}, return_url="")
        if saved.state not in (SavedMethodState.DETACHED, SavedMethodState.FAILED):
            give_up(saved, Because(by=by, source="api", detail="its customer was erased"))
