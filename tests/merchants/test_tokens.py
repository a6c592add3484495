"""The one live access token of a provider account, shared by all processes."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import connection

from core import clock
from core.crypto import Secret
from core.providers import AccessToken, Unreachable
from merchants.models import ProviderToken
from merchants.tokens import AccountTokens
from tests import factories

pytestmark = pytest.mark.django_db(transaction=True)


class Fetch:
    """Gives a new token each time; `calls` counts."""

    def __init__(self, seconds=3600, pause=0.0):
        self.calls, self.seconds, self.pause = 0, seconds, pause
        self._lock = threading.Lock()

    def __call__(self):
        with self._lock:
            self.calls += 1
            made = self.calls
        time.sleep(self.pause)
        return AccessToken(Secret(f"token-{made}"), timedelta(seconds=self.seconds))


@pytest.fixture
def account():
    return factories.ProviderAccountFactory()


def test_a_token_is_fetched_once_for_all_processes_and_sealed(account):
    fetch = Fetch()
    for _ in range(3):
        assert AccountTokens(account).get(fetch).reveal() == "token-1"
    assert fetch.calls == 1
    assert b"token-1" not in bytes(ProviderToken.objects.get().token)


def test_eight_that_find_none_fetch_one(account):
    fetch = Fetch(pause=0.1)

    def get():
        try:
            return AccountTokens(account).get(fetch).reveal()
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as pool:
        assert {future.result(10) for future in [pool.submit(get) for _ in range(8)]} == {"token-1"}
    assert fetch.calls == 1


def test_a_token_is_replaced_a_minute_before_its_end(account):
    fetch, tokens = Fetch(seconds=3600), AccountTokens(account)
    tokens.get(fetch)
    with clock.shifted(timedelta(seconds=3530)):
        assert tokens.get(fetch).reveal() == "token-1"
    with clock.shifted(timedelta(seconds=3545)):
        assert tokens.get(fetch).reveal() == "token-2"


def test_a_refused_token_is_replaced_unless_somebody_already_has(account):
    fetch, first, second = Fetch(), AccountTokens(account), AccountTokens(account)
    refused = first.get(fetch)
    second.get(fetch)
    first.reject(refused)
    assert first.get(fetch).reveal() == "token-2"
    second.reject(refused)
    assert second.get(fetch).reveal() == "token-2"
    assert fetch.calls == 2


def test_a_fetch_that_fails_lets_the_next_one_try_at_once(account):
    def fail():
        raise Unreachable("no answer")

    tokens, began = AccountTokens(account), time.monotonic()
    with pytest.raises(Unreachable, match="no answer"):
        tokens.get(fail)
    assert tokens.get(Fetch()).reveal() == "token-1"
    assert time.monotonic() - began < 2


def test_credentials_that_are_replaced_meanwhile_are_no_fault(account):
    """They take the row away between its insertion and the lease on it."""
    taken = []

    def take_away(execute, sql, *arguments):
        if "FOR UPDATE" in sql and not taken:
            taken.append(ProviderToken.objects.filter(account=account).delete())
        return execute(sql, *arguments)

    with connection.execute_wrapper(take_away):
        assert AccountTokens(account).get(Fetch()).reveal() == "token-1"
    assert taken


def test_a_token_shows_itself_in_no_repr(account):
    tokens = AccountTokens(account)
    assert "token-1" not in repr(tokens.get(Fetch())) + repr(tokens) + str(ProviderToken.objects.get())
