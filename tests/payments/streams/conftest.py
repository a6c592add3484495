"""One process that serves live events, for all tests here that need no other."""

from collections.abc import Iterator

import pytest

from tests import factories
from tests.payments.streams.screens import Screen, serving


@pytest.fixture(scope="module")
def url(django_db_setup, django_db_blocker) -> Iterator[str]:
    with django_db_blocker.unblock(), serving() as url:
        yield url


@pytest.fixture
def store(transactional_db):
    return factories.StoreFactory()


@pytest.fixture
def token(store):
    return factories.DisplayTokenFactory(store=store)


@pytest.fixture
def screen():
    """`screen(url, token, …)`, gone after the test."""
    opened = []

    def open_one(*arguments, **options) -> Screen:
        opened.append(Screen(*arguments, **options))
        return opened[-1]

    yield open_one
    for each in opened:
        each.leave()
