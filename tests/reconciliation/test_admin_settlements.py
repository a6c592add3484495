"""Staff's pages of settlements."""

import pytest

from events import approvals
from events.models import Approval
from reconciliation.models import BankLine, Settlement
from tests import factories, staff
from tests.reconciliation.test_settlements import bank, captured, report

pytestmark = pytest.mark.django_db(transaction=True)

MAY = ("reconciliation.view_settlement", "reconciliation.settle_settlement")


@pytest.fixture
def row():
    account = factories.ProviderAccountFactory(mpesa=True)
    captured(account, "A1", 100_000, 1_000)
    report(account, ("A1", "1000.00", "10.00", "PO-77", "Sale"))
    bank(account, ("985.00", "", "PO-77", 6), ("990.00", "", "somebody", 6))
    return Settlement.objects.get()


def test_a_settlement_shows_the_three_sides_and_marks_what_differs(row):
    client = staff.signed_in(*MAY)
    assert "differs" in client.get(staff.listing(row)).text
    shown = client.get(staff.page(row)).text
    for told in ("our books", "the bank&#x27;s statement", "KES 990.00", "KES 985.00", "KES -10.00", "somebody", "A1"):
        assert told in shown


def test_the_page_says_why_one_that_agrees_waits():
    account = factories.ProviderAccountFactory(mpesa=True)
    captured(account, "A1", 100_000, 1_000)
    report(account, ("A1", "1000.00", "10.00", "PO-77", "Sale"), by="staff:amina")
    bank(account, ("990.00", "", "PO-77", 6), by="staff:amina")
    row, client = Settlement.objects.get(), staff.signed_in(*MAY)
    assert "agrees, on one person&#x27;s word" in client.get(staff.listing(row)).text
    assert "Why it waits" in client.get(staff.page(row)).text
    client.post(staff.page(row, "ask_to_settle"), {"reason": "it came"})
    assert Approval.objects.get().action == "settlement.settle"


@pytest.mark.parametrize("term", ["pk", "number", "account_id"])
def test_it_is_found_by_what_is_known_of_it(row, term):
    client = staff.signed_in(*MAY)
    assert row.pk in client.get(staff.listing(row), {"q": getattr(row, term)}).text
    assert row.pk in client.get(staff.listing(row), {"q": "A1"}).text
    assert row.pk not in client.get(staff.listing(row), {"q": "PO-78"}).text


def test_one_person_asks_for_a_match_or_an_end_and_says_why(row):
    client = staff.signed_in(*MAY)
    line = BankLine.objects.get(settlement=None)
    shown = client.post(staff.page(row, "ask_to_match"), {"line": 12_345, "reason": "it is"}).text
    assert "must be one of the bank&#x27;s lines" in shown
    client.post(staff.page(row, "ask_to_match"), {"line": line.pk, "reason": "it is"})
    client.post(staff.page(row, "ask_to_settle"), {"reason": "a charge"})
    assert [asked.action for asked in Approval.objects.all()] == ["settlement.match"]
    approvals.decline(Approval.objects.get(), by="staff:bo", because="it is not")
    client.post(staff.page(row, "ask_to_settle"), {"reason": "a charge"})
    assert Approval.objects.filter(decision="open").get().action == "settlement.settle"


def test_who_may_only_look_asks_for_nothing(row):
    client = staff.signed_in("reconciliation.view_settlement")
    for action in ("ask_to_match", "ask_to_settle"):
        assert client.post(staff.page(row, action), {"reason": "because", "line": 1}).status_code == 403
    assert Approval.objects.count() == 0
