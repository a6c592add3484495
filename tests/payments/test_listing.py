"""Refunds that a provider's list shows: which are certain, and which are left for a person."""

import pytest

from core.money import Money
from payments.models import Receipt, Refund
from payments.providers.base import MoneyMoved, ReceiptKind
from payments.services import listing
from payments.services.booking import Because
from tests import factories

pytestmark = pytest.mark.django_db

BECAUSE = Because(by="reconciliation", source="reconciliation")


@pytest.fixture
def attempt():
    attempt = factories.AttemptFactory(payment__state="succeeded", payment__amount=2500, payment__currency="USD")
    factories.ReceiptFactory(attempt=attempt, provider_money_id="ch_1", amount=2500, currency="USD")
    return attempt


def listed(attempt, amount=500, currency="USD", *, account=None, **named):
    moved = MoneyMoved(ReceiptKind.REFUND, Money(amount, currency), "re_1")
    values = {"reference": "", "gives_back": ""} | named
    return listing.take_in_refund(account or attempt.account, moved, because=BECAUSE, **values)


def refund(attempt, **changes):
    values = {"amount": 500, "currency": "USD", "state": "pending", "provider_id": "re_1"} | changes
    return factories.RefundFactory(attempt=attempt, **values)


def nothing_was_booked():
    return not Receipt.objects.filter(kind="refund").exists()


@pytest.mark.parametrize("changes", [{"amount": 499}, {"currency": "EUR"}, {"state": "failed"}, {"state": "cancelled"}])
def test_a_refund_of_another_sum_or_one_that_has_failed_here_is_left_for_a_person(attempt, changes):
    mine = refund(attempt, **changes)
    assert listed(attempt, gives_back="ch_1") is None
    assert nothing_was_booked()
    assert Refund.objects.get().state == mine.state


def test_one_that_names_nothing_of_ours_is_left_for_a_person(attempt):
    assert listed(attempt) is None
    assert listed(attempt, gives_back="ch_2", reference="op_unknown") is None
    assert Refund.objects.count() == 0


def test_one_of_another_account_is_left_for_a_person(attempt):
    refund(attempt)
    other = factories.ProviderAccountFactory(merchant=attempt.merchant)
    assert listed(attempt, account=other, gives_back="ch_1") is None
    assert nothing_was_booked()


def test_one_in_another_currency_than_its_payment_is_left_for_a_person(attempt):
    assert listed(attempt, currency="EUR", gives_back="ch_1") is None
    assert Refund.objects.count() == 0


def test_while_a_refund_of_ours_has_no_number_yet_none_is_taken_for_one_of_the_dashboard(attempt):
    mine = refund(attempt, provider_id="")
    assert listed(attempt, gives_back="ch_1") is None
    assert list(Refund.objects.all()) == [mine]
    assert nothing_was_booked()
