"""Test and live are kept apart by the database (security.md 10): Django cannot declare composite foreign keys."""

from django.db import migrations

_PAIRS = [
    ("payments_attempt", "payment_id", "payments_payment"),
    ("payments_attempt", "account_id", "merchants_provideraccount"),
    ("payments_operation", "attempt_id", "payments_attempt"),
    ("payments_operation", "refund_id", "payments_refund"),
    ("payments_refund", "payment_id", "payments_payment"),
    ("payments_refund", "attempt_id", "payments_attempt"),
    ("payments_receipt", "attempt_id", "payments_attempt"),
    ("payments_receipt", "account_id", "merchants_provideraccount"),
    ("payments_overpayment", "payment_id", "payments_payment"),
]


def _add(table: str, column: str, parent: str) -> str:
    return (
        f"ALTER TABLE {table} ADD CONSTRAINT {table}_{column}_same_mode "
        f"FOREIGN KEY ({column}, livemode) REFERENCES {parent} (id, livemode)"
    )


class Migration(migrations.Migration):
    dependencies = [("payments", "0001_initial"), ("merchants", "0002_modes_are_kept_apart")]

    operations = [
        migrations.RunSQL(
            _add(table, column, parent), f"ALTER TABLE {table} DROP CONSTRAINT {table}_{column}_same_mode"
        )
        for table, column, parent in _PAIRS
    ]
