"""Payments of orders that live in a merchant's own database: the right total, once, and written back until it stands
there, whatever that database does meanwhile."""

import threading
from datetime import timedelta

import pytest

from core import clock
from events import work
from events.models import Attention
from orders import databases, reading, sources
from orders.models import Order
from payments.models import Payment
from payments.services import order_statuses
from tests import factories
from tests.payments.world import reaches, refund_reaches, until
from tests.till import ERP, tills

pytestmark = pytest.mark.django_db(transaction=True)
CARD = {"amount": 1250, "currency": "USD", "method": "card", "payment_method": "pm_card_visa"}


@pytest.fixture
def till(shop, make_till):
    with tills("till", make=make_till) as (made,):
        made.run(made.pos)
        made.configure(shop.merchant.pk)
        yield made


@pytest.fixture
def source(caller, till):
    return caller.post("order-sources", 201, name="Lunch till", database="till", schema="pos")


def of(source, number="1042"):
    return {"order": {"source": source["id"], "id": number}}


def write_back(seconds=0):
    """A worker's round at a moment from now: the outbox, and what it wakes."""
    with clock.shifted(timedelta(seconds=seconds)):
        work.drain("outbox")
        work.drain("orders")


def attention_to(subject):
    return list(Attention.objects.filter(subject=subject, closed_at=None).values_list("reason", "detail"))


def the_order():
    return Order.objects.get()


# What is asked for


def test_a_paid_order_is_marked_paid_where_it_lives(shop, caller, till, source):
    till.ring_up()
    paid = caller.card(**of(source))
    assert paid["order"] == {"source": source["id"], "id": "1042", "written": None}
    assert paid["state"] == "succeeded"
    assert till.status() == "open"

    write_back()

    assert till.status() == "paid"
    assert caller.get(f"payments/{paid['id']}")["order"]["written"] == "paid"
    assert (the_order().due_at, the_order().claim, the_order().fault) == (None, None, "")
    assert attention_to(the_order().pk) == []


def test_a_total_that_disagrees_is_refused_and_both_are_named(caller, till, source):
    till.ring_up()
    problem = caller.refused("payments", 422, "order_total_differs", **CARD | {"amount": 1200}, **of(source))
    assert problem["detail"] == "Order 1042 is USD 12.50 in Lunch till, and USD 12.00 was asked for."
    assert problem["param"] == "/amount"
    other = caller.refused("payments", 422, "order_total_differs", **CARD | {"currency": "EUR"}, **of(source))
    assert "EUR 12.50" in other["detail"]
    assert Payment.objects.count() == 0


def test_an_order_or_source_that_there_is_not_is_refused_and_named(shop, caller, other_shop, till, source):
    till.ring_up()
    for number in ("1043", "1042'", "1042 OR 1=1", "\x00", "é" * 100):
        assert caller.refused("payments", 400, "invalid_request", **CARD, **of(source, number))["param"] == "/order/id"
    for wrong in ("osrc_nobodys", "\x00", f"osrc_{'0' * 26}"):
        body = CARD | {"order": {"source": wrong, "id": "1042"}}
        assert caller.refused("payments", 400, "invalid_request", **body)["param"] == "/order/source"
    theirs = other_shop.api.refused("payments", 400, "invalid_request", **CARD, **of(source))
    live = shop.key_with(livemode=True).refused("payments", 400, "invalid_request", **CARD, **of(source))
    assert (theirs["param"], live["param"]) == ("/order/source", "/order/source")
    assert Payment.objects.count() == 0
    assert till.status() == "open"


def test_payments_are_found_by_their_order(caller, till, source):
    till.ring_up()
    till.ring_up("1043")
    paid = caller.card(**of(source))
    caller.card(**of(source, "1043"))
    caller.card()
    for asked in ({"order": "1042"}, {"order": "1042", "order_source": source["id"]}):
        assert [row["id"] for row in caller.get("payments", **asked)["data"]] == [paid["id"]]
    assert len(caller.get("payments", order_source=source["id"])["data"]) == 2


