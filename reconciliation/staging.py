"""The lines of a statement on their way into the database: copied in, never inserted one by one."""

import hashlib
from collections.abc import Iterable, Sequence
from typing import Any

from django.conf import settings
from django.db import connection, models

from core import clock
from core.database import delete_in_batches
from payments.providers.statements import StatementLine
from reconciliation.mapping import FileLine
from reconciliation.models import Run, StagedLine

_COLUMNS = (
    "run", "kind", "provider_money_id", "amount", "currency", "reference", "word", "provider_status", "at",
    "payer_hint", "fee_amount", "fee_currency",
)  # fmt: skip
_MANY = 10_000
UNREADABLE = "unread"
"""In place of a line's kind."""


def copy(kind: type[models.Model], columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> int:
    """COPY rows into a table; how many. In the caller's transaction, if there is one."""
    names = ", ".join(connection.ops.quote_name(column) for column in columns)
    count = 0
    statement = f"COPY {connection.ops.quote_name(kind._meta.db_table)} ({names}) FROM STDIN"
    with connection.cursor() as cursor, cursor.copy(statement) as copied:
        for row in rows:
            copied.write_row(row)
            count += 1
    return count


def stage(run: str, lines: Iterable[StatementLine]) -> int:
    """Keep the lines for the run; how many."""
    return copy(StagedLine, _COLUMNS, (_row(run, line) for line in lines))


def stage_file(run: str, lines: Iterable[FileLine]) -> int:
    """The same for lines of a file, which may name the payout that they belong to, or be one."""
    return copy(StagedLine, (*_COLUMNS, "settlement"), (_file_row(run, told) for told in lines))


def stage_unreadable(run: str, numbers: Iterable[str]) -> int:
    """Numbers that a file has, in lines of which nothing else is known: their money is not missed there."""
    unknown = (0, "", "", "unknown", "", None, "", None, "")
    return copy(StagedLine, _COLUMNS, ((run, UNREADABLE, number, *unknown) for number in numbers))


def _file_row(run: str, told: FileLine) -> tuple[Any, ...]:
    row = _row(run, told.line)
    return (row[0], told.kind, *row[2:], told.settlement)


def _row(run: str, line: StatementLine) -> tuple[Any, ...]:
    fee = line.fee
    return (
        run,
        line.kind.value,
        line.provider_money_id,
        line.money.amount,
        line.money.currency,
        line.reference,
        line.word.value,
        line.provider_status,
        line.at,
        line.payer_hint,
        fee.amount if fee else None,
        fee.currency if fee else "",
    )


def digest(lines: Sequence[StatementLine]) -> str:
    """What a page is known by when it comes again; empty for one without lines."""
    numbers = "\n".join(sorted(line.provider_money_id for line in lines))
    return hashlib.sha256(numbers.encode()).hexdigest() if lines else ""


def count_again(run: Run) -> None:
    """Let the planner know of many new lines, as the database's own round would only later. In no transaction."""
    if run.lines >= _MANY:
        with connection.cursor() as cursor:
            cursor.execute(f"ANALYZE {connection.ops.quote_name(StagedLine._meta.db_table)}")


def forget(run: str) -> int:
    return delete_in_batches(StagedLine.objects.filter(run=run), batch=10_000)


def purge() -> int:
    """Forget the lines of runs that finished a while ago; how many."""
    before = clock.now() - settings.STATEMENT_LINES_KEPT
    finished = Run.objects.filter(pk__in=StagedLine.objects.values("run").distinct(), finished_at__lt=before)
    return sum(forget(run) for run in finished.values_list("pk", flat=True))
