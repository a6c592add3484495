"""Order sources over the API: a database that the settings name, and tables that are looked at before they are used."""

import pytest

from events.models import AuditEntry
from orders.models import OrderSource
from tests import factories
from tests.till import ERP, tills

pytestmark = pytest.mark.django_db(transaction=True)
PATH = "/v1/order-sources"
MAPPING = {
    "order": {"table": "bons", "id": "nummer", "total": "summe", "status": "zustand"},
    "line": {"table": "zeilen", "order": "bon", "name": "was", "quantity": "anzahl", "unit_price": "preis"},
    "currency": "KES",
    "amounts": "minor",
    "statuses": {"paid": "BEZAHLT"},
}
BONS = """
CREATE TABLE bons (nummer integer PRIMARY KEY, summe bigint, zustand varchar(8));
CREATE TABLE zeilen (bon integer, was text, anzahl integer, preis bigint);
"""


def create(api, key="o-1", **body):
    return api.post(PATH, {"name": "Till", "database": "till", "schema": "pos"} | body, idempotency_key=key)


def faults_of(answer):
    body = answer.json()
    return [(fault["param"], fault["detail"]) for fault in body.get("errors", [])]


def test_a_source_is_registered_read_listed_and_changed(api, till, merchant):
    made = create(api, metadata={"floor": "2"})
    body = made.json()
    assert made.status_code == 201, body
    assert (body["object"], body["database"], body["schema"]) == ("order_source", "till", "pos")
    assert (body["mapping"], body["fault"], body["is_enabled"]) == (None, None, True)
    assert api.get(f"{PATH}/{body['id']}").json() == body
    assert api.get(PATH).json()["data"] == [body]
    changed = api.call("PATCH", f"{PATH}/{body['id']}", {"name": "Bar", "is_enabled": False}).json()
    assert changed == body | {"name": "Bar", "is_enabled": False}
    assert api.get(f"{PATH}/{body['id']}").json() == changed
    assert create(api, metadata={"floor": "2"}).json() == body, "a repeat is answered as the first was"
    told = AuditEntry.objects.filter(object_id=body["id"], action__startswith="order_source.").order_by("pk")
    assert list(told.values_list("action", flat=True)) == ["order_source.created", "order_source.changed"]


def test_every_column_that_is_missing_or_unfit_is_named(api, till, merchant):
    till.run("ALTER TABLE pos_orders DROP COLUMN tax")
    till.retype("pos_orders", "total", till.inexact)
    till.run("ALTER TABLE pos_order_lines DROP COLUMN unit_price")
    refused = create(api)
    assert (refused.status_code, refused.json()["code"]) == (400, "invalid_request")
    assert faults_of(refused) == [
        (
            "/mapping/order/total",
            f"pos_orders.total is {till.inexact}; it must be a whole number or {till.exact}, never a float",
        ),
        ("/mapping/order/tax", "pos_orders has no column tax"),
        ("/mapping/line/unit_price", "pos_order_lines has no column unit_price"),
    ]
    till.run("DROP TABLE pos_order_lines")
    assert ("/mapping/line/table", "there is no table pos_order_lines") in faults_of(create(api))
    assert OrderSource.objects.count() == 0


def test_a_status_that_the_column_cannot_hold_is_refused(api, till, merchant):
    till.retype("pos_orders", "payment_status", "varchar(6)")
    assert faults_of(create(api)) == [
        ("/mapping/order/status", "pos_orders.payment_status holds 6 characters: too few for 'refunded'")
    ]


def test_what_our_user_may_not_read_or_write_is_refused(api, till, merchant):
    rights = ("SELECT ON pos_orders", "SELECT (id, order_id, name, quantity, discount, total) ON pos_order_lines")
    with till.user("lango_reader", "reads-only", *rights):
        till.configure(merchant.pk, user="lango_reader", password="reads-only")
        assert faults_of(create(api)) == [
            ("/mapping/order/status", "pos_orders.payment_status may not be written by our user"),
            ("/mapping/line/unit_price", "pos_order_lines has no column unit_price"),
        ]


