"""Reaching somebody else's database: never while ours is held, and its words stay in the log."""

import logging

import pytest
from django.db import connection, connections, transaction

from orders import databases, reading
from tests import factories
from tests.till import Till, tills

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def merchant(till):
    made = factories.MerchantFactory()
    till.configure(made.pk)
    return made.pk


def reached(merchant, livemode=False):
    return databases.reached("till", merchant=merchant, livemode=livemode)


def test_it_is_not_asked_inside_a_transaction_of_ours(merchant):
    with transaction.atomic(), pytest.raises(RuntimeError, match="inside a database transaction"), reached(merchant):
        pass


def test_our_connection_is_given_back_and_theirs_is_not_kept(merchant):
    with reached(merchant) as alias:
        assert connection.connection is None
        connections[alias].ensure_connection()
    assert connections[alias].connection is None


def test_whose_it_is_and_in_which_mode_is_asked_each_time(merchant):
    for who, livemode in ((merchant, True), (factories.MerchantFactory().pk, False)):
        with pytest.raises(databases.Refused), reached(who, livemode):
            pass
    assert databases.usable_by(merchant, livemode=False) == ["till"]


def test_what_the_driver_says_of_hosts_and_users_is_told_to_nobody(merchant, till, refused_port, caplog):
    till.configure(merchant, port=refused_port, user="till-user", password="till-password")
    with caplog.at_level(logging.WARNING), pytest.raises(databases.Away) as away, reached(merchant):
        pass
    assert str(away.value) == "till cannot be reached, or does not answer in time"
    assert away.value.__cause__ is None
    assert "till-password" not in caplog.text
    assert "order database away" in caplog.text


def test_rows_that_the_driver_tells_of_are_kept_out_of_the_log(merchant, till, caplog):
    till.run("CREATE TABLE guests (name text NOT NULL, paid numeric CHECK (paid >= 0))")

    def write():
        with reached(merchant) as alias, connections[alias].cursor() as cursor:
            cursor.execute("INSERT INTO guests VALUES ('Zawadi', -1)")

    with caplog.at_level(logging.WARNING), pytest.raises(databases.Refused):
        write()
    [record] = [told for told in caplog.records if told.message == "order database refused"]
    assert record.sqlstate == "23514" or "4025" in record.fault
    assert "\n" not in record.fault
    assert "Zawadi" not in str(vars(record))


def test_a_statement_that_takes_too_long_is_ended(merchant, till):
    def sleep():
        with reached(merchant) as alias, connections[alias].cursor() as cursor:
            till.sleep(cursor)

    with pytest.raises(databases.Away):
        sleep()


class LatinTill(Till):
    """A database whose letters are few."""

    encoding = "ENCODING 'LATIN1' LOCALE_PROVIDER 'libc' TEMPLATE template0 LC_COLLATE 'C' LC_CTYPE 'C'"


def test_an_id_that_the_database_has_no_letters_for_is_that_of_no_order(transactional_db):
    source = factories.OrderSourceFactory(database="latin", schema="pos", table="pos_orders")
    with tills("latin", make=LatinTill) as (till,):
        till.run(till.pos)
        till.configure(source.merchant_id)
        till.ring_up("A-7")
        assert reading.read(source, "日本") is None
        assert reading.read(source, "A-7").number == "A-7"
