"""Orders in PostgreSQL, by psycopg."""

from typing import Any

import environ

from orders.dialects.base import CONNECT_SECONDS, IDLE_SECONDS, LOCK_SECONDS, STATEMENT_SECONDS, Column, Dialect, Kind

_LIMITS = {
    "statement_timeout": STATEMENT_SECONDS,
    "lock_timeout": LOCK_SECONDS,
    "idle_in_transaction_session_timeout": IDLE_SECONDS,
}
"""What the database itself ends; in seconds."""

_COLUMNS = """
SELECT told.column_name, told.data_type, told.character_maximum_length,
    has_column_privilege(found.oid, told.column_name, 'SELECT'),
    has_column_privilege(found.oid, told.column_name, 'UPDATE')
FROM pg_catalog.pg_class AS found
    JOIN pg_catalog.pg_namespace AS inside ON inside.oid = found.relnamespace
    JOIN information_schema.columns AS told ON told.table_schema = inside.nspname AND told.table_name = found.relname
WHERE found.oid = to_regclass(quote_ident(%s))
"""
"""Of the table of that name which our user's search path finds."""

_UNTRANSLATABLE = "22P05"


class PostgreSQL(Dialect):
    schemes = ("postgresql", "postgres")
    vendor = "postgresql"
    kinds = {
        **dict.fromkeys(("smallint", "integer", "bigint"), Kind.WHOLE),
        **dict.fromkeys(("text", "character varying", "character"), Kind.TEXT),
        **dict.fromkeys(("timestamp without time zone", "timestamp with time zone"), Kind.MOMENT),
        "numeric": Kind.EXACT,
        "uuid": Kind.UUID,
        "USER-DEFINED": Kind.WORD,
    }

    def connection(self, url: str) -> dict[str, Any]:
        told: dict[str, Any] = environ.Env.db_url_config(url)
        given: dict[str, Any] = told.get("OPTIONS", {})
        limits = " ".join(f"-c {name}={seconds * 1000}" for name, seconds in _LIMITS.items())
        options = {
            "connect_timeout": CONNECT_SECONDS,
            "tcp_user_timeout": STATEMENT_SECONDS * 1000,
            "keepalives_idle": STATEMENT_SECONDS,
            "keepalives_interval": 2,
            "keepalives_count": 2,
            "application_name": "lango",
            **given,
            "options": f"{given.get('options', '')} {limits}".strip(),
        }
        return {**told, "CONN_MAX_AGE": 0, "DISABLE_SERVER_SIDE_CURSORS": True, "OPTIONS": options}

    def columns(self, cursor: Any, table: str) -> dict[str, Column]:
        cursor.execute(_COLUMNS, [table])
        return {name: self._column(*told) for name, *told in cursor.fetchall()}

    def has_no_such_letters(self, fault: Exception) -> bool:
        return getattr(fault.__cause__, "sqlstate", None) == _UNTRANSLATABLE
