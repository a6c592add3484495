"""Celery's way in: safe to run twice, at once, or never."""

from datetime import timedelta

import pytest

from core import clock
from events import outbox, tasks, work
from events.models import Callback, CallbackKey, Event, IdempotencyAnswer, RefusedKeys
from tests import factories

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_drain_task_works_until_nothing_is_due_and_can_be_repeated():
    factories.EventFactory(), factories.EventFactory()
    for _ in range(2):
        tasks.drain("outbox")
    assert sorted(Event.objects.values_list("position", flat=True)) == [1, 2]
    assert outbox.behind()["webhooks"] == 0


def test_every_queue_has_a_name_that_a_task_can_drain():
    assert {"outbox", "callbacks", "deliveries", "operations"} <= set(work.names())
    for name in work.names():
        tasks.drain(name)


def test_purging_forgets_old_answers_callbacks_in_quarantine_and_refused_keys_and_nothing_else(settings):
    def answer(age):
        IdempotencyAnswer.objects.create(
            merchant="mer_1", livemode=False, key=str(age), status=201, created_at=clock.now() - age
        )

    for age in (timedelta(hours=47), timedelta(hours=49)):
        answer(age)
    for state in (Callback.State.QUARANTINED, Callback.State.PARKED):
        for days in (6, 8):
            row = factories.CallbackFactory(state=state, received_at=clock.now() - timedelta(days=days), note=str(days))
            CallbackKey.objects.create(account=row.account, door=row.door, key=row.pk, callback=row.pk)
    for days in (29, 31):
        minute = clock.now() - timedelta(days=days)
        RefusedKeys.objects.create(reason="unknown_key", block=str(days), minute=minute, count=1)
    tasks.purge()
    assert [row.key for row in IdempotencyAnswer.objects.all()] == [str(timedelta(hours=47))]
    assert [row.block for row in RefusedKeys.objects.all()] == ["29"]
    kept = sorted((row.state, row.note) for row in Callback.objects.all())
    assert kept == [("parked", "6"), ("parked", "8"), ("quarantined", "6")]
    assert {key.callback for key in CallbackKey.objects.all()} == {row.pk for row in Callback.objects.all()}
