"""Callbacks once they are stored; how they come in is in tests/merchants/test_doors.py."""

from datetime import timedelta

import pytest

from core import clock
from events import inbox
from events.models import Attention, Callback
from tests import factories

pytestmark = pytest.mark.django_db


def finished(row, state, **options):
    inbox.finish(row, state, **options)
    row.refresh_from_db()
    return row


@pytest.mark.parametrize("state", ["processed", "ignored"])
def test_what_is_settled_is_not_due_any_more(state):
    row = factories.CallbackFactory(due_at=clock.now())
    finished(row, Callback.State(state), subject="pay_1", note="x" * 600)
    assert (row.state, row.subject, len(row.note), row.due_at, row.claim) == (state, "pay_1", 500, None, None)
    assert row.processed_at is not None
    assert not Attention.objects.exists()


@pytest.mark.parametrize(("tries", "seconds"), [(0, 5), (1, 30), (2, 120), (3, 600), (4, 3600)])
def test_what_fits_nothing_is_looked_at_again_for_a_while(tries, seconds):
    with clock.stopped():
        row = finished(factories.CallbackFactory(tries=tries), Callback.State.UNMATCHED, note="no payment")
        assert row.due_at - clock.now() == timedelta(seconds=seconds)
    assert not Attention.objects.exists()


def test_what_still_fits_nothing_is_handed_to_a_person():
    row = finished(factories.CallbackFactory(tries=5), Callback.State.UNMATCHED, note="no payment")
    assert row.due_at is None
    assert Attention.objects.get().reason == "unmatched"


def test_an_unknown_word_is_parked_for_a_person():
    row = finished(factories.CallbackFactory(), Callback.State.PARKED, note="exploded")
    assert (row.due_at, Attention.objects.get().reason, Attention.objects.get().subject) == (None, "parked", row.pk)


def test_what_is_put_off_is_due_later_and_free():
    row = factories.CallbackFactory()
    with clock.stopped():
        inbox.postpone(row, seconds=7, note="asked")
        row.refresh_from_db()
        assert row.due_at - clock.now() == timedelta(seconds=7)
    assert (row.claim, row.note, row.state) == (None, "asked", "received")
