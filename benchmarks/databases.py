"""Databases of our own on the PostgreSQL that was given or started, so that no row of anybody is touched."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.parse import urlsplit, urlunsplit

import psycopg
from psycopg import sql

from benchmarks.processes import parent


@dataclass
class Databases:
    """`url` names a database on the server whose user may create others."""

    url: str
    _made: list[str] = field(default_factory=list)

    def make(self, name: str, *, like: str = "") -> str:
        """Make a database, empty or like another one of ours, and return its URL."""
        full = f"lango_bench_{os.getpid()}_{name}"
        statement: sql.Composed = sql.SQL("CREATE DATABASE {}").format(sql.Identifier(full))
        if like:
            template = urlsplit(like).path.removeprefix("/")
            statement += sql.SQL(" TEMPLATE {}").format(sql.Identifier(template))
        self._do(statement)
        self._made.append(full)
        parts = urlsplit(self.url)
        return urlunsplit(parts._replace(path=f"/{full}"))

    def drop_all(self) -> None:
        for name in reversed(self._made):
            self._do(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))
        self._made.clear()

    def postmaster(self) -> int | None:
        """The process that all of the server's processes descend from; None when it is on another machine."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            backend = connection.info.backend_pid
            above = parent(backend)
            try:
                with open(f"/proc/{backend}/comm") as name:
                    return above if name.read().startswith("postgres") else None
            except OSError:
                return None

    def _do(self, statement: sql.SQL | sql.Composed) -> None:
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(statement)


@contextmanager
def databases(url: str) -> Iterator[Databases]:
    """Databases that are gone when the block ends."""
    held = Databases(url)
    try:
        yield held
    finally:
        held.drop_all()
