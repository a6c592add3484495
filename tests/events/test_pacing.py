"""Lanes with a pace: no more rows are begun in a second, and no other lane waits for it."""

import time
from collections import Counter
from datetime import timedelta

import pytest

from core import clock
from events import work
from events.models import LanePace
from events.pacing import holds_back, set_pace
from tests import factories
from tests.events.test_work import finish_all, parallel, queue, rows

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def account():
    return factories.ProviderAccountFactory()


def claimed(asked, seconds=0.0):
    with clock.shifted(timedelta(seconds=seconds)):
        return Counter(row.lane for row in work.claim(asked, free=64))


def test_a_lane_begins_a_tenth_of_a_seconds_worth_at_once_and_then_its_pace(account):
    rows(account, 40, lane="slow")
    asked = queue(lane_limit=100, threads=400)
    set_pace("tests", "slow", 20)
    with clock.stopped():
        assert claimed(asked)["slow"] == 3
        assert claimed(asked)["slow"] == 0
        assert [claimed(asked, seconds=0.2 + 0.05 * step)["slow"] for step in range(1, 6)].count(1) >= 4


def test_no_other_lane_or_queue_has_its_pace(account):
    rows(account, 8, lane="slow")
    rows(account, 8, lane="free")
    set_pace("tests", "slow", 1)
    set_pace("other", "free", 1)
    assert claimed(queue(lane_limit=8, threads=64)) == {"slow": 1, "free": 8}
    set_pace("tests", "slow", None)
    assert LanePace.objects.count() == 1


def test_claimers_at_once_keep_the_pace_together(account):
    rows(account, 30, lane="slow")
    asked = queue(lane_limit=100)
    set_pace("tests", "slow", 2)
    with clock.stopped():
        found = parallel(*[lambda: work.claim(asked, free=64)] * 4)
    assert sum(map(len, found)) == 1


def test_a_drain_stays_awake_until_a_slow_lane_is_empty_and_others_do_not_wait(account):
    rows(account, 12, lane="slow")
    rows(account, 12, lane="free")
    set_pace("tests", "slow", 10)
    done = []
    asked = queue(lambda row: done.append((row.lane, time.monotonic())), finish=finish_all, paced=True)
    began = time.monotonic()
    asked()
    slow = [at for lane, at in done if lane == "slow"]
    free = [at for lane, at in done if lane == "free"]
    assert (len(slow), len(free)) == (12, 12)
    assert max(slow) - began >= 0.9
    assert max(free) < max(slow)
    assert not holds_back("tests", asked.model)


def test_a_pace_that_is_not_positive_is_refused_by_the_database():
    with pytest.raises(Exception, match="pace_is_positive"):
        set_pace("tests", "slow", 0)
