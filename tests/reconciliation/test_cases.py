"""Discrepancies in the hands of people: taken by one, closed by two, and never by one alone."""

from datetime import timedelta

import pytest
from django.db import IntegrityError, transaction

from core import clock
from core.errors import Conflict
from events import approvals
from payments.models import Receipt, UnallocatedReceipt
from reconciliation import cases
from reconciliation.models import Discrepancy
from tests import factories, staff
from tests.payments.world import attention, audit_of, counters, reaches, receipts_of
from tests.reconciliation.runs import reconcile

MAKER, CHECKER = "staff:1", "staff:2"


@pytest.fixture
def case(db):
    return factories.DiscrepancyFactory(
        kind="missing_there", listed_amount=None, booked_amount=1, booked_currency="KES"
    )


def test_somebody_takes_it_and_somebody_else_may_take_it_over(case):
    for by in (MAKER, CHECKER):
        cases.take(case, by=by)
        case.refresh_from_db()
        assert case.owner == by


def test_two_people_close_it_as_it_is(case):
    approval = cases.ask_to_close(case, by=MAKER, because="agreed by mail")
    case.refresh_from_db()
    assert (case.outcome, case.proposed_by) == ("open", MAKER)
    assert approvals.allow(approval, by=CHECKER, because="seen")
    case.refresh_from_db()
    assert (case.outcome, case.closed_by, case.booked_as) == ("closed", CHECKER, "")
    [entry] = audit_of("reconciliation.closed")
    assert (entry.actor, entry.object_id, entry.detail["asked_by"]) == (CHECKER, case.pk, MAKER)
    for act in (cases.take, lambda row, by: cases.ask_to_close(row, by=by, because="again")):
        with pytest.raises(Conflict):
            act(case, by=MAKER)


def test_nobody_closes_alone(case):
    approval = cases.ask_to_close(case, by=MAKER, because="I am sure")
    with pytest.raises(Conflict):
        approvals.allow(approval, by=MAKER, because="I am sure")
    case.refresh_from_db()
    assert case.outcome == "open"


@pytest.mark.parametrize("outcome", ["closed", "matched"])
@pytest.mark.parametrize(("asked", "allowed"), [(MAKER, MAKER), ("", CHECKER), (MAKER, "")])
def test_the_database_refuses_an_end_that_is_not_two_peoples(case, outcome, asked, allowed):
    with pytest.raises(IntegrityError, match="two_people_close_a_discrepancy"), transaction.atomic():
        Discrepancy.objects.filter(pk=case.pk).update(
            outcome=outcome, closed_at=clock.now(), proposed_by=asked, closed_by=allowed
        )


def test_its_end_is_asked_for_once_at_a_time(case):
    approval = cases.ask_to_close(case, by=MAKER, because="a")
    with pytest.raises(Conflict):
        cases.ask_to_close(case, by=CHECKER, because="b")
    case.refresh_from_db()
    assert case.proposed_by == MAKER
    approvals.decline(approval, by=CHECKER, because="no")
    cases.ask_to_close(case, by=CHECKER, because="b")


def test_what_has_changed_since_it_was_asked_for_is_not_closed(case):
    approval = cases.ask_to_close(case, by=MAKER, because="a")
    Discrepancy.objects.filter(pk=case.pk).update(outcome="explained", closed_at=clock.now())
    assert not approvals.allow(approval, by=CHECKER, because="b")
    case.refresh_from_db()
    assert case.outcome == "explained"


# A forced match


@pytest.fixture
def lost(world, shop, caller):
    """A payment whose receipt has no number, and its money, which came with a mistyped reference: (payment, case)."""
    payment = caller.prompt()
    world.mpesa.simulate(payment, "approve", callback="missing")
    with world.later(seconds=13):
        reaches(shop, payment, "succeeded")
    Receipt.objects.update(created_at=clock.now() - timedelta(hours=3))
    world.mpesa.post("settings", pull_hours=0.0)
    reconcile(shop.mpesa)
    world.mpesa.post("reset")
    wanted = {"short_code": "600111", "amount": 250, "reference": "TYPO", "callback": "missing"}
    world.mpesa.post("simulate", outcome="paybill", **wanted)
    reconcile(shop.mpesa)
    return payment, Discrepancy.objects.get(kind="missing_there")


@pytest.mark.django_db(transaction=True)
def test_two_people_match_money_with_the_receipt_that_lacked_it(world, shop, lost):
    payment, case = lost
    [unallocated] = cases.suggested(case)
    approval = cases.ask_to_match(case, unallocated.pk, by=MAKER, because="the payer's own screen shows this number")
    assert approvals.allow(approval, by=CHECKER, because="seen")
    case.refresh_from_db()
    assert (case.outcome, case.booked_as, case.proposed_match) == ("matched", payment["id"], unallocated.pk)
    unallocated.refresh_from_db()
    assert (unallocated.state, unallocated.payment_id) == ("assigned", payment["id"])
    [(_, amount, number)] = receipts_of(payment)
    assert (amount, number) == (25_000, unallocated.receipt.provider_money_id)
    assert counters(payment) == (25_000, 0, 0)
    assert attention() == []


@pytest.mark.django_db(transaction=True)
def test_what_cannot_be_the_same_money_is_no_match(world, shop, lost):
    _, case = lost
    other = factories.DiscrepancyFactory(run=case.run, booked_amount=25_000, booked_currency="KES")
    with pytest.raises(ValueError, match="'unallocated'"):
        cases.ask_to_match(case, "unal_nobodys", by=MAKER, because="a")
    with pytest.raises(ValueError, match="'unallocated'"):
        cases.ask_to_match(other, UnallocatedReceipt.objects.get().pk, by=MAKER, because="a")


@pytest.mark.django_db(transaction=True)
def test_a_receipt_that_has_got_its_number_meanwhile_is_matched_with_nothing(world, shop, lost):
    payment, case = lost
    [unallocated] = cases.suggested(case)
    approval = cases.ask_to_match(case, unallocated.pk, by=MAKER, because="a")
    Receipt.objects.filter(pk=case.receipt).update(provider_money_id="TKK4LATE00")
    with pytest.raises(Conflict):
        approvals.allow(approval, by=CHECKER, because="b")
    unallocated.refresh_from_db()
    assert (unallocated.state, counters(payment)) == ("open", (25_000, 0, 0))


# In the admin

MAY = ("reconciliation.view_discrepancy", "reconciliation.close_discrepancy", "events.decide_approval")


def test_staff_take_note_and_close_with_a_second_person(case):
    amina = staff.signed_in(*MAY)
    for action in ("take", "note", "ask_to_close"):
        amina.post(staff.page(case, action), {"reason": f"because of {action}"})
    case.refresh_from_db()
    assert case.owner.startswith("staff:")
    assert "because of note" in amina.get(staff.page(case)).text
    approval = approvals.Approval.objects.get()
    brian = staff.signed_in(*MAY, username="brian")
    for client in (amina, brian):
        client.post(staff.page(approval, "allow"), {"reason": "seen"})
    case.refresh_from_db()
    assert (case.outcome, case.closed_by != case.proposed_by) == ("closed", True)


@pytest.mark.parametrize("action", ["take", "note", "ask_to_close", "ask_to_match"])
def test_who_may_only_look_changes_nothing(case, action):
    client = staff.signed_in("reconciliation.view_discrepancy")
    assert client.post(staff.page(case, action), {"reason": "x", "unallocated": "y"}).status_code == 403
