"""The registry through which the lower floors know the domains' objects."""

from events import subjects
from merchants.models import ApiKey, WebhookEndpoint
from payments.models import Attempt, Payment, Refund
from payments.states import PAYMENT


def test_a_subject_is_found_by_its_row_and_by_an_id():
    assert subjects.of(Payment()).kind == "payment"
    assert subjects.by_id(Refund().pk).model is Refund
    assert subjects.by_id("nope_1") is None
    assert subjects.by_id("") is None


def test_the_catalogue_has_an_event_for_each_state_that_can_be_entered_and_for_each_fact():
    names = subjects.of(Payment()).event_types
    assert names == sorted(f"payment.{word}" for word in {*PAYMENT.states, "overpaid", "underpaid"} - {"created"})


def test_a_subject_without_a_snapshot_publishes_nothing():
    assert subjects.of(Attempt()).event_types == []
    kinds = {"api_key", "customer", "dispute", "payment", "receipt", "refund", "saved_method", "webhook_endpoint"}
    kinds |= {"reconciliation", "schedule", "schedule_period"}
    assert {name.partition(".")[0] for name in subjects.event_types()} <= kinds


def test_what_has_no_lifecycle_announces_its_facts_and_nothing_else():
    key = ApiKey()
    assert subjects.publisher_of(key).event_types == ["api_key.expiring"]
    assert subjects.publisher_of(Payment()) is subjects.of(Payment())
    assert "api_key.expiring" in subjects.event_types()
    assert subjects.by_id(key.pk) is None


def test_an_endpoint_announces_facts_only():
    announcer = subjects.publisher_of(WebhookEndpoint())
    assert announcer.event_types == [f"webhook_endpoint.{fact}" for fact in ("disabled", "failing", "ping")]
    assert set(announcer.event_types) <= set(subjects.event_types())
    assert subjects.publisher_of(Payment()) is subjects.of(Payment())


def test_prefixes_and_kinds_are_unique_and_an_object_is_on_its_own_timeline_unless_it_says_more():
    everyone = subjects.everyone()
    assert len({subject.prefix for subject in everyone}) == len({subject.kind for subject in everyone}) == len(everyone)
    refund = Refund()
    assert subjects.of(refund).relatives(refund) == [refund.pk]
