"""Events out: each committed one gets the next position, and each reader sees them all, in order."""

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta

import pytest
from django.db import OperationalError, connection, transaction

from core import clock
from events import outbox, work
from events.models import Attention, Cursor, Event, UnreadSubject
from events.transitions import lock, move
from payments.models import Payment
from tests import factories

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def reader():
    """A reader of the outbox beside the house's own; `read` is what it was given."""
    read = []
    ours = dict(outbox._readers)
    outbox.register(outbox.Reader("tests", read.extend))
    yield read
    outbox._readers.clear()
    outbox._readers.update(ours)


def in_thread(action):
    """Run on a connection of its own and give the result."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(_then_leave, action).result(10)


def _then_leave(action, *arguments):
    try:
        return action(*arguments)
    finally:
        connection.close()


def steps(payment, *states):
    for state in states:
        with transaction.atomic():
            move(lock(payment), state, by="tests", because="so")


def test_two_transactions_that_commit_in_the_reverse_order_of_their_ids_are_both_read(reader):
    first, second = factories.PaymentFactory(), factories.PaymentFactory()
    staged, may_commit = threading.Event(), threading.Event()

    def slow():
        with transaction.atomic():
            move(lock(first), "failed", by="tests", because="slow")
            staged.set()
            assert may_commit.wait(5)

    with ThreadPoolExecutor(1) as pool:
        committing = pool.submit(_then_leave, slow)
        assert staged.wait(5)
        steps(second, "failed")
        outbox.dispatch()
        assert [event.subject for event in reader] == [second.pk]
        may_commit.set()
        committing.result(5)
    outbox.dispatch()
    assert [event.subject for event in reader] == [second.pk, first.pk]
    early, late = sorted(reader, key=lambda event: event.pk)
    assert (early.position, late.position) == (2, 1)
    assert outbox.dispatch() is False
    assert len(reader) == 2


def test_positions_are_gapless_and_subjects_in_sequence_under_eight_writers_and_two_sequencers(reader):
    payments = [factories.PaymentFactory(state="created") for _ in range(8)]
    running = threading.Event()

    def write(payment):
        steps(payment, "processing", "requires_action", "processing", "authorized", "succeeded")

    def sequence():
        while not running.is_set():
            outbox.dispatch()

    with ThreadPoolExecutor(10) as pool:
        sequencing = [pool.submit(_then_leave, sequence) for _ in range(2)]
        for writing in [pool.submit(_then_leave, write, payment) for payment in payments]:
            writing.result(20)
        running.set()
        for done in sequencing:
            done.result(5)
    while outbox.dispatch():
        pass
    assert [event.position for event in reader] == list(range(1, 41))
    for payment in payments:
        assert [event.sequence for event in reader if event.subject == payment.pk] == [1, 2, 3, 4, 5]
    assert Cursor.objects.get(pk="sequencer").position == Cursor.objects.get(pk="tests").position == 40
    assert outbox.behind()["tests"] == 0


def test_what_is_rolled_back_was_never_an_event(reader):
    payment = factories.PaymentFactory()
    with suppress(ZeroDivisionError), transaction.atomic():
        move(lock(payment), "failed", by="tests", because="so")
        1 / 0  # noqa: B018
    assert outbox.dispatch() is False
    assert reader == []
    assert Payment.objects.get().state == "processing"


@pytest.fixture
def failing(reader):
    """A reader that fails on whatever is about a subject of `poison`, beside one that does not."""

    class Failing:
        def __init__(self):
            self.poison, self.read = set(), []

        def __call__(self, batch):
            Cursor.objects.create(name=f"written by a batch of {len(batch)}")
            bad = [event for event in batch if event.subject in self.poison]
            if bad:
                raise ValueError(bad[0].pk)
            Cursor.objects.filter(name__startswith="written").delete()
            self.read += [(event.subject, event.sequence) for event in batch]

    outbox._readers.clear()
    made = Failing()
    outbox.register(outbox.Reader("failing", made))
    outbox.register(outbox.Reader("tests", reader.extend))
    return made


def test_a_fault_that_passes_costs_nothing_and_holds_up_no_other_reader(reader, caplog):
    steps(factories.PaymentFactory(), "failed")
    faults, read = [ValueError("full")], []

    def fail_once(batch):
        if faults:
            raise faults.pop()
        read.extend(batch)

    outbox._readers.clear()
    outbox.register(outbox.Reader("failing", fail_once))
    outbox.register(outbox.Reader("tests", reader.extend))
    outbox.dispatch()
    assert (len(read), len(reader)) == (1, 1)
    assert [record.reader for record in caplog.records if record.message == "reader failed"] == ["failing"]
    assert not UnreadSubject.objects.exists()


def test_an_event_that_cannot_be_read_puts_its_subject_aside_and_stops_no_other(failing, reader):
    bad, good = (factories.PaymentFactory(state="created") for _ in range(2))
    failing.poison = {bad.pk}
    steps(bad, "processing")
    steps(good, "processing")
    outbox.dispatch()
    assert failing.read == [(good.pk, 1)]
    steps(bad, "succeeded")
    steps(good, "succeeded")
    outbox.dispatch()
    assert failing.read == [(good.pk, 1), (good.pk, 2)]
    assert len(reader) == 4
    assert set(outbox.behind().values()) == {0}
    assert [(item.subject, item.reason) for item in Attention.objects.all()] == [(bad.pk, "unread")]
    assert not Cursor.objects.filter(name__startswith="written").exists()


def test_what_was_put_aside_is_read_in_order_once_it_can_be_and_the_item_closes(failing):
    payment = factories.PaymentFactory(state="created")
    failing.poison = {payment.pk}
    steps(payment, "processing", "requires_action")
    outbox.dispatch()
    with clock.shifted(timedelta(minutes=1)):
        work.drain("unread")
    assert failing.read == []
    failing.poison = set()
    steps(payment, "succeeded")
    outbox.dispatch()
    with clock.shifted(timedelta(minutes=2)):
        work.drain("unread")
    assert failing.read == [(payment.pk, sequence) for sequence in (1, 2, 3)]
    assert not UnreadSubject.objects.exists()
    assert Attention.objects.get().closed_at is not None


def test_a_reader_that_can_read_nothing_puts_a_few_aside_at_a_time(failing):
    payments = [factories.PaymentFactory(state="created") for _ in range(15)]
    failing.poison = {payment.pk for payment in payments}
    for payment in payments:
        steps(payment, "processing")
    outbox.dispatch()
    assert UnreadSubject.objects.count() == 10
    outbox.dispatch()
    assert UnreadSubject.objects.count() == 15


def test_while_the_database_refuses_nothing_is_put_aside(failing):
    steps(factories.PaymentFactory(state="created"), "processing")

    def refuse(batch):
        raise OperationalError("deadlock detected")

    outbox.register(outbox.Reader("failing", refuse))
    outbox.dispatch()
    assert not UnreadSubject.objects.exists()
    outbox.register(outbox.Reader("failing", failing))
    outbox.dispatch()
    assert len(failing.read) == 1


def test_a_reader_that_is_new_begins_with_the_first_event(reader):
    steps(factories.PaymentFactory(state="created"), "processing", "succeeded")
    outbox.sequence_committed()
    assert outbox.behind() == {}
    outbox.dispatch()
    assert [event.position for event in reader] == [1, 2]


def test_a_reader_that_was_removed_is_not_behind(reader):
    Cursor.objects.create(name="subscriber:removed")
    steps(factories.PaymentFactory(), "failed")
    outbox.dispatch()
    assert outbox.behind() == dict.fromkeys(outbox._readers, 0)


def test_two_processes_give_a_readers_events_out_once(reader):
    steps(factories.PaymentFactory(state="created"), "processing", "authorized", "succeeded")
    outbox.sequence_committed()
    with ThreadPoolExecutor(4) as pool:
        for done in [pool.submit(_then_leave, outbox.dispatch) for _ in range(4)]:
            done.result(10)
    assert [event.position for event in reader] == [1, 2, 3]


def test_a_fact_is_published_with_the_next_sequence_and_without_a_change_of_state():
    payment = factories.PaymentFactory(sequence=4)
    with transaction.atomic():
        outbox.publish(lock(payment), "overpaid")
    event = Event.objects.get()
    assert (event.type, event.sequence, event.data["state"]) == ("payment.overpaid", 5, "processing")
    assert Payment.objects.get().sequence == 5


def test_a_fact_that_the_catalogue_lacks_or_a_subject_without_events_is_refused():
    with pytest.raises(ValueError, match="no fact 'exploded'"):
        outbox.publish(factories.PaymentFactory(), "exploded")
    with pytest.raises(ValueError, match="publishes no events"):
        outbox.stage(factories.AttemptFactory(), "attempt.failed", sequence=1)
    assert not Event.objects.exists()


def test_a_fact_about_a_row_that_has_changed_is_refused():
    payment, stale = factories.PaymentFactory(), Payment.objects.get()
    Payment.objects.update(sequence=1)
    with pytest.raises(outbox.StaleRow), transaction.atomic():
        outbox.publish(stale, "overpaid")
    assert not Event.objects.filter(subject=payment.pk).exists()


def test_a_reader_whose_way_out_is_away_keeps_its_place_and_puts_nothing_aside(reader):
    here = True

    def read(events):
        if not here:
            raise outbox.Away("it is away")
        told.extend(events)

    told = []
    outbox.register(outbox.Reader("away", read))
    first = factories.EventFactory()
    outbox.dispatch()
    here = False
    event = factories.EventFactory()
    outbox.dispatch()
    assert reader == [first, event]
    assert (told, Cursor.objects.get(pk="away").position) == ([first], 1)
    assert not UnreadSubject.objects.exists()
    assert not Attention.objects.exists()

    here = True
    outbox.dispatch()
    assert told == [first, event]
    assert outbox.behind()["away"] == 0


def test_a_reader_that_goes_first_is_read_before_those_that_registered_earlier(reader):
    told = []
    outbox.register(outbox.Reader("early", lambda events: told.append("early")))
    outbox.register(outbox.Reader("urgent", lambda events: told.append("urgent"), goes_first=True))
    factories.EventFactory()
    outbox.dispatch()
    assert told == ["urgent", "early"]
