"""Emptying the database after a test that commits: only tables with rows, and nothing that is the same for every test.

Django truncates every table and makes content types and permissions anew, which takes longer than most tests do.
"""

from django.db import connections, transaction
from django.test import TransactionTestCase
from psycopg import sql

KEPT = frozenset({"django_migrations", "django_content_type", "auth_permission"})
"""The same in every test: what migrating has left there."""


def use() -> None:
    TransactionTestCase._fixture_teardown = _empty  # type: ignore[method-assign]


def _empty(case: TransactionTestCase) -> None:
    for alias in case._databases_names(include_mirrors=False):  # type: ignore[attr-defined]
        connection = connections[alias]
        tables = sorted(set(connection.introspection.django_table_names(include_views=False)) - KEPT)
        with transaction.atomic(using=alias), connection.cursor() as cursor:
            # Whoever still writes is waited for, as a TRUNCATE does.
            cursor.execute(sql.SQL("LOCK TABLE {} IN ACCESS EXCLUSIVE MODE").format(_listed(tables)))
            cursor.execute(sql.SQL(" UNION ALL ").join(_HAS_ROWS.format(t, i) for t, i in map(_named, tables)))
            filled = [table for (table,) in cursor.fetchall()]
            # The books' own triggers forbid what is done here, and no order of tables suits every key.
            cursor.execute("SET LOCAL session_replication_role = replica")
            for table in filled:
                cursor.execute(sql.SQL("DELETE FROM {}").format(sql.Identifier(table)))


_HAS_ROWS = sql.SQL("SELECT {} WHERE EXISTS (SELECT FROM {})")


def _named(table: str) -> tuple[sql.Literal, sql.Identifier]:
    return sql.Literal(table), sql.Identifier(table)


def _listed(tables: list[str]) -> sql.Composed:
    return sql.SQL(", ").join(map(sql.Identifier, tables))
