"""How many rows of a lane may be begun in a second. The claimer counts, so that no lane waits for another's pace."""

from django.db.models import Exists, OuterRef

from core import clock
from events.models import LanePace, Work

BURST_SECONDS = 0.1
"""A lane that has been idle may begin this much of a second's worth at once, beside one row."""


def set_pace(queue: str, lane: str, per_second: int | None) -> None:
    """Begin at most so many rows of a lane in a second; None: as many as there are."""
    if per_second is None:
        LanePace.objects.filter(queue=queue, lane=lane).delete()
    else:
        LanePace.objects.update_or_create(queue=queue, lane=lane, defaults={"per_second": per_second})


def holds_back(queue: str, model: type[Work]) -> bool:
    """Whether a lane with a pace has rows that are due: the queue's drain stays awake for them."""
    due = model._default_manager.filter(lane=OuterRef("lane"), due_at__lte=clock.now())
    return LanePace.objects.filter(Exists(due), queue=queue).exists()
