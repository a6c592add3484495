"""A till's database beside ours, and a merchant who may use it."""

import pytest

from tests.till import Till, tills


@pytest.fixture
def till(transactional_db, settings, make_till) -> Till:
    with tills("till", make=make_till) as (made,):
        made.run(made.pos)
        yield made


@pytest.fixture
def merchant(api, till):
    """The merchant of `api`."""
    till.configure(api.key.merchant.pk)
    return api.key.merchant
