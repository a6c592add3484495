"""A deadline for all that a block asks of the database: an answer that comes too late is worth nothing."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from django.db import OperationalError, connection

_ENDINGS = ("ROLLBACK", "RELEASE", "COMMIT")
"""What ends a transaction must not be refused, and takes no setting in one that has failed."""


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """Have every statement of this thread's connection end with OperationalError once the seconds are over.

    Not inside a transaction. Raises OperationalError.
    """
    ends_at, late = time.monotonic() + seconds, f"the database has not answered within {seconds} s"

    def bounded(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: dict[str, Any]) -> Any:
        if sql.startswith(_ENDINGS):
            return execute(sql, params, many, context)
        left = round((ends_at - time.monotonic()) * 1000)
        if left <= 0:
            raise OperationalError(late)
        used = connection.connection
        with connection.wrap_database_errors:
            used.execute(f"SET statement_timeout = {left}")
        try:
            return execute(sql, params, many, context)
        except OperationalError as fault:
            if isinstance(fault.__cause__, psycopg.errors.QueryCanceled):
                raise OperationalError(late) from None  # it is as good as away, and no fault of the statement
            raise
        finally:
            _set_free(used)

    with connection.execute_wrapper(bounded):
        yield


def _set_free(used: Any) -> None:
    """After each statement, as the connection may be given back at any time. A failed transaction undoes it itself."""
    failed = (psycopg.pq.TransactionStatus.INERROR, psycopg.pq.TransactionStatus.UNKNOWN)
    if used.info.transaction_status not in failed:
        used.execute("SET statement_timeout = DEFAULT")
