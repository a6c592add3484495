"""What a simulator remembers: tables in memory, written behind to one SQLite file when a folder is given."""

from __future__ import annotations

import json
import queue
import sqlite3
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Generic, TypeVar

Row = TypeVar("Row")
Write = tuple[str, str, str | None]

CREATE = "CREATE TABLE IF NOT EXISTS row (name TEXT, key TEXT, body TEXT, PRIMARY KEY (name, key))"
# An update keeps the rowid, so reading in its order gives back the order of creation.
UPSERT = "INSERT INTO row VALUES (?, ?, ?) ON CONFLICT (name, key) DO UPDATE SET body = excluded.body"
DELETE = "DELETE FROM row WHERE name = ? AND key = ?"
PAUSE_SECONDS = 0.02


class Journal:
    """Writes rows behind, in batches: a call never waits for the disk, a crash loses at most a blink."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._queue: queue.SimpleQueue[Write | None] = queue.SimpleQueue()
        connection = sqlite3.connect(path)
        with connection:
            connection.execute(CREATE)
        self.found: list[Write] = connection.execute("SELECT name, key, body FROM row ORDER BY rowid").fetchall()
        connection.close()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def write(self, name: str, key: str, body: str | None) -> None:
        self._queue.put((name, key, body))

    def close(self) -> None:
        self._queue.put(None)
        self._thread.join(timeout=10)

    def _run(self) -> None:
        connection = sqlite3.connect(self._path)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        open_ended = True
        while open_ended:
            batch = self._batch()
            open_ended = batch[-1] is not None
            with connection:
                for write in batch:
                    if write is not None:
                        _apply(connection, write)
        connection.close()

    def _batch(self) -> list[Write | None]:
        batch = [self._queue.get()]
        if batch[0] is not None:
            threading.Event().wait(PAUSE_SECONDS)
        while batch[-1] is not None and not self._queue.empty():
            batch.append(self._queue.get())
        return batch


def _apply(connection: sqlite3.Connection, write: Write) -> None:
    name, key, body = write
    if body is None:
        connection.execute(DELETE, (name, key))
    else:
        connection.execute(UPSERT, (name, key, body))


class Table(Generic[Row]):
    """Rows by key, oldest first. Whoever changes a row in place puts it back, under its owner's lock."""

    def __init__(self, name: str, journal: Journal | None, dump: Callable[[Row], Any]) -> None:
        self._name, self._journal, self._dump = name, journal, dump
        self._rows: dict[str, Row] = {}

    def get(self, key: str) -> Row | None:
        return self._rows.get(key)

    def put(self, key: str, row: Row) -> None:
        self._rows[key] = row
        if self._journal:
            self._journal.write(self._name, key, json.dumps(self._dump(row)))

    def remove(self, key: str) -> None:
        if self._rows.pop(key, None) is not None and self._journal:
            self._journal.write(self._name, key, None)

    def restore(self, key: str, row: Row) -> None:
        self._rows[key] = row

    def clear(self) -> None:
        for key in list(self._rows):
            self.remove(key)

    def rows(self) -> list[Row]:
        return list(self._rows.values())

    def items(self) -> list[tuple[str, Row]]:
        return list(self._rows.items())

    def newest_first(self) -> Iterator[Row]:
        return reversed(self.rows())

    def oldest(self) -> tuple[str, Row] | None:
        return next(iter(self._rows.items()), None)

    def __contains__(self, key: str) -> bool:
        return key in self._rows

    def __len__(self) -> int:
        return len(self._rows)


class Memory:
    """Every table of one simulator."""

    def __init__(self, path: Path | None = None) -> None:
        self._journal = Journal(path) if path else None
        self._found: dict[str, dict[str, Any]] = {}
        for name, key, body in self._journal.found if self._journal else []:
            self._found.setdefault(name, {})[key] = json.loads(body or "null")

    def table(
        self,
        name: str,
        load: Callable[[Any], Row] = lambda row: row,
        dump: Callable[[Row], Any] = lambda row: row,
    ) -> Table[Row]:
        """The table of that name, filled with what an earlier run left behind."""
        table = Table(name, self._journal, dump)
        for key, body in self._found.pop(name, {}).items():
            table.restore(key, load(body))
        return table

    def close(self) -> None:
        if self._journal:
            self._journal.close()