def test_a_database_that_is_another_merchants_or_of_the_other_mode_is_as_unknown(api, till):
    unknown = faults_of(create(api))
    till.configure(factories.MerchantFactory().pk)
    others = faults_of(create(api))
    till.configure(api.key.merchant.pk, livemode=True)
    live = faults_of(create(api))
    assert unknown == others == live
    assert unknown[0][0] == "/database"
    assert OrderSource.objects.count() == 0


def test_a_mapping_of_ones_own_reads_ones_own_tables(api, till, merchant):
    till.run(BONS)
    till.run("INSERT INTO bons VALUES (7, 25050, 'offen')")
    till.run("INSERT INTO zeilen VALUES (7, 'Suppe', 2, 12525)")
    source = create(api, schema="mapping", mapping=MAPPING)
    assert source.status_code == 201, source.json()
    assert source.json()["mapping"] == MAPPING

    answer = api.get(f"{PATH}/{source.json()['id']}/orders?order=7")
    assert answer.status_code == 200, answer.text
    found = answer.json()["data"]

    assert [(order["id"], order["amount"], order["currency"], order["status"]) for order in found] == [
        ("7", 25050, "KES", "offen")
    ]
    assert found[0]["lines"] == [
        {
            "name": "Suppe",
            "quantity": "2",
            "unit_price": "12525",
            "discount": None,
            "discount_percent": None,
            "tax": None,
            "total": None,
        }
    ]


@pytest.mark.parametrize(
    "name",
    ['bons"; DROP TABLE bons; --', "bons'", "a.b", "1a", "", "bons\n", "a b", "ü", "x" * 64, "%s", 'a"b', "bons\x00"],
)
def test_a_name_that_is_no_plain_identifier_is_refused_before_any_sql(api, till, merchant, name):
    till.run(BONS)
    for part, what in (("order", "table"), ("order", "total"), ("line", "order")):
        wrong = {**MAPPING, part: MAPPING[part] | {what: name}}
        refused = create(api, schema="mapping", mapping=wrong)
        assert refused.status_code == 400, refused.json()
        assert refused.json()["param"] == f"/mapping/{part}/{what}"
    assert till.run("SELECT count(*) FROM bons") == [(0,)]


def test_a_mapping_that_contradicts_itself_is_refused_and_named(api, till, merchant):
    def refused(schema="mapping", **changes):
        return [param for param, _ in faults_of(create(api, schema=schema, mapping={**MAPPING, **changes}))]

    assert refused(schema="pos") == ["/mapping"]
    assert [param for param, _ in faults_of(create(api, schema="mapping"))] == ["/mapping"]
    assert refused(order=MAPPING["order"] | {"currency": "waehrung"}) == ["/mapping/currency"]
    assert refused(closed=["storno"]) == ["/mapping/closed"]
    assert refused(statuses={"paid": "x", "expired": "x"}) == ["/mapping/statuses"]
    assert refused(currencies={"table": "c", "id": "i", "code": "n"}) == ["/mapping/currencies"]
    assert refused(color="red") == ["/mapping/color"]


def test_a_changed_mapping_is_looked_at_and_keeps_meaning_the_same_orders(api, till, merchant):
    till.run(BONS)
    path = f"{PATH}/{create(api, schema='mapping', mapping=MAPPING).json()['id']}"

    def change(**order):
        return api.call("PATCH", path, {"mapping": MAPPING | {"order": MAPPING["order"] | order}})

    assert faults_of(change(total="betrag")) == [("/mapping/order/total", "bons has no column betrag")]
    assert [param for param, _ in faults_of(change(table="zeilen", id="bon"))] == [
        "/mapping/order/table",
        "/mapping/order/id",
    ]
    assert api.get(path).json()["mapping"] == MAPPING
    till.run("ALTER TABLE bons ADD COLUMN betrag numeric")
    assert change(total="betrag").json()["mapping"]["order"]["total"] == "betrag"
    pos = create(api, "o-2").json()["id"]
    assert [param for param, _ in faults_of(api.call("PATCH", f"{PATH}/{pos}", {"mapping": MAPPING}))] == ["/mapping"]