def test_a_source_that_is_switched_off_gives_no_orders_and_is_still_written_to(caller, till, source):
    till.ring_up()
    till.ring_up("1043")
    caller.card(**of(source))
    caller.send("PATCH", f"order-sources/{source['id']}", json={"is_enabled": False})
    caller.refused("payments", 409, "order_source_unusable", **CARD, **of(source, "1043"))
    write_back()
    assert till.status() == "paid"


# What is written back


def test_a_refund_of_all_is_written_and_the_order_can_be_paid_again(shop, caller, till, source):
    till.ring_up()
    paid = caller.card(**of(source))
    write_back()
    part = caller.post(f"payments/{paid['id']}/refunds", 201, amount=250)
    refund_reaches(shop, part, "succeeded")
    write_back()
    assert till.status() == "paid", "a part that goes back leaves an order paid"
    rest = caller.post(f"payments/{paid['id']}/refunds", 201)
    refund_reaches(shop, rest, "succeeded")
    write_back()
    assert till.status() == "refunded"
    caller.card(**of(source))
    write_back()
    assert till.status() == "paid"


def test_an_expired_payment_is_written_and_the_order_can_be_paid_again(shop, caller, till, source):
    till.ring_up(total="250", currency="KES")
    shop.world.mpesa.post("settings", approve_seconds=3600)
    waits = caller.prompt(**of(source))
    with shop.world.later(days=3):
        until(lambda: shop.world.work() and Payment.objects.get(pk=waits["id"]).state == "expired")
        write_back()
        assert till.status() == "expired"


def test_a_declined_payment_writes_nothing_and_leaves_the_order_free(caller, till, source):
    till.ring_up()
    failed = caller.card("pm_card_visa_chargeDeclined", **of(source))
    assert failed["state"] == "failed"
    write_back()
    assert till.status() == "open"
    assert caller.card(**of(source))["state"] == "succeeded"


def test_nothing_of_a_payment_without_an_order_is_written(caller, till, source):
    caller.card()
    write_back()
    assert Order.objects.count() == 0


# Bad days


def test_the_till_is_away_while_the_callback_arrives_and_then_back(shop, caller, till, source):
    """The payment and its callback go their way; the order is marked once the till can be told."""
    shop.world.listen_to_stripe(shop)
    till.ring_up()
    held = caller.card("pm_card_threeDSecure2Required", return_url="https://shop.example/", **of(source))
    assert held["state"] == "requires_action"
    till.go_away()
    shop.world.stripe.simulate(held, "approve")
    reaches(shop, held, "succeeded")
    write_back()
    order = the_order()
    assert (order.written, order.claim) == ("", None)
    assert order.due_at is not None
    assert order.fault == "till cannot be reached, or does not answer in time"

    for seconds in (10, 100, 1000, 10_000):
        write_back(seconds)
    assert [reason for reason, _ in attention_to(source["id"])] == ["failing"]
    till.come_back()
    write_back(20_000)

    assert till.status() == "paid"
    assert attention_to(source["id"]) == []
    assert the_order().fault == ""


def test_a_till_that_is_away_refuses_its_orders_at_once_and_nothing_else(caller, till, source):
    till.ring_up()
    till.go_away()
    problem = caller.refused("payments", 503, "order_source_unavailable", **CARD, **of(source))
    assert problem["detail"] == "Till cannot be reached, or does not answer in time. Nothing was created."
    assert Payment.objects.count() == 0
    assert caller.card()["state"] == "succeeded"
    till.come_back()
    assert caller.card(**of(source))["state"] == "succeeded"


def test_a_repeat_is_answered_as_the_first_was_though_the_till_is_away_or_the_order_paid(caller, till, source):
    till.ring_up()
    first = caller.card(key="lunch-1", **of(source))
    assert caller.card(key="lunch-1", **of(source)) == first
    write_back()
    assert caller.card(key="lunch-1", **of(source)) == first
    till.go_away()
    assert caller.card(key="lunch-1", **of(source)) == first
    assert Payment.objects.count() == 1


def test_a_till_that_answers_slowly_holds_few_threads_and_the_rest_go_on(caller, till, source):
    till.ring_up()
    held = [databases._places["till"].acquire(timeout=1) for _ in range(databases.PLACES)]
    try:
        caller.refused("payments", 503, "order_source_unavailable", **CARD, **of(source))
        assert caller.card()["state"] == "succeeded"
    finally:
        for _ in held:
            databases._places["till"].release()


