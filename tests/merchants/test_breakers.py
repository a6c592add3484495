"""A breaker opens after failures in a row, lets one payment try at a time, and closes when somebody answers."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import connection

from core import clock
from merchants import breakers
from merchants.models import Breaker
from tests.factories import ProviderAccountFactory

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def elsewhere():
    """What another process would know."""
    breakers._troubled.clear()


@pytest.fixture
def account():
    return ProviderAccountFactory().pk


def fail(account, times):
    for _ in range(times):
        breakers.note_silence(account)


def rests(account):
    row = Breaker.objects.get(account=account)
    return breakers.is_resting(account, streak=row.streak, retry_at=row.retry_at)


def test_it_opens_after_failures_in_a_row_and_not_before(account, settings):
    fail(account, settings.BREAKER_FAILURES - 1)
    assert not rests(account)
    fail(account, 1)
    assert rests(account)


def test_an_answer_between_failures_starts_the_count_anew(account, settings):
    fail(account, settings.BREAKER_FAILURES - 1)
    breakers.note_answer(account)
    fail(account, settings.BREAKER_FAILURES - 1)
    assert not rests(account)


def test_another_process_learns_of_it_from_the_account_s_row(account, settings):
    fail(account, settings.BREAKER_FAILURES)
    breakers._troubled.clear()
    assert rests(account)
    assert not breakers.admit(account)


def test_an_account_that_answers_costs_no_statement(account, django_assert_num_queries):
    with django_assert_num_queries(0):
        assert not breakers.is_resting(account, streak=0, retry_at=None)
        assert breakers.admit(account)
        breakers.note_answer(account)


def test_after_its_rest_one_payment_is_let_through_and_in_vain_the_rest_doubles(account, settings):
    fail(account, settings.BREAKER_FAILURES)
    with clock.shifted(settings.BREAKER_REST + timedelta(seconds=1)):
        assert not rests(account)
        assert [breakers.admit(account), breakers.admit(account)] == [True, False]
        fail(account, 3)
        left = Breaker.objects.get(account=account).retry_at - clock.now()
        assert settings.BREAKER_REST < left <= 2 * settings.BREAKER_REST


def test_it_never_rests_longer_than_the_longest(account, settings):
    fail(account, settings.BREAKER_FAILURES)
    Breaker.objects.update(trials=40, retry_at=clock.now())
    assert breakers.admit(account)
    assert Breaker.objects.get().retry_at <= clock.now() + settings.BREAKER_LONGEST_REST


def test_an_answer_closes_it(account, settings):
    fail(account, settings.BREAKER_FAILURES)
    breakers.note_answer(account)
    assert (rests(account), breakers.admit(account)) == (False, True)
    assert Breaker.objects.get().trials == 0


@pytest.mark.django_db(transaction=True)
def test_of_many_processes_one_gets_the_trial(account, settings):
    fail(account, settings.BREAKER_FAILURES)
    Breaker.objects.update(retry_at=clock.now())

    def ask(_):
        try:
            return breakers.admit(account)
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(ask, range(8))) == [False] * 7 + [True]


@pytest.mark.django_db(transaction=True)
def test_failures_at_once_are_all_counted(account):
    def silent(_):
        try:
            breakers.note_silence(account)
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(silent, range(12)))
    assert Breaker.objects.get().streak == 12
