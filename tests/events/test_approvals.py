"""Maker and checker, with an action that renames an attention item."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import IntegrityError, connection

from core.errors import Conflict
from events import approvals, attention
from events.models import Approval, Attention, AuditEntry

pytestmark = pytest.mark.django_db

ACTION = "tests.close"


@pytest.fixture(autouse=True)
def action(monkeypatch):
    monkeypatch.setattr(approvals, "_actions", dict(approvals._actions))
    approvals.register(
        ACTION,
        approvals.Action(
            title="Close an item",
            permission="events.close_attention",
            find=lambda pk: Attention.objects.select_for_update().get(pk=pk),
            facts=lambda item: {"detail": item.detail},
            carry_out=lambda item, by: attention.close(item, by=by),
        ),
    )


@pytest.fixture
def item():
    attention.raise_about("tests", Attention.Reason.FAILING, "as it was")
    return Attention.objects.get(subject="tests")


def ask(item, by="staff:asha"):
    return approvals.ask(ACTION, item, by=by, because="it is over")


def is_closed(item):
    item.refresh_from_db()
    return item.closed_at is not None


def test_nothing_happens_before_somebody_else_allows_it(item):
    asked = ask(item)
    assert not is_closed(item)
    assert approvals.allow(asked, by="staff:juma", because="I looked")
    assert (is_closed(item), item.closed_by) == (True, "staff:juma")
    asked.refresh_from_db()
    assert (asked.decision, asked.asked_by, asked.decided_by) == ("allowed", "staff:asha", "staff:juma")
    told = list(AuditEntry.objects.filter(object_id=item.pk).order_by("pk").values_list("actor", "action"))
    assert told == [("staff:asha", "approval.asked"), ("staff:juma", "approval.allowed")]


def test_nobody_allows_what_they_have_asked_for(item):
    asked = ask(item)
    with pytest.raises(Conflict, match="yourself"):
        approvals.allow(asked, by="staff:asha", because="me again")
    assert not is_closed(item)
    with pytest.raises(IntegrityError, match="nobody_allows_what_they_asked"):
        Approval.objects.update(decision="allowed", decided_by="staff:asha", decided_at=asked.asked_at)


def test_what_has_changed_since_is_void_and_can_be_asked_for_again(item):
    asked = ask(item)
    Attention.objects.filter(pk=item.pk).update(detail="something else")
    assert not approvals.allow(asked, by="staff:juma", because="I looked")
    assert not is_closed(item)
    asked.refresh_from_db()
    assert asked.decision == "void"
    item.refresh_from_db()
    assert approvals.allow(ask(item), by="staff:juma", because="I looked")


def test_the_same_is_asked_for_once_at_a_time(item):
    asked = ask(item)
    with pytest.raises(Conflict, match="asked for already"):
        ask(item, by="staff:juma")
    approvals.decline(asked, by="staff:asha", because="a mistake")
    assert not is_closed(item)
    ask(item, by="staff:juma")


def test_what_is_decided_stays_decided(item):
    asked = ask(item)
    approvals.decline(asked, by="staff:juma", because="no")
    with pytest.raises(Conflict, match="declined by staff:juma"):
        approvals.allow(asked, by="staff:neema", because="yes")
    with pytest.raises(Conflict, match="declined by staff:juma"):
        approvals.decline(asked, by="staff:neema", because="no")


def test_an_action_that_fails_leaves_the_request_open(item, monkeypatch):
    def fail(row, by):
        raise Conflict("not now")

    asked = ask(item)
    held = approvals._actions[ACTION]
    monkeypatch.setitem(
        approvals._actions, ACTION, approvals.Action(held.title, held.permission, held.find, held.facts, fail)
    )
    with pytest.raises(Conflict, match="not now"):
        approvals.allow(asked, by="staff:juma", because="I looked")
    asked.refresh_from_db()
    assert asked.decision == "open"


@pytest.mark.django_db(transaction=True)
def test_of_two_who_decide_at_once_one_does(item):
    asked = ask(item)

    def decide(by):
        try:
            approvals.allow(asked, by=by, because="I looked")
            return True
        except Conflict:
            return False
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(decide, ["staff:juma", "staff:neema"])) == [False, True]