def test_a_lock_that_the_tills_own_people_hold_is_waited_for_briefly(caller, till, source):
    till.ring_up()
    caller.card(**of(source))
    with till.held("SELECT 1 FROM pos_orders FOR UPDATE"):
        write_back()
        assert the_order().written == ""
    write_back(60)
    assert till.status() == "paid"


def test_its_schema_is_changed_under_us_and_corrected(caller, till, source):
    till.ring_up()
    till.ring_up("1043")
    caller.card(**of(source))
    till.run("ALTER TABLE pos_orders RENAME COLUMN payment_status TO zustand")
    write_back()
    told = "pos_orders has no column payment_status"
    assert the_order().fault == told
    assert attention_to(source["id"]) == [("failing", f"Lunch till: {told}")]
    problem = caller.refused("payments", 409, "order_source_unusable", **CARD, **of(source, "1043"))
    assert problem["detail"] == f"Lunch till: {told}."
    assert caller.get(f"order-sources/{source['id']}")["fault"] == told

    till.run("ALTER TABLE pos_orders RENAME COLUMN zustand TO payment_status")
    write_back(600)

    assert till.status() == "paid"
    assert attention_to(source["id"]) == []
    assert caller.get(f"order-sources/{source['id']}")["fault"] is None


def test_a_column_whose_type_is_changed_is_read_anew(caller, till, source):
    till.ring_up()
    caller.card(**of(source))
    till.run("ALTER TABLE pos_order_lines DROP CONSTRAINT line_of_order")
    till.retype("pos_orders", "id", "integer")
    write_back()
    write_back(600)
    assert till.run("SELECT payment_status FROM pos_orders") == [("paid",)]


def test_two_tills_at_once_begin_one_payment(caller, till, source):
    till.ring_up()
    caller.get("payments")
    answers = []

    def ring():
        answers.append(caller.send("POST", "payments", json=CARD | {"capture": "manual"} | of(source)))

    tills_at_once = [threading.Thread(target=ring) for _ in range(4)]
    for one in tills_at_once:
        one.start()
    for one in tills_at_once:
        one.join()

    assert sorted(answer.status_code for answer in answers) == [201, 409, 409, 409]
    assert {answer.json()["code"] for answer in answers if answer.status_code == 409} == {"order_taken"}
    assert Payment.objects.count() == 1


def test_an_open_payment_keeps_its_order_until_it_is_cancelled(caller, till, source):
    till.ring_up()
    held = caller.card(capture="manual", **of(source))
    problem = caller.refused("payments", 409, "order_taken", **CARD, **of(source))
    assert held["id"] in problem["detail"]
    caller.post(f"payments/{held['id']}/cancel")
    assert caller.card(**of(source))["state"] == "succeeded"


def test_an_order_that_was_paid_in_cash_takes_no_payment(caller, till, source):
    till.ring_up(payment_status="paid")
    problem = caller.refused("payments", 409, "order_taken", **CARD, **of(source))
    assert problem["detail"] == "Order 1042 is paid in Lunch till already."


def test_an_order_that_was_paid_in_cash_after_its_code_was_shown_is_shown_to_a_person(shop, caller, till, source):
    till.ring_up()
    paid = caller.card(**of(source))
    till.run("UPDATE pos_orders SET payment_status = 'paid'")
    write_back()
    told = "order 1042 was marked paid at Lunch till before our payment of it: refund one"
    assert attention_to(the_order().pk) == [("overpaid", told)]

    refund_reaches(shop, caller.post(f"payments/{paid['id']}/refunds", 201), "succeeded")
    write_back()
    assert till.status() == "paid", "the cash is still there"


def test_an_order_that_was_paid_twice_late_is_shown_to_a_person(shop, caller, till, source):
    """A code that was cancelled, and paid all the same: money is booked, and the order is marked once."""
    till.ring_up()
    first = factories.PaymentFactory(merchant=shop.merchant, state="cancelled")
    second = caller.card(**of(source))
    Payment.objects.filter(pk=first.pk).update(order=the_order(), state="succeeded", captured_amount=1250)
    write_back()
    assert till.status() == "paid"
    ((reason, detail),) = attention_to(the_order().pk)
    assert reason == "overpaid"
    assert first.pk in detail
    assert second["id"] in detail


