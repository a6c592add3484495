"""Staff's pages of order sources and orders."""

import pytest

from events import attention
from events.models import Attention
from orders.models import Order, OrderSource
from tests import staff
from tests.factories import OrderFactory, OrderSourceFactory

SEE = ("orders.view_ordersource", "orders.view_order")


@pytest.mark.django_db(transaction=True)
def test_a_source_is_added_when_its_tables_are_as_mapped(api, till, merchant):
    client = staff.signed_in(*SEE, "orders.add_ordersource")
    form = {"merchant": merchant.pk, "name": "Till", "database": "till", "schema": "pos", "mapping": ""}
    till.run("ALTER TABLE pos_orders RENAME COLUMN total TO sum")
    assert "pos_orders has no column total" in client.post(staff.adding(OrderSource), form).text
    assert OrderSource.objects.count() == 0
    till.run("ALTER TABLE pos_orders RENAME COLUMN sum TO total")

    client.post(staff.adding(OrderSource), form)

    source = OrderSource.objects.get()
    assert (source.merchant, source.table, source.livemode) == (merchant, "pos_orders", False)
    for page in (staff.page(source), staff.listing(OrderSource)):
        assert "Till" in client.get(page).text


@pytest.mark.django_db(transaction=True)
def test_a_mapping_is_read_strictly(till, merchant):
    client = staff.signed_in(*SEE, "orders.add_ordersource")
    form = {"merchant": merchant.pk, "name": "Till", "database": "till", "schema": "mapping"}
    wrong = '{"order": {"table": "a b", "id": "i", "total": "t", "status": "s"}, "currency": "KES"}'
    assert "plain name" in client.post(staff.adding(OrderSource), form | {"mapping": wrong}).text
    assert "needs one" in client.post(staff.adding(OrderSource), form | {"mapping": ""}).text
    assert OrderSource.objects.count() == 0


@pytest.mark.django_db
def test_a_source_is_switched_off_and_on():
    source = OrderSourceFactory()
    client = staff.signed_in(*SEE, "orders.change_ordersource")
    for action, is_enabled in (("switch_off", False), ("switch_on", True)):
        client.post(staff.page(source, action), {"reason": "cleaning"})
        source.refresh_from_db()
        assert source.is_enabled is is_enabled


@pytest.mark.django_db
def test_an_edited_order_is_accepted_and_written_next():
    order = OrderFactory(fault="order 7 is USD 15.00 now, and USD 12.50 was paid", number="7")
    attention.raise_for(order, Attention.Reason.UNDERPAID, order.fault)
    client = staff.signed_in(*SEE, "orders.write_order")
    assert order.fault in client.get(staff.page(order)).text
    assert staff.page(order) in client.get(staff.listing(Order), {"q": "7"}).text

    client.post(staff.page(order, "accept"), {"reason": "the difference was paid in cash"})

    order.refresh_from_db()
    assert order.accepted
    assert order.due_at is not None
    assert [action for _, action, _ in staff.recorded(order)] == ["order.accepted", "order.accept"]


@pytest.mark.django_db
def test_nobody_else_may():
    order = OrderFactory(fault="edited")
    client = staff.signed_in(*SEE)
    assert client.post(staff.page(order, "accept"), {"reason": "x"}).status_code == 403
    assert client.post(staff.page(order, "write_now"), {"reason": "x"}).status_code == 403
    assert client.post(staff.page(order.source, "switch_off"), {"reason": "x"}).status_code == 403
    assert client.get(staff.adding(OrderSource)).status_code == 403
