"""What is particular to orders on a MariaDB; how they are read and written is tested with those of every kind."""

from urllib.parse import urlencode

import pytest
from django.db import OperationalError, connections

from orders import databases
from orders.dialects.mariadb import MariaDB
from orders.models import OrderSource
from tests.orders.test_api_order_sources import PATH, create, faults_of
from tests.till import tills
from tests.till_mariadb import MariaDBTill, certify

pytestmark = pytest.mark.django_db(transaction=True)
slow = pytest.mark.slow


@pytest.fixture
def till(transactional_db, api, mariadb):
    with tills("till", make=lambda name: MariaDBTill(mariadb, name)) as (made,):
        made.run(made.pos)
        made.configure(api.key.merchant.pk)
        yield made


def order(api, source, number):
    answer = api.get(f"{PATH}/{source['id']}/orders?{urlencode({'order': number})}")
    assert answer.status_code == 200, answer.text
    return answer.json()["data"]


def asked(api, text):
    reached = databases.reached("till", merchant=api.key.merchant.pk, livemode=False)
    with reached as alias, connections[alias].cursor() as cursor:
        cursor.execute(text)
        return cursor.fetchall()


@slow
@pytest.mark.parametrize("kinds", ["till on MariaDB, ERP on PostgreSQL", "till on PostgreSQL, ERP on MariaDB"])
def test_both_kinds_and_both_schemas_work_side_by_side(api, till, kinds, mariadb):
    with tills("erp") as (postgresql,):
        pos, erp = (till, postgresql) if kinds.startswith("till on MariaDB") else (postgresql, till)
        postgresql.configure(api.key.merchant.pk)
        if pos is postgresql:
            pos.run(pos.pos)
        erp.run(erp.erp)
        sources = [
            create(api, schema, name=schema, database=there.name, schema=schema).json()
            for schema, there in (("pos", pos), ("erp", erp))
        ]
        pos.ring_up("3", total="12.50", discount="1.250")
        erp.run(
            "INSERT INTO sale_order (name, state, currency_id, amount_tax, amount_total) VALUES"
            " ('S1', 'draft', 1, 1, 2), ('S2', 'cancel', 1, 1, 2), ('S3', 'sale', 2, 11000, 111000.00)"
        )
        for _ in range(2):
            (there,) = order(api, sources[0], "3")
            assert (there["amount"], there["currency"], there["discount"]) == (1250, "USD", "1.250")
            (here,) = order(api, sources[1], "3")
            assert (here["amount"], here["currency"]) == (11_100_000, "IDR")


@slow
def test_the_connection_is_as_safe_as_its_url_demands(till, api, mariadb):
    for mode, safe in (("disable", False), ("prefer", True), ("require", True), ("verify-full", True)):
        files = f"&sslrootcert={mariadb.authority}" if mode == "verify-full" else ""
        till.configure(api.key.merchant.pk, options=f"?sslmode={mode}{files}")
        ((_, cipher),) = asked(api, "SHOW STATUS LIKE 'Ssl_cipher'")
        assert bool(cipher) is safe, mode


@slow
def test_a_server_whose_certificate_is_another_authoritys_is_not_talked_to(till, api, tmp_path):
    another = certify(tmp_path)
    till.configure(api.key.merchant.pk, options=f"?sslmode=verify-full&sslrootcert={another}")
    assert create(api).status_code == 503


@slow
def test_a_file_that_is_not_there_is_told_to_whoever_runs_this_and_to_nobody_else(till, api, caplog):
    till.configure(api.key.merchant.pk, options="?sslmode=verify-full&sslrootcert=/nowhere/ca.pem")
    away = create(api)
    assert (away.status_code, "/nowhere" in away.text) == (503, False)
    (told,) = [record for record in caplog.records if record.message == "order database away"]
    assert "No such file" in told.fault


@slow
def test_a_table_that_locks_no_rows_is_refused_by_name(till, api):
    till.run("ALTER TABLE pos_order_lines DROP CONSTRAINT line_of_order")
    till.run("ALTER TABLE pos_orders ENGINE = MyISAM")
    assert faults_of(create(api)) == [
        ("/mapping/order/table", "pos_orders is kept by MyISAM, which locks no rows: use InnoDB")
    ]
    assert OrderSource.objects.count() == 0


@slow
def test_an_id_is_told_as_the_till_spells_it_however_it_is_asked_for(till, api):
    """Many a MariaDB compares texts without their case, and without spaces at their end."""
    till.run("ALTER TABLE pos_order_lines DROP CONSTRAINT line_of_order")
    till.retype("pos_orders", "id", "varchar(64) COLLATE utf8mb4_general_ci")
    till.ring_up("A-7")
    source = create(api).json()
    for spelled in ("A-7", "a-7", "A-7 "):
        assert [found["id"] for found in order(api, source, spelled)] == ["A-7"]


@slow
@pytest.mark.parametrize("charset", ["latin1", "utf8mb3", "ascii"])
def test_an_id_that_its_character_set_does_not_have_is_that_of_no_order(till, api, charset):
    till.run("ALTER TABLE pos_order_lines DROP CONSTRAINT line_of_order")
    till.retype("pos_orders", "id", f"varchar(64) CHARACTER SET {charset}")
    till.ring_up("A-7")
    source = create(api).json()
    for text in ("日本", "😀", "\\", "' OR 1=1 -- ", "%"):
        assert order(api, source, text) == []
    assert [found["id"] for found in order(api, source, "A-7")] == ["A-7"]


@slow
def test_names_are_quoted_as_mariadb_does_it(till, api):
    till.run("CREATE TABLE `select` (`from` int PRIMARY KEY, `where` decimal(9, 2), `group` varchar(9))")
    till.run("INSERT INTO `select` VALUES (7, 12.50, 'open')")
    names = {"table": "select", "id": "from", "total": "where", "status": "group"}
    source = create(api, schema="mapping", mapping={"order": names, "currency": "USD"})
    assert source.status_code == 201, source.json()
    assert order(api, source.json(), "7")[0]["amount"] == 1250


@slow
def test_what_the_limits_are_is_known_to_the_server(till, api):
    (limits,) = asked(api, "SELECT @@max_statement_time, @@innodb_lock_wait_timeout, @@idle_transaction_timeout")
    assert [int(limit) for limit in limits] == [5, 2, 10]


@pytest.mark.parametrize(
    ("number", "told"),
    [
        (1054, "its tables are not as they were"),
        (1142, "its tables are not as they were"),
        (1193, "is not MariaDB"),
        (1205, ""),
        (1969, ""),
        (2003, ""),
    ],
)
def test_a_fault_that_waiting_does_not_help_is_told_from_one_that_it_does(number, told):
    said = MariaDB().refusal(OperationalError(number, "whatever till-user@till.example did"))
    assert told in said
    assert bool(said) is bool(told)
    assert "till.example" not in said
