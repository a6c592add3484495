"""Models of tables that are not ours, built from a mapping; and whether the tables are what the mapping says.

Each mapping's models stand in a registry of their own: two schemas work side by side in one process.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from django.apps.registry import Apps
from django.db import connections, models

from core.errors import FieldError
from orders import databases, dialects
from orders.dialects import Column, Dialect, Kind
from orders.mapping import OrderMapping, of

_ID = frozenset({Kind.WHOLE, Kind.TEXT, Kind.UUID})
_AMOUNT = frozenset({Kind.WHOLE, Kind.EXACT})
_TEXT = frozenset({Kind.TEXT, Kind.WORD})
_KINDS: Mapping[str, frozenset[Kind]] = {
    **dict.fromkeys(("id", "key", "order"), _ID),
    **dict.fromkeys(("total", "discount", "discount_percent", "tax", "quantity", "unit_price"), _AMOUNT),
    **dict.fromkeys(("status", "state", "name", "code"), _TEXT),
    "currency": _ID,
    "position": _ID | {Kind.EXACT, Kind.MOMENT},
}
_TOLD = {_ID: "a whole number, a text or a uuid", _AMOUNT: "a whole number or {exact}, never a float", _TEXT: "a text"}

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
    dialect, columns = _dialect(alias), _columns(alias, names.table)
    if not columns:
        yield FieldError(f"/mapping/{part}/table", f"there is no table {names.table}", "missing")
        return
    if part == "order" and (fault := _table_fault(alias, names.table)):
        yield FieldError("/mapping/order/table", fault)
    for what, name in names.columns():
        place = f"/mapping/{part}/{what}"
        column = columns.get(name)
        if column is None:
            yield FieldError(place, f"{names.table} has no column {name}", "missing")
        elif not column.may_read:
            yield FieldError(place, f"{names.table}.{name} may not be read by our user", "forbidden")
        elif column.kind not in _KINDS[what]:
            told = _TOLD.get(_KINDS[what], "another type").format(exact=dialect.exact)
            yield FieldError(place, f"{names.table}.{name} is {column.type}; it must be {told}")
        elif part == "order" and what == "status":
            yield from _status_faults(place, f"{names.table}.{name}", column, mapping)


def _status_faults(place: str, name: str, column: Column, mapping: OrderMapping) -> Iterator[FieldError]:
    longest = max(mapping.statuses.values(), key=len)
    if not column.may_write:
        yield FieldError(place, f"{name} may not be written by our user", "forbidden")
    if column.length is not None and len(longest) > column.length:
        yield FieldError(place, f"{name} holds {column.length} characters: too few for {longest!r}")


def _columns(alias: str, table: str) -> Columns:
    with connections[alias].cursor() as cursor:
        return _dialect(alias).columns(cursor, table)


def _table_fault(alias: str, table: str) -> str:
    with connections[alias].cursor() as cursor:
        return _dialect(alias).table_fault(cursor, table)


def _dialect(alias: str) -> Dialect:
    return dialects.of_vendor(connections[alias].vendor)


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
        what: _field(columns[name].kind if name in columns else Kind.TEXT, column=name, is_key=what == key)
        for what, name in names.columns()
    }
    return type(f"Foreign{part.title()}", (models.Model,), {"__module__": __name__, "Meta": meta, **mapped})


def _field(kind: Kind, *, column: str, is_key: bool) -> "models.Field[Any, Any]":
    options: dict[str, Any] = {"db_column": column, "primary_key": is_key, "null": not is_key}
    match kind:
        case Kind.WHOLE:
            return models.BigIntegerField(**options)
        case Kind.EXACT:
            return models.DecimalField(max_digits=1000, decimal_places=100, **options)
        case Kind.UUID:
            return models.UUIDField(**options)
        case _:
            return models.TextField(**options)
