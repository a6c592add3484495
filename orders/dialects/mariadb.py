"""Orders in MariaDB, by PyMySQL, which Django takes for the driver that it knows."""

from collections.abc import Mapping
from typing import Any

import environ

from orders.dialects.base import (
    CONNECT_SECONDS,
    IDLE_SECONDS,
    LOCK_SECONDS,
    STATEMENT_SECONDS,
    TABLES_CHANGED,
    Column,
    Dialect,
    Kind,
    WrongUrl,
)

_LIMITS = {
    "max_statement_time": STATEMENT_SECONDS,
    "innodb_lock_wait_timeout": LOCK_SECONDS,
    "lock_wait_timeout": LOCK_SECONDS,
    "idle_transaction_timeout": IDLE_SECONDS,
}
"""What the database itself ends; in seconds. The first lock is of rows, the second of a table that is being altered."""

# A word that a column cannot hold is refused then, and never cut short in silence.
_MODE = "sql_mode = 'STRICT_ALL_TABLES,NO_ZERO_DATE,NO_ZERO_IN_DATE,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION'"

_COLUMNS = """
SELECT column_name, data_type, character_maximum_length, privileges
FROM information_schema.columns WHERE table_schema = DATABASE() AND table_name = %s
"""
_ENGINE = "SELECT engine FROM information_schema.tables WHERE table_schema = DATABASE() AND table_name = %s"

_CHANGES = frozenset({1044, 1054, 1142, 1143, 1146})
"""Numbers of faults that PyMySQL calls operational: a database, table or column that is not there, or not for us."""
_UNKNOWN_VARIABLE = 1193
_NO_COMMON_CHARACTERS = 1267

_TLS_MODES = ("disable", "prefer", "require", "verify-ca", "verify-full")
_TLS_FILES = {"sslrootcert": "ca", "sslcert": "cert", "sslkey": "key"}


class MariaDB(Dialect):
    schemes = ("mariadb", "mysql")
    vendor = "mysql"
    kinds = {
        **dict.fromkeys(("tinyint", "smallint", "mediumint", "int", "bigint"), Kind.WHOLE),
        **dict.fromkeys(("char", "varchar", "tinytext", "text", "mediumtext", "longtext"), Kind.TEXT),
        **dict.fromkeys(("datetime", "timestamp"), Kind.MOMENT),
        "decimal": Kind.EXACT,
        "uuid": Kind.UUID,
        "enum": Kind.WORD,
    }

    def connection(self, url: str) -> dict[str, Any]:
        import pymysql  # only where a till has such a database

        pymysql.install_as_MySQLdb()
        told: dict[str, Any] = environ.Env.db_url_config(url, engine="django.db.backends.mysql")
        limits = ", ".join(f"{name} = {seconds}" for name, seconds in _LIMITS.items())
        options = {
            "connect_timeout": CONNECT_SECONDS,
            "read_timeout": STATEMENT_SECONDS + 1,
            "write_timeout": STATEMENT_SECONDS + 1,
            "program_name": "lango",
            "init_command": f"SET SESSION {limits}, {_MODE}",
            # PyMySQL would encode it as Latin-1, which not every password is.
            "password": told["PASSWORD"].encode(),
            **_tls(told.get("OPTIONS", {})),
        }
        return {**told, "CONN_MAX_AGE": 0, "OPTIONS": options}

    def columns(self, cursor: Any, table: str) -> dict[str, Column]:
        cursor.execute(_COLUMNS, [table])
        found = {}
        for name, kind, length, rights in cursor.fetchall():
            held = rights.split(",")
            found[name] = self._column(kind, length, "select" in held, "update" in held)
        return found

    def table_fault(self, cursor: Any, table: str) -> str:
        cursor.execute(_ENGINE, [table])
        engine = (cursor.fetchone() or [None])[0]
        # A view has no engine.
        return "" if engine in (None, "InnoDB") else f"{table} is kept by {engine}, which locks no rows: use InnoDB"

    def refusal(self, fault: Exception) -> str:
        if _number(fault) in _CHANGES:
            return TABLES_CHANGED
        if _number(fault) == _UNKNOWN_VARIABLE:
            return "is not MariaDB, or is older than we can ask"
        return ""

    def has_no_such_letters(self, fault: Exception) -> bool:
        return bool(_number(fault) == _NO_COMMON_CHARACTERS)


def _number(fault: Exception) -> Any:
    return fault.args[0] if fault.args else None


def _tls(given: Mapping[str, Any]) -> dict[str, Any]:
    """PyMySQL's options for the words that PostgreSQL has for the same. Raises WrongUrl that names the wrong one."""
    if unknown := sorted(set(given) - {"sslmode", *_TLS_FILES}):
        raise WrongUrl(f"has the option {unknown[0]}, which is none of sslmode, {', '.join(_TLS_FILES)}")
    mode = given.get("sslmode", "prefer")
    if mode not in _TLS_MODES:
        raise WrongUrl(f"has an sslmode that is none of {', '.join(_TLS_MODES)}")
    files = {_TLS_FILES[name]: path for name, path in given.items() if name in _TLS_FILES}
    is_verified = mode.startswith("verify")
    if is_verified and "ca" not in files:
        raise WrongUrl(f"has sslmode={mode} without sslrootcert, the authority to verify by")
    if files and mode in ("disable", "prefer"):
        raise WrongUrl("names files for TLS without an sslmode that demands it")
    if mode in ("disable", "prefer"):
        return {"ssl_disabled": True} if mode == "disable" else {}
    return {"ssl": {**files, "verify_mode": is_verified, "check_hostname": mode == "verify-full"}}
