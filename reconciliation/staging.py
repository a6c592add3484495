"""The lines of a statement on their way into the database: copied in, never inserted one by one."""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from django.conf import settings
from django.db import connection, models

from core import clock
from core.database import delete_in_batches
from payments.providers.statements import StatementLine
from reconciliation.mapping import FileLine
from reconciliation.models import Run, StagedLine

_COLUMNS = {
    "run": "text", "kind": "text", "provider_money_id": "text", "amount": "int8", "currency": "text",
    "reference": "text", "word": "text", "provider_status": "text", "at": "timestamptz", "payer_hint": "text",
    "fee_amount": "int8", "fee_currency": "text", "gives_back": "text", "payment_id": "text",
    "settlement": "text",
}  # fmt: skip
_COPY = f"COPY {StagedLine._meta.db_table} ({', '.join(_COLUMNS)}) FROM STDIN (FORMAT binary)"
"""Binary, as it takes half the time to write and to read."""
_MANY = 10_000
UNREADABLE = "unread"
"""In place of a line's kind."""


class StagedRow(NamedTuple):
    """A line as it is kept, for whoever reads very many of them: amounts are minor units of ISO 4217 currencies.

    `kind` and `word` are those of a StatementLine; `fee_currency` is empty where there is no fee.
    """

    kind: str
    provider_money_id: str
    amount: int
    currency: str
    reference: str = ""
    word: str = "succeeded"
    provider_status: str = ""
    at: datetime | None = None
    payer_hint: str = ""
    fee_amount: int | None = None
    fee_currency: str = ""
    gives_back: str = ""
    payment_id: str = ""
    settlement: str = ""


def copy(kind: type[models.Model], columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """COPY rows into a table. In the caller's transaction, if there is one."""
    names = ", ".join(connection.ops.quote_name(column) for column in columns)
    statement = f"COPY {connection.ops.quote_name(kind._meta.db_table)} ({names}) FROM STDIN"
    with connection.cursor() as cursor, cursor.copy(statement) as copied:
        for row in rows:
            copied.write_row(row)


def stage_unreadable(run: str, numbers: Iterable[str]) -> int:
    """Numbers that a file has, in lines of which nothing else is known: their money is not missed there."""
    return stage(run, (StagedRow(UNREADABLE, number, 0, "", word="unknown") for number in numbers))


def stage(run: str, lines: Iterable[StatementLine | FileLine | StagedRow]) -> int:
    """Keep the lines for the run by one COPY; how many. In the caller's transaction, if there is one.

    Those of a file may name the payout that they belong to, or be one.
    """
    count = 0
    with connection.cursor() as cursor, cursor.copy(_COPY) as copied:
        copied.set_types(list(_COLUMNS.values()))
        for row in _rows(run, lines):
            copied.write_row(row)
            count += 1
    return count


def _rows(run: str, lines: Iterable[StatementLine | FileLine | StagedRow]) -> Iterator[tuple[Any, ...]]:
    for told in lines:
        if isinstance(told, StagedRow):
            yield (run, *told)
        elif isinstance(told, FileLine):
            yield (*_row(run, told.kind, told.line), told.settlement)
        else:
            yield (*_row(run, str(told.kind), told), "")


def _row(run: str, kind: str, line: StatementLine) -> tuple[Any, ...]:
    _, money, number, reference, word, status, at, payer_hint, fee, *names = line
    kept = (None, "") if fee is None else (fee.amount, fee.currency)
    return (
        run, kind, number, money.amount, money.currency, reference, str(word), status, at, payer_hint, *kept, *names
    )  # fmt: skip


def digest(lines: Sequence[StatementLine]) -> str:
    """What a page is known by when it comes again; empty for one without lines."""
    numbers = "\n".join(sorted(line.provider_money_id for line in lines))
    return hashlib.sha256(numbers.encode()).hexdigest() if lines else ""


def count_again(run: Run) -> None:
    """Let the planner know of many new lines, as the database's own round would only later. In no transaction."""
    if run.lines >= _MANY:
        with connection.cursor() as cursor:
            cursor.execute(f"ANALYZE {StagedLine._meta.db_table} (run, provider_money_id)")


def forget(run: str) -> int:
    return delete_in_batches(StagedLine.objects.filter(run=run), batch=10_000)


def purge() -> int:
    """Forget the lines of runs that finished a while ago; how many."""
    before = clock.now() - settings.STATEMENT_LINES_KEPT
    finished = Run.objects.filter(pk__in=StagedLine.objects.values("run").distinct(), finished_at__lt=before)
    return sum(forget(run) for run in finished.values_list("pk", flat=True))
