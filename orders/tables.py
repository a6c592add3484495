"""Models of tables that are not ours, built from a mapping; and whether the tables are what the mapping says.

Each mapping's models stand in a registry of their own: two schemas work side by side in one process.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from django.apps.registry import Apps
from django.db import connections, models

from core.errors import FieldError
from orders import databases
from orders.mapping import OrderMapping, of

_WHOLE = frozenset({"smallint", "integer", "bigint"})
_CHARACTERS = frozenset({"text", "character varying", "character"})
_TEXT = _CHARACTERS | {"USER-DEFINED"}
_EXACT = _WHOLE | {"numeric"}
_ID = _WHOLE | _CHARACTERS | {"uuid"}
_KINDS: Mapping[str, frozenset[str]] = {
    **dict.fromkeys(("id", "key", "order"), _ID),
    **dict.fromkeys(("total", "discount", "discount_percent", "tax", "quantity", "unit_price"), _EXACT),
    **dict.fromkeys(("status", "state", "name", "code"), _TEXT),
    "currency": _ID,
    "position": _ID | {"numeric", "timestamp without time zone", "timestamp with time zone"},
}
_TOLD = {_ID: "a whole number, a text or a uuid", _EXACT: "a whole number or numeric, never a float", _TEXT: "a text"}


@dataclass(frozen=True, slots=True)
class Column:
    """`type` is the database's word for it; `length` the most characters it holds, where it says so."""

    type: str
    length: int | None
    may_read: bool
    may_write: bool


Columns = Mapping[str, Column]


@dataclass(frozen=True, slots=True)
class Tables:
    """The unmanaged models of a mapping, whose attributes are the mapping's own words."""

    mapping: OrderMapping
    order: Any
    line: Any
    currencies: Any


def faults(database: str, schema: str, given: Mapping[str, Any], *, merchant: str, livemode: bool) -> list[FieldError]:
    """What of a mapping is not so in the database, each with its place there. Raises databases.Away and Refused."""
    mapping = of(schema, given)
    with databases.reached(database, merchant=merchant, livemode=livemode) as alias:
        return [fault for part, names in mapping.tables() for fault in _faults_of(part, names, mapping, alias)]


def _faults_of(part: str, names: Any, mapping: OrderMapping, alias: str) -> Iterator[FieldError]:
    columns = _columns(alias, names.table)
    if not columns:
        yield FieldError(f"/mapping/{part}/table", f"there is no table {names.table}", "missing")
        return
    for what, name in names.columns():
        place = f"/mapping/{part}/{what}"
        column = columns.get(name)
        if column is None:
            yield FieldError(place, f"{names.table} has no column {name}", "missing")
        elif not column.may_read:
            yield FieldError(place, f"{names.table}.{name} may not be read by our user", "forbidden")
        elif column.type not in _KINDS[what]:
            told = _TOLD.get(_KINDS[what], "another type")
            yield FieldError(place, f"{names.table}.{name} is {column.type}; it must be {told}")
        elif part == "order" and what == "status":
            yield from _status_faults(place, f"{names.table}.{name}", column, mapping)


def _status_faults(place: str, name: str, column: Column, mapping: OrderMapping) -> Iterator[FieldError]:
    longest = max(mapping.statuses.values(), key=len)
    if not column.may_write:
        yield FieldError(place, f"{name} may not be written by our user", "forbidden")
    if column.length is not None and len(longest) > column.length:
        yield FieldError(place, f"{name} holds {column.length} characters: too few for {longest!r}")


_COLUMNS = """
SELECT told.column_name, told.data_type, told.character_maximum_length,
    has_column_privilege(found.oid, told.column_name, 'SELECT'),
    has_column_privilege(found.oid, told.column_name, 'UPDATE')
FROM pg_catalog.pg_class AS found
    JOIN pg_catalog.pg_namespace AS inside ON inside.oid = found.relnamespace
    JOIN information_schema.columns AS told ON told.table_schema = inside.nspname AND told.table_name = found.relname
WHERE found.oid = to_regclass(quote_ident(%s))
"""


def _columns(alias: str, table: str) -> dict[str, Column]:
    """The columns of the table of that name which its user's search path finds; none where there is no such table."""
    with connections[alias].cursor() as cursor:
        cursor.execute(_COLUMNS, [table])
        return {row[0]: Column(*row[1:]) for row in cursor.fetchall()}


def tables_in(database: str, alias: str, mapping: OrderMapping) -> Tables:
    """Models for the mapping. The types of its columns are looked up once in a process, or after `forget`."""
    key = database, mapping
    if key not in _built:
        if len(_built) >= _MOST_BUILT:
            _built.clear()
        _built[key] = _build(alias, mapping)
    return _built[key]


def forget(database: str, mapping: OrderMapping) -> None:
    """The tables are not as they were: look again the next time."""
    _built.pop((database, mapping), None)


_MOST_BUILT = 1000
_built: dict[tuple[str, OrderMapping], Tables] = {}


def _build(alias: str, mapping: OrderMapping) -> Tables:
    registry = Apps()
    made = {part: _model(part, names, _columns(alias, names.table), registry) for part, names in mapping.tables()}
    return Tables(mapping, made["order"], made.get("line"), made.get("currencies"))


def _model(part: str, names: Any, columns: Columns, registry: Apps) -> Any:
    """An unmanaged model. What its rows are found by stands for its primary key."""
    key = "order" if part == "line" else "id"
    meta = type("Meta", (), {"managed": False, "db_table": names.table, "app_label": "orders", "apps": registry})
    mapped = {
        what: _field(columns[name].type if name in columns else "text", column=name, is_key=what == key)
        for what, name in names.columns()
    }
    return type(f"Foreign{part.title()}", (models.Model,), {"__module__": __name__, "Meta": meta, **mapped})


def _field(kind: str, *, column: str, is_key: bool) -> "models.Field[Any, Any]":
    options: dict[str, Any] = {"db_column": column, "primary_key": is_key, "null": not is_key}
    if kind in _WHOLE:
        return models.BigIntegerField(**options)
    if kind == "numeric":
        return models.DecimalField(max_digits=1000, decimal_places=100, **options)
    if kind == "uuid":
        return models.UUIDField(**options)
    return models.TextField(**options)
