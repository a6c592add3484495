"""Staff's pages of what is written down."""

import pytest
from django.contrib.admin.utils import quote
from django.urls import reverse

from core import clock
from events import attention, audit
from events.models import Attention, AuditEntry, Event
from tests import staff
from tests.factories import CallbackFactory, EventFactory, MerchantFactory, PaymentFactory

pytestmark = pytest.mark.django_db


def parked(**given):
    payment = PaymentFactory(**given)
    attention.raise_for(payment, Attention.Reason.PARKED, "told failed while succeeded")
    return Attention.objects.get(subject=payment.pk)


def test_an_item_links_to_what_it_is_about():
    item = parked()
    shown = staff.signed_in("events.view_attention").get(staff.listing(Attention)).text
    assert reverse("admin:payments_payment_change", args=[quote(item.subject)]) in shown
    assert "told failed while succeeded" in shown


def test_what_is_open_comes_first_and_the_rest_on_request():
    opened, closed = parked(), parked()
    attention.close(closed, by="staff:bob")
    client = staff.signed_in("events.view_attention")
    first = client.get(staff.listing(Attention)).text
    assert (opened.subject in first, closed.subject in first) == (True, False)
    rest = client.get(staff.listing(Attention), {"open": "closed"}).text
    assert (opened.subject in rest, closed.subject in rest) == (False, True)
    everything = client.get(staff.listing(Attention), {"open": "all"}).text
    assert (opened.subject in everything, closed.subject in everything) == (True, True)


def test_items_are_filtered_by_reason():
    item = parked()
    client = staff.signed_in("events.view_attention")
    assert item.subject in client.get(staff.listing(Attention), {"reason__exact": "parked"}).text
    assert item.subject not in client.get(staff.listing(Attention), {"reason__exact": "underpaid"}).text


def test_an_item_is_closed_with_a_reason_by_those_who_may():
    item = parked()
    client = staff.signed_in("events.view_attention", "events.close_attention")
    client.post(staff.page(item, "close"), {"reason": "paid twice, refunded by hand"})
    item.refresh_from_db()
    assert (item.closed_by, item.closed_at is not None) == ("staff:amina", True)
    assert staff.recorded(item) == [("staff:amina", "attention.close", {"reason": "paid twice, refunded by hand"})]


def test_an_item_stays_open_without_the_permission_or_a_reason():
    item = parked()
    client = staff.signed_in("events.view_attention")
    assert staff.page(item, "close") not in client.get(staff.page(item)).text
    assert client.post(staff.page(item, "close"), {"reason": "away with it"}).status_code == 403
    item.refresh_from_db()
    assert item.closed_at is None


def test_an_edited_audit_entry_shows_itself():
    entry = audit.record(actor="staff:bob", action="payment.accept_underpaid", detail={"reason": "agreed"})
    client = staff.signed_in("events.view_auditentry")
    assert "intact" in client.get(staff.page(entry)).text
    assert "altered" not in client.get(staff.listing(AuditEntry)).text
    forged = audit.entry(actor="staff:bob", action="api_key.revoked")
    forged.actor = "staff:somebody else"
    forged.save(force_insert=True)
    assert "altered" in client.get(staff.page(forged)).text


def test_what_staff_do_is_recorded_with_where_they_sat():
    item = parked()
    client = staff.signed_in("events.view_attention", "events.close_attention")
    client.post(staff.page(item, "close"), {"reason": "done"}, REMOTE_ADDR="203.0.113.9")
    entry = AuditEntry.objects.get(object_id=item.pk)
    assert (entry.address, entry.merchant, audit.is_intact(entry)) == ("203.0.113.9", item.merchant, True)


def test_events_are_shown_and_found_by_their_subject():
    event, other = EventFactory(), EventFactory()
    client = staff.signed_in("events.view_event")
    assert event.pk in client.get(staff.page(event)).text
    found = client.get(staff.listing(Event), {"q": event.subject}).text
    assert event.pk in found
    assert other.pk not in found


def test_audit_entries_are_found_by_object_and_by_merchant():
    merchant = MerchantFactory()
    audit.record(actor="tests", action="elsewhere.done")
    client = staff.signed_in("events.view_auditentry")
    found = client.get(staff.listing(AuditEntry), {"q": merchant.pk}).text
    assert "merchant.created" in found
    assert "elsewhere.done" not in found


def test_requests_are_found_by_key_and_by_request_and_sorted_out_by_their_answer():
    good, bad = (
        audit.record(actor=f"key_{status}", action="api.answered", request=audit.RequestFacts("GET", route, status, 5))
        for route, status in (("/v1/good", 200), ("/v1/bad", 404))
    )
    client = staff.signed_in("events.view_auditentry")
    assert "GET /v1/bad: 404 in 5 ms" in client.get(staff.page(bad)).text + client.get(staff.listing(AuditEntry)).text
    for query in ({"q": "key_404"}, {"answered": "4xx"}):
        found = client.get(staff.listing(AuditEntry), query).text
        assert (bad.pk in found, good.pk in found) == (True, False)


@pytest.mark.parametrize("model", [Attention, Event, AuditEntry])
def test_a_list_takes_as_many_queries_for_25_rows_as_for_one(model):
    rows = {
        Attention: lambda at: Attention(subject=f"pay_{at}", reason="parked", merchant="mer_1"),
        Event: lambda at: Event(subject=f"pay_{at}", merchant="mer_1", livemode=False, sequence=1, data={}),
        AuditEntry: lambda at: audit.entry(actor="key_1", action="api.accepted", object_id=f"pay_{at}"),
    }
    client = staff.signed_in(superuser=True)
    model.objects.bulk_create([rows[model](0)])
    few = staff.queries(client, staff.listing(model))
    model.objects.bulk_create([rows[model](at) for at in range(1, 25)])
    assert staff.queries(client, staff.listing(model)) == few


@pytest.mark.parametrize("make", [EventFactory, CallbackFactory, lambda: parked()])
def test_what_happened_cannot_be_rewritten(make):
    row = make()
    client = staff.signed_in(superuser=True)
    assert client.get(staff.adding(row)).status_code == 403
    assert client.post(staff.page(row), {"note": "nothing to see"}).status_code == 403
    assert client.post(staff.page(row, "delete"), {"post": "yes"}).status_code == 403
    assert type(row).objects.filter(pk=row.pk).exists()


def test_the_time_of_closing_is_the_house_clock():
    item = parked()
    staff.signed_in("events.view_attention", "events.close_attention").post(
        staff.page(item, "close"), {"reason": "done"}
    )
    item.refresh_from_db()
    assert abs((clock.now() - item.closed_at).total_seconds()) < 60