def test_one_table_has_one_source_at_a_time(api, till, merchant):
    first = create(api).json()
    again = create(api, "o-2")
    assert (again.status_code, again.json()["code"]) == (409, "conflict")
    api.call("PATCH", f"{PATH}/{first['id']}", {"is_enabled": False})
    assert create(api, "o-2").status_code == 201
    back = api.call("PATCH", f"{PATH}/{first['id']}", {"is_enabled": True})
    assert (back.status_code, back.json()["code"]) == (409, "conflict")
    assert api.get(f"{PATH}/{first['id']}").json()["is_enabled"] is False


def test_a_till_that_is_away_is_503_and_nothing_is_made(api, till, merchant):
    till.go_away()
    away = create(api)
    assert (away.status_code, away.json()["code"]) == (503, "order_source_unavailable")
    assert away["Retry-After"] == "5"
    assert till.database not in away.text
    assert OrderSource.objects.count() == 0
    till.come_back()
    assert create(api).status_code == 201


def test_a_till_where_nobody_answers_holds_nobody_up_for_long(api, till, merchant, black_hole):
    till.configure(merchant.pk, port=black_hole)
    away = create(api)
    assert (away.status_code, away.json()["code"]) == (503, "order_source_unavailable")


def test_its_tables_are_looked_at_again_when_asked(api, till, merchant):
    source = create(api).json()
    till.run("ALTER TABLE pos_orders RENAME COLUMN total TO sum")
    verify = f"{PATH}/{source['id']}/verify"
    assert api.post(verify, idempotency_key="v-1").json()["fault"] == "pos_orders has no column total"
    till.run("ALTER TABLE pos_orders RENAME COLUMN sum TO total")
    assert api.post(verify, idempotency_key="v-2").json()["fault"] is None


def test_two_schemas_work_side_by_side(api, till, merchant):
    with tills("erp") as (erp,):
        erp.run(ERP)
        erp.configure(merchant.pk)
        pos = create(api).json()
        odoo = create(api, "o-2", name="Odoo", database="erp", schema="erp").json()
        till.ring_up("3", total="12.50", discount="1.250", tax="2")
        erp.run(
            "INSERT INTO sale_order (name, state, currency_id, amount_tax, amount_total) VALUES"
            " ('S1', 'draft', 1, 1, 2), ('S2', 'cancel', 1, 1, 2), ('S3', 'sale', 2, 11000, 111000.00)"
        )
        erp.run(
            "INSERT INTO sale_order_line (order_id, name, product_uom_qty, price_unit, discount, price_total)"
            " VALUES (3, 'Nasi goreng', 2, 55500.0, 10, 99900)"
        )

        def order(source, number):
            answer = api.get(f"{PATH}/{source['id']}/orders?order={number}")
            assert answer.status_code == 200, answer.text
            return answer.json()["data"]

        for _ in range(2):
            (there,) = order(pos, "3")
            assert (there["amount"], there["currency"], there["discount"]) == (1250, "USD", "1.250")
            (here,) = order(odoo, "3")
            assert (here["amount"], here["currency"], here["tax"]) == (11_100_000, "IDR", "11000")
            assert (here["lines"][0]["discount_percent"], here["is_payable"]) == ("10", True)
            assert order(odoo, "2")[0]["is_payable"] is False
            assert (
                order(odoo, "99") == order(odoo, "x") == order(odoo, "1180591620717411303424") == order(pos, "x") == []
            )