def test_an_order_that_was_edited_after_its_code_was_shown_is_not_marked_paid(caller, till, source):
    till.ring_up()
    caller.card(**of(source))
    till.run("UPDATE pos_orders SET total = 15")
    write_back()
    told = "order 1042 is USD 15.00 now, and USD 12.50 was paid"
    assert till.status() == "open"
    assert attention_to(the_order().pk) == [("underpaid", told)]
    assert the_order().fault == told

    till.run("UPDATE pos_orders SET total = 12.50")
    write_back(600)

    assert till.status() == "paid"
    assert attention_to(the_order().pk) == []


def test_an_edited_order_is_marked_paid_where_staff_accept_it(caller, till, source):
    till.ring_up()
    caller.card(**of(source))
    till.run("UPDATE pos_orders SET total = 12")
    write_back()
    sources.accept_order(the_order(), by="tests")
    write_back()
    assert till.status() == "paid"
    assert attention_to(the_order().pk) == []


def test_an_order_that_was_deleted_is_shown_to_a_person(caller, till, source):
    till.ring_up()
    caller.card(**of(source))
    till.run("DELETE FROM pos_orders")
    write_back()
    assert attention_to(the_order().pk) == [("underpaid", "order 1042 is there no more")]


def test_an_order_of_ten_thousand_lines_is_paid_and_read(caller, till, source):
    till.ring_up(total="10000")
    till.add_lines("1042", 10_000)
    assert caller.card(amount=1_000_000, **of(source))["state"] == "succeeded"
    (order,) = caller.get(f"order-sources/{source['id']}/orders", order="1042")["data"]
    assert (order["amount"], len(order["lines"])) == (1_000_000, 10_000)
    assert order["lines"][-1]["name"] == "line 10000"


def test_an_order_of_more_lines_than_are_read_is_refused_by_name_and_paid_all_the_same(caller, till, source):
    till.ring_up(total="20001")
    till.add_lines("1042", reading.MOST_LINES + 1)
    answer = caller.send("GET", f"order-sources/{source['id']}/orders?order=1042")
    assert (answer.status_code, answer.json()["code"]) == (409, "order_source_unusable")
    assert answer.json()["detail"] == "1042 has more than 20,000 lines, which is more than we read."
    assert caller.get(f"order-sources/{source['id']}")["fault"] is None
    assert caller.card(amount=2_000_100, **of(source))["state"] == "succeeded"
    write_back()
    assert till.status() == "paid"


def test_names_without_end_are_cut_before_they_are_read(caller, till, source):
    till.ring_up()
    till.add_lines("1042", 1_000, name="x" * 10_000)
    (order,) = caller.get(f"order-sources/{source['id']}/orders", order="1042")["data"]
    assert {line["name"] for line in order["lines"]} == {"x" * 500}


def test_prices_of_three_decimals_are_shown_as_they_are_and_totals_must_fit_the_currency(caller, till, source):
    till.ring_up("1", total="4.000")
    till.run(
        "INSERT INTO pos_order_lines (order_id, name, quantity, unit_price, total)"
        " VALUES ('1', 'nails', 3, 1.333, 3.999)"
    )
    till.ring_up("2", total="12.345")
    till.ring_up("3", total="12.345", currency="KWD")
    (order,) = caller.get(f"order-sources/{source['id']}/orders", order="1")["data"]
    assert (order["amount"], order["lines"][0]["unit_price"], order["lines"][0]["total"]) == (400, "1.333", "3.999")
    assert caller.card(amount=400, **of(source, "1"))["state"] == "succeeded"
    problem = caller.refused("payments", 400, "invalid_request", **CARD | {"amount": 1234}, **of(source, "2"))
    assert problem["param"] == "/order/id"
    assert problem["detail"] == "2: 12.345 USD is finer than the currency's minor unit."
    (dinars,) = caller.get(f"order-sources/{source['id']}/orders", order="3")["data"]
    assert (dinars["amount"], dinars["currency"]) == (12_345, "KWD")


