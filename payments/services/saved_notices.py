"""Cards that come to their end: told once about a month before, and not charged after it."""

from django.conf import settings
from django.db import transaction
from django.db.models import F, Q

from core import clock
from events import outbox
from events.transitions import move, record
from payments.models import SavedMethod
from payments.services.saved_booking import lock_saved
from payments.states import SavedMethodState

BY = "expiry"


def tell_of_ending() -> int:
    """Publish `saved_method.expiring`, or expire, where a card's time has come; how many. Safe to repeat."""
    now = clock.now()
    ending = SavedMethod.objects.filter(state=SavedMethodState.ACTIVE, ends_at__lte=now + settings.CARD_NOTICE)
    due = ending.filter(Q(ends_at__lte=now) | Q(noticed_end=None) | ~Q(noticed_end=F("ends_at")))
    return sum(_tell(public_id) for public_id in due.order_by("pk").values_list("pk", flat=True))


def _tell(public_id: str) -> int:
    """1 when something is said that was not said before; whoever locks the row first says it."""
    with transaction.atomic():
        saved = lock_saved(SavedMethod(pk=public_id))
        now = clock.now()
        if saved.state != SavedMethodState.ACTIVE or saved.ends_at is None:
            return 0
        if saved.ends_at <= now:
            move(saved, SavedMethodState.EXPIRED, by=BY, because="its card's last month is over")
            return 1
        if saved.ends_at > now + settings.CARD_NOTICE or saved.noticed_end == saved.ends_at:
            return 0
        record(saved, noticed_end=saved.ends_at)
        outbox.publish(saved, "expiring")
    return 1
