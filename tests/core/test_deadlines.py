"""Statements that end when their time is over, and a connection that is free of it afterwards."""

import time

import pytest
from django.db import OperationalError, ProgrammingError, connection, transaction

from core.deadlines import within

pytestmark = pytest.mark.django_db(transaction=True)


def ask(sql="SELECT 1"):
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return cursor.fetchone()[0]


def test_a_statement_that_takes_too_long_is_cancelled():
    started = time.monotonic()
    with pytest.raises(OperationalError), within(0.3):
        ask("SELECT pg_sleep(30)")
    assert time.monotonic() - started < 20


def test_all_statements_together_have_that_time():
    def ask_slowly():
        for _ in range(100):
            time.sleep(0.05)
            ask()

    with within(0.2), pytest.raises(OperationalError, match=r"within 0\.2 s"):
        ask_slowly()


def test_a_transaction_whose_time_is_over_is_rolled_back_and_the_connection_goes_on():
    with pytest.raises(OperationalError), within(0.3), transaction.atomic(), transaction.atomic():
        ask("SELECT pg_sleep(30)")
    assert ask("SHOW statement_timeout") == "0"
    assert ask() == 1


def test_a_statement_that_fails_otherwise_leaves_no_deadline():
    with within(5), pytest.raises(ProgrammingError):
        ask("SELECT nonsense")
    assert ask("SHOW statement_timeout") == "0"
    with within(5), pytest.raises(ProgrammingError), transaction.atomic():
        ask("SELECT nonsense")
    assert ask("SHOW statement_timeout") == "0"


def test_within_it_a_statement_has_a_deadline_and_afterwards_none():
    with within(5):
        assert ask("SHOW statement_timeout") != "0"
    assert ask("SHOW statement_timeout") == "0"


def test_a_connection_that_was_given_back_meanwhile_keeps_no_deadline():
    with within(5):
        ask()
        connection.close()
        assert ask() == 1
    told = set()
    for _ in range(3):
        connection.close()
        told.add(ask("SHOW statement_timeout"))
    assert told == {"0"}
