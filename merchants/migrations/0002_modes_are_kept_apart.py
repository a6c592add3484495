"""Test and live are kept apart by the database (security.md 10): Django cannot declare composite foreign keys."""

from django.db import migrations

_PAIRS = [
    ("merchants_callbacktoken", "account_id", "merchants_provideraccount"),
    ("merchants_providertoken", "account_id", "merchants_provideraccount"),
    ("merchants_delivery", "endpoint_id", "merchants_webhookendpoint"),
]


def _add(table: str, column: str, parent: str) -> str:
    return (
        f"ALTER TABLE {table} ADD CONSTRAINT {table}_{column}_same_mode "
        f"FOREIGN KEY ({column}, livemode) REFERENCES {parent} (id, livemode)"
    )


class Migration(migrations.Migration):
    dependencies = [("merchants", "0001_initial")]

    operations = [
        migrations.RunSQL(
            _add(table, column, parent), f"ALTER TABLE {table} DROP CONSTRAINT {table}_{column}_same_mode"
        )
        for table, column, parent in _PAIRS
    ]
