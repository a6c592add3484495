"""move(): the one door to `state`."""

import itertools

import pytest
from django.db import IntegrityError, transaction

from core import clock
from core.logging import correlated
from core.states import Verdict
from events import subjects, transitions
from events.models import Attention, Event, Transition
from events.outbox import StaleRow, publish
from merchants.models import Customer
from payments.models import Payment
from payments.states import PAYMENT
from tests import factories

pytestmark = pytest.mark.django_db


def an_empty_customer(state):
    """One that its table takes in any state, as it has nothing to erase and somebody to be merged into."""
    other = factories.CustomerFactory()
    return Customer.objects.create(
        merchant=other.merchant, livemode=False, state=state, merged_into=other, erased_at=clock.now()
    )


MADE_BY = {
    "customer": an_empty_customer,
    "payment": factories.PaymentFactory,
    "attempt": factories.AttemptFactory,
    "refund": factories.RefundFactory,
    "operation": factories.OperationFactory,
    "dispute": factories.DisputeFactory,
    "receipt": factories.UnallocatedReceiptFactory,
    "schedule": factories.ScheduleFactory,
    "schedule_period": factories.SchedulePeriodFactory,
    "saved_method": factories.SavedMethodFactory,
}
GOES_WITH = {("receipt", "assigned"): lambda row: {"payment_id": factories.PaymentFactory(merchant=row.merchant).pk}}
"""Columns that the database wants together with a state."""
STEPS = [
    pytest.param(subject, state, to, id=f"{subject.kind}: {state} to {to}")
    for subject in subjects.everyone()
    for state, to in itertools.product(subject.machine.states, repeat=2)
]


@pytest.mark.parametrize(("subject", "state", "to"), STEPS)
def test_every_step_between_two_states_is_taken_or_refused_as_the_machine_says(subject, state, to):
    row = MADE_BY[subject.kind](state=state)
    changes = GOES_WITH.get((subject.kind, to), lambda row: {})(row)
    verdict = transitions.move(row, to, by="tests", because="so", **changes)
    assert verdict is subject.machine.judge(state, to)
    moved = verdict is Verdict.MOVES
    fresh = subject.model.objects.get(pk=row.pk)
    assert (fresh.state, fresh.sequence) == ((to, 1) if moved else (state, 0))
    steps = list(Transition.objects.filter(subject=row.pk).values_list("sequence", "from_state", "to_state", "by"))
    assert steps == ([(1, state, to, "tests")] if moved else [])
    events = list(Event.objects.filter(subject=row.pk).values_list("sequence", "type"))
    assert events == ([(1, f"{subject.kind}.{to}")] if moved and subject.present else [])
    if hasattr(fresh, "late"):
        assert fresh.late is subject.machine.is_late(state, to)
    parked = Attention.objects.filter(subject=row.pk, reason="parked").exists()
    assert parked is (verdict is Verdict.CONTRADICTS)


def test_a_step_tells_when_why_and_for_which_request():
    payment = factories.PaymentFactory()
    before = payment.state_changed_at
    with correlated("R-12345678"):
        transitions.move(payment, "failed", by="mpesa", because="x" * 600, failure_code="declined")
    step, event = Transition.objects.get(subject=payment.pk), Event.objects.get(subject=payment.pk)
    payment = Payment.objects.get()
    assert payment.failure_code == "declined"
    assert payment.state_changed_at > before
    assert (step.at, step.request_id, len(step.because)) == (payment.state_changed_at, "R-12345678", 500)
    assert (event.merchant, event.livemode, event.request_id) == (payment.merchant_id, False, "R-12345678")
    assert (event.data["id"], event.data["state"], event.position) == (payment.pk, "failed", None)


def test_facts_are_written_whatever_the_word_is_worth():
    payment = factories.PaymentFactory(state="succeeded")
    transitions.move(payment, "processing", by="tests", because="late word", underpaid=True)
    payment = Payment.objects.get()
    assert (payment.state, payment.underpaid) == ("succeeded", True)
    assert not Event.objects.exists()


def test_a_row_that_somebody_changed_meanwhile_is_not_moved_and_nothing_is_told():
    payment, stale = factories.PaymentFactory(), Payment.objects.get()
    transitions.move(payment, "requires_action", by="tests", because="first")
    with pytest.raises((StaleRow, IntegrityError)), transaction.atomic():
        transitions.move(stale, "failed", by="tests", because="second")
    assert Payment.objects.get().state == "requires_action"
    assert Transition.objects.count() == Event.objects.count() == 1


def test_sequences_count_steps_and_facts_without_gaps():
    payment = factories.PaymentFactory(state=PAYMENT.start)
    transitions.move(payment, "processing", by="tests", because="1")
    publish(payment, "underpaid")
    transitions.move(payment, "succeeded", by="tests", because="2")
    assert list(Event.objects.order_by("sequence").values_list("sequence", "type")) == [
        (1, "payment.processing"),
        (2, "payment.underpaid"),
        (3, "payment.succeeded"),
    ]


def test_a_lock_gives_the_row_as_it_is_now():
    stale = factories.PaymentFactory()
    Payment.objects.update(reference="changed")
    with transaction.atomic():
        assert transitions.lock(stale).reference == "changed"
