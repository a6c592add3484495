"""Emptying the database after a test that commits: only tables with rows, and nothing that is the same for every test.

Django truncates every table and makes content types and permissions anew, which takes longer than most tests do.
"""

from django.db import connections
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
        with connection.cursor() as cursor:
            cursor.execute(_SOME.join(_has_rows(table).as_string(cursor.connection) for table in tables))
            filled = [table for (table,) in cursor.fetchall()]
            if filled:
                # The books' own triggers forbid what is done here, and no order of tables suits every key.
                deletes = "; ".join(
                    sql.SQL("DELETE FROM {}").format(sql.Identifier(table)).as_string(cursor.connection)
                    for table in filled
                )
                cursor.execute(f"BEGIN; SET LOCAL session_replication_role = replica; {deletes}; COMMIT")


_SOME = " UNION ALL "


def _has_rows(table: str) -> sql.Composed:
    return sql.SQL("SELECT {} WHERE EXISTS (SELECT FROM {})").format(sql.Literal(table), sql.Identifier(table))
