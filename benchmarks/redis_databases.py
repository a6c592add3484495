"""Redis databases of our own on the server that was given or started: empty ones, and empty again afterwards."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.parse import urlsplit, urlunsplit

import redis

from benchmarks.processes import Broken

_MARK = "lango:bench"


@dataclass
class RedisDatabases:
    """`url` names the server; a default one has sixteen databases."""

    url: str
    _taken: list[str] = field(default_factory=list)

    def take(self) -> str:
        """The URL of an empty database that nobody else took."""
        with redis.Redis.from_url(self.url) as server:
            several = int(server.config_get("databases")["databases"])
        for number in range(1, several):
            url = urlunsplit(urlsplit(self.url)._replace(path=f"/{number}"))
            with redis.Redis.from_url(url) as database:
                if database.dbsize() == 0 and database.set(_MARK, 1, nx=True):
                    self._taken.append(url)
                    return url
        raise Broken(f"none of the {several} databases of the Redis server is empty")

    def empty_all(self) -> None:
        for url in self._taken:
            with redis.Redis.from_url(url) as database:
                database.flushdb()
        self._taken.clear()


@contextmanager
def redis_databases(url: str) -> Iterator[RedisDatabases]:
    """Databases that are empty again when the block ends."""
    held = RedisDatabases(url)
    try:
        yield held
    finally:
        held.empty_all()
