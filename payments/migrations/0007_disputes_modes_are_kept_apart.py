"""Test and live are kept apart by the database for disputes, too: Django cannot declare composite foreign keys."""

from django.db import migrations

_PAIRS = [
    ("payments_dispute", "payment_id", "payments_payment"),
    ("payments_dispute", "attempt_id", "payments_attempt"),
    ("payments_dispute", "account_id", "merchants_provideraccount"),
    ("payments_disputemovement", "dispute_id", "payments_dispute"),
    ("payments_operation", "dispute_id", "payments_dispute"),
]


def _add(table: str, column: str, parent: str) -> str:
    return (
        f"ALTER TABLE {table} ADD CONSTRAINT {table}_{column}_same_mode "
        f"FOREIGN KEY ({column}, livemode) REFERENCES {parent} (id, livemode)"
    )


class Migration(migrations.Migration):
    dependencies = [("payments", "0006_disputes"), ("merchants", "0002_modes_are_kept_apart")]

    operations = [
        migrations.RunSQL(
            _add(table, column, parent), f"ALTER TABLE {table} DROP CONSTRAINT {table}_{column}_same_mode"
        )
        for table, column, parent in _PAIRS
    ]
