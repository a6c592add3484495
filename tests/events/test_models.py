"""What the database itself promises about what was written down."""

import pytest
from django.db import IntegrityError, transaction

from events.models import Attention, CallbackKey, DataKey, Event, Transition
from tests import factories

pytestmark = pytest.mark.django_db

STEP = {"subject": "pay_1", "from_state": "created", "to_state": "failed", "by": "tests", "because": "so"}
TWICE = [
    ("one_transition_per_sequence", lambda: Transition.objects.create(sequence=1, **STEP)),
    ("one_event_per_sequence", lambda: factories.EventFactory(subject="pay_1", sequence=1)),
    ("one_event_per_position", lambda: factories.EventFactory(position=7)),
    ("one_callback_per_event", lambda: CallbackKey.objects.create(account="a", door="d", key="k", callback="cb")),
    ("one_open_item_per_reason", lambda: Attention.objects.create(subject="pay_1", reason="unknown")),
    (
        "one_data_key_per_owner_and_mode",
        lambda: DataKey.objects.create(owner="mer_1", livemode=True, master_key="a", wrapped=b""),
    ),
]


@pytest.mark.parametrize(("constraint", "make"), TWICE, ids=[name for name, _ in TWICE])
def test_there_is_only_one(constraint, make):
    make()
    with pytest.raises(IntegrityError, match=constraint), transaction.atomic():
        make()


def test_events_that_wait_for_a_position_do_not_collide():
    factories.EventFactory(), factories.EventFactory()
    assert Event.objects.filter(position=None).count() == 2


def test_a_callback_of_an_unknown_state_is_refused():
    with pytest.raises(IntegrityError, match="callback_state_is_known"), transaction.atomic():
        factories.CallbackFactory(state="lost")