def test_a_worker_that_died_after_writing_is_no_second_payer(caller, till, source):
    till.ring_up()
    caller.card(**of(source))
    write_back()
    Order.objects.update(written="", written_at=None, due_at=clock.now())
    write_back()
    assert (the_order().written, the_order().paid_elsewhere) == ("paid", False)
    assert attention_to(the_order().pk) == []


def test_what_happens_while_it_is_written_is_written_next(caller, till, source):
    till.ring_up()
    caller.card(**of(source))
    work.drain("outbox")
    claimed = Order.objects.get()
    Order.objects.update(news=claimed.news + 1)
    order_statuses.write(claimed)
    assert the_order().due_at is not None, "it is due again"
    write_back()
    assert (the_order().due_at, till.status()) == (None, "paid")


def test_a_database_that_the_settings_give_no_longer_is_neither_read_nor_written(
    shop, caller, other_shop, till, source
):
    till.ring_up()
    till.ring_up("1043")
    caller.card(**of(source))
    till.configure(other_shop.merchant.pk)
    problem = caller.refused("payments", 409, "order_source_unusable", **CARD, **of(source, "1043"))
    assert problem["detail"] == "Lunch till: the settings give you no order database till in this mode."
    write_back()
    assert till.status() == "open"
    till.configure(shop.merchant.pk)
    write_back(600)
    assert till.status() == "paid"


def test_a_pos_and_an_erp_order_are_paid_and_marked_side_by_side(shop, caller, till, source):
    with tills("erp") as (erp,):
        erp.run(ERP)
        erp.configure(shop.merchant.pk)
        odoo = caller.post("order-sources", 201, name="Odoo", database="erp", schema="erp")
        till.ring_up("1")
        erp.run("INSERT INTO sale_order (name, state, currency_id, amount_total) VALUES ('S1', 'draft', 1, 99.00)")
        erp.run("INSERT INTO sale_order (name, state, currency_id, amount_total) VALUES ('S2', 'cancel', 1, 99.00)")

        caller.card(**of(source, "1"))
        caller.card(amount=9900, **of(odoo, "1"))
        closed = caller.refused("payments", 409, "order_taken", **CARD | {"amount": 9900}, **of(odoo, "2"))
        write_back()

        assert closed["detail"] == "Order 2 is closed in Odoo already."
        assert till.status("1") == "paid"
        marked = erp.run("SELECT id, state, x_payment_status FROM sale_order ORDER BY id")
        assert marked == [(1, "draft", "paid"), (2, "cancel", None)]


def test_the_rights_that_the_documentation_asks_for_are_enough(shop, caller, till):
    """One user who may read the two tables and write the one column."""
    rights = ("SELECT ON pos_orders", "SELECT ON pos_order_lines", "UPDATE (payment_status) ON pos_orders")
    with till.user("lango_till", "just-this", *rights):
        till.configure(shop.merchant.pk, user="lango_till", password="just-this")
        source = caller.post("order-sources", 201, name="Till", database="till", schema="pos")
        till.ring_up()
        caller.card(**of(source))
        write_back()
        assert till.status() == "paid"


def test_a_schema_that_the_users_search_path_names_is_as_good(shop, caller):
    with tills("till") as (till,):
        till.run(till.pos)
        till.run("DROP SCHEMA IF EXISTS sales CASCADE")
        till.run("CREATE SCHEMA sales")
        till.run("ALTER TABLE pos_orders SET SCHEMA sales")
        till.run("ALTER TABLE pos_order_lines SET SCHEMA sales")
        rights = (
            "USAGE ON SCHEMA sales",
            "SELECT ON sales.pos_orders, sales.pos_order_lines",
            "UPDATE (payment_status) ON sales.pos_orders",
        )
        with till.user("lango_till", "just-this", *rights):
            till.run("ALTER ROLE lango_till SET search_path TO sales")
            till.configure(shop.merchant.pk, user="lango_till", password="just-this")
            source = caller.post("order-sources", 201, name="Till", database="till", schema="pos")
            till.run("INSERT INTO sales.pos_orders (id, currency, total) VALUES ('1042', 'USD', 12.50)")
            caller.card(**of(source))
            write_back()
            assert till.run("SELECT payment_status FROM sales.pos_orders") == [("paid",)]
        till.run("DROP SCHEMA sales CASCADE")
