"""A till's database beside ours, and a merchant who may use it."""

import pytest

from tests.till import POS, Till, tills


@pytest.fixture
def till(transactional_db, settings) -> Till:
    with tills("till") as (made,):
        made.run(POS)
        yield made


@pytest.fixture
def merchant(api, till):
    """The merchant of `api`."""
    till.configure(api.key.merchant.pk)
    return api.key.merchant
