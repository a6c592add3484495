"""Several rows in one statement: the hottest writes of the house, one round trip and one commit each."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, TypeAlias, TypeVar

from django.db import connection, models, transaction

Row = TypeVar("Row", bound=models.Model)
Column: TypeAlias = "models.Field[Any, Any]"


def insert_all(*rows: models.Model) -> None:
    """Insert unsaved rows, of any models, in one statement: all of them or none.

    Foreign keys between the rows are fine: PostgreSQL checks them at the end of the statement.
    Outside a transaction the statement is its own. Raises IntegrityError like `save()`.
    """
    statement = _statement(tuple(type(row) for row in rows))
    with connection.cursor() as cursor:
        cursor.execute(statement, [value for row in rows for value in _values(row)])
    for row in rows:
        row._state.adding = False
        row._state.db = connection.alias


def insert_ignoring(row: models.Model) -> bool:
    """Insert the row unless a unique constraint says that it is there already; whether it was inserted."""
    with connection.cursor() as cursor:
        cursor.execute(f"{_insert(type(row))} ON CONFLICT DO NOTHING", _values(row))
        inserted = int(cursor.rowcount) == 1
    row._state.adding = not inserted
    return inserted


def delete_in_batches(
    rows: models.QuerySet[Any], *, batch: int = 1000, also: Callable[[list[Any]], object] | None = None
) -> int:
    """Delete rows in short transactions, so that a backlog holds no locks for long; how many there were.

    `also` is given the primary keys of each batch, in its transaction. A row that somebody else has locked is left.
    """
    deleted = 0
    while True:
        with transaction.atomic():
            locked = rows.select_for_update(skip_locked=True).order_by("pk")
            keys = list(locked.values_list("pk", flat=True)[:batch])
            if also and keys:
                also(keys)
            rows.model._default_manager.filter(pk__in=keys).delete()
        deleted += len(keys)
        if len(keys) < batch:
            return deleted


def update_and_insert(
    row: models.Model, changes: Mapping[str, object], *, expecting: Mapping[str, object], rows: Sequence[models.Model]
) -> bool:
    """In one statement: change columns of `row` where it still is as `expecting` says, and insert `rows`.

    Returns whether the row was as expected. When it was not, `rows` are inserted all the same, so the
    caller raises and lets its transaction roll back.
    """
    statement = _update_statement(type(row), tuple(changes), tuple(expecting), tuple(type(extra) for extra in rows))
    values = [*_prepared(row, changes), row.pk, *_prepared(row, expecting)]
    values += [value for extra in rows for value in _values(extra)]
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        return bool(cursor.fetchone() == (1,))


def newest_first(rows: "models.QuerySet[Any]", *, at_once: int = 1000) -> Iterator[Any]:
    """Every row, the newest first, read a piece at a time by primary key: in flat memory, in no long transaction."""
    piece = list(rows.order_by("-pk")[:at_once])
    give_back()
    while piece:
        yield from piece
        piece = list(rows.filter(pk__lt=piece[-1].pk).order_by("-pk")[:at_once])
        give_back()


def columns_of(kind: type[models.Model], alias: str) -> str:
    """All columns of a table, quoted, for a statement that is written once: `read` makes rows of what it gives."""
    return ", ".join(f"{alias}.{_name(str(field.column))}" for field in kind._meta.concrete_fields)


def read(kind: "type[Row]", values: Sequence[Any]) -> "Row":
    """The row that the ORM would have made of these values of its columns, in the order of `columns_of`."""
    fields = kind._meta.concrete_fields
    read_by: list[Any] = [getattr(field, "from_db_value", None) for field in fields]
    made = [value if by is None else by(value, None, connection) for by, value in zip(read_by, values, strict=True)]
    return kind.from_db(connection.alias, [field.attname for field in fields], made)


def give_back() -> None:
    """Let others have this thread's connection while somebody slow is waited for; inside a transaction it is kept."""
    if not connection.in_atomic_block:
        connection.close()


def violated(error: Exception) -> str:
    """The name of the constraint that an IntegrityError speaks of, or an empty text."""
    diagnostic = getattr(error.__cause__, "diag", None)
    return str(getattr(diagnostic, "constraint_name", None) or "")


@lru_cache(maxsize=256)
def _statement(kinds: Sequence[type[models.Model]]) -> str:
    inserts = [_insert(kind) for kind in kinds]
    named = [f"row_{place} AS ({insert})" for place, insert in enumerate(inserts[:-1])]
    return (f"WITH {', '.join(named)} " if named else "") + inserts[-1]


@lru_cache(maxsize=256)
def _update_statement(
    kind: type[models.Model], changed: Sequence[str], expected: Sequence[str], kinds: Sequence[type[models.Model]]
) -> str:
    table, key = _name(kind._meta.db_table), _name(str(kind._meta.pk.column))
    assigned = ", ".join(f"{_name(str(_column(kind, name).column))} = %s" for name in changed)
    guarded = " AND ".join(f"{_name(str(_column(kind, name).column))} = %s" for name in expected)
    named = [f"changed AS (UPDATE {table} SET {assigned} WHERE {key} = %s AND {guarded} RETURNING 1)"]  # noqa: S608
    named += [f"row_{place} AS ({_insert(extra)})" for place, extra in enumerate(kinds)]
    return f"WITH {', '.join(named)} SELECT count(*) FROM changed"  # noqa: S608  (names from models)


def _insert(kind: type[models.Model]) -> str:
    fields = _written(kind)
    columns = ", ".join(_name(str(field.column)) for field in fields)
    marks = ", ".join("%s" for _ in fields)
    return f"INSERT INTO {_name(kind._meta.db_table)} ({columns}) VALUES ({marks})"  # noqa: S608  (names from models)


def _written(kind: type[models.Model]) -> list[Column]:
    """The columns that we give a value; the database counts the others itself."""
    return [field for field in kind._meta.concrete_fields if not isinstance(field, models.AutoField)]


def _values(row: models.Model) -> list[Any]:
    return [field.get_db_prep_save(field.pre_save(row, add=True), connection) for field in _written(type(row))]


def _prepared(row: models.Model, columns: Mapping[str, object]) -> list[Any]:
    return [_column(type(row), name).get_db_prep_save(value, connection) for name, value in columns.items()]


def _column(kind: type[models.Model], name: str) -> Column:
    field = kind._meta.get_field(name)
    if not isinstance(field, models.Field):
        raise TypeError(f"{name} is not a column of {kind.__name__}")
    return field


def _name(identifier: str) -> str:
    return str(connection.ops.quote_name(identifier))
