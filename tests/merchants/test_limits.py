"""Rate limits: counted in Redis, and in this process while Redis is away."""

import time

import pytest

from core import ids
from core.errors import RateLimited
from merchants import limits

pytestmark = pytest.mark.django_db


@pytest.fixture(params=["redis", "refused_port", "black_hole"])
def where(request, redis_at):
    if request.param != "redis":
        redis_at(f"redis://127.0.0.1:{request.getfixturevalue(request.param)}/0")


def test_a_limit_holds_wherever_it_is_counted(where):
    name = ids.random_token()
    left = [limits.check("3/minute", "key", name)["RateLimit"] for _ in range(3)]
    assert left == ['"default";r=2', '"default";r=1', '"default";r=0']
    with pytest.raises(RateLimited) as refusal:
        limits.check("3/minute", "key", name)
    assert 1 <= refusal.value.retry_after <= 60
    assert refusal.value.headers["RateLimit-Policy"] == '"default";q=3;w=60'


def test_each_name_is_counted_apart(where):
    first, second = ids.random_token(), ids.random_token()
    limits.check("1/minute", "key", first)
    limits.check("1/minute", "key", second)
    limits.check("1/minute", "address", first)


def test_while_redis_is_away_a_request_waits_briefly_once_and_the_next_ones_not_at_all(redis_at, black_hole):
    redis_at(f"redis://127.0.0.1:{black_hole}/0")
    name, began = ids.random_token(), time.perf_counter()
    limits.check("1000/minute", "key", name)
    first = time.perf_counter() - began
    for _ in range(100):
        limits.check("1000/minute", "key", name)
    assert first < 3
    assert time.perf_counter() - began < first + 3  # 4 s, if each of them waited
