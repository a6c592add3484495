"""Mappings: names are identifiers, wherever they come from."""

import pytest
from django.db import connection

from orders import mapping
from orders.mapping import ERP, POS, OrderNames, Schema, of

ORDER = {"table": "tabs", "id": "tab_no", "total": "sum", "status": "paid_state"}


@pytest.mark.parametrize("name", ['a"b', "a b", "a;b", "a.b", "1a", "a\x00", "a\n", "ä", "%s", "x" * 64])
@pytest.mark.parametrize("what", ["table", "id", "tax"])
def test_a_name_that_is_none_makes_no_mapping(what, name):
    with pytest.raises(ValueError, match=f"'{what}' is not the name"):
        mapping.from_json({"order": ORDER | {what: name}, "currency": "KES"})


def test_a_name_like_a_word_of_sql_is_a_name():
    assert OrderNames(**ORDER | {"table": "order", "total": "select"}).table == "order"
    assert connection.ops.quote_name("select") == '"select"'


def test_what_a_mapping_leaves_out_is_as_it_is_called_here():
    read = mapping.from_json({"order": ORDER, "currency": "KES", "statuses": {"paid": "PAID"}})
    assert read.statuses == {"paid": "PAID", "refunded": "refunded", "expired": "expired"}
    assert (read.amounts, read.closed, read.line, read.currencies) == ("major", (), None, None)
    assert hash(read) == hash(mapping.from_json({"order": ORDER, "currency": "KES"}))


def test_the_two_schemas_that_we_know():
    assert of(Schema.POS, {}) is POS
    assert of(Schema.ERP, {}) is ERP
    assert (ERP.order.table, ERP.line.table, ERP.closed) == ("sale_order", "sale_order_line", ("cancel",))
