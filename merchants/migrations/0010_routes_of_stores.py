"""A store prefers an account, and a routing rule is about a store, of the same merchant and mode (security.md 10)."""

import django.db.models.deletion
from django.db import migrations, models

_PAIRS = [
    ("merchants_store", "default_account_id", "merchants_provideraccount"),
    ("merchants_routingrule", "store_id", "merchants_store"),
]


def _together(table: str, column: str, parent: str) -> str:
    return (
        f"ALTER TABLE {table} ADD CONSTRAINT {table}_{column}_same_merchant_and_mode "
        f"FOREIGN KEY ({column}, merchant_id, livemode) REFERENCES {parent} (id, merchant_id, livemode)"
    )


class Migration(migrations.Migration):
    dependencies = [
        ("merchants", "0009_stores"),
    ]

    operations = [
        migrations.AddConstraint(
            model_name="provideraccount",
            constraint=models.UniqueConstraint(
                fields=("id", "merchant", "livemode"), name="account_has_one_merchant_and_mode"
            ),
        ),
        migrations.AddField(
            model_name="store",
            name="default_account",
            field=models.ForeignKey(
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="merchants.provideraccount",
            ),
        ),
        migrations.AddField(
            model_name="routingrule",
            name="store",
            field=models.ForeignKey(
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="merchants.store",
            ),
        ),
        *(
            migrations.RunSQL(
                _together(table, column, parent),
                f"ALTER TABLE {table} DROP CONSTRAINT {table}_{column}_same_merchant_and_mode",
            )
            for table, column, parent in _PAIRS
        ),
    ]
