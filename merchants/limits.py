"""Rate limits: counted in Redis, and in this process while Redis is away."""

import time
from typing import Any

import redis
from django.conf import settings
from limits import RateLimitItem, parse
from limits.storage import MemoryStorage, RedisStorage, Storage
from redis.backoff import NoBackoff
from redis.retry import Retry

from core.errors import RateLimited

_AWAY_SECONDS = 1.0
_shared: RedisStorage | None = None
_local = MemoryStorage()
_redis_away_until = 0.0


def check(limit: str, *names: str) -> dict[str, str]:
    """Count one request. Returns the RateLimit headers; raises RateLimited with the seconds to wait."""
    item = parse(limit)
    window, left, wait = item.get_expiry(), *_count(item, *names)
    headers = {"RateLimit-Policy": f'"default";q={item.amount};w={window}', "RateLimit": f'"default";r={max(left, 0)}'}
    if left < 0:
        told = f"More than {item.amount} requests in {window} s. Wait {wait} s."
        raise RateLimited(told, retry_after=wait, headers=headers)
    return headers


def _count(item: RateLimitItem, *names: str) -> tuple[int, int]:
    global _redis_away_until
    if time.monotonic() >= _redis_away_until:
        try:
            return _counted_by(_in_redis(), item, *names)
        except redis.RedisError:
            _redis_away_until = time.monotonic() + _AWAY_SECONDS
    return _counted_by(_local, item, *names)


def _counted_by(storage: Storage, item: RateLimitItem, *names: str) -> tuple[int, int]:
    """How many requests are left in the window, -1 when it is used up, and the seconds until it ends.

    A fixed window by `limits`' own atomic counter: one round trip, and a second only for a refusal.
    """
    key = item.key_for(*names)
    left = item.amount - storage.incr(key, item.get_expiry())
    return (left, 0) if left >= 0 else (-1, max(1, round(storage.get_expiry(key) - time.time())))


def _in_redis() -> RedisStorage:
    global _shared
    if _shared is None:
        timeout = settings.REDIS_TIMEOUT
        never_again: Any = Retry(NoBackoff(), 0)
        _shared = RedisStorage(
            settings.REDIS_URL, socket_timeout=timeout, socket_connect_timeout=timeout, retry=never_again
        )
    return _shared
