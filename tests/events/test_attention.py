"""What only a person can settle: one open item per row and reason."""

import pytest

from events import attention
from events.models import Attention
from tests import factories, staff

pytestmark = pytest.mark.django_db
REASON = Attention.Reason.UNDERPAID


def test_an_item_is_opened_once_for_a_row_and_a_reason():
    payment = factories.PaymentFactory()
    for _ in range(2):
        attention.raise_for(payment, REASON, "x" * 600)
    attention.raise_for(payment, Attention.Reason.OVERPAID, "too much")
    item = Attention.objects.get(reason=REASON)
    assert (item.subject, item.merchant, item.livemode, len(item.detail)) == (
        payment.pk,
        payment.merchant_id,
        False,
        500,
    )
    assert Attention.objects.count() == 2


def test_an_item_is_closed_once_by_one_person():
    attention.raise_for(factories.PaymentFactory(), REASON, "")
    item = Attention.objects.get()
    assert attention.close(item, by="amina") is True
    assert attention.close(item, by="brian") is False
    item.refresh_from_db()
    assert item.closed_by == "amina"


def test_what_happens_again_opens_another_item():
    payment = factories.PaymentFactory()
    attention.raise_for(payment, REASON, "first")
    attention.close(Attention.objects.get(), by="amina")
    attention.raise_for(payment, REASON, "second")
    assert Attention.objects.get(closed_at=None).detail == "second"


def test_an_item_whose_cause_is_gone_is_settled_and_others_stay():
    payment, other = factories.PaymentFactory(), factories.PaymentFactory()
    for row in (payment, other):
        attention.raise_for(row, REASON, "")
    attention.settle(payment, REASON, by="callback")
    assert [item.subject for item in Attention.objects.filter(closed_at=None)] == [other.pk]


def test_a_part_of_the_house_is_named_once_and_shown_to_staff():
    for _ in range(2):
        attention.raise_about("subscriber:billing", Attention.Reason.FAILING, "it did not take an event")
    item = Attention.objects.get()
    assert (item.subject, item.merchant) == ("subscriber:billing", "")
    client = staff.signed_in("events.view_attention")
    assert "subscriber:billing" in client.get(staff.listing(Attention)).text
    assert "subscriber:billing" in client.get(staff.page(item)).text
