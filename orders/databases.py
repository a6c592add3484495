"""Reaching a merchant's own database: few at a time, each wait with its end, and nothing of ours held meanwhile."""

import logging
import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager

from django.conf import settings
from django.db import DatabaseError, InterfaceError, OperationalError, connection, connections, transaction

from orders.configured import OrderDatabase
from orders.dialects import TABLES_CHANGED

logger = logging.getLogger(__name__)

PLACES = 4
"""How many threads of a process one database may hold at a time."""
_WAIT_FOR_PLACE = 0.5

_places: defaultdict[str, threading.BoundedSemaphore] = defaultdict(lambda: threading.BoundedSemaphore(PLACES))


class Away(Exception):
    """The database did not answer in time, or nobody answers there at all. Nothing is known of what was asked."""


class Refused(Exception):
    """The database answered, and does not do what it is asked: its tables are other than they were."""


def usable_by(merchant: str, *, livemode: bool) -> list[str]:
    """The names of the databases that a merchant's sources of that mode may use."""
    configured: dict[str, OrderDatabase] = settings.ORDER_DATABASES
    return sorted(name for name, one in configured.items() if merchant in one.merchants and one.livemode == livemode)


@contextmanager
def reached(name: str, *, merchant: str, livemode: bool) -> Iterator[str]:
    """The alias of the database, in one transaction of its own. Raises Away and Refused, which tell of no address.

    Refused, too, where the settings do not, or do no longer, give it to the merchant in that mode.
    Not inside a transaction of ours, whose connection is given back meanwhile.
    """
    if name not in usable_by(merchant, livemode=livemode):
        raise Refused(f"the settings give you no order database {name} in this mode")
    configured: OrderDatabase = settings.ORDER_DATABASES[name]
    if connection.in_atomic_block:
        raise RuntimeError("another database must not be asked inside a database transaction")
    connection.close()
    place = _places[name]
    if not place.acquire(timeout=_WAIT_FOR_PLACE):
        raise Away(f"{name} answers so slowly that it is asked nothing more for now")
    try:
        with _faults_of(configured), transaction.atomic(using=configured.alias):
            yield configured.alias
    finally:
        connections[configured.alias].close()
        place.release()


@contextmanager
def _faults_of(database: OrderDatabase) -> Iterator[None]:
    """What the driver says names hosts and users: it is for the log, and a word of ours for everybody else."""
    try:
        yield
    except (OperationalError, InterfaceError, OSError) as fault:  # PyMySQL leaves a file for TLS that is not there bare
        if refusal := database.dialect.refusal(fault):
            raise _refused(database, fault, refusal) from None
        logger.warning("order database away", extra={"database": database.name, **_loggable(fault)})
        raise Away(f"{database.name} cannot be reached, or does not answer in time") from None
    except DatabaseError as fault:
        raise _refused(database, fault, TABLES_CHANGED) from None


def _refused(database: OrderDatabase, fault: Exception, told: str) -> Refused:
    logger.warning("order database refused", extra={"database": database.name, **_loggable(fault)})
    return Refused(f"{database.name} {told}")


def _loggable(fault: Exception) -> dict[str, str]:
    """Its first line: PostgreSQL's next ones are whole rows, with customers in them."""
    line = next(iter(str(fault).splitlines()), "")
    return {"fault": line[:300], "sqlstate": str(getattr(fault.__cause__, "sqlstate", None) or "")}
